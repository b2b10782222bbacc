"""Library: a folder of searchable documents. The one door into this package.

<folder>/catalog.sqlite   the record (catalog.py)
<folder>/chroma/          the vector store, made from the record (vectors.py)
<folder>/write.lock       held by the one process that writes
"""

import hashlib
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from index.catalog import SCHEMA_VERSION, Catalog, DocumentRow
from index.chunk import CHUNK_TOKENS, CHUNKER, split_document
from index.embed import Embedder, Vectors
from index.errors import BadQuestion, FonteError, LibraryBusy, LibraryMismatch, LibraryMissing
from index.language import detect_language
from index.load import MAX_FILE_MB, Failure, SourceFile, find_files, load_documents
from index.search import CANDIDATES, Scores, cosines, deviation, fuse, nearest, spread
from index.types import Chunk, Document, Passage
from index.vectors import ChromaVectors

log = logging.getLogger(__name__)

# Up to here every vector is compared: 100,000 of 384 numbers take about 15 ms and are never wrong, while Chroma's
# query() is known to leave out live records (chroma-core/chroma#7758). Above, Chroma proposes and we compare.
EXACT_UP_TO = 100_000

_LOCK_TIMEOUT_S = 0.5
_EMBED_AT_ONCE = 64  # chunks between two signs of progress
_ROUND_CHARACTERS = 50_000_000  # of text held in memory before it is embedded
_SAMPLE = 2_000  # vectors that show how far apart cosines lie
_READ_CHARACTERS = 10_000  # of a question; no embedder reads more


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


@dataclass
class _Adding:
    """The work of one `add`, while it goes on."""

    held: dict[str, str]  # by id, the hash of the content in the library
    origins: dict[str, str]  # by id, the file it came from
    on_progress: Callable[[Progress], None]
    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class _View:
    """What searching needs of one generation of the catalog. `vectors` is None where there are too many to hold."""

    generation: int
    keys: NDArray[np.int64]
    vectors: Vectors | None
    sample: Vectors  # some of them, evenly spread
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
        with _told_plainly(folder):
            library = cls(folder, embedder, _open_catalog(folder, embedder, create), exact_up_to=exact_up_to)
            try:
                library._check_settings()
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
        with _told_plainly(self.folder), self._catalog.reading():
            language = detect_language(query) or self._view().language
            lexical = dict(self._catalog.lexical(query, language, limit=max(CANDIDATES, k)))
            dense = self._dense(vector, limit=max(CANDIDATES, k), also=sorted(lexical))
            chunks = self._catalog.chunk_spans(sorted(dense))
            fused = fuse(dense, lexical, deviation=deviation(vector, self._view().sample))
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

        A document is in when its report of progress says so; a later failure, or Ctrl-C, takes nothing back. What
        cannot be read is reported, and the others go in. Raises LibraryBusy, and FonteError where the disk is full.
        """
        found = find_files(paths)
        with self._writing():
            work = self._begin(on_progress)
            work.failed += found.failed
            files = _with_ids(found.files, work.origins)
            for arrivals in _rounds(self._arriving(files, work, max_file_mb)):
                self._commit_round(arrivals, work)
        return replace(_report(work), skipped=found.skipped)

    def add_documents(
        self, documents: Iterable[Document], *, on_progress: Callable[[Progress], None] | None = None
    ) -> AddReport:
        """Add `documents` as they are, each in place of one with the same id. Raises as `add` does."""
        with self._writing():
            work = self._begin(on_progress)
            hashed = (d if d.sha256 else replace(d, sha256=_hash([d.text, d.title])) for d in documents)
            for arrivals in _rounds((document, "") for document in hashed if _is_new(document, work)):
                self._commit_round(arrivals, work)
        return _report(work)

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
        self._check_dimension(len(vector))
        return vector

    def _dense(self, vector: NDArray[np.float32], *, limit: int, also: Sequence[int]) -> Scores:
        """Return exact cosines of the nearest chunks and of those of `also`, whose terms match."""
        view = self._view()
        if view.vectors is not None:
            return nearest(vector, view.keys, view.vectors, limit=limit, also=also)
        if self._chroma.generation() == view.generation:
            try:
                proposed = self._chroma.nearest(vector, limit=limit)
                return cosines(vector, *self._catalog.vectors_of(sorted({*proposed, *also})))
            except Exception:
                log.warning("the vector store failed; every vector is compared instead", exc_info=True)
        return nearest(vector, *self._catalog.vectors(), limit=limit, also=also)

    def _view(self) -> _View:
        """Return what is known of the catalog's present generation; only called while reading."""
        generation = self._catalog.generation
        if self._view_held is None or self._view_held.generation != generation:
            rows = self._catalog.rows()
            keys = np.array(sorted(self._catalog.keys()), dtype=np.int64)
            few = len(keys) <= self._exact_up_to
            vectors = self._catalog.vectors()[1] if few else None
            _, sample = self._catalog.vectors_of(keys[:: len(keys) // _SAMPLE + 1].tolist())
            languages = Counter(row.language for row in rows if row.language)
            fingerprint = _hash([self._settings_wanted(), [(row.id, row.sha256) for row in rows]])
            language = languages.most_common(1)[0][0] if languages else ""
            self._view_held = _View(generation, keys, vectors, sample, language, fingerprint)
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

    def _settings_wanted(self) -> dict[str, str]:
        return {"embedder": self.embedder.fingerprint, "chunker": f"{CHUNKER}/{CHUNK_TOKENS}"}

    def _check_settings(self) -> None:
        has = self._catalog.settings
        if int(has["schema"]) > SCHEMA_VERSION:
            raise LibraryMismatch(f"The library at {self.folder} was made by a newer fonte: upgrade this one")
        if has["embedder"] != self.embedder.fingerprint:
            raise LibraryMismatch(
                f"The library at {self.folder} was built with the embedder {has['embedder_name']}, not "
                f"{self.embedder.name}: use it with --embedder {has['embedder_name']}, or add your documents to "
                "another folder with --data"
            )
        if has["chunker"] != self._settings_wanted()["chunker"]:
            raise LibraryMismatch(
                f"The library at {self.folder} was cut into passages in another way ({has['chunker']}): "
                f"delete that folder and add your documents again"
            )

    def _check_dimension(self, dimension: int) -> None:
        has = self._catalog.settings.get("dimension", str(dimension))
        if int(has) != dimension:
            raise LibraryMismatch(
                f"The library at {self.folder} holds vectors of {has} numbers and {self.embedder.name} makes "
                f"{dimension}: add your documents to another folder with --data"
            )

    def _heal(self) -> None:
        """Bring the vector store up to date where it is missing or behind and nobody writes."""
        if self._chroma.generation() == self._catalog.generation:
            return
        try:
            with _locked(self.folder):
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
        with _told_plainly(self.folder), _locked(self.folder):
            yield
            self._fill_chroma()

    def _begin(self, on_progress: Callable[[Progress], None] | None) -> _Adding:
        rows = self._catalog.rows()
        held = {row.id: row.sha256 for row in rows}
        return _Adding(held, {row.id: row.origin for row in rows}, on_progress or (lambda _: None))

    def _arriving(
        self, files: Sequence[SourceFile], work: _Adding, max_file_mb: float
    ) -> Iterator[tuple[Document, str]]:
        """Yield the documents that are new or changed, with their origins."""
        done = 0
        for file, document in load_documents(
            files, on_failure=work.failed.append, max_file_mb=max_file_mb, held=work.held
        ):
            done = files.index(file, max(done - 1, 0)) + 1
            work.on_progress(Progress(done, len(files), file.id, "files"))
            if document is None:
                work.unchanged.append(file.id)
                continue
            if file.is_corpus:
                document = replace(document, id=_free_id(document.id, file, work.origins))
                work.origins[document.id] = _origin(file)
            if _is_new(document, work):
                yield document, _origin(file)

    def _commit_round(self, arrivals: Sequence[tuple[Document, str]], work: _Adding) -> None:
        """Embed the chunks of `arrivals`, and commit each document when its last chunk is embedded."""
        tokenize = self.embedder.tokenize
        chunks = [split_document(document, tokenize) for document, _ in arrivals]
        queue = [(i, chunk) for i, of_document in enumerate(chunks) for chunk in of_document]
        waiting: dict[int, list[NDArray[np.float32]]] = {}
        for start in range(0, len(queue), _EMBED_AT_ONCE):
            batch = queue[start : start + _EMBED_AT_ONCE]
            vectors = self.embedder.embed_passages([_text_to_embed(arrivals[i][0], chunk) for i, chunk in batch])
            for (i, _), vector in zip(batch, vectors, strict=True):
                waiting.setdefault(i, []).append(vector)
                if len(waiting[i]) == len(chunks[i]):
                    self._commit(*arrivals[i], chunks[i], np.stack(waiting.pop(i)), work)
            work.on_progress(Progress(start + len(batch), len(queue), arrivals[batch[-1][0]][0].id, "chunks"))

    def _commit(
        self, document: Document, origin: str, chunks: Sequence[Chunk], vectors: Vectors, work: _Adding
    ) -> None:
        self._check_dimension(vectors.shape[1])
        self._catalog.put(document, chunks, vectors, origin=origin)
        (work.replaced if document.id in work.held else work.added).append(document.id)
        work.held[document.id] = document.sha256
        work.chunks += len(chunks)


def _open_catalog(folder: Path, embedder: Embedder, create: bool) -> Catalog:
    file = folder / "catalog.sqlite"
    if create and not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if not file.exists():
                Catalog.create(
                    file,
                    {
                        "embedder": embedder.fingerprint,
                        "embedder_name": embedder.name,
                        "chunker": f"{CHUNKER}/{CHUNK_TOKENS}",
                    },
                )
    if not file.exists():
        shown = folder if folder.is_absolute() else f"./{folder}"
        raise LibraryMissing(f"No library at {shown} yet. Make one: fonte add docs/")
    return Catalog(file)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the right to write. Raises LibraryBusy within a second where another has it."""
    lock = FileLock(folder / "write.lock", timeout=_LOCK_TIMEOUT_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise LibraryBusy(f"The library at {folder} is being changed by another process: try again later") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told_plainly(folder: Path) -> Iterator[None]:
    """Turn what SQLite and the system report into sentences."""
    try:
        yield
    except sqlite3.Error as error:
        raise FonteError(_about_sqlite(folder, error)) from error
    except PermissionError as error:
        raise FonteError(f"No permission for {error.filename or folder}: choose another folder with --data") from error
    except OSError as error:
        raise FonteError(f"The library at {folder} cannot be used: {error.strerror or error}") from error


def _about_sqlite(folder: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text:
        return f"The disk is full: free some space for {folder}, then run the command again; what was added stays"
    if "locked" in text or "busy" in text:
        return f"The library at {folder} is being changed by another process: try again later"
    if "readonly" in text or "unable to open" in text:
        return f"The library at {folder} cannot be written: check the folder's permissions"
    return f"The library at {folder} is damaged ({text}): delete that folder and add your documents again"


def _rounds(arrivals: Iterable[tuple[Document, str]]) -> Iterator[list[tuple[Document, str]]]:
    """Yield the documents in lists small enough to hold in memory."""
    current: list[tuple[Document, str]] = []
    characters = 0
    for document, origin in arrivals:
        current.append((document, origin))
        characters += len(document.text)
        if characters >= _ROUND_CHARACTERS:
            yield current
            current, characters = [], 0
    if current:
        yield current


def _is_new(document: Document, work: _Adding) -> bool:
    """Whether `document` is not in the library as it is; notes the ones that are."""
    if work.held.get(document.id) != document.sha256:
        return True
    work.unchanged.append(document.id)
    return False


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


def _report(work: _Adding) -> AddReport:
    return AddReport(tuple(work.added), tuple(work.replaced), tuple(work.unchanged), tuple(work.failed), work.chunks)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True).encode()).hexdigest()
