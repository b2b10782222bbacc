"""Dense and lexical results to one ranking; pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from index.embed import Vectors

Scores = dict[int, float]  # by the chunk's key; higher is better

CANDIDATES = 60  # of each retriever


def cosines(vector: NDArray[np.float32], keys: NDArray[np.int64], vectors: Vectors) -> Scores:
    """Return the cosine of the unit `vector` with each of the unit `vectors` `(n, dimension)`, by key."""
    return dict(zip(keys.tolist(), (vectors @ vector).tolist(), strict=True))


def nearest(
    vector: NDArray[np.float32], keys: NDArray[np.int64], vectors: Vectors, *, limit: int, also: Sequence[int] = ()
) -> Scores:
    """Return the exact cosines of the `limit` chunks nearest to `vector`, and of those of `also` that exist.

    `keys` `(n,)` are ascending, and belong to `vectors` `(n, dimension)`.
    """
    if not len(keys):
        return {}
    similarity = vectors @ vector
    wanted = np.argpartition(-similarity, min(limit, len(keys)) - 1)[:limit]
    positions = np.minimum(np.searchsorted(keys, np.array(also, dtype=np.int64)), len(keys) - 1)
    wanted = np.union1d(wanted, positions[keys[positions] == also]) if len(also) else wanted
    return {int(keys[i]): float(similarity[i]) for i in wanted}


def fuse(dense: Mapping[int, float], lexical: Mapping[int, float]) -> Scores:
    """Return one score for each key of either ranking."""
    return dict(dense)


def spread(ranked: Sequence[int], document_of: Mapping[int, str], *, most: int) -> list[int]:
    """Return `ranked` with what exceeds `most` chunks of one document moved to the end, in order."""
    seen: dict[str, int] = {}
    first: list[int] = []
    rest: list[int] = []
    for key in ranked:
        count = seen[document_of[key]] = seen.get(document_of[key], 0) + 1
        (first if count <= most else rest).append(key)
    return first + rest
