"""Dense and lexical results to one ranking; pure."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from index.embed import Vectors

Scores = dict[int, float]  # by the chunk's key; higher is better

CANDIDATES = 60  # of each retriever
LEXICAL_WEIGHT = 0.08  # standard deviations of cosine per point of BM25; 0.05 to 0.15 measure alike

LEAST_ALIKE = 0.97  # cosine of texts of which one repeats the other, with room: it only says which to compare
_WORD = re.compile(r"\w+")
# A report and its denial may differ in one of these alone.
_NEGATION_LIST = "no not non never nor né mai nessun nessuna nessuno pas jamais nicht kein keine nunca não"
_NEGATIONS = frozenset(_NEGATION_LIST.split())


def cosines(
    vector: NDArray[np.float32], keys: NDArray[np.int64], vectors: Vectors, handicaps: NDArray[np.float32]
) -> Scores:
    """Return the cosine of the unit `vector` with each of `vectors` `(n, dimension)` less its handicap, by key."""
    return dict(zip(keys.tolist(), (_products(vectors, vector) - handicaps).tolist(), strict=True))


def nearest(
    vector: NDArray[np.float32],
    keys: NDArray[np.int64],
    vectors: Vectors,
    handicaps: NDArray[np.float32],
    *,
    limit: int,
    also: Sequence[int] = (),
    allowed: NDArray[np.int64] | None = None,
) -> Scores:
    """Return the exact cosines, less handicaps, of the `limit` chunks nearest to `vector` and of those of `also`.

    `keys` and `handicaps` `(n,)` belong to `vectors` `(n, dimension)`; `keys` are ascending, what `also` lacks in them
    is left out. Only the places `allowed` in them count where these are given.
    """
    similarity = vectors @ vector - handicaps if len(keys) else np.zeros(0, dtype=np.float32)
    all_keys = keys
    if allowed is not None:
        keys, similarity = keys[allowed], similarity[allowed]
    if not len(keys):
        return {}
    wanted = np.argpartition(-similarity, min(limit, len(keys)) - 1)[:limit]
    positions = np.minimum(np.searchsorted(keys, np.array(also, dtype=np.int64)), len(keys) - 1)
    wanted = np.union1d(wanted, positions[keys[positions] == also]) if len(also) else wanted
    if allowed is not None:
        wanted = allowed[wanted]
    return cosines(vector, all_keys[wanted], vectors[wanted], handicaps[wanted])


def _products(vectors: Vectors, vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `vectors @ vector`, the same for equal rows wherever they stand: BLAS differs in the last bit.

    So equal texts score the same and are ordered by their ids, and a chunk's score is the same however it was found.
    """
    products: NDArray[np.float64] = np.sum(vectors * vector, axis=1, dtype=np.float64)
    return products


def deviation(vector: NDArray[np.float32], sample: Vectors) -> float:
    """Return the standard deviation of the question's cosines over `sample` `(n, dimension)`, 0 for an empty one.

    It differs from embedder to embedder: with E5 all cosines lie between 0.75 and 0.9.
    """
    return float(np.std(sample @ vector)) if len(sample) else 0.0


def fuse(dense: Mapping[int, float], lexical: Mapping[int, float], *, deviation: float) -> Scores:
    """Return one score for each key of `dense`: its cosine, plus 0.08 standard deviations per point of BM25.

    Better than the better of the two on every set it was measured on (eval/LOG.md). Reciprocal rank fusion loses .03 to
    .10 of hit@1 across languages: a rank does not tell a chance match of words from a strong one.
    """
    return {key: cosine + LEXICAL_WEIGHT * deviation * lexical.get(key, 0.0) for key, cosine in dense.items()}


def spread(
    ranked: Sequence[int], document_of: Mapping[int, str], same: Callable[[int, int], bool], *, places: int
) -> tuple[list[int], list[int]]:
    """Return what of `ranked` comes first, and what comes after it: what says the same as one of the first `places`.

    As does what exceeds a document's share, a third of the places, rounded up.
    """
    share = -(-places // 3)
    seen: Counter[str] = Counter()
    first: list[int] = []
    rest: list[int] = []
    for key in ranked:
        document = document_of[key]
        crowded = seen[document] >= share or (len(first) < places and any(same(key, other) for other in first))
        (rest if crowded else first).append(key)
        seen[document] += not crowded
    return first, rest


def says_the_same(one: str, other: str) -> bool:
    """Whether two texts share nine tenths of their words, and no number, name or negation is in one alone."""
    words, theirs = (frozenset(_WORD.findall(text)) for text in (one, other))
    different = words ^ theirs
    if 10 * len(words & theirs) < 9 * len(words | theirs):
        return False
    return all(word.islower() and word not in _NEGATIONS for word in different)
