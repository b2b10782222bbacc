"""Passages put in order again: by a fake, and by a real cross-encoder of a few hundred random weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEmbedder, Run
from numpy.typing import NDArray

from index.errors import ModelUnavailable
from index.library import Library
from index.rerank import CrossEncoderReranker
from index.types import Chunk, Document, Passage


class Counting:
    """Prefers texts with a word of its own, whatever the question."""

    name = "counting"
    fingerprint = "counting-1"

    def __init__(self, word: str) -> None:
        self._word = word
        self.asked: list[int] = []

    def scores(self, question: str, passages: Sequence[Passage]) -> NDArray[np.float32]:
        self.asked.append(len(passages))
        return np.array([passage.chunk.text.count(self._word) for passage in passages], dtype=np.float32)


@pytest.fixture
def library(tmp_path: Path, fake_embedder: FakeEmbedder) -> Library:
    library = Library.open(tmp_path / "data", fake_embedder, create=True)
    texts = [f"Il mulino {i} macina grano{', e farro' if i == 17 else ''}." for i in range(40)]
    library.add_documents([Document(f"d{i:02}", text, language="it") for i, text in enumerate(texts)])
    return library


def test_the_best_are_put_in_order_again_and_tell_their_score(library: Library) -> None:
    before = [passage.document.id for passage in library.search("mulino 17 grano", k=5)]
    library.reranker = reranker = Counting("farro")
    found = library.search("mulino grano farro", k=5)
    assert reranker.asked == [20]
    assert (found[0].document.id, found[0].scores["reranker"], found[0].score) == ("d17", 1.0, 1.0)
    assert [passage.rank for passage in found] == [1, 2, 3, 4, 5]
    assert len(before) == len(found) == 5


def test_what_scores_the_same_keeps_its_order_and_more_than_are_read_follow(library: Library) -> None:
    plain = [passage.document.id for passage in library.search("mulino grano", k=30)]
    library.reranker = Counting("never")
    assert [passage.document.id for passage in library.search("mulino grano", k=30)] == plain


def test_repetitions_and_what_one_document_says_too_often_stay_last(
    tmp_path: Path, fake_embedder: FakeEmbedder
) -> None:
    with Library.open(tmp_path / "mills", fake_embedder, create=True) as library:
        copies = [Document(f"copy{i}", "Il mulino di Borgo macina farro, farro e farro.") for i in range(3)]
        book = "\n\n".join(f"Il mulino {i} di Borgo macina farro e farro. " + f"parola{i} " * 100 for i in range(9))
        others = [Document(f"d{i}", f"Il mulino {i} macina grano.") for i in range(3)]
        library.add_documents([*copies, Document("book", book), *others])
        library.reranker = Counting("farro")
        found = library.search("il mulino di Borgo", k=6)
    assert [passage.document.id[:4] for passage in found] == ["copy", "book", "book", "d0", "d1", "d2"]
    assert [passage.rank for passage in found] == [1, 2, 3, 4, 5, 6]


def test_an_empty_library_asks_no_reranker(tmp_path: Path, fake_embedder: FakeEmbedder) -> None:
    with Library.open(tmp_path / "none", fake_embedder, create=True) as library:
        library.reranker = reranker = Counting("x")
        assert library.search("mulino") == []
        assert reranker.asked == []


def passage(text: str) -> Passage:
    return Passage(Chunk("d#0", "d", text, 0, len(text)), Document("d", text), 0.0, 1)


def make_model(folder: Path, *, labels: int, kind: str = "BertForSequenceClassification") -> Path:
    import torch
    import transformers
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "mulino", "grano"]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=6,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        num_labels=labels,
        max_position_embeddings=64,
        initializer_range=1.0,  # else all texts score nearly the same
    )
    torch.manual_seed(0)
    getattr(transformers, kind)(config).save_pretrained(folder)
    return folder


def test_a_cross_encoder_gives_one_score_for_each_text(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(make_model(tmp_path, labels=1), name="tiny", fingerprint="f")
    passages = [passage(text) for text in ("grano", "mulino grano", "mulino mulino")]
    scores = reranker.scores("mulino", passages)
    assert scores.shape == (3,)
    assert len(set(scores.tolist())) == 3
    assert scores.tolist() == pytest.approx(reranker.scores("mulino", passages).tolist())


@pytest.mark.parametrize(("labels", "kind"), [(3, "BertForSequenceClassification"), (1, "BertModel")])
def test_a_model_that_gives_no_single_score_is_refused(tmp_path: Path, labels: int, kind: str) -> None:
    reranker = CrossEncoderReranker(make_model(tmp_path, labels=labels, kind=kind), name="other", fingerprint="f")
    with pytest.raises(ModelUnavailable, match="other is not a reranker"):
        reranker.scores("mulino", [passage("grano")])


def test_the_command_line_takes_a_folder(run: Run, docs: Path, tmp_path: Path) -> None:
    model = make_model(tmp_path / "tiny", labels=1)
    assert run("add", str(docs)).code == 0
    assert '"reranker": ' in run("search", "mill", "--reranker", str(model), "--json").out
    refused = run("search", "mill", "--reranker", str(docs))
    assert refused.code == 1
    assert refused.err.count("\n") == 1
