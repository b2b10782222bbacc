"""An embedder whose vectors are kept in a file, as the same texts are embedded at each start."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from index.embed import Embedder, Vectors


class CachedEmbedder:
    """An embedder that remembers what it has computed, and keeps it in `file` where that is given."""

    def __init__(self, embedder: Embedder, file: Path | None) -> None:
        self.name, self.fingerprint = embedder.name, embedder.fingerprint
        self.dimension, self.max_tokens, self.tokenize = embedder.dimension, embedder.max_tokens, embedder.tokenize
        self._embedder, self._file = embedder, file
        self._known: dict[str, Vectors] = {}
        if file and file.is_file():
            with np.load(file) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"].astype(np.float32), strict=True))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of passages; new ones are computed and kept."""
        return self._embed("passage", texts, self._embedder.embed_passages)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors `(n, dimension)` of questions; new ones are computed and kept."""
        return self._embed("query", texts, self._embedder.embed_queries)

    def _embed(self, kind: str, texts: Sequence[str], compute: Callable[[Sequence[str]], Vectors]) -> Vectors:
        keys = [hashlib.sha256(f"{self.fingerprint}\n{kind}\n{text}".encode()).hexdigest()[:32] for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            self._known |= dict(zip(missing, compute(list(missing.values())), strict=True))
            if self._file:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(self._file, keys=np.array(list(self._known)), vectors=np.array(list(self._known.values())))
        return np.array([self._known[key] for key in keys], dtype=np.float32).reshape(len(texts), -1)
