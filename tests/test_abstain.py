import math
from dataclasses import replace

import pytest

from index.types import Chunk, Document, Passage
from rag.abstain import Signs, answerable, coverage, is_refusal, may_become_refusal, refusal_probability
from rag.types import Evidence

MIDDLING = Signs(coverage=0.6, refusal=0.1, support=0.7)


def passage(text: str, language: str = "en") -> Passage:
    document = Document("a.md", text, title="The mill", language=language)
    return Passage(Chunk("a", "a.md", text, 0, len(text)), document, 0.5, 1)


@pytest.mark.parametrize("text", ["NOT FOUND", "not found.", ' "NOT FOUND" ', "NON TROVATO", "", " .", "NOT FOUND\n"])
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ["It was not found.", "Notre Dame", "NOTHING was said [1].", "No"])
def test_answers_that_look_a_little_like_one(text: str) -> None:
    assert not is_refusal(text)


def test_what_may_become_a_refusal_is_held_back() -> None:
    assert all(may_become_refusal("NOT FOUND"[:n]) for n in range(10))
    assert not may_become_refusal("Nobody") and not may_become_refusal("NOT F1")


def test_the_probability_of_a_refusal_is_that_of_its_first_tokens() -> None:
    first = {"NOT": math.log(0.25), " NON": math.log(0.25), "The": math.log(0.5)}
    assert refusal_probability(first) == pytest.approx(0.5)
    assert refusal_probability({}) == 0


def test_coverage_counts_the_questions_words_in_evidence_and_title() -> None:
    text = "Anna Neri bought it."
    evidence = [Evidence(passage(text), 0, len(text), text)]
    assert coverage("Who bought the mill?", "en", evidence) == 1.0
    assert coverage("Who painted the harbour?", "en", evidence) == 0.0
    assert coverage("Who bought the harbour?", "en", evidence) == pytest.approx(0.5)
    assert coverage("?", "en", evidence) == 0.0


def test_each_sign_moves_the_probability_its_own_way() -> None:
    before = answerable(MIDDLING)
    assert 0 < before < 1
    assert answerable(replace(MIDDLING, refusal=0.6)) < before
    assert answerable(replace(MIDDLING, coverage=1.0)) > before
    assert answerable(replace(MIDDLING, support=1.0)) > before
    assert answerable(replace(MIDDLING, fits=False)) < before


def test_without_a_reader_its_signs_count_for_nothing() -> None:
    assert answerable(MIDDLING) == answerable(replace(MIDDLING, margin=9.0, bears=9.0))
