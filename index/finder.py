"""Questions to passages: both retrievers over one view of the catalog, fused, spread over the documents.

Everything that a search needs of a library is held here; `library.py` opens, fills and mends what is searched.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from index.bias import LanguageBias, language_bias
from index.catalog import Catalog
from index.embed import Vectors
from index.errors import FonteError
from index.language import detect_language
from index.search import CANDIDATES, Scores, cosines, deviation, fuse, nearest, spread
from index.types import Chunk, Document, Passage
from index.vectors import ChromaVectors
from index.where import Condition

log = logging.getLogger(__name__)

# Up to here every vector is compared: 100,000 of 384 numbers take about 30 ms and are never wrong, while Chroma's
# query() is known to leave out live records (chroma-core/chroma#7758). Above, Chroma proposes and we compare.
EXACT_UP_TO = 100_000

_SAMPLE = 2_000  # vectors that show how far apart cosines lie


@dataclass(frozen=True, slots=True)
class View:
    """What searching needs of one generation of the catalog. `vectors` is None where there are too many to hold."""

    generation: int
    keys: NDArray[np.int64]
    vectors: Vectors | None
    sample: Vectors  # some of them, evenly spread
    bias: LanguageBias
    codes: NDArray[np.int64]  # of the language of each of `keys`
    language: str  # of most documents


class Finder:
    """Searches a catalog. Safe to use from several threads."""

    def __init__(self, catalog: Catalog, chroma: ChromaVectors, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self._catalog = catalog
        self._chroma = chroma
        self._exact_up_to = exact_up_to
        self._view_held: View | None = None
        self._document_at = lru_cache(maxsize=32)(self._load_document)

    def find(
        self, query: str, vector: NDArray[np.float32], *, k: int, where: Sequence[Condition] = ()
    ) -> list[Passage]:
        """Return the `k` best passages for `query`, whose unit vector is `vector`, among documents that fit `where`.

        No document takes more than a third of the places, rounded up, while others have something to say.
        """
        with self._catalog.reading():
            allowed = self._catalog.keys_where(where) if where else None
            language = detect_language(query) or self.view().language
            limit = max(CANDIDATES, k)
            lexical = dict(self._catalog.lexical(query, language, limit=limit, where=where))
            fair, dense = self._dense(vector, limit=limit, also=sorted(lexical), allowed=allowed)
            chunks = self._catalog.chunk_spans(sorted(fair))
            fused = fuse(fair, lexical, deviation=deviation(vector, self.view().sample))
            ranked = sorted(chunks, key=lambda key: (-fused[key], chunks[key].id))
            ranked = spread(ranked, {key: chunk.document_id for key, chunk in chunks.items()}, most=-(-k // 3))[:k]
            return [
                self._passage(chunks[key], rank, fused[key], {"dense": dense[key], "lexical": lexical.get(key, 0.0)})
                for rank, key in enumerate(ranked, start=1)
            ]

    def document(self, document_id: str) -> Document:
        """Return a document with its text. Raises FonteError where there is none."""
        with self._catalog.reading():
            return self._document_at(document_id, self._catalog.generation)

    def view(self) -> View:
        """Return what is known of the catalog's present generation; only called while reading."""
        generation = self._catalog.generation
        if self._view_held is None or self._view_held.generation != generation:
            rows = self._catalog.rows()
            spoken = self._catalog.languages()
            keys = np.array(list(spoken), dtype=np.int64)
            few = len(keys) <= self._exact_up_to
            vectors = self._catalog.vectors()[1] if few else None
            sampled, sample = self._catalog.vectors_of(keys[:: len(keys) // _SAMPLE + 1].tolist())
            bias = language_bias(sample, [spoken[key] for key in sampled.tolist()])
            codes = bias.codes(list(spoken.values()))
            languages = Counter(row.language for row in rows if row.language)
            language = languages.most_common(1)[0][0] if languages else ""
            self._view_held = View(generation, keys, vectors, sample, bias, codes, language)
        return self._view_held

    def _dense(
        self, vector: NDArray[np.float32], *, limit: int, also: Sequence[int], allowed: NDArray[np.int64] | None
    ) -> tuple[Scores, Scores]:
        """Return the nearest chunks and those of `also`, whose terms match: scores fair to languages, and cosines.

        Only chunks of `allowed` (ascending) where that is given; `also` must be among them.
        """
        view = self.view()
        handicaps = view.bias.handicaps(vector, view.codes)
        fair = self._fair(vector, handicaps, limit=limit, also=also, allowed=allowed)
        places = np.searchsorted(view.keys, np.array(list(fair), dtype=np.int64))
        return fair, {key: fair[key] + float(handicaps[place]) for key, place in zip(fair, places, strict=True)}

    def _fair(
        self,
        vector: NDArray[np.float32],
        handicaps: NDArray[np.float32],
        *,
        limit: int,
        also: Sequence[int],
        allowed: NDArray[np.int64] | None,
    ) -> Scores:
        view = self.view()
        if view.vectors is not None:
            places = None if allowed is None else np.searchsorted(view.keys, allowed)
            return nearest(vector, view.keys, view.vectors, handicaps, limit=limit, also=also, allowed=places)
        if allowed is not None:
            keys, vectors = self._catalog.vectors_of(allowed.tolist())
            places = np.searchsorted(view.keys, keys)
            return nearest(vector, keys, vectors, handicaps[places], limit=limit, also=also)
        if self._chroma.generation() == view.generation:
            try:
                proposed = self._chroma.nearest(vector, limit=limit)
                keys, vectors = self._catalog.vectors_of(sorted({*proposed, *also}))
                return cosines(vector, keys, vectors, handicaps[np.searchsorted(view.keys, keys)])
            except Exception:
                log.warning("the vector store failed; every vector is compared instead", exc_info=True)
        return nearest(vector, *self._catalog.vectors(), handicaps, limit=limit, also=also)

    def _load_document(self, document_id: str, generation: int) -> Document:
        document = self._catalog.document(document_id)
        if document is None:
            raise FonteError(f"No document {document_id} in the library. See what is there: fonte list")
        return document

    def _passage(self, span: Chunk, rank: int, score: float, scores: Mapping[str, float]) -> Passage:
        document = self._document_at(span.document_id, self.view().generation)
        chunk = replace(span, text=document.text[span.start : span.end])
        return Passage(chunk, document, score, rank, scores)
