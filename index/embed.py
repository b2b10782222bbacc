"""Text to vectors: the Embedder protocol, and its adapter for sentence-transformers."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors. Implementations: SentenceTransformerEmbedder, and a fake in tests."""

    name: str
    fingerprint: str  # hash of the weights' content: two libraries agree only when this does
    dimension: int
    max_tokens: int

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of texts to be found."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of questions."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of `text`, without special tokens and without truncation."""
        ...
