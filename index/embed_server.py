"""Embedding by any server that speaks OpenAI's protocol."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from index.embed import BatchEmbedder, Vectors
from index.errors import ModelUnavailable
from index.remote import connect, explained, first_model

_PIECE = re.compile(r"\w{1,5}|[^\w\s]")  # about a token of European languages, rather short than long
_MOST_CHARACTERS = 2000  # of a text: some servers refuse what is longer than the model reads


class ServerEmbedder(BatchEmbedder):
    """An embedding model behind a URL. Its fingerprint is that of URL and name, as the weights are elsewhere."""

    def __init__(self, url: str, *, model: str = "") -> None:
        self.name = model or url
        self.fingerprint = hashlib.sha256(f"{url}#{model}".encode()).hexdigest()
        self._url = url
        self._model = model

    def tokenize(self, text: str) -> list[int]:
        """Return as many numbers as `text` has tokens, about: the tokenizer is elsewhere."""
        return [len(piece) for piece in _PIECE.findall(text)]

    def _batch(self, texts: Sequence[str]) -> Vectors:
        self._model = self._model or first_model(self._client, self._url, ModelUnavailable)
        with explained(self._url, ModelUnavailable):
            reply = self._client.embeddings.create(
                model=self._model, input=[text[:_MOST_CHARACTERS] for text in texts], encoding_format="float"
            )
            rows = sorted(reply.data, key=lambda row: row.index)
            return np.array([row.embedding for row in rows], dtype=np.float32).reshape(len(texts), -1)

    @cached_property
    def _client(self) -> Any:
        return connect(self._url)
