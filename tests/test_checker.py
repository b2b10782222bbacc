"""Does evidence support a claim? Orders a person would agree with, under an embedder of hashed words."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEmbedder

from eval.checker import SUPPORTED, EmbedderChecker, Signs
from index.embed import Vectors
from rag.settings import load_settings
from ui.app import load_embedder

EVIDENCE = (
    "The lighthouse of Capo Ferro was built in 1861 by the engineer Rossi. "
    "Its lamp burned olive oil until 1903. "
    "In the village below, the baker Maria Bianchi opened a school for sailors in 1910. "
    "The school does not take pupils from the mainland."
)
TOLD = "The baker Maria Bianchi opened a school for sailors in 1910."


@pytest.fixture
def checker(fake_embedder: FakeEmbedder) -> EmbedderChecker:
    return EmbedderChecker(fake_embedder)


def support(checker: EmbedderChecker, claim: str, evidence: str = EVIDENCE) -> float:
    (value,) = checker.support([(evidence, claim)])
    return value


def signs(checker: EmbedderChecker, claim: str, evidence: str = EVIDENCE) -> Signs:
    (found,) = checker.signs([(evidence, claim)])
    assert found is not None
    return found


def test_what_the_evidence_says_is_supported(checker: EmbedderChecker) -> None:
    assert support(checker, TOLD) > SUPPORTED
    assert support(checker, "Maria Bianchi, the village's baker, opened a sailors' school in 1910.") > SUPPORTED


def test_what_it_does_not_say_is_not(checker: EmbedderChecker) -> None:
    assert support(checker, "Copper mines closed after the second strike of the miners.") < SUPPORTED
    assert support(checker, "The price of tickets for the ferry doubled last summer.") < SUPPORTED


@pytest.mark.parametrize(
    "worse",
    [
        "The baker Maria Bianchi opened a school for sailors in 1907.",  # a number that is nowhere
        "The baker Maria Bianchi opened a school for sailors in 1861.",  # a number of another sentence
        "The baker Maria Conti opened a school for sailors in 1910.",  # a name that is nowhere
        "The baker Maria Bianchi did not open a school for sailors in 1910.",
        "The baker Maria Bianchi opened a school for sailors in 1910 and a library for their children.",  # half of it
    ],
)
def test_what_is_changed_or_added_is_supported_less(checker: EmbedderChecker, worse: str) -> None:
    assert support(checker, worse) < support(checker, TOLD) - 0.1


def test_evidence_without_the_sentence_that_counts_supports_less(checker: EmbedderChecker) -> None:
    rest = EVIDENCE.replace("In the village below, the baker Maria Bianchi opened a school for sailors in 1910. ", "")
    assert support(checker, TOLD, rest) < SUPPORTED < support(checker, TOLD)


def test_neighbouring_sentences_support_together(checker: EmbedderChecker) -> None:
    both = signs(checker, "The lighthouse of the engineer Rossi burned olive oil.")
    assert both.window == 1.0
    assert both.sentence < 1.0


def test_signs_of_a_claim_worked_out_by_hand(checker: EmbedderChecker) -> None:
    # baker, Maria, Bianchi, opened, school, sailors, 1861: six of the seven stand in the third sentence, 1861 alone in
    # the first. Of the six neighbouring pairs only the last, sailors and 1861, shares no sentence.
    found = signs(checker, "The baker Maria Bianchi opened a school for sailors in 1861.")
    assert found.across is False
    assert found.sentence == pytest.approx(6 / 7)
    assert found.window == 1.0  # three sentences in a row
    assert found.together == pytest.approx(5 / 6)
    assert found.displaced == pytest.approx(6 / 7 - 1 / 7)
    assert (found.names_lacking, found.numbers_lacking, found.negated) == (0.0, 0.0, False)


def test_a_negation_in_both_is_no_contradiction(checker: EmbedderChecker) -> None:
    assert not signs(checker, "The school does not take pupils from the mainland.").negated
    assert signs(checker, "The lamp did not burn olive oil until 1903.").negated


class OfOneMind(FakeEmbedder):
    """Finds all texts alike, as embedders find a sentence and its denial."""

    def _vector(self, text: str) -> Vectors:
        vector: Vectors = np.eye(1, self.dimension, dtype=np.float32)[0]
        return vector


# Evidence, what it supports, and what it does not, which differs by a negation, a sign or a decimal point.
DENIED = [
    ("The lamp was not repaired.", "The lamp was not repaired.", "The lamp was repaired."),
    ("The lamp was repaired.", "The lamp was repaired.", "The lamp was not repaired."),
    ("Nobody repaired the lamp.", "Nobody repaired the lamp.", "The keeper repaired the lamp."),
    ("La lampada non fu riparata.", "La lampada non fu mai riparata.", "La lampada fu riparata."),
    ("Die Lampe brannte nicht.", "Die Lampe brannte nie.", "Die Lampe brannte."),
]
MISQUOTED = [
    ("The share rose to 3.5 percent.", "The share rose to 3,5 percent.", "The share rose to 35 percent."),
    ("The water cooled to -5 degrees.", "The water cooled to minus 5 degrees.", "The water cooled to 5 degrees."),
    ("The water cooled to 5 degrees.", "The water cooled to 5.0 degrees.", "The water cooled to −5 degrees."),
    ("La torre costò 1.500 lire.", "La torre costò 1,500 lire.", "La torre costò 1,5 lire."),
    ("La torre costò 1.500,50 lire.", "La torre costò 1,500.50 lire.", "La torre costò 150.050 lire."),
]


@pytest.mark.parametrize(("evidence", "right", "wrong"), DENIED + MISQUOTED)
def test_a_negation_or_another_number_undoes_support_where_all_else_agrees(
    evidence: str, right: str, wrong: str
) -> None:
    checker = EmbedderChecker(OfOneMind())
    assert support(checker, wrong, evidence) < SUPPORTED < support(checker, right, evidence)


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("The lamp burned oil until 1903.", "The lamp burned oil until 1903, and was not repaired."),
        ("The lamp burned oil until 1903.", "The lamp burned not only oil until 1903 but tallow."),
        ("The lamp was repaired in 1910.", "In 1903 the lamp was not repaired. The lamp was repaired in 1910."),
        ("There is a lamp.", "No, there is a lamp."),
    ],
)
def test_a_negation_of_something_else_denies_nothing(checker: EmbedderChecker, claim: str, evidence: str) -> None:
    assert not signs(checker, claim, evidence).negated


def test_across_languages_a_short_sentence_denies_as_a_whole_and_a_long_one_does_not(checker: EmbedderChecker) -> None:
    claim = "The engineer Rossi finished building the lighthouse in 1861."
    long = "L'ingegnere Rossi, nato a Genova da una famiglia di pescatori, finì nel 1861 il faro, non ancora la scuola."
    assert signs(checker, claim, "L'ingegnere Rossi non finì il faro nel 1861.").negated
    assert not signs(checker, claim, long).negated


@pytest.mark.parametrize(
    ("evidence", "claim", "lacking"),
    [
        ("In 1939-1945 it was shut.", "It was shut from 1939 to 1945.", 0.0),  # a range, no minus
        ("Chiuso il 12.05.1916.", "Chiuso il 12 maggio 1916.", 0.0),
        ("Il prezzo fu di 1\u00a0500 lire.", "Il prezzo fu di 1.500 lire.", 0.0),
        ("The share was 0.500.", "The share was 0.5.", 0.0),
        ("The share was 0.500.", "The share was 500.", 1.0),
        ("It cost $3.50.", "It cost -$3.50.", 1.0),
        ("There were 1,500,000 of them.", "There were 1.500.000 of them.", 0.0),
    ],
)
def test_numbers_are_compared_by_value(checker: EmbedderChecker, evidence: str, claim: str, lacking: float) -> None:
    assert signs(checker, claim, evidence).numbers_lacking == lacking


def test_a_number_far_from_the_words_lacks_by_half(checker: EmbedderChecker) -> None:
    elsewhere = EVIDENCE + " Its tower is tall. Its walls are white. The ferry left the harbour in 1950."
    assert signs(checker, TOLD.replace("1910", "1950"), elsewhere).numbers_lacking == 0.5


@pytest.fixture(scope="module")
def real_checker(models_folder: Path) -> EmbedderChecker:
    return EmbedderChecker(load_embedder(load_settings(models=models_folder)))


@pytest.mark.models
@pytest.mark.parametrize(
    ("evidence", "right", "wrong"),
    [
        *DENIED,
        *MISQUOTED,
        (
            "La lampada non fu riparata nel 1903.",
            "The lamp was not repaired in 1903.",
            "The lamp was repaired in 1903.",
        ),
        ("The lamp was repaired in 1903.", "La lampada fu riparata nel 1903.", "La lampada non fu riparata nel 1903."),
        ("La quota salì al 3,5 per cento.", "The share rose to 3.5 percent.", "The share rose to 35 percent."),
        (
            "La temperatura scese a -5 gradi.",
            "The temperature fell to -5 degrees.",
            "The temperature fell to 5 degrees.",
        ),
    ],
)
def test_the_real_embedder_and_its_weights_tell_a_denial_and_another_number(
    real_checker: EmbedderChecker, evidence: str, right: str, wrong: str
) -> None:
    assert support(real_checker, wrong, evidence) < SUPPORTED < support(real_checker, right, evidence)


def test_markers_and_list_numbers_are_no_numbers_of_the_claim(checker: EmbedderChecker) -> None:
    assert signs(checker, f"2. {TOLD[:-1]} [3, 4].") == signs(checker, TOLD)


@pytest.mark.parametrize(("evidence", "claim"), [("", TOLD), (EVIDENCE, ""), (EVIDENCE, "?!"), ("…", TOLD), ("", "")])
def test_where_one_says_nothing_there_is_no_support(checker: EmbedderChecker, evidence: str, claim: str) -> None:
    assert checker.support([(evidence, claim)]) == [0.0]


def test_no_pairs_no_answers(checker: EmbedderChecker) -> None:
    assert checker.support([]) == []


ITALIAN = "Il faro fu costruito nel 1861 dall'ingegnere Rossi. La panettiera aprì una scuola per i marinai del paese."


def test_the_language_of_each_side_is_found(checker: EmbedderChecker) -> None:
    assert signs(checker, "The engineer Rossi finished building the lighthouse in 1861.", ITALIAN).across
    assert not signs(checker, "L'ingegnere Rossi costruì il faro nel 1861.", ITALIAN).across


def test_a_name_common_to_both_is_not_taken_for_another_language(checker: EmbedderChecker) -> None:
    assert not signs(checker, "Maria Bianchi 1910").across


def test_across_languages_a_wrong_year_is_supported_less(checker: EmbedderChecker) -> None:
    right = support(checker, "The engineer Rossi finished building the lighthouse in 1861.", ITALIAN)
    wrong = support(checker, "The engineer Rossi finished building the lighthouse in 1871.", ITALIAN)
    assert wrong < right


class CountingEmbedder(FakeEmbedder):
    """Keeps what it was asked to embed."""

    def __init__(self, **fields: str) -> None:
        super().__init__(**fields)  # type: ignore[arg-type]
        self.asked: list[list[str]] = []

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(list(texts))
        return super().embed_queries(texts)


def test_all_pairs_are_embedded_at_once_each_text_once_and_only_what_may_be_near() -> None:
    embedder = CountingEmbedder()
    long = EVIDENCE + " ".join(f"Sentence number {n} is about the weather." for n in range(100))
    EmbedderChecker(embedder).support([(long, TOLD), (EVIDENCE, TOLD), (long, TOLD)])
    (texts,) = embedder.asked
    assert len(texts) == len(set(texts)) <= 4


def test_a_pair_has_the_same_support_in_any_company(checker: EmbedderChecker) -> None:
    others = [(ITALIAN, TOLD), (EVIDENCE, "Copper mines closed."), (TOLD, EVIDENCE)]
    assert checker.support([*others, (EVIDENCE, TOLD)])[-1] == pytest.approx(support(checker, TOLD))


def test_support_is_between_0_and_1(checker: EmbedderChecker) -> None:
    pairs = [
        (a, b) for a in (EVIDENCE, ITALIAN, TOLD) for b in (EVIDENCE, ITALIAN, TOLD, "1", "東京は日本の首都です。")
    ]
    assert all(0.0 <= value <= 1.0 for value in checker.support(pairs))


def test_a_nearer_sentence_supports_more() -> None:
    class Turned(FakeEmbedder):
        cosine = 0.0

        def _vector(self, text: str) -> Vectors:
            claim = text == TOLD
            vector = np.zeros(self.dimension, dtype=np.float32)
            vector[:2] = (1, 0) if claim else (self.cosine, (1 - self.cosine**2) ** 0.5)
            return vector

    embedder = Turned()
    values = []
    for embedder.cosine in (0.78, 0.85, 0.92):
        values.append(support(EmbedderChecker(embedder), TOLD))
    assert values == sorted(set(values))


def test_the_fingerprint_tells_embedders_apart() -> None:
    one, same, other = (EmbedderChecker(FakeEmbedder(fingerprint=f)).fingerprint for f in ("a", "a", "b"))
    assert one == same != other
