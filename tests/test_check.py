"""Bad gold pairs, one of each sort, against a real library."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest
from conftest import FakeEmbedder
from scripted import PASSAGES, answered, cite, refused

from eval.check import LEAST_ANSWERABLE, Finding, begins_in, check_gold, occurs_in
from eval.data import Gold
from eval.measures.containment import holds, holds_stem
from eval.measures.normalise import normalise
from index.errors import BadQuestion, GenerationFailed
from index.library import Library
from index.types import Document
from rag.types import Answer, Citation, Claim, Turn

MUSEUM = "Ada Conti has led the museum since 2019. The “old”\nroof was repaired in 2021 for 40,000 euros."
GARDEN = "Il giardino botanico ospita palme e orchidee. Carla Riva se ne prende cura dal 2005."
GOOD = Gold("led", "Who has led the museum since 2019?", ("Ada Conti",), ("city/museum.md",), True, "en", "factoid")
NONE = Gold("cost", "How much did the new windows cost?", (), (), False, "en", "unanswerable")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("check") / "library"
    documents = [
        Document("city/museum.md", MUSEUM, "The museum by the Lenne", language="en"),
        Document("garden.md", GARDEN, "Il giardino", language="it"),
    ]
    with Library.open(folder, FakeEmbedder(), create=True) as opened:
        opened.add_documents(documents)
        yield opened


def findings(library: Library, *golds: Gold) -> list[Finding]:
    return check_gold(list(enumerate(golds, start=1)), library)


def only(library: Library, *golds: Gold) -> Finding:
    (finding,) = findings(library, *golds)
    return finding


def test_good_pairs_give_no_finding(library):
    italian = Gold("it", "Chi si prende cura del giardino?", ("carla riva",), ("garden.md",), True, "it", "factoid")
    assert findings(library, GOOD, NONE, italian) == []


def test_a_document_that_the_library_lacks_is_serious(library):
    finding = only(library, replace(GOOD, relevant=("nowhere.md", "city/museum.md")))
    assert (finding.line, finding.id, finding.serious) == (1, "led", True)
    assert finding.problem == "the library does not hold “nowhere.md”"


def test_a_document_of_the_same_name_in_another_folder_is_named(library):
    assert only(library, replace(GOOD, relevant=("Museum.md",))).problem.endswith("it does hold “city/museum.md”")


def test_many_missing_documents_are_counted(library):
    missing = tuple(f"no-{number}" for number in range(5))
    assert only(library, replace(GOOD, relevant=missing)).problem.endswith("“no-0”, “no-1”, “no-2” and 2 more")


def test_an_answerable_pair_with_nothing_to_measure_is_serious(library):
    finding = only(library, replace(GOOD, answers=(), relevant=()))
    assert finding.serious
    assert "nothing to measure" in finding.problem


@pytest.mark.parametrize(
    "change",
    [{"relevant": ()}, {"answers": ()}, {"answers": (), "relevant": (), "meta": {"all_of": ["Conti"]}}],
    ids=str,
)
def test_one_thing_to_measure_is_enough(library, change):
    assert findings(library, replace(GOOD, **change)) == []


def test_an_answer_that_no_relevant_document_holds_is_serious(library):
    finding = only(library, replace(GOOD, answers=("Carla Riva", "Bruno Neri")))
    assert finding.serious
    assert "“Carla Riva”" in finding.problem


@pytest.mark.parametrize(
    "answers",
    [("ada conti",), ("Bruno Neri", "Ada Conti"), ("40.000 euro", "40000 euros"), ("museum by the Lenne",)],
    ids=["case", "one of them", "number", "title"],
)
def test_an_answer_is_held_after_normalisation_in_text_or_title(library, answers):
    assert findings(library, replace(GOOD, answers=answers)) == []


def test_part_of_a_word_is_no_answer(library):
    assert only(library, replace(GOOD, answers=("Cont",))).serious


@pytest.mark.parametrize(
    "change",
    [
        {"answers": ("one two three four five six seven eight nine ten eleven twelve thirteen",)},
        {"answers": ("The woman who leads the museum is Ada.",)},
        {"answers": ("yes",), "kind": "Yes-No"},
        {"answers": ("palms",), "relevant": ("garden.md",)},
    ],
    ids=["many words", "a sentence", "yes or no", "another language"],
)
def test_an_answer_that_may_be_in_other_words_is_a_remark(library, change):
    finding = only(library, replace(GOOD, **change))
    assert "no relevant document holds an accepted answer" in finding.problem
    assert not finding.serious


def test_stems_of_all_of_must_each_begin_a_word_of_some_relevant_document(library):
    both = replace(GOOD, answers=("both",), relevant=("city/museum.md", "garden.md"))
    assert findings(library, replace(both, meta={"all_of": ["Cont", "orchid", "2021"]})) == []
    finding = only(library, replace(both, meta={"all_of": ["Conti", "useum", "202"]}))
    assert finding.serious
    assert finding.problem == "no relevant document holds “useum”, “202” of meta.all_of"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It cost 1,500 euros.", "1.500"),
        ("It cost 1,500 euros.", "1.5"),
        ("It cost 1,500 euros.", "150"),
        ("Years 2019-2021.", "2021"),
        ("Museums of Milan", "museum"),
        ("Caffè", "caffe"),
        ("He is non-smoking", "smok"),
    ],
)
def test_texts_normalised_once_are_searched_as_the_measure_does(text, wanted):
    words = f" {normalise(text)} "
    assert occurs_in(words, wanted) == holds(text, wanted)
    assert begins_in(words, wanted) == holds_stem(text, wanted)


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({"answers": ("Ada",)}, "answers"),
        ({"relevant": ("garden.md",)}, "relevant"),
        ({"answers": ("Ada",), "relevant": ("garden.md",)}, "answers and relevant"),
    ],
)
def test_an_unanswerable_pair_with_an_answer_contradicts_itself(library, change, held):
    finding = only(library, replace(NONE, **change))
    assert finding.serious
    assert finding.problem.endswith(f"unanswerable and has {held}")


def test_the_same_question_with_other_answers_is_serious(library):
    other = replace(GOOD, id="again", question="who has led  museum since 2019", answers=("Conti",))
    finding = only(library, GOOD, other)
    assert (finding.line, finding.id, finding.serious) == (2, "again", True)
    assert finding.problem == "asks the same as led on line 1, and accepts other answers"


def test_the_same_pair_twice_is_a_remark(library):
    finding = only(library, GOOD, replace(GOOD, id="again", answers=("ADA CONTI",)))
    assert "counts twice" in finding.problem
    assert not finding.serious


def test_a_question_both_answerable_and_not_is_serious(library):
    finding = only(library, GOOD, replace(NONE, question=GOOD.question))
    assert finding.serious
    assert "only one of the two is called answerable" in finding.problem


def test_the_same_words_after_other_turns_are_another_question(library):
    after = [replace(GOOD, id=text, meta={"history": [Turn("user", text)]}) for text in ("The museum?", "Ada?")]
    assert findings(library, GOOD, *after) == []
    assert only(library, *after, replace(after[0], id="twice")).line == 3


def test_a_quote_that_no_relevant_document_holds_is_serious(library):
    finding = only(library, replace(GOOD, meta={"quotes": ["Ada Conti has led", "Carla Riva"]}))
    assert finding.serious
    assert finding.problem == "no relevant document holds the quote “Carla Riva”"


def test_a_quote_that_differs_in_spaces_or_quotation_marks_is_a_remark(library):
    finding = only(library, replace(GOOD, meta={"quotes": ['The "old" roof was repaired']}))
    assert not finding.serious
    assert finding.problem.endswith("differs from city/museum.md in spaces or quotation marks only")


@pytest.mark.parametrize("quotes", [None, "Ada", [1, None], {"a": 1}], ids=str)
def test_quotes_of_another_shape_are_left_alone(library, quotes):
    assert findings(library, replace(GOOD, meta={"quotes": quotes})) == []


def test_a_question_in_another_language_than_given_is_a_remark(library):
    finding = only(library, replace(GOOD, language="it"))
    assert not finding.serious
    assert finding.problem == "the question reads as 'en', and its language is given as 'it'"


@pytest.mark.parametrize(
    ("question", "language"),
    [("Chi guida?", "en"), (GOOD.question, "en-GB"), (GOOD.question, ""), (GOOD.question, "la")],
    ids=["too short to tell", "country", "not given", "unknown to the detector"],
)
def test_a_language_that_cannot_be_told_wrong_is_left_alone(library, question, language):
    assert findings(library, replace(GOOD, question=question, language=language)) == []


@pytest.mark.parametrize(
    "question", ["TODO", "???", "...", "Question 3", "<your question>", "{{question}}?", "XXXX", "test"]
)
def test_a_placeholder_is_serious(library, question):
    finding = only(library, replace(GOOD, question=question))
    assert finding.serious
    assert "placeholder" in finding.problem


@pytest.mark.parametrize(
    "question", ["What marks TODO comments?", "What does {{ name }} stand for?", "Which test failed?"]
)
def test_a_question_about_placeholders_is_none(library, question):
    assert findings(library, replace(GOOD, question=question)) == []


def test_a_draft_that_nobody_accepted_is_a_remark(library):
    assert not only(library, replace(GOOD, meta={"draft": True})).serious
    assert findings(library, replace(GOOD, meta={"draft": False})) == []


def test_findings_come_by_line_and_a_pair_may_have_several(library):
    bad = replace(GOOD, id="bad", question="TODO", answers=("Bruno",))
    found = check_gold([(7, bad), (3, replace(GOOD, relevant=("x",)))], library)
    assert [finding.line for finding in found] == [3, 7, 7]


class Scripted:
    """Answers with what it was given, and keeps the questions."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.reply = answer
        self.asked: list[tuple[str, Sequence[Turn]]] = []

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        self.asked.append((question, history))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def convinced(
    answerable: float = LEAST_ANSWERABLE, *, support: float = 0.95, weaker: Sequence[Citation] = ()
) -> Answer:
    best = cite(1, "Both keep their “present” duties.", support=support)
    answer = answered("q", Claim("Both do.", (1,), "supported"), citations=[*weaker, best], passages=PASSAGES)
    return replace(answer, receipt={"answerable": answerable})


def asked(library: Library, reply: Answer | Exception, *golds: Gold) -> list[Finding]:
    return check_gold(list(enumerate(golds, start=1)), library, Scripted(reply))


def test_what_the_documents_may_answer_is_a_remark_with_the_best_quote(library):
    weaker = [cite(2, "The board did not wait.", support=0.2)]
    (finding,) = asked(library, convinced(weaker=weaker), NONE)
    assert not finding.serious
    assert finding.problem == "the documents may answer this: “Both keep their “present” duties.” (en/leads.pdf)"


@pytest.mark.parametrize(
    "reply",
    [convinced(LEAST_ANSWERABLE - 0.01), convinced(support=0.5), refused("q"), replace(convinced(), receipt={})],
    ids=["improbable", "poorly supported", "refused", "no probability"],
)
def test_an_answer_that_does_not_convince_is_no_finding(library, reply):
    assert asked(library, reply, NONE) == []


def test_only_unanswerable_questions_are_asked_with_their_history(library):
    answerer = Scripted(refused("q"))
    turns = [Turn("user", "And the windows?")]
    check_gold([(1, GOOD), (2, replace(NONE, meta={"history": turns}))], library, answerer)
    assert answerer.asked == [(NONE.question, turns)]


def test_a_question_that_cannot_be_asked_is_a_finding(library):
    (finding,) = asked(library, BadQuestion("The question has 9,000 characters."), NONE)
    assert finding.serious
    assert "9,000" in finding.problem


def test_a_model_that_fails_stops_the_check(library):
    with pytest.raises(GenerationFailed):
        asked(library, GenerationFailed("gone"), NONE)


def test_progress_reaches_the_number_of_pairs(library):
    seen: list[tuple[int, int]] = []
    check_gold([(1, GOOD), (2, NONE)], library, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_ten_thousand_pairs_over_long_documents_take_seconds(tmp_path: Path):
    text = " ".join(f"Room {number} holds the statue of saint {number}." for number in range(5_000))
    with Library.open(tmp_path / "library", FakeEmbedder(), create=True) as library:
        library.add_documents([Document("rooms", text, language="en")])
        pairs = [
            (n, Gold(str(n), f"What does room {n} hold?", (f"saint {n}",), ("rooms",), True, "en"))
            for n in range(10_000)
        ]
        start = perf_counter()
        found = check_gold(pairs, library)
    assert [finding.line for finding in found] == list(range(5_000, 10_000))  # the rooms that there are not
    assert perf_counter() - start < 30  # 3 s on two cores; normalising the text for each pair takes an hour
