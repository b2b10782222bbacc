"""Questions to passages: both retrievers over one view of the catalog, fused, spread over the documents.

Everything that a search needs of a library is held here; `library.py` opens, fills and mends what is searched.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from index.bias import LanguageBias, language_bias
from index.catalog import Catalog
from index.chroma_child import StoreFailed
from index.embed import Vectors
from index.errors import FonteError
from index.language import detect_language
from index.rows import NO_ROWS, Rows, read_rows
from index.search import CANDIDATES, LEAST_ALIKE, Scores, cosines, deviation, fuse, nearest, says_the_same, spread
from index.types import Chunk, Document, Passage
from index.vectors import ChromaVectors
from index.where import Condition
from index.windows import with_best_windows

log = logging.getLogger(__name__)

# Up to here every vector is compared: 200,000 of 384 numbers take 32 ms and 300 MB and are never wrong, while Chroma's
# query() is known to leave out live records (chroma-core/chroma#7758). Above, Chroma proposes and we compare.
EXACT_UP_TO = 200_000

_SAMPLE = 2_000  # vectors that show how far apart cosines lie
_READ_AT_MOST = 20_000  # vectors of documents that fit a condition, to be read for one search
_WIDEST = 16 * CANDIDATES  # looked at where a few documents take all the places of the candidates
_PLAIN_LANGUAGE = 0.9  # confidence in a language that no document is in; "quando nasce Verdi" is 0.62 Portuguese
_FEWEST_PROPOSED = 20  # by the vector store; where so few fit a condition, every vector is compared


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for. `vector` is of unit length."""

    text: str
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """What searching needs of one generation of the catalog. `vectors` is None where there are too many to hold."""

    generation: int
    keys: NDArray[np.int64]
    vectors: Vectors | None
    sample: Vectors  # some of them, evenly spread
    bias: LanguageBias
    codes: NDArray[np.int64]  # of the language of each of `keys`
    languages: frozenset[str]
    language: str  # of most documents


@dataclass(frozen=True, slots=True)
class Ranking:
    """Chunks by key with their scores. `first`, best first, are to be shown before `rest`, best first as well."""

    chunks: Mapping[int, Chunk]
    fused: Scores
    dense: Scores
    lexical: Scores
    first: Sequence[int]
    rest: Sequence[int]


class Finder:
    """Searches a catalog. Safe to use from several threads."""

    def __init__(self, catalog: Catalog, chroma: ChromaVectors, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self._catalog = catalog
        self._chroma = chroma
        self._exact_up_to = exact_up_to
        self._view_held: View | None = None
        self._rows_held = NO_ROWS
        self._allowed_at = lru_cache(maxsize=8)(self._find_allowed)
        self._document_at = lru_cache(maxsize=32)(self._load_document)

    def find(self, questions: Sequence[Question], *, k: int, where: Sequence[Condition] = ()) -> list[Passage]:
        """Return the `k` best passages by the mean of their scores for `questions`, among documents that fit `where`.

        No document takes more than a third of the places, rounded up, and none says the same as one before it, while
        others have something to say.
        """
        with self._catalog.reading():
            limit = max(CANDIDATES, k)
            found = self._ranking(questions, limit, k, where)
            while len(found.first) < k and limit < _WIDEST and self._others_wait(found, where):
                limit *= 4
                found = self._ranking(questions, limit, k, where)
            return [
                self._passage(
                    found.chunks[key],
                    rank,
                    found.fused[key],
                    {"dense": found.dense[key], "lexical": found.lexical[key]},
                )
                for rank, key in enumerate([*found.first, *found.rest][:k], start=1)
            ]

    def document(self, document_id: str) -> Document:
        """Return a document with its text. Raises FonteError where there is none."""
        with self._catalog.reading():
            return self._document_at(document_id, self._catalog.generation)

    def view(self) -> View:
        """Return what is known of the catalog's present generation; only called while reading."""
        generation = self._catalog.generation
        if self._view_held is None or self._view_held.generation != generation:
            if self._view_held is not None and self._view_held.generation > generation:  # another catalog's contents
                self._rows_held = NO_ROWS
            self._rows_held = read_rows(self._catalog, self._rows_held, exact_up_to=self._exact_up_to)
            self._view_held = self._view_of(generation, self._rows_held)
        return self._view_held

    def _view_of(self, generation: int, rows: Rows) -> View:
        step = len(rows.keys) // _SAMPLE + 1
        if rows.vectors is None:
            sample = self._catalog.vectors_of(rows.keys[::step].tolist())[1]
        else:
            sample = rows.vectors[::step].copy()
        bias = language_bias(sample, [rows.languages[place] for place in rows.spoken[::step].tolist()])
        codes = bias.codes(rows.languages)[rows.spoken]
        languages = frozenset(rows.languages[place] for place in np.unique(rows.spoken).tolist())
        return View(generation, rows.keys, rows.vectors, sample, bias, codes, languages, self._catalog.main_language())

    def _ranking(self, questions: Sequence[Question], limit: int, k: int, where: Sequence[Condition]) -> Ranking:
        """Return the best of the `limit` candidates of each retriever in order, spread over `k` places."""
        allowed = self._allowed_at(tuple(where), self._catalog.generation) if where else None
        lexical = [self._lexical(question, limit, where) for question in questions]
        near = [
            self._fair(question.vector, limit=limit, also=sorted(found), allowed=allowed)
            for question, found in zip(questions, lexical, strict=True)
        ]
        chunks = self._catalog.chunk_spans(sorted({key for found in near for key in found}))
        if not chunks:
            return Ranking({}, {}, {}, {}, [], [])
        keys = np.array(list(chunks), dtype=np.int64)
        vectors = self._vectors(keys)
        windows = self._catalog.windows_of(keys.tolist())
        scored = [
            self._score(question.vector, keys, vectors, windows, found)
            for question, found in zip(questions, lexical, strict=True)
        ]
        dense, fused = (_mean([of_question[i] for of_question in scored]) for i in (0, 1))
        terms = _mean([{key: found.get(key, 0.0) for key in chunks} for found in lexical])
        ranked = sorted(chunks, key=lambda key: (-fused[key], chunks[key].id))
        first, rest = self._varied(ranked, chunks, dict(zip(keys.tolist(), vectors, strict=True)), k)
        return Ranking(chunks, fused, dense, terms, first, rest)

    def _others_wait(self, found: Ranking, where: Sequence[Condition]) -> bool:
        """Whether some documents that fit `where` have no chunk in `found`."""
        return len({chunk.document_id for chunk in found.chunks.values()}) < self._catalog.document_count(where)

    def _find_allowed(self, where: tuple[Condition, ...], generation: int) -> NDArray[np.int64]:
        return self._catalog.keys_where(where)

    def _lexical(self, question: Question, limit: int, where: Sequence[Condition]) -> Scores:
        language = detect_language(question.text)
        if language not in self.view().languages:
            language = detect_language(question.text, least_confidence=_PLAIN_LANGUAGE)
        known = language or self.view().language
        return dict(self._catalog.lexical(question.text, known, sure=bool(language), limit=limit, where=where))

    def _vectors(self, keys: NDArray[np.int64]) -> Vectors:
        view = self.view()
        if view.vectors is None:
            return self._catalog.vectors_of(keys.tolist())[1]
        return view.vectors[np.searchsorted(view.keys, keys)]

    def _score(
        self,
        vector: NDArray[np.float32],
        keys: NDArray[np.int64],
        vectors: Vectors,
        windows: Mapping[int, Vectors],
        lexical: Mapping[int, float],
    ) -> tuple[Scores, Scores]:
        """Return how near the question's `vector` is to each of the chunks `keys`, and that fused with `lexical`."""
        view = self.view()
        handicaps = view.bias.handicaps(vector, view.codes[np.searchsorted(view.keys, keys)])
        dense = cosines(vector, keys, vectors, np.zeros(len(keys), dtype=np.float32))
        dense = with_best_windows(dense, windows, vector)
        fair = {key: dense[key] - float(handicap) for key, handicap in zip(keys.tolist(), handicaps, strict=True)}
        return dense, fuse(fair, lexical, deviation=deviation(vector, view.sample))

    def _varied(
        self, ranked: Sequence[int], chunks: Mapping[int, Chunk], vectors: Mapping[int, NDArray[np.float32]], k: int
    ) -> tuple[list[int], list[int]]:
        """Return `ranked` in two: after what comes first, repetitions and what exceeds a document's share of `k`."""
        documents = {key: chunk.document_id for key, chunk in chunks.items()}

        def same(key: int, other: int) -> bool:
            if documents[key] == documents[other] or vectors[key] @ vectors[other] < LEAST_ALIKE:
                return False
            return says_the_same(*(self._with_text(chunks[each])[1].text for each in (key, other)))

        return spread(ranked, documents, same, places=k)

    def _fair(
        self,
        vector: NDArray[np.float32],
        *,
        limit: int,
        also: Sequence[int],
        allowed: NDArray[np.int64] | None,
    ) -> Scores:
        """Return the nearest chunks and those of `also`, whose terms match, with their cosines less handicaps.

        Only chunks of `allowed` (ascending) where that is given; `also` must be among them.
        """
        view = self.view()
        handicaps = view.bias.handicaps(vector, view.codes)
        if view.vectors is not None:
            places = None if allowed is None else np.searchsorted(view.keys, allowed)
            return nearest(vector, view.keys, view.vectors, handicaps, limit=limit, also=also, allowed=places)
        if allowed is not None and len(allowed) <= _READ_AT_MOST:
            return self._compared(vector, allowed, handicaps)
        if self._chroma.generation() == view.generation:
            try:
                proposed = self._proposed(vector, limit=limit, allowed=allowed)
                if len(proposed) >= min(limit, _FEWEST_PROPOSED):
                    return self._compared(vector, np.union1d(proposed, np.array(also, dtype=np.int64)), handicaps)
            except StoreFailed as error:
                log.warning("the vector store %s; every vector is compared instead", error)
        return self._scan(vector, handicaps, limit=limit, also=also, allowed=allowed)

    def _compared(
        self, vector: NDArray[np.float32], wanted: NDArray[np.int64], handicaps: NDArray[np.float32]
    ) -> Scores:
        """Return the fair scores of the chunks `wanted`, whose vectors are read for it."""
        keys, vectors = self._catalog.vectors_of(wanted.tolist())
        return cosines(vector, keys, vectors, handicaps[np.searchsorted(self.view().keys, keys)])

    def _proposed(
        self, vector: NDArray[np.float32], *, limit: int, allowed: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Return the keys that Chroma takes for the nearest, of `allowed` where that is given; perhaps too few."""
        among = 1.0 if allowed is None else len(allowed) / len(self.view().keys)
        proposed = np.array(self._chroma.nearest(vector, limit=int(limit / among)), dtype=np.int64)
        return proposed if allowed is None else np.intersect1d(proposed, allowed)

    def _scan(
        self,
        vector: NDArray[np.float32],
        handicaps: NDArray[np.float32],
        *,
        limit: int,
        also: Sequence[int],
        allowed: NDArray[np.int64] | None,
    ) -> Scores:
        """Return what `nearest` would of all vectors, read in parts, since there are too many to hold."""
        nearest_of: Scores = {}
        wanted: Scores = {}
        for keys, vectors in self._catalog.vectors_in_parts():
            places = None if allowed is None else np.flatnonzero(np.isin(keys, allowed, assume_unique=True))
            own = handicaps[np.searchsorted(self.view().keys, keys)]
            found = nearest(vector, keys, vectors, own, limit=limit, also=also, allowed=places)
            wanted |= {key: found[key] for key in also if key in found}
            best = sorted((nearest_of | found).items(), key=lambda item: (-item[1], item[0]))
            nearest_of = dict(best[:limit])
        return nearest_of | wanted

    def _load_document(self, document_id: str, generation: int) -> Document:
        document = self._catalog.document(document_id)
        if document is None:
            raise FonteError(f"No document {document_id} in the library. See what is there: fonte list")
        return document

    def _passage(self, span: Chunk, rank: int, score: float, scores: Mapping[str, float]) -> Passage:
        document, chunk = self._with_text(span)
        return Passage(chunk, document, score, rank, scores)

    def _with_text(self, span: Chunk) -> tuple[Document, Chunk]:
        document = self._document_at(span.document_id, self.view().generation)
        return document, replace(span, text=document.text[span.start : span.end])


def _mean(scores: Sequence[Scores]) -> Scores:
    """Return the mean of each key's scores; all have the same keys."""
    return {key: sum(of_question[key] for of_question in scores) / len(scores) for key in scores[0]}
