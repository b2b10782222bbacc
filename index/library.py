"""Library: a folder of searchable documents. The one door into this package.

<folder>/catalog.sqlite   the record (catalog.py)
<folder>/chroma/          the vector store, made from the record (vectors.py)
<folder>/kept.sqlite      answers given before, gone once the documents change (kept.py)
<folder>/write.lock       held by the one process that writes
"""

import logging
import sqlite3
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
from index.errors import BadQuestion, FonteError
from index.finder import EXACT_UP_TO, Finder, Question
from index.kept import Kept
from index.load import MAX_FILE_MB, Failure, find_files
from index.rerank import RERANKED, Reranker, reranked
from index.types import Document, Passage
from index.upkeep import StoreState, Upkeep
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
        self.reranker: Reranker | None = None  # puts the best passages in order again
        self._catalog = catalog
        self._chroma = ChromaVectors(folder / "chroma")
        self._finder = Finder(catalog, self._chroma, exact_up_to=exact_up_to)
        self._upkeep = Upkeep(catalog, self._chroma, exact_up_to=exact_up_to)
        self._fingerprint_held = (-1, "")  # and the generation that it is of
        self.kept = Kept(folder / "kept.sqlite", lambda: self.generation)

    @classmethod
    def open(
        cls, folder: Path, embedder: Embedder, *, create: bool = False, exact_up_to: int = EXACT_UP_TO
    ) -> "Library":
        """Return the library in `folder`; with `create`, a new one where there is none.

        Where the vector store is missing, behind or damaged it is made again, while searches compare every vector.
        Raises LibraryMissing, LibraryMismatch, LibraryBusy, and FonteError where the catalog cannot be read.
        """
        with told_plainly(folder):
            catalog = open_catalog(folder, embedder, create=create)
        library = cls(folder, embedder, catalog, exact_up_to=exact_up_to)
        library._upkeep.begin()
        return library

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its files. A vector store that is being made is given up."""
        self._upkeep.stop()
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
        with self._told(), self._catalog.reading():
            generation = self._catalog.generation
            if self._fingerprint_held[0] != generation:
                held = [settings_for(self.embedder), [(row.id, row.sha256) for row in self._catalog.rows()]]
                self._fingerprint_held = generation, content_hash(held)
            return self._fingerprint_held[1]

    @property
    def generation(self) -> int:
        """A number that grows with every change of the documents."""
        with self._told():
            return self._catalog.generation

    @property
    def store_state(self) -> StoreState:
        """Whether the vector store holds what the catalog holds; right answers do not depend on it (see Upkeep)."""
        return self._upkeep.state

    def wait_for_store(self, timeout_s: float) -> bool:
        """Wait while the vector store is looked at or made again; return whether it is ready."""
        return self._upkeep.wait(timeout_s)

    def documents(self, where: Sequence[Condition] = ()) -> list[DocumentRow]:
        """Return the documents that fit `where`, without their texts, by id."""
        with self._told():
            return self._catalog.rows(where)

    def document(self, document_id: str) -> Document:
        """Return a document with its text. Raises FonteError where there is none."""
        with self._told():
            return self._finder.document(document_id)

    def search(
        self, query: str, *, k: int = 10, where: Sequence[Condition] = (), context: str = "", whole: str = ""
    ) -> list[Passage]:
        """Return the `k` best passages for `query`, best first; fewer where there are fewer. Raises BadQuestion.

        Only documents that fit every condition of `where` are searched. `context` is what was asked before: then half
        of a passage's score is for the query alone, half for the query after it. A reranker reads `whole`, the query
        with what it leaves unsaid, where that is given. No document takes more than a third of the places, rounded up,
        and no passage repeats one before it, while others have something to say.
        """
        query = query.strip()[:_READ_CHARACTERS]
        if not query:
            raise BadQuestion("The question is empty: type what you want to know")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        with self._told():
            texts = [query, f"{context.strip()[:_READ_CHARACTERS]} {query}"] if context.strip() else [query]
            questions = [Question(text, self._unit_vector(text)) for text in texts]
            found = self._finder.find(questions, k=max(k, RERANKED) if self.reranker else k, where=where)
            self._upkeep.look_again()
        if self.reranker:
            found = reranked(whole.strip()[:_READ_CHARACTERS] or query, found, self.reranker, places=k)
        return found[:k]

    def add(
        self,
        paths: Sequence[Path],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        max_file_mb: float = MAX_FILE_MB,
        prune: bool = False,
    ) -> AddReport:
        """Add the documents in the files and folders `paths`, and return what became of each.

        Documents are committed whole, a few at a time: a later failure, or Ctrl-C, takes back none that was committed.
        What cannot be read is reported, and the others go in. With `prune`, documents are removed whose files were
        under `paths` and are gone. Raises LibraryBusy, and FonteError where the disk is full.
        """
        found = find_files(paths)
        with self._writing():
            return self._adding(on_progress).add_files(found, max_file_mb=max_file_mb, prune=paths if prune else ())

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

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what goes wrong into sentences; an error of no known kind too, if the catalog turns out damaged."""
        with told_plainly(self.folder):
            try:
                yield
            except (FonteError, sqlite3.Error, OSError, UnicodeDecodeError):
                raise
            except Exception as error:
                try:
                    self._catalog.check()
                except Exception as damage:
                    raise sqlite3.DatabaseError(str(damage)) from error
                raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._told(), locked(self.folder):
            self._upkeep.stop()
            try:
                yield
            except BaseException:
                self._upkeep.begin()
                raise
            self._catalog.purge()
            self.kept.clear()
            self._upkeep.after_writing()

    def _adding(self, on_progress: Callable[[Progress], None] | None) -> Adding:
        def told(progress: Progress) -> None:
            if progress.unit == "chunks":  # something is new: what the filling needs starts beside the embedding
                self._chroma.warm()
            if on_progress:
                on_progress(progress)

        return Adding(self.folder, self._catalog, self.embedder, told)
