"""Library: a folder of searchable documents. The one door into this package.

<folder>/catalog.sqlite   the record (catalog.py)
<folder>/chroma/          the vector store, made from the record (vectors.py)
<folder>/write.lock       held by the one process that writes
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from index.access import check_dimension, locked, open_catalog, settings_for, told_plainly
from index.add import Adding, AddReport, Progress, content_hash
from index.catalog import Catalog, DocumentRow
from index.embed import Embedder
from index.errors import BadQuestion, FonteError, LibraryBusy
from index.finder import EXACT_UP_TO, Finder
from index.load import MAX_FILE_MB, Failure, find_files
from index.types import Document, Passage
from index.vectors import ChromaVectors
from index.where import Condition

__all__ = ["AddReport", "DocumentRow", "Failure", "Library", "Progress"]

log = logging.getLogger(__name__)

_READ_CHARACTERS = 10_000  # of a question; no embedder reads more


class Library:
    """An open library. Reading is safe from several threads, and goes on while another process writes."""

    def __init__(self, folder: Path, embedder: Embedder, catalog: Catalog, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self.folder = folder
        self.embedder = embedder
        self._catalog = catalog
        self._chroma = ChromaVectors(folder / "chroma")
        self._finder = Finder(catalog, self._chroma, exact_up_to=exact_up_to)
        self._fingerprint_held = (-1, "")  # and the generation that it is of

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
            generation = self._catalog.generation
            if self._fingerprint_held[0] != generation:
                held = [settings_for(self.embedder), [(row.id, row.sha256) for row in self._catalog.rows()]]
                self._fingerprint_held = generation, content_hash(held)
            return self._fingerprint_held[1]

    def documents(self) -> list[DocumentRow]:
        """Return all documents without their texts, by id."""
        return self._catalog.rows()

    def document(self, document_id: str) -> Document:
        """Return a document with its text. Raises FonteError where there is none."""
        return self._finder.document(document_id)

    def search(self, query: str, *, k: int = 10, where: Sequence[Condition] = ()) -> list[Passage]:
        """Return the `k` best passages for `query`, best first; fewer where there are fewer. Raises BadQuestion.

        Only documents that fit every condition of `where` are searched. No document takes more than a third of the
        places, rounded up, while others have something to say.
        """
        query = query.strip()[:_READ_CHARACTERS]
        if not query:
            raise BadQuestion("The question is empty: type what you want to know")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        vector = self._unit_vector(query)
        with told_plainly(self.folder):
            return self._finder.find(query, vector, k=k, where=where)

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
