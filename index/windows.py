"""What is embedded of a chunk: windows of a sentence or two, each under the document's title; pure.

What answers a question is often one sentence, and little of it is left in the vector of a whole chunk. A chunk's vector
is the middle of its windows' vectors, by which it is proposed; it is then scored by its best window as well. Embedding
windows in place of chunks costs a few more tokens, for titles.

Whole chunks compared alone find less on every set it was measured on (eval/LOG.md).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from index.chunk import CHUNK_TOKENS, CHUNKER, Tokenize, split_document
from index.embed import Vectors, unit
from index.types import Chunk, Document

WINDOW_TOKENS = 64
CUTTING = f"{CHUNKER}/{CHUNK_TOKENS}/{WINDOW_TOKENS}-by-length"  # how documents become vectors

BEST_WINDOW = 0.8  # of the score is the best window's, the rest the chunk's; 0.5 to 0.8 measure alike


def window_texts(document: Document, chunk: Chunk, tokenize: Tokenize) -> list[str]:
    """Return the texts to embed for `chunk`: its windows, each with the document's title before it; at least one."""
    text = Document(document.id, chunk.text, language=document.language)
    windows = [window.text for window in split_document(text, tokenize, chunk_tokens=WINDOW_TOKENS)]
    told = [window for window in windows if window.strip()] or [chunk.text]
    return [f"{document.title}\n{window}" if document.title else window for window in told]


def middle(windows: Vectors, lengths: Sequence[int]) -> NDArray[np.float32]:
    """Return the vector of a chunk, of unit length, from those of its windows `(n, dimension)`, weighed by length."""
    vector: NDArray[np.float32] = unit(np.average(windows, axis=0, weights=lengths)[None, :])[0]
    return vector


def with_best_windows(
    dense: Mapping[int, float], windows: Mapping[int, Vectors], vector: NDArray[np.float32]
) -> dict[int, float]:
    """Return the scores of chunks by key: of their own cosines `dense` with the question's `vector`, and of their best
    windows'. A chunk without `windows` has one, which is the chunk itself.
    """
    if not windows:
        return dict(dense)
    starts = np.cumsum([0, *(len(of_chunk) for of_chunk in windows.values())])[:-1]
    products = np.sum(np.concatenate(list(windows.values())) * vector, axis=1, dtype=np.float64)
    best = dict(zip(windows, np.maximum.reduceat(products, starts).tolist(), strict=True))
    return {key: (1 - BEST_WINDOW) * cosine + BEST_WINDOW * best.get(key, cosine) for key, cosine in dense.items()}


def chunk_vectors(windows: Sequence[Vectors], texts: Sequence[Sequence[str]]) -> Vectors:
    """Return the vectors `(n, dimension)` of n chunks from those of their windows, whose texts are `texts`."""
    return np.stack([middle(w, [len(text) for text in of_chunk]) for w, of_chunk in zip(windows, texts, strict=True)])
