"""The adapter for sentence-transformers, with a tiny model made on the spot."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from index.embed import SentenceTransformerEmbedder
from index.errors import ModelUnavailable

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "passage", ":", "ciao", "mondo", "come", "va", "bene"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a random BERT of two layers, mean pooling, and a tokenizer of twelve words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    encoder = tmp_path_factory.mktemp("encoder")
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(encoder)
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(4)
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=16, **special).save_pretrained(encoder)
    transformer = Transformer(str(encoder), max_seq_length=16)
    pooling = Pooling(32)
    whole = tmp_path_factory.mktemp("model")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(whole))
    return whole


def embedder(folder: Path, name: str = "tiny") -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(folder, name=name, fingerprint="f")


def test_vectors_are_unit_length_float32_in_the_order_of_the_texts(folder: Path) -> None:
    texts = ["ciao", "ciao mondo come va bene ciao mondo", "bene", "va"]
    model = embedder(folder)
    vectors = model.embed_passages(texts)
    assert vectors.shape == (4, 32) == (4, model.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        assert model.embed_passages([text])[0] @ vector > 0.999


def test_no_texts_make_no_vectors(folder: Path) -> None:
    assert embedder(folder).embed_queries([]).shape == (0, 32)


def test_e5_reads_a_question_otherwise_than_a_passage(folder: Path) -> None:
    e5 = embedder(folder, name="multilingual-e5-tiny")
    plain = embedder(folder)
    question = e5.embed_queries(["ciao"])[0]
    assert question @ plain.embed_passages(["query: ciao"])[0] > 0.999
    assert question @ e5.embed_passages(["ciao"])[0] < 0.999
    assert plain.embed_queries(["ciao"])[0] @ plain.embed_passages(["ciao"])[0] > 0.999


def test_prompts_in_the_folder_come_before_those_of_the_family(folder: Path, tmp_path: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            target = tmp_path / file.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())
    settings = {"prompts": {"query": "mondo ", "document": "va "}}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(settings))
    own, plain = embedder(tmp_path, name="e5"), embedder(folder)
    assert own.embed_queries(["ciao"])[0] @ plain.embed_passages(["mondo ciao"])[0] > 0.999
    assert own.embed_passages(["ciao"])[0] @ plain.embed_passages(["va ciao"])[0] > 0.999


def test_tokens_are_counted_without_truncation_and_without_the_model(folder: Path) -> None:
    model = embedder(folder)
    assert model.tokenize("ciao mondo " * 20) == [7, 8] * 20
    assert "_model" not in vars(model)


def test_longest_input_is_told(folder: Path) -> None:
    model = embedder(folder)
    assert model.max_tokens == 16
    assert model.embed_passages(["ciao " * 100]).shape == (1, 32)


def test_threads_load_one_model_between_them(folder: Path) -> None:
    model = embedder(folder)
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(model.embed_queries(["ciao"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(np.array_equal(result, results[0]) for result in results)


def test_folder_that_holds_no_model_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not a folder that sentence-transformers can open"):
        embedder(tmp_path).embed_queries(["ciao"])
    with pytest.raises(ModelUnavailable, match=r"no tokenizer\.json"):
        embedder(tmp_path).tokenize("ciao")
