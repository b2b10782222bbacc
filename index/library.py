"""Library: a folder of searchable documents. The one door into this package.

<folder>/catalog.sqlite   the record (catalog.py)
<folder>/chroma/          the vector store, made from the record (vectors.py)
<folder>/write.lock       held by the one process that writes
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from index.access import check_dimension, locked, open_catalog, settings_for, told_plainly
from index.add import Adding, AddReport, Progress, content_hash
from index.bias import LanguageBias, language_bias
from index.catalog import Catalog, DocumentRow
from index.embed import Embedder, Vectors
from index.errors import BadQuestion, FonteError, LibraryBusy
from index.language import detect_language
from index.load import MAX_FILE_MB, Failure, find_files
from index.search import CANDIDATES, Scores, cosines, deviation, fuse, nearest, spread
from index.types import Chunk, Document, Passage
from index.vectors import ChromaVectors

__all__ = ["AddReport", "DocumentRow", "Failure", "Library", "Progress"]

log = logging.getLogger(__name__)

# Up to here every vector is compared: 100,000 of 384 numbers take about 30 ms and are never wrong, while Chroma's
# query() is known to leave out live records (chroma-core/chroma#7758). Above, Chroma proposes and we compare.
EXACT_UP_TO = 100_000

_SAMPLE = 2_000  # vectors that show how far apart cosines lie
_READ_CHARACTERS = 10_000  # of a question; no embedder reads more


@dataclass(frozen=True, slots=True)
class _View:
    """What searching needs of one generation of the catalog. `vectors` is None where there are too many to hold."""

    generation: int
    keys: NDArray[np.int64]
    vectors: Vectors | None
    sample: Vectors  # some of them, evenly spread
    bias: LanguageBias
    codes: NDArray[np.int64]  # of the language of each of `keys`
    language: str  # of most documents
    fingerprint: str


class Library:
    """An open library. Reading is safe from several threads, and goes on while another process writes."""

    def __init__(self, folder: Path, embedder: Embedder, catalog: Catalog, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self.folder = folder
        self.embedder = embedder
        self._catalog = catalog
        self._chroma = ChromaVectors(folder / "chroma")
        self._exact_up_to = exact_up_to
        self._view_held: _View | None = None
        self._document_at = lru_cache(maxsize=32)(self._load_document)

    @classmethod
    def open(
        cls, folder: Path, embedder: Embedder, *, create: bool = False, exact_up_to: int = EXACT_UP_TO
    ) -> "Library":
        """Return the library in `folder`; with `create`, a new one where there is none.

        Where the vector store is missing or behind it is made again, unless another process is writing just now.
        Raises LibraryMissing, LibraryMismatch, LibraryBusy, and FonteError where the catalog cannot be read.
        """
        with told_plainly(folder):
            catalog = open_catalog(folder, embedder, create=create)
            library = cls(folder, embedder, catalog, exact_up_to=exact_up_to)
            try:
                library._heal()
            except BaseException:
                library.close()
                raise
        return library

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its files."""
        self._chroma.close()
        self._catalog.close()

    def __len__(self) -> int:
        """Return how many chunks there are."""
        return self._catalog.chunk_count()

    @property
    def settings(self) -> Mapping[str, str]:
        """What it was built with: embedder, its fingerprint and dimension, chunker, schema."""
        return self._catalog.settings

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides what a search finds: documents, embedder, chunker."""
        with self._catalog.reading():
            return self._view().fingerprint

    def documents(self) -> list[DocumentRow]:
        """Return all documents without their texts, by id."""
        return self._catalog.rows()

    def document(self, document_id: str) -> Document:
        """Return a document with its text. Raises FonteError where there is none."""
        with self._catalog.reading():
            return self._document_at(document_id, self._catalog.generation)

    def search(self, query: str, *, k: int = 10) -> list[Passage]:
        """Return the `k` best passages for `query`, best first; fewer where there are fewer. Raises BadQuestion.

        No document takes more than a third of the places, rounded up, while others have something to say.
        """
        query = query.strip()[:_READ_CHARACTERS]
        if not query:
            raise BadQuestion("The question is empty: type what you want to know")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        vector = self._unit_vector(query)
        with told_plainly(self.folder), self._catalog.reading():
            language = detect_language(query) or self._view().language
            lexical = dict(self._catalog.lexical(query, language, limit=max(CANDIDATES, k)))
            fair, dense = self._dense(vector, limit=max(CANDIDATES, k), also=sorted(lexical))
            chunks = self._catalog.chunk_spans(sorted(fair))
            fused = fuse(fair, lexical, deviation=deviation(vector, self._view().sample))
            ranked = sorted(chunks, key=lambda key: (-fused[key], chunks[key].id))
            ranked = spread(ranked, {key: chunk.document_id for key, chunk in chunks.items()}, most=-(-k // 3))[:k]
            return [
                self._passage(chunks[key], rank, fused[key], {"dense": dense[key], "lexical": lexical.get(key, 0.0)})
                for rank, key in enumerate(ranked, start=1)
            ]

    def add(
        self,
        paths: Sequence[Path],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        max_file_mb: float = MAX_FILE_MB,
    ) -> AddReport:
        """Add the documents in the files and folders `paths`, and return what became of each.

        Documents are committed one by one: a later failure, or Ctrl-C, takes nothing back. What cannot be read is
        reported, and the others go in. Raises LibraryBusy, and FonteError where the disk is full.
        """
        found = find_files(paths)
        with self._writing():
            return self._adding(on_progress).add_files(found, max_file_mb=max_file_mb)

    def add_documents(
        self, documents: Iterable[Document], *, on_progress: Callable[[Progress], None] | None = None
    ) -> AddReport:
        """Add `documents` as they are, each in place of one with the same id. Raises as `add` does."""
        with self._writing():
            return self._adding(on_progress).add_documents(documents)

    def remove(self, document_ids: Sequence[str]) -> tuple[str, ...]:
        """Take documents out, and return their ids. Raises FonteError, and removes nothing, where one is unknown."""
        with self._writing():
            known = {row.id for row in self._catalog.rows()}
            unknown = [document_id for document_id in document_ids if document_id not in known]
            if unknown:
                raise FonteError(f"Not in the library: {', '.join(unknown)}. See what is: fonte list")
            removed = tuple(dict.fromkeys(document_ids))
            self._catalog.remove(removed)
        return removed

    def _unit_vector(self, query: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embedder.embed_queries([query])[0]
        check_dimension(self.folder, self._catalog.settings, self.embedder, len(vector))
        return vector

    def _dense(self, vector: NDArray[np.float32], *, limit: int, also: Sequence[int]) -> tuple[Scores, Scores]:
        """Return the nearest chunks and those of `also`, whose terms match: scores fair to languages, and cosines."""
        view = self._view()
        handicaps = view.bias.handicaps(vector, view.codes)
        fair = self._fair(vector, handicaps, limit=limit, also=also)
        places = np.searchsorted(view.keys, np.array(list(fair), dtype=np.int64))
        return fair, {key: fair[key] + float(handicaps[place]) for key, place in zip(fair, places, strict=True)}

    def _fair(
        self, vector: NDArray[np.float32], handicaps: NDArray[np.float32], *, limit: int, also: Sequence[int]
    ) -> Scores:
        view = self._view()
        if view.vectors is not None:
            return nearest(vector, view.keys, view.vectors, handicaps, limit=limit, also=also)
        if self._chroma.generation() == view.generation:
            try:
                proposed = self._chroma.nearest(vector, limit=limit)
                keys, vectors = self._catalog.vectors_of(sorted({*proposed, *also}))
                return cosines(vector, keys, vectors, handicaps[np.searchsorted(view.keys, keys)])
            except Exception:
                log.warning("the vector store failed; every vector is compared instead", exc_info=True)
        return nearest(vector, *self._catalog.vectors(), handicaps, limit=limit, also=also)

    def _view(self) -> _View:
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
            fingerprint = content_hash([settings_for(self.embedder), [(row.id, row.sha256) for row in rows]])
            language = languages.most_common(1)[0][0] if languages else ""
            self._view_held = _View(generation, keys, vectors, sample, bias, codes, language, fingerprint)
        return self._view_held

    def _load_document(self, document_id: str, generation: int) -> Document:
        document = self._catalog.document(document_id)
        if document is None:
            raise FonteError(f"No document {document_id} in the library. See what is there: fonte list")
        return document

    def _passage(self, span: Chunk, rank: int, score: float, scores: Mapping[str, float]) -> Passage:
        document = self._document_at(span.document_id, self._view().generation)
        chunk = replace(span, text=document.text[span.start : span.end])
        return Passage(chunk, document, score, rank, scores)

    def _heal(self) -> None:
        """Bring the vector store up to date where it is missing or behind and nobody writes."""
        if self._chroma.generation() == self._catalog.generation:
            return
        try:
            with locked(self.folder):
                self._fill_chroma()
        except (LibraryBusy, OSError):
            log.info("the vector store is behind; every vector is compared until it is made again")

    def _fill_chroma(self) -> None:
        with self._catalog.reading():
            generation, keys = self._catalog.generation, self._catalog.keys()
        if not keys and self._chroma.generation() is None:
            return
        try:
            self._chroma.fill(keys, self._catalog.vectors_of, generation=generation)
        except Exception:  # the catalog is the record: searches go on without Chroma, and opening tries again
            log.warning("the vector store could not be filled", exc_info=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with told_plainly(self.folder), locked(self.folder):
            yield
            self._fill_chroma()

    def _adding(self, on_progress: Callable[[Progress], None] | None) -> Adding:
        return Adding(self.folder, self._catalog, self.embedder, on_progress)
