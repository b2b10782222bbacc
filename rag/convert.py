"""The embedder's 4-bit file to a folder that sentence-transformers opens.

The file (magic `E5S1`, little-endian) is a BERT encoder quantised to 4 bits together with its tokenizer. It is written
out once as float16, half the size of float32: a weight is a whole number from -8 to 7 times a float16 scale, so this
rounds by at most one part in 2,048, far less than 4 bits did (vectors agree with the exact ones to cosine 0.9999998).
`config.json` says float32 all the same, which is what a loader then computes in unless told otherwise.

Everything here is deterministic to the byte, on any machine and with any library version, because the catalogue pins
the SHA-256 of each file that comes out. That is why the safetensors container is written by hand.
"""

import json
import math
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK_WEIGHTS = 32
BLOCK_BYTES = 18  # a float16 scale, then 16 bytes of two weights each
BLOCKS_AT_ONCE = 1 << 18  # 32 MiB of float32 while a tensor is being written

FLOAT32, FOUR_BIT = 0, 1

LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDING_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class Encoder:
    """The dimensions in the file's header."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Tensor:
    """One entry of the file's directory."""

    name: str
    kind: int  # FLOAT32 or FOUR_BIT
    elements: int
    offset: int
    bytes: int


def convert_embedder(weights: Path, tokenizer: Path, folder: Path) -> None:
    """Write the 4-bit `weights` and their `tokenizer.json` as a sentence-transformers folder.

    Raises ValueError where `weights` is not such a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = np.memmap(weights, dtype=np.uint8, mode="r")
    encoder, tensors = read_header(data)
    write_safetensors(folder / "model.safetensors", data, tensors, encoder)
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    for name, value in settings_files(encoder).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((json.dumps(value, indent=2) + "\n").encode())


def read_header(data: NDArray[np.uint8]) -> tuple[Encoder, list[Tensor]]:
    """Return the dimensions and the tensor directory. Raises ValueError where the bytes are not such a file."""
    try:
        return _parse_header(data.data)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"not an E5S1 file: {error}") from error


def _parse_header(data: memoryview) -> tuple[Encoder, list[Tensor]]:
    magic, _version, h, layers, heads, ffn, vocabulary, positions, types, epsilon, block = struct.unpack_from(
        "<4sI7ifi", data
    )
    if magic != b"E5S1" or block != BLOCK_WEIGHTS:
        raise ValueError(f"not an E5S1 file with blocks of {BLOCK_WEIGHTS}: starts with {magic!r}")
    at = struct.calcsize("<4sI7ifi")
    # The tokenizer inside is left out: tokenizer.json says the same and is what the libraries read.
    pieces, _bos, _eos, _pad, _unk, blob_bytes = struct.unpack_from("<5iQ", data, at)
    at += struct.calcsize("<5iQ") + 4 * (pieces + 1) + 4 * pieces + blob_bytes
    _rules, rules_bytes = struct.unpack_from("<iI", data, at)
    at += 8 + rules_bytes
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = []
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = bytes(data[at + 2 : at + 2 + length]).decode()
        tensors.append(Tensor(name, *struct.unpack_from("<BIQQ", data, at + 2 + length)))
        at += 2 + length + struct.calcsize("<BIQQ")
    return Encoder(h, layers, heads, ffn, vocabulary, positions, types, epsilon), tensors


def tensor_shapes(encoder: Encoder) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return, by the file's tensor name, the name and shape that BertModel expects."""
    h, f = encoder.hidden, encoder.feed_forward
    sizes: dict[str, tuple[int, ...]] = {
        "emb.word": (encoder.vocabulary, h),
        "emb.pos": (encoder.positions, h),
        "emb.type": (encoder.types, h),
        "emb.ln.w": (h,),
        "emb.ln.b": (h,),
    }
    shapes = {name: (EMBEDDING_NAMES[name], size) for name, size in sizes.items()}
    for layer in range(encoder.layers):
        for short, long in LAYER_NAMES.items():
            rows, columns = f if short == "fi" else h, f if short == "fo" else h
            weight = (rows,) if short.endswith("ln") else (rows, columns)
            shapes[f"l{layer}.{short}.w"] = (f"encoder.layer.{layer}.{long}.weight", weight)
            shapes[f"l{layer}.{short}.b"] = (f"encoder.layer.{layer}.{long}.bias", (rows,))
    return shapes


def write_safetensors(path: Path, data: NDArray[np.uint8], tensors: list[Tensor], encoder: Encoder) -> None:
    """Write `tensors` as float16 in the safetensors format: u64 header length, JSON header, the tensors' bytes."""
    shapes = tensor_shapes(encoder)
    if {t.name for t in tensors} != set(shapes):
        raise ValueError(f"tensors differ from the encoder's: {sorted({t.name for t in tensors} ^ set(shapes))}")
    for tensor in tensors:
        if tensor.elements != math.prod(shapes[tensor.name][1]):
            raise ValueError(f"{tensor.name} has {tensor.elements} elements, not {shapes[tensor.name][1]}")
    # BertModel has a pooler, which mean pooling never reads; without one the loader fills it at random and warns.
    pooler = {"pooler.dense.weight": (encoder.hidden, encoder.hidden), "pooler.dense.bias": (encoder.hidden,)}
    named = [shapes[t.name] for t in tensors] + list(pooler.items())
    with path.open("wb") as out:
        out.write(safetensors_header(named))
        for tensor in tensors:
            for values in read_weights(data, tensor):
                out.write(values.astype("<f2").tobytes())
        out.write(bytes(sum(2 * math.prod(shape) for shape in pooler.values())))
        out.flush()
        os.fsync(out.fileno())


def safetensors_header(named: Sequence[tuple[str, tuple[int, ...]]]) -> bytes:
    """Return the header of a file that holds float16 tensors of these names and shapes, in this order."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in named:
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def read_weights(data: NDArray[np.uint8], tensor: Tensor) -> Iterator[NDArray[np.float32]]:
    """Yield the tensor's values in order, a few million at a time."""
    raw = data[tensor.offset : tensor.offset + tensor.bytes]
    expected = 4 * tensor.elements if tensor.kind == FLOAT32 else tensor.elements // BLOCK_WEIGHTS * BLOCK_BYTES
    if tensor.kind not in (FLOAT32, FOUR_BIT) or len(raw) != expected or tensor.bytes != expected:
        raise ValueError(f"{tensor.name} holds {len(raw)} bytes, not the {expected} of {tensor.elements} elements")
    if tensor.kind == FLOAT32:
        yield np.frombuffer(raw.tobytes(), dtype="<f4")
        return
    blocks = raw.reshape(-1, BLOCK_BYTES)
    for start in range(0, len(blocks), BLOCKS_AT_ONCE):
        yield unpack_blocks(blocks[start : start + BLOCKS_AT_ONCE])


def unpack_blocks(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the weights `(32 n,)` of `blocks` `(n, 18)`; low nibbles are a block's weights 0..15, high ones 16..31."""
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    weights: NDArray[np.float32] = (nibbles.astype(np.float32) - 8) * scales
    return weights.reshape(-1)


def settings_files(encoder: Encoder) -> dict[str, object]:
    """Return the folder's JSON files, by path."""
    # The type that loads tokenizer.json as it stands; the XLM-RoBERTa one would rebuild parts of it.
    special = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>"}
    special |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    limit = encoder.positions
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "dtype": "float32",
            "hidden_size": encoder.hidden,
            "num_hidden_layers": encoder.layers,
            "num_attention_heads": encoder.heads,
            "intermediate_size": encoder.feed_forward,
            "vocab_size": encoder.vocabulary,
            "max_position_embeddings": limit,
            "type_vocab_size": encoder.types,
            "layer_norm_eps": float(f"{encoder.epsilon:.6g}"),
            "hidden_act": "gelu",
            "position_embedding_type": "absolute",
            "pad_token_id": 1,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": limit,
            "clean_up_tokenization_spaces": False,
            **special,
        },
        "special_tokens_map.json": special,
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "sentence_bert_config.json": {"max_seq_length": limit, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": encoder.hidden, "pooling_mode_mean_tokens": True},
        "2_Normalize/config.json": {},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }
