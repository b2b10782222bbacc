"""The 4-bit embedder file, made by hand at a tiny size, to a folder that sentence-transformers opens."""

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from rag.convert import Encoder, convert_embedder, read_header, tensor_shapes, unpack_blocks

TINY = Encoder(hidden=32, layers=1, heads=2, feed_forward=64, vocabulary=8, positions=16, types=2, epsilon=1e-12)


def pack(values: np.ndarray) -> bytes:
    """Quantise to blocks of 32 with scale 0.5: exact for multiples of 0.5 from -4 to 3.5."""
    nibbles = (values.reshape(-1, 32) / 0.5 + 8).astype(np.uint8)
    scale = np.full((len(nibbles), 1), 0.5, "<f2").view(np.uint8)
    return np.hstack([scale, nibbles[:, :16] | nibbles[:, 16:] << 4]).tobytes()


def make_file(path: Path, encoder: Encoder = TINY) -> dict[str, np.ndarray]:
    """Write an E5S1 file of random tensors; return them by BertModel's names."""
    random = np.random.default_rng(0)
    tensors, bodies = {}, []
    for name, (long, shape) in tensor_shapes(encoder).items():
        quantised = len(shape) == 2 and not name.startswith(("emb.pos", "emb.type"))
        values = random.integers(-8, 8, shape).astype(np.float32) * 0.5
        tensors[long] = values
        bodies.append(
            (name, int(quantised), values.size, pack(values) if quantised else values.astype("<f4").tobytes())
        )
    h = struct.pack("<4sI7ifi", b"E5S1", 1, 32, 1, 2, 64, 8, 16, 2, 1e-12, 32)
    h += struct.pack("<5iQ", 3, 0, 2, 1, 3, 5) + bytes(4 * 4 + 4 * 3) + b"piece" + struct.pack("<iI", 1, 2) + b"ru"
    h += struct.pack("<i", len(bodies))
    at = len(h) + sum(2 + len(name) + 21 for name, *_ in bodies)
    for name, kind, elements, body in bodies:
        h += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, elements, at, len(body))
        at += len(body)
    path.write_bytes(h + b"".join(body for *_, body in bodies))
    return tensors


def make_tokenizer(path: Path) -> Path:
    """Write a tokenizer.json of eight words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<s>", "<pad>", "</s>", "<unk>", "query", ":", "ciao", "<mask>"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(path))
    return path


def test_low_nibbles_come_before_high_ones() -> None:
    block = np.zeros((1, 18), np.uint8)
    block[0, :2] = np.array([2.0], "<f2").view(np.uint8)
    block[0, 2:] = 0x88  # zeros
    block[0, 2], block[0, 3] = 0xF0, 0x9A  # weights 0, 16 and 1, 17
    weights = unpack_blocks(block)
    assert weights[[0, 16, 1, 17]].tolist() == [-16.0, 14.0, 4.0, 2.0]
    assert not weights[[2, 15, 18, 31]].any()


def test_every_tensor_arrives_under_its_bert_name(tmp_path: Path) -> None:
    expected = make_file(tmp_path / "e5.bin")
    convert_embedder(tmp_path / "e5.bin", make_tokenizer(tmp_path / "t.json"), tmp_path / "out")
    loaded = load_file(tmp_path / "out" / "model.safetensors")
    assert set(loaded) == {*expected, "pooler.dense.weight", "pooler.dense.bias"}
    for name, values in expected.items():
        np.testing.assert_array_equal(loaded[name], values.astype(np.float16))


def test_conversion_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    make_file(tmp_path / "e5.bin")
    tokenizer = make_tokenizer(tmp_path / "t.json")
    for name in ("one", "two"):
        convert_embedder(tmp_path / "e5.bin", tokenizer, tmp_path / name)
    one, two = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two


@pytest.mark.parametrize("spoil", [lambda b: b"GGUF" + b[4:], lambda b: b[:40], lambda b: b[:-100], lambda b: b""])
def test_bytes_that_are_no_such_file_are_refused(tmp_path: Path, spoil) -> None:
    make_file(tmp_path / "e5.bin")
    (tmp_path / "bad.bin").write_bytes(spoil((tmp_path / "e5.bin").read_bytes()))
    with pytest.raises(ValueError):
        convert_embedder(tmp_path / "bad.bin", make_tokenizer(tmp_path / "t.json"), tmp_path / "out")


def test_header_tells_the_dimensions(tmp_path: Path) -> None:
    make_file(tmp_path / "e5.bin")
    encoder, tensors = read_header(np.fromfile(tmp_path / "e5.bin", np.uint8))
    assert (encoder.hidden, encoder.layers, encoder.vocabulary) == (32, 1, 8)
    assert len(tensors) == 5 + 16


def test_sentence_transformers_opens_the_folder(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    make_file(tmp_path / "e5.bin")
    convert_embedder(tmp_path / "e5.bin", make_tokenizer(tmp_path / "t.json"), tmp_path / "out")
    model = SentenceTransformer(str(tmp_path / "out"), device="cpu", local_files_only=True)
    vectors = model.encode(["query: ciao", "ciao ciao"])
    assert vectors.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(model.encode_query(["ciao"])[0], vectors[0], rtol=1e-5)
