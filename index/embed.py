"""Text to vectors: the Embedder protocol, and its adapter for sentence-transformers."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelUnavailable

Vectors = NDArray[np.float32]

BATCH_SIZE = 32


class Embedder(Protocol):
    """Turns texts into unit vectors. Implementations: SentenceTransformerEmbedder, and a fake in tests."""

    name: str
    fingerprint: str  # hash of the weights' content: two libraries agree only when this does

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens that are read of a text; what comes after them is ignored."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of texts to be found."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of questions."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of `text`, without special tokens and without truncation."""
        ...


class SentenceTransformerEmbedder:
    """A folder that `SentenceTransformer(path)` opens. The model is loaded when the first text is embedded.

    Safe to call from several threads; they take turns. Raises ModelUnavailable where the folder holds no such model.
    """

    def __init__(self, path: Path, *, name: str, fingerprint: str, threads: int | None = None) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._path = path
        self._threads = threads
        self._lock = threading.RLock()

    @property
    def dimension(self) -> int:
        """Length of a vector. Loads the model."""
        return int(self._model.get_embedding_dimension())

    @property
    def max_tokens(self) -> int:
        """Tokens that are read of a text, special ones included. Loads the model."""
        return int(self._model.max_seq_length)

    @property
    def vocabulary(self) -> Any:
        """The vectors of its tokens, `(vocabulary, hidden)`: a tensor that a reader may share. Loads the model."""
        return self._model[0].auto_model.get_input_embeddings().weight

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of texts to be found."""
        return self._embed(texts, self._prompts["passage"])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of questions."""
        return self._embed(texts, self._prompts["query"])

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of `text`, without special tokens and without truncation. Needs no model."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _embed(self, texts: Sequence[str], prompt: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:  # encode sorts by length itself
            vectors = self._model.encode(
                list(texts), prompt=prompt, batch_size=BATCH_SIZE, convert_to_numpy=True, show_progress_bar=False
            )
        return unit(vectors)  # not by the model: bfloat16 leaves lengths half a percent off

    @cached_property
    def _model(self) -> Any:
        with self._lock:
            return _load_model(self._path, self._threads)

    @cached_property
    def _tokenizer(self) -> Any:
        return open_tokenizer(self._path)

    @cached_property
    def _prompts(self) -> dict[str, str]:
        """Return what a query and a passage start with: as the folder says, else as the E5 family was trained."""
        file = self._path / "config_sentence_transformers.json"
        given = json.loads(file.read_text(encoding="utf-8")).get("prompts", {}) if file.is_file() else {}
        query, passage = prompts_for(self.name)
        return {
            "query": given.get("query") or query,
            "passage": given.get("passage") or given.get("document") or passage,
        }


def open_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of an embedder's folder, which neither cuts nor pads. Raises ModelUnavailable."""
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelUnavailable(f"{folder} has no tokenizer.json, so it cannot be used as an embedder")
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def prompts_for(name: str) -> tuple[str, str]:
    """Return what the model `name` wants before a query and before a passage: the E5 family was trained with both."""
    return ("query: ", "passage: ") if "e5" in name.lower() else ("", "")


def _load_model(path: Path, threads: int | None) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # it would be drawn over ours
    if threads:
        torch.set_num_threads(threads)
    try:
        model = SentenceTransformer(
            str(path), local_files_only=True, trust_remote_code=False, model_kwargs={"dtype": fastest_dtype()}
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"{path} is not a folder that sentence-transformers can open: {error}") from error
    return model.eval()


def fastest_dtype() -> Any:
    """Return bfloat16 where the processor multiplies it natively (1.9 times the chunks a second), else float32.

    Elsewhere bfloat16 is emulated and many times slower than float32.
    """
    import torch

    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    native = any(getattr(torch.cpu, check, bool)() for check in checks)
    return torch.bfloat16 if native else torch.float32


class BatchEmbedder(ABC):
    """What embedders outside of sentence-transformers share: prompts, batches, unit length."""

    name: str
    fingerprint: str
    max_tokens = 512

    @cached_property
    def dimension(self) -> int:
        """Length of a vector. Loads the model, or asks the server."""
        return int(self._batch(["?"]).shape[1])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of texts to be found. Raises ModelUnavailable."""
        return self._embed(texts, prompts_for(self.name)[1])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of questions. Raises ModelUnavailable."""
        return self._embed(texts, prompts_for(self.name)[0])

    @abstractmethod
    def _batch(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of any length of a few texts."""

    def _embed(self, texts: Sequence[str], prompt: str) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        whole = [prompt + text for text in texts]
        return unit(np.concatenate([self._batch(whole[i : i + BATCH_SIZE]) for i in range(0, len(whole), BATCH_SIZE)]))


def unit(vectors: NDArray[Any]) -> Vectors:
    """Return `vectors` `(n, dimension)` in unit length; zeros stay zeros."""
    vectors = np.asarray(vectors, dtype=np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)
