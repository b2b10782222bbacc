"""Embedding by any server that speaks OpenAI's protocol."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from index.embed import Vectors, prompts_for
from index.errors import ModelUnavailable
from index.remote import connect, explained, first_model

_BATCH = 32
_PIECE = re.compile(r"\w{1,5}|[^\w\s]")  # about a token of European languages, rather short than long
_MOST_CHARACTERS = 2000  # of a text: some servers refuse what is longer than the model reads


class ServerEmbedder:
    """An embedding model behind a URL. Its fingerprint is that of URL and name, as the weights are elsewhere."""

    max_tokens = 512

    def __init__(self, url: str, *, model: str = "") -> None:
        self.name = model or url
        self.fingerprint = hashlib.sha256(f"{url}#{model}".encode()).hexdigest()
        self._url = url
        self._model = model
        self._query, self._passage = prompts_for(model)

    @cached_property
    def dimension(self) -> int:
        """Length of a vector. Asks the server."""
        return int(self._vectors(["?"]).shape[1])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of texts to be found. Raises ModelUnavailable."""
        return self._embed([self._passage + text for text in texts])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of questions. Raises ModelUnavailable."""
        return self._embed([self._query + text for text in texts])

    def tokenize(self, text: str) -> list[int]:
        """Return as many numbers as `text` has tokens, about: the tokenizer is elsewhere."""
        return [len(piece) for piece in _PIECE.findall(text)]

    def _embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.concatenate([self._vectors(texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)])

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        self._model = self._model or first_model(self._client, self._url, ModelUnavailable)
        with explained(self._url, ModelUnavailable):
            reply = self._client.embeddings.create(
                model=self._model, input=[text[:_MOST_CHARACTERS] for text in texts], encoding_format="float"
            )
            rows = sorted(reply.data, key=lambda row: row.index)
            vectors = np.array([row.embedding for row in rows], dtype=np.float32).reshape(len(texts), -1)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return np.asarray(vectors / lengths, dtype=np.float32)

    @cached_property
    def _client(self) -> Any:
        return connect(self._url)
