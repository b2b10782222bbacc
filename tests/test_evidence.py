from dataclasses import replace

import numpy as np
import pytest

from index.types import Chunk, Document, Passage
from rag.evidence import choose_evidence, count_tokens, lexical_relevance, score_sentences, split_passages

TEXT = "The mill was built in 1820. It burnt down twice. Anna Neri bought it in 1950. Today it is a museum."


def passage(text: str, *, id: str = "mill.md", rank: int = 1, start: int = 0, end: int | None = None) -> Passage:
    document = Document(id, text, title="The mill", language="en")
    end = len(text) if end is None else end
    return Passage(Chunk(f"{id}-{start}", id, text[start:end], start, end), document, 1.0 / rank, rank)


def evidence_for(passages, cosines, budget_tokens):
    sentences = split_passages(passages)
    cosines = np.array(cosines, dtype=np.float32)
    return choose_evidence(sentences, cosines.astype(float), cosines, budget_tokens=budget_tokens)


def test_sentences_carry_offsets_into_the_document():
    at = TEXT.index("Anna")
    for sentence in split_passages([passage(TEXT, start=at)]):
        assert TEXT[sentence.start : sentence.end] == sentence.text
        assert sentence.start >= at


def test_a_sentence_met_twice_is_offered_once():
    sentences = split_passages([passage(TEXT), passage(TEXT, id="copy.md", rank=2)])
    assert {s.passage.document.id for s in sentences} == {"mill.md"}
    assert len(sentences) == 4


def test_evidence_is_verbatim_and_neighbours_are_joined():
    (piece,) = evidence_for([passage(TEXT)], [0.1, 0.2, 0.9, 0.3], budget_tokens=30)
    assert piece.text == TEXT[piece.start : piece.end]
    assert piece.text == "Anna Neri bought it in 1950. Today it is a museum."
    assert piece.score == pytest.approx(0.9)


def test_a_sentence_that_names_nobody_brings_the_one_before_it():
    (piece,) = evidence_for([passage(TEXT)], [0.1, 0.1, 0.2, 0.9], budget_tokens=30)
    assert piece.text == "Anna Neri bought it in 1950. Today it is a museum."


def test_the_budget_is_kept():
    text = " ".join(f"Sentence number {n} of the long report stands here." for n in range(50))
    chosen = evidence_for([passage(text)], np.linspace(0, 1, 50), budget_tokens=100)
    assert chosen
    assert sum(count_tokens(e.text) for e in chosen) <= 100


def test_one_sentence_longer_than_the_budget_gives_no_evidence_from_it():
    assert evidence_for([passage("word " * 400 + "end.")], [0.9], budget_tokens=50) == []


def test_documents_come_in_the_order_of_their_best_sentence():
    other = passage("Nobody knows the miller. The key hangs by the door.", id="other.md", rank=2)
    chosen = evidence_for([passage(TEXT), other], [0.1, 0.1, 0.5, 0.1, 0.1, 0.9], budget_tokens=60)
    assert chosen[0].passage.document.id == "other.md"


def test_no_passages_give_no_evidence():
    assert evidence_for([], [], budget_tokens=100) == []


def test_a_rare_word_of_the_question_weighs_more_than_a_common_one():
    sentences = split_passages([passage("The mill is old. The mill is red. The mill has a museum.")])
    relevance = lexical_relevance("Is there a museum in the mill?", "en", sentences)
    assert relevance[2] > relevance[0] == relevance[1] > 0


def test_equal_cosines_are_decided_by_words_then_by_rank():
    first, second = passage(TEXT), replace(passage("Anna Neri sings.", id="b.md"), rank=2)
    sentences = split_passages([first, second])
    scores = score_sentences("Who is Anna Neri?", "en", sentences, np.full(5, 0.8, dtype=np.float32), {})
    assert np.argmax(scores) == 2
    assert scores[4] > scores[3]
