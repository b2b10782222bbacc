"""Documents into the catalog: which are new, under which id; embedded by length, each committed whole."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.access import check_dimension
from index.catalog import Catalog
from index.chunk import split_document
from index.embed import Embedder, Vectors
from index.load import Failure, Found, SourceFile, load_documents, printable
from index.origins import can_list, lost_documents, may_exist, moved_source, origin_of
from index.types import Chunk, Document
from index.windows import chunk_vectors, window_texts

Arrival = tuple[Document, str]  # a document, and the file it came from, "" for none

_EMBED_AT_ONCE = 128  # windows
# Chunks whose windows are sorted by length together, since a batch costs as much as its longest text. They are also
# committed together, so the first are few.
_FEWEST_TOGETHER, _MOST_TOGETHER = 32, 256
_ROUND_CHARACTERS = 50_000_000  # of text held in memory before it is embedded


@dataclass(frozen=True, slots=True)
class Progress:
    """How far `add` is: `done` of `total` `unit`s ("files", then "chunks"); `label` names the document."""

    done: int
    total: int
    label: str
    unit: str


@dataclass(frozen=True, slots=True)
class AddReport:
    """What `add` did, by document id. `skipped` files were met in a folder and are not of a kind that is read.

    `pruned` documents had lost their files and were removed; `kept` ones may have: it could not be seen. `remarks` tell
    what was left out of a document that went in.
    """

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    chunks: int = 0
    skipped: tuple[Failure, ...] = ()
    pruned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    remarks: tuple[Failure, ...] = ()


class Adding:
    """The work of one `Library.add`. The caller holds the right to write."""

    def __init__(
        self, folder: Path, catalog: Catalog, embedder: Embedder, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._folder = folder
        self._catalog = catalog
        self._embedder = embedder
        self._on_progress = on_progress or (lambda _: None)
        rows = catalog.rows()
        self._held = {row.id: row.sha256 for row in rows}
        self._rows = {row.id: row for row in rows}  # as they were
        self._origins = {row.id: row.origin for row in rows}
        self._met: dict[str, Path] = {}  # the documents that were read, and the files they are in
        self._added: list[str] = []
        self._replaced: list[str] = []
        self._unchanged: list[str] = []
        self._failed: list[Failure] = []
        self._remarks: list[Failure] = []
        self._chunks = 0

    def add_files(self, found: Found, *, max_file_mb: float, prune: Sequence[Path] = ()) -> AddReport:
        """Add what is in `found`, and return what became of each.

        With `prune`, the paths that `found` was found under, documents from there whose files are gone are removed.
        """
        self._failed += found.failed
        files = _with_ids(found.files, self._origins)
        for arrivals in _rounds(self._arriving(files, max_file_mb)):
            self._commit_round(arrivals)
        self._follow_moves()
        report = replace(self._report(), skipped=found.skipped, remarks=tuple(self._remarks))
        return self._pruned(report, found, prune) if prune else report

    def add_documents(self, documents: Iterable[Document]) -> AddReport:
        """Add `documents`, each in place of one with the same id, and return what became of each."""
        hashed = (d if d.sha256 else replace(d, sha256=content_hash([d.text, d.title])) for d in documents)
        for arrivals in _rounds((document, "") for document in hashed if self._is_new(document)):
            self._commit_round(arrivals)
        return self._report()

    def _arriving(self, files: Sequence[SourceFile], max_file_mb: float) -> Iterator[Arrival]:
        """Yield the documents that are new or changed."""
        number = {file.path: i for i, file in enumerate(files, start=1)}
        loaded = load_documents(
            files,
            on_failure=self._failed.append,
            on_remark=self._remarks.append,
            max_file_mb=max_file_mb,
            held=self._held,
        )
        for file, document in loaded:
            self._on_progress(Progress(number[file.path], len(files), file.id, "files"))
            if document is None:
                self._met[file.id] = file.path
                self._unchanged.append(file.id)
                continue
            if file.is_corpus:
                document = replace(document, id=_free_id(document.id, file, self._origins))
                self._origins[document.id] = _origin(file)
            self._met[document.id] = file.path
            if self._is_new(document):
                yield document, _origin(file)

    def _follow_moves(self) -> None:
        """Note the new places of files that have moved and not changed."""
        moved = {}
        for document_id in self._unchanged:
            row, origin = self._rows.get(document_id), self._origins[document_id]
            if row and row.origin != origin:
                moved[document_id] = (origin, moved_source(row, self._met[document_id]))
        if moved:
            self._catalog.relocate(moved)

    def _pruned(self, report: AddReport, found: Found, named: Sequence[Path]) -> AddReport:
        """Remove what has lost its file; a named folder that holds no file any more is no failure then."""
        met = {document_id: self._origins[document_id] for document_id in self._met}
        broken = {part for failure in report.failed for part in (failure.path, failure.path.rsplit(", line ", 1)[0])}
        whole = {origin_of(f.path) for f in found.files if f.is_corpus and printable(str(f.path)) not in broken}
        gone, kept = lost_documents(self._catalog.rows(), named, found, met, whole)
        if gone:
            self._catalog.remove(gone)
        empty = {printable(str(path)) for path in named if can_list(path)}
        failed = tuple(failure for failure in report.failed if failure.path not in empty)
        return replace(report, failed=failed, pruned=gone, kept=kept)

    def _is_new(self, document: Document) -> bool:
        """Whether `document` is not in the library as it is; notes the ones that are."""
        if self._held.get(document.id) != document.sha256:
            return True
        self._unchanged.append(document.id)
        return False

    def _commit_round(self, arrivals: Sequence[Arrival]) -> None:
        """Embed the windows of `arrivals`, and commit each document when its last one is embedded."""
        tokenize = self._embedder.tokenize
        chunks = [split_document(document, tokenize) for document, _ in arrivals]
        queue = [(i, chunk) for i, of_document in enumerate(chunks) for chunk in of_document]
        labels = [arrivals[i][0].id for i, _ in queue]
        waiting: dict[int, list[tuple[Vectors, NDArray[np.float32]]]] = {}
        for start, end in _slices(len(queue)):
            texts = [window_texts(arrivals[i][0], chunk, tokenize) for i, chunk in queue[start:end]]
            windows = self._embedded(texts, labels, start)
            with self._catalog.together():
                embedded = zip(windows, chunk_vectors(windows, texts), strict=True)
                for (i, _), of_chunk in zip(queue[start:end], embedded, strict=True):
                    waiting.setdefault(i, []).append(of_chunk)
                    if len(waiting[i]) == len(chunks[i]):
                        self._put(*arrivals[i], chunks[i], waiting.pop(i))
            self._on_progress(Progress(end, len(queue), labels[end - 1], "chunks"))

    def _embedded(self, texts: Sequence[Sequence[str]], labels: Sequence[str], start: int) -> list[Vectors]:
        """Return the vectors `(n, dimension)` of the n texts of each chunk; the longest are embedded first.

        The chunks begin at `start` of `labels`.
        """
        flat = [text for of_chunk in texts for text in of_chunk]
        order = sorted(range(len(flat)), key=lambda place: -len(flat[place]))
        parts = []
        told = start
        for done in range(0, len(order), _EMBED_AT_ONCE):
            if (about := start + len(texts) * done // len(flat)) > told:
                self._on_progress(Progress(about, len(labels), labels[about - 1], "chunks"))
                told = about
            parts.append(self._embedder.embed_passages([flat[place] for place in order[done : done + _EMBED_AT_ONCE]]))
        vectors = np.concatenate(parts)[np.argsort(order)]
        return np.split(vectors, np.cumsum([len(of_chunk) for of_chunk in texts])[:-1])

    def _put(
        self,
        document: Document,
        origin: str,
        chunks: Sequence[Chunk],
        embedded: Sequence[tuple[Vectors, NDArray[np.float32]]],
    ) -> None:
        """Commit a document with the vectors of each chunk's windows and of the chunk."""
        vectors = np.stack([vector for _, vector in embedded])
        check_dimension(self._folder, self._catalog.settings, self._embedder, vectors.shape[1])
        self._catalog.put(document, chunks, vectors, windows=[windows for windows, _ in embedded], origin=origin)
        (self._replaced if document.id in self._held else self._added).append(document.id)
        self._held[document.id] = document.sha256
        self._chunks += len(chunks)

    def _report(self) -> AddReport:
        return AddReport(
            tuple(self._added), tuple(self._replaced), tuple(self._unchanged), tuple(self._failed), self._chunks
        )


def content_hash(value: object) -> str:
    """Return the SHA-256 of `value` written as JSON."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def _rounds(arrivals: Iterable[Arrival]) -> Iterator[list[Arrival]]:
    """Yield the documents in lists small enough to hold in memory."""
    current: list[Arrival] = []
    characters = 0
    for document, origin in arrivals:
        current.append((document, origin))
        characters += len(document.text)
        if characters >= _ROUND_CHARACTERS:
            yield current
            current, characters = [], 0
    if current:
        yield current


def _slices(chunks: int) -> Iterator[tuple[int, int]]:
    """Yield `start, end` of what is embedded and committed together: few at first, then ever more."""
    start, size = 0, _FEWEST_TOGETHER
    while start < chunks:
        yield start, min(start + size, chunks)
        start, size = start + size, min(2 * size, _MOST_TOGETHER)


def _origin(file: SourceFile) -> str:
    return origin_of(file.path)


def _with_ids(files: Sequence[SourceFile], origins: dict[str, str]) -> list[SourceFile]:
    """Return `files` with the ids that they have in the library or will have; notes them in `origins`.

    Corpus files stay as they are: their lines have ids of their own.
    """
    id_of = {origin: document_id for document_id, origin in origins.items()}
    named = []
    for file in files:
        if not file.is_corpus:
            file = replace(file, id=id_of.get(_origin(file)) or _free_id(file.id, file, origins))
            origins[file.id] = _origin(file)
        named.append(file)
    return named


def _free_id(wanted: str, file: SourceFile, origins: Mapping[str, str]) -> str:
    """Return `wanted`, made longer by the folders above it while another file's document has that id."""
    above = file.path.resolve().as_posix().split("/")
    if not file.is_corpus:
        above = above[: -len(wanted.split("/"))]
    for i in range(len(above) + 1):
        candidate = "/".join([*above[len(above) - i :], wanted])
        other = origins.get(candidate)
        if other is None or other == _origin(file) or (other and not may_exist(other)):
            return candidate
    return f"{file.path.resolve().as_posix()}/{wanted}"
