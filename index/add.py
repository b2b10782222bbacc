"""Documents into the catalog: which are new, under which id; embedded in slices, committed one by one."""

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
from index.load import Failure, Found, SourceFile, load_documents
from index.types import Chunk, Document

Arrival = tuple[Document, str]  # a document, and the file it came from, "" for none

_EMBED_AT_ONCE = 64  # chunks between two signs of progress
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
    """What `add` did, by document id. `skipped` files were met in a folder and are not of a kind that is read."""

    added: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    chunks: int = 0
    skipped: tuple[Failure, ...] = ()


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
        self._origins = {row.id: row.origin for row in rows}
        self._added: list[str] = []
        self._replaced: list[str] = []
        self._unchanged: list[str] = []
        self._failed: list[Failure] = []
        self._chunks = 0

    def add_files(self, found: Found, *, max_file_mb: float) -> AddReport:
        """Add what is in `found`, and return what became of each."""
        self._failed += found.failed
        files = _with_ids(found.files, self._origins)
        for arrivals in _rounds(self._arriving(files, max_file_mb)):
            self._commit_round(arrivals)
        return replace(self._report(), skipped=found.skipped)

    def add_documents(self, documents: Iterable[Document]) -> AddReport:
        """Add `documents`, each in place of one with the same id, and return what became of each."""
        hashed = (d if d.sha256 else replace(d, sha256=content_hash([d.text, d.title])) for d in documents)
        for arrivals in _rounds((document, "") for document in hashed if self._is_new(document)):
            self._commit_round(arrivals)
        return self._report()

    def _arriving(self, files: Sequence[SourceFile], max_file_mb: float) -> Iterator[Arrival]:
        """Yield the documents that are new or changed."""
        number = {file.path: i for i, file in enumerate(files, start=1)}
        loaded = load_documents(files, on_failure=self._failed.append, max_file_mb=max_file_mb, held=self._held)
        for file, document in loaded:
            self._on_progress(Progress(number[file.path], len(files), file.id, "files"))
            if document is None:
                self._unchanged.append(file.id)
                continue
            if file.is_corpus:
                document = replace(document, id=_free_id(document.id, file, self._origins))
                self._origins[document.id] = _origin(file)
            if self._is_new(document):
                yield document, _origin(file)

    def _is_new(self, document: Document) -> bool:
        """Whether `document` is not in the library as it is; notes the ones that are."""
        if self._held.get(document.id) != document.sha256:
            return True
        self._unchanged.append(document.id)
        return False

    def _commit_round(self, arrivals: Sequence[Arrival]) -> None:
        """Embed the chunks of `arrivals`, and commit each document when its last chunk is embedded."""
        chunks = [split_document(document, self._embedder.tokenize) for document, _ in arrivals]
        queue = [(i, chunk) for i, of_document in enumerate(chunks) for chunk in of_document]
        waiting: dict[int, list[NDArray[np.float32]]] = {}
        for start in range(0, len(queue), _EMBED_AT_ONCE):
            batch = queue[start : start + _EMBED_AT_ONCE]
            vectors = self._embedder.embed_passages([_text_to_embed(arrivals[i][0], chunk) for i, chunk in batch])
            for (i, _), vector in zip(batch, vectors, strict=True):
                waiting.setdefault(i, []).append(vector)
                if len(waiting[i]) == len(chunks[i]):
                    self._commit(*arrivals[i], chunks[i], np.stack(waiting.pop(i)))
            label = arrivals[batch[-1][0]][0].id
            self._on_progress(Progress(start + len(batch), len(queue), label, "chunks"))

    def _commit(self, document: Document, origin: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        check_dimension(self._folder, self._catalog.settings, self._embedder, vectors.shape[1])
        self._catalog.put(document, chunks, vectors, origin=origin)
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


def _origin(file: SourceFile) -> str:
    return str(file.path.resolve())


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
        if other is None or other == _origin(file) or (other and not Path(other).exists()):
            return candidate
    return f"{file.path.resolve().as_posix()}/{wanted}"


def _text_to_embed(document: Document, chunk: Chunk) -> str:
    return f"{document.title}\n{chunk.text}" if document.title else chunk.text
