"""Embedding with llama.cpp on a GGUF file."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from index.embed import Vectors, prompts_for
from index.errors import ModelUnavailable
from index.llama_server import LlamaServer

MAX_TOKENS = 512
_SPECIAL_TOKENS = 8  # room for those that the model puts around a text
_BATCH = 32


class GGUFEmbedder:
    """An embedding model in one file. Loaded when it is first used. Raises ModelUnavailable where it does not load."""

    max_tokens = MAX_TOKENS

    def __init__(self, path: Path, *, name: str, fingerprint: str, threads: int | None = None) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._query, self._passage = prompts_for(name)
        # One batch must hold a whole text, as its tokens look at each other in both directions.
        self._server = LlamaServer(
            path, threads=threads, context_tokens=MAX_TOKENS, batch_tokens=MAX_TOKENS, embedding=True
        )

    @cached_property
    def dimension(self) -> int:
        """Length of a vector. Loads the model."""
        return int(self._vectors(["?"]).shape[1])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of texts to be found."""
        return self._embed([self._passage + text for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of questions."""
        return self._embed([self._query + text for text in texts])

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of `text`, without special tokens. Loads the model."""
        return self._server.tokenize(text)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        batches = [texts[i : i + _BATCH] for i in range(0, len(texts), _BATCH)]
        return np.concatenate([self._vectors([self._cut(text) for text in batch]) for batch in batches])

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        reply = self._server.engine.handle_embeddings(json.dumps({"input": list(texts)}))
        answer = json.loads(reply) if isinstance(reply, str) else reply
        if "data" not in answer:
            raise ModelUnavailable(
                f"{self.name} makes no embeddings: {answer.get('error', {}).get('message', answer)}."
            )
        rows = sorted(answer["data"], key=lambda row: row["index"])
        vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return np.asarray(vectors / lengths, dtype=np.float32)

    def _cut(self, text: str) -> str:
        """Return the beginning of `text` that the model can read: it refuses longer ones."""
        most = MAX_TOKENS - _SPECIAL_TOKENS
        while len(text) > most and (tokens := len(self.tokenize(text))) > most:
            text = text[: len(text) * most // tokens]
        return text
