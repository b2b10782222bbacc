"""Citation recall and precision, by hand and against the definition written out again; quotes without offsets."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.data import Quote
from eval.measures.alce import Cited, Pair, Quality, citation_qualities, citation_quality, mean_quality
from eval.measures.citations import verbatim


class ScriptedChecker:
    """Supports a claim where the evidence holds all of its letters, and keeps what it was asked."""

    name = "scripted"
    fingerprint = "scripted-1"

    def __init__(self) -> None:
        self.rounds: list[list[Pair]] = []

    def support(self, pairs: Sequence[Pair]) -> list[float]:
        self.rounds.append(list(pairs))
        return [float(holds(pair)) for pair in pairs]


def holds(pair: Pair) -> bool:
    evidence, claim = pair
    return set(claim) <= set(evidence)


def quality(*sentences: Cited) -> Quality:
    return citation_quality(sentences, lambda pairs: [holds(pair) for pair in pairs])


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (Cited("a", ("a",)), Quality((1, 1), (1, 1))),
        (Cited("a", ("b",)), Quality((0, 1), (0, 1))),
        (Cited("a", ()), Quality((0, 1), (0, 0))),
        (Cited("ab", ("a", "b")), Quality((1, 1), (2, 2))),  # each is needed
        (Cited("a", ("a", "a")), Quality((1, 1), (2, 2))),  # each supports alone
        (Cited("a", ("a", "b")), Quality((1, 1), (1, 2))),  # the second adds nothing
        (Cited("abc", ("ab", "c", "x")), Quality((1, 1), (2, 3))),
        (Cited("ab", ("a", "a", "b")), Quality((1, 1), (1, 3))),  # either a can be spared, b cannot
        (Cited("abc", ("a", "b")), Quality((0, 1), (0, 2))),  # not supported: its citations count for nothing
    ],
)
def test_a_sentence_alone(sentence: Cited, expected: Quality) -> None:
    assert quality(sentence) == expected


def test_sentences_of_an_answer_add_up() -> None:
    answer = [Cited("a", ("a", "b")), Cited("b", ()), Cited("c", ("d",))]
    found = quality(*answer)
    assert found == Quality((1, 3), (1, 3))
    assert (found.recall_of_answer, found.precision_of_answer) == (1 / 3, 1 / 3)


def test_an_answer_without_sentences_has_no_quality() -> None:
    nothing = quality()
    assert nothing == Quality((0, 0), (0, 0))
    assert (nothing.recall_of_answer, nothing.precision_of_answer) == (None, None)
    assert mean_quality([nothing]) is None


def test_an_answer_without_citations_has_precision_zero() -> None:
    bare = quality(Cited("a", ()), Cited("b", ()))
    assert (bare.recall_of_answer, bare.precision_of_answer) == (0.0, 0.0)


def test_the_mean_weighs_answers_alike_however_long() -> None:
    short = quality(Cited("a", ("a",)))
    long = quality(Cited("a", ("b",)), Cited("b", ("a",)), Cited("c", ("c", "x")))
    assert mean_quality([short, long, quality()]) == ((1 + 1 / 3) / 2, (1 + 1 / 4) / 2)


def test_the_checker_is_asked_twice_at_most_and_each_pair_once() -> None:
    checker = ScriptedChecker()
    answers = [[Cited("ab", ("a", "b")), Cited("a", ("a",))], [], [Cited("ab", ("a", "b")), Cited("c", ("d", "e"))]]
    assert citation_qualities(answers, checker) == [quality(*answer) for answer in answers]
    assert checker.rounds == [
        [("a\nb", "ab"), ("a", "a"), ("d\ne", "c")],
        [("a", "ab"), ("b", "ab")],
    ]


def test_without_citations_the_checker_is_not_asked() -> None:
    checker = ScriptedChecker()
    citation_qualities([[Cited("a", ())], []], checker)
    assert checker.rounds == []


def test_support_counts_from_the_threshold_on() -> None:
    class Half(ScriptedChecker):
        def support(self, pairs: Sequence[Pair]) -> list[float]:
            return [0.5 if evidence == "at" else 0.499 for evidence, _ in pairs]

    assert citation_qualities([[Cited("a", ("at",))], [Cited("a", ("below",))]], Half()) == [
        Quality((1, 1), (1, 1)),
        Quality((0, 1), (0, 1)),
    ]


def literal(sentences: Sequence[Cited]) -> tuple[float, float]:
    """Return recall and precision of one answer, sentence after sentence as the paper tells it."""
    recalled, precise, citations = 0, 0, 0
    for sentence in sentences:
        citations += len(sentence.evidence)
        if not sentence.evidence or not holds(("\n".join(sentence.evidence), sentence.text)):
            continue
        recalled += 1
        for place, text in enumerate(sentence.evidence):
            others = [other for i, other in enumerate(sentence.evidence) if i != place]
            irrelevant = not holds((text, sentence.text)) and bool(others) and holds(("\n".join(others), sentence.text))
            precise += not irrelevant
    return recalled / len(sentences), precise / citations if citations else 0.0


letters = st.text(alphabet="abc", min_size=1, max_size=3)
answer = st.lists(st.builds(Cited, letters, st.lists(letters, max_size=4).map(tuple)), min_size=1, max_size=4)


@given(st.lists(answer, min_size=1, max_size=4))
def test_equals_the_definition_written_out(answers: list[list[Cited]]) -> None:
    found = citation_qualities(answers, ScriptedChecker())
    assert [(q.recall_of_answer, q.precision_of_answer) for q in found] == [literal(one) for one in answers]
    recalls, precisions = zip(*map(literal, answers), strict=True)
    assert mean_quality(found) == pytest.approx((sum(recalls) / len(answers), sum(precisions) / len(answers)))


def test_a_quote_without_offsets_is_verbatim_where_its_words_occur() -> None:
    texts = {"d": "Il prezzo salì a 12 dollari."}
    assert verbatim([Quote("d", text="salì a 12"), Quote("d", start=10, text="salì")], texts.get) == (2, 2)
    lacking = [Quote("d", text="sali a 12"), Quote("d"), Quote("other", text="prezzo"), Quote("d", 3, 3)]
    assert verbatim(lacking, texts.get) == (0, 4)
