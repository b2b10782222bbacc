"""What is embedded of a chunk, and how its best window counts: worked by hand."""

import numpy as np
import pytest
from conftest import FakeEmbedder

from index.chunk import split_document
from index.types import Chunk, Document
from index.windows import chunk_vectors, middle, window_texts, with_best_windows

EAST = np.array([1, 0], dtype=np.float32)
NORTH = np.array([0, 1], dtype=np.float32)


def test_windows_of_a_chunk_are_its_sentences_each_under_the_title() -> None:
    sentence = "Il mulino di Borgo macina ancora il grano della valle, come faceva il nonno di Anna cento anni fa. "
    document = Document("d", sentence * 8, title="Il mulino", language="it")
    tokenize = FakeEmbedder().tokenize
    for chunk in split_document(document, tokenize):
        texts = window_texts(document, chunk, tokenize)
        assert len(texts) > 1
        assert all(text.startswith("Il mulino\n") for text in texts)
        assert "".join(text.removeprefix("Il mulino\n") for text in texts) == chunk.text
        assert all(len(tokenize(text.removeprefix("Il mulino\n").strip())) <= 64 for text in texts)


@pytest.mark.parametrize("text", ["Sì.", " \n ", "x" * 5_000])
def test_there_is_always_a_window(text: str) -> None:
    chunk = Chunk("d#0", "d", text, 0, len(text))
    assert window_texts(Document("d", text), chunk, FakeEmbedder().tokenize)


def test_a_chunk_lies_in_the_middle_of_its_windows() -> None:
    assert middle(np.stack([EAST, NORTH]), [5, 5]) == pytest.approx([0.5**0.5, 0.5**0.5])
    assert middle(np.stack([EAST, NORTH]), [4, 3]) == pytest.approx([0.8, 0.6])
    vectors = chunk_vectors([EAST[None], np.stack([NORTH, NORTH])], [["a"], ["b", "cc"]])
    assert vectors == pytest.approx(np.stack([EAST, NORTH]))


def test_four_fifths_of_a_score_are_the_best_windows() -> None:
    windows = {1: np.stack([EAST, NORTH]), 2: np.stack([NORTH, NORTH, -EAST])}
    scores = with_best_windows({1: 0.7, 2: 0.2, 3: 0.4}, windows, EAST)
    assert scores == pytest.approx({1: 0.2 * 0.7 + 0.8, 2: 0.2 * 0.2, 3: 0.4})
    assert with_best_windows({3: 0.4}, {}, EAST) == {3: 0.4}
