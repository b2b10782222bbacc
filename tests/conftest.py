"""Fakes for the two things that no ordinary test may load: the embedder and the language model."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import pytest

from index.embed import Vectors


class FakeEmbedder:
    """Unit vectors of hashed words: texts that share words are near each other, the same in every run."""

    def __init__(self, *, name: str = "fake", fingerprint: str = "fake-1", dimension: int = 64) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.dimension = dimension
        self.max_tokens = 512

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(-1, self.dimension)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_passages(texts)

    def tokenize(self, text: str) -> list[int]:
        return [len(piece) for piece in re.findall(r"\w{1,6}|[^\w\s]", text)]

    def _vector(self, text: str) -> Vectors:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.casefold()):
            vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % self.dimension] += 1
        unit: Vectors = vector / np.linalg.norm(vector)
        return unit


@pytest.fixture
def fake_embedder() -> FakeEmbedder:
    return FakeEmbedder()
