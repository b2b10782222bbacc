"""A damaged library mended: everything that can still be read goes into a new catalog beside, which takes its place.

A document is kept as it is where it is whole; embedded again where only its text is; read again from its file where
that still has the same content; and named as lost otherwise.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from index.access import locked, settings_for, told_plainly
from index.add import Adding
from index.catalog import SCHEMA_VERSION, Catalog
from index.checksum import text_problem
from index.damaged import copy_files, copy_readable, padded_copy
from index.doctor import Health, left_over, passages_problem
from index.embed import Embedder, Vectors
from index.errors import FonteError, LibraryMismatch
from index.load import SourceFile, load_documents
from index.origins import path_of
from index.purge import NEW_CATALOG, delete_catalog
from index.rebuild import (
    connect,
    fill_origins,
    kept_document,
    new_catalog,
    replace_content,
    sync_folder,
)
from index.types import Chunk, Document
from index.windows import CUTTING

_SALVAGED = "salvaged"  # the setting of a new catalog that is whole and only has to take its place


@dataclass(slots=True)
class RepairReport:
    """What was done. `lost` are the ids of documents that could not be saved, `kept_aside` the damaged file."""

    mended: list[str] = field(default_factory=list)  # embedded again, or read again
    lost: list[str] = field(default_factory=list)
    kept_aside: Path | None = None
    done: list[str] = field(default_factory=list)  # sentences


def repair(health: Health, embedder: Callable[[], Embedder]) -> RepairReport:
    """Mend the library that `health` was found of, and return what was done. `embedder` is only called when needed.

    Nothing that can be read is thrown away: a catalog that SQLite cannot read is kept aside. Raises LibraryBusy,
    LibraryMismatch where the library needs another embedder or a rebuild, and FonteError.
    """
    folder = health.folder
    report = RepairReport()
    with told_plainly(folder), locked(folder):
        _drop_leftovers(folder, report)
        if not health.readable or health.damaged or not health.lexical:
            _Salvage(folder, embedder, report).run(readable=health.readable)
            shutil.rmtree(folder / "chroma", ignore_errors=True)  # every passage has a new key
        with closing(Catalog(folder / "catalog.sqlite")) as catalog:
            if not catalog.purge():
                report.done.append("Another process reads the library, so words of removed documents are still there")
        if not health.vector_store:
            shutil.rmtree(folder / "chroma", ignore_errors=True)
            report.done.append("The vector store will be made again when the library is opened")
    return report


class _Salvage:
    """One repair of the catalog in `folder`; the caller holds the right to write."""

    def __init__(self, folder: Path, embedder: Callable[[], Embedder], report: RepairReport) -> None:
        self._folder = folder
        self._file = folder / "catalog.sqlite"
        self._new = folder / NEW_CATALOG
        self._load_embedder = embedder
        self._report = report

    def run(self, *, readable: bool) -> None:
        """Make the new catalog, and let it take the place of the old one."""
        if not self._is_done() and readable:
            with closing(connect(self._file)) as old:
                self._make(old, self._settings(old))
        elif not self._is_done():
            copy = padded_copy(self._file, self._folder / "catalog.damaged.part")
            with closing(connect(copy)) as damaged:
                self._make_from_what_is_readable(damaged)
            delete_catalog(copy)
        if readable:
            replace_content(self._file, self._new)
        else:
            self._exchange()
        with closing(connect(self._file)) as database:
            database.execute("DELETE FROM settings WHERE name = ?", (_SALVAGED,))
        delete_catalog(self._new)
        self._report.done.append("The catalog and its lexical index were made anew from what is stored")

    def _make_from_what_is_readable(self, damaged: sqlite3.Connection) -> None:
        settings = self._settings(damaged)
        part = self._folder / "catalog.read.part"
        delete_catalog(part)
        Catalog.create(part, settings)
        with closing(connect(part)) as copy:
            copy.execute("BEGIN")
            if not copy_readable(damaged, copy):
                self._report.done.append("Parts of the catalog could not be read; what was on them alone is lost")
            copy.execute("COMMIT")
            self._make(copy, settings)
        delete_catalog(part)

    def _make(self, old: sqlite3.Connection, settings: Mapping[str, str]) -> None:
        with closing(new_catalog(self._new, settings, _last_key(old))) as fresh:
            origins = dict(self._save_documents(old, fresh, settings))
        fill_origins(self._new, origins, generation=_generation(settings) + 1, done=_SALVAGED)

    def _exchange(self) -> None:
        """Keep the damaged catalog aside, and give the new one its name."""
        self._report.kept_aside = _kept_aside(self._file)
        for suffix in ("-wal", "-shm"):  # the old log must not be taken for the new catalog's
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        self._new.replace(self._file)
        sync_folder(self._folder)

    def _is_done(self) -> bool:
        """Whether an earlier repair was cut off when only the exchange was left to do.

        Not where the library was changed since: its generation is then no longer below that of the new catalog.
        """
        if not self._new.exists():
            return False
        made = _settings_in(self._new)
        return _SALVAGED in made and _generation(_settings_in(self._file)) < _generation(made)

    def _settings(self, old: sqlite3.Connection) -> dict[str, str]:
        """Return what the library was built with; what the embedder says where that cannot be read."""
        settings: dict[str, str] = {}
        with suppress(sqlite3.Error):
            settings = dict(old.execute("SELECT name, value FROM settings"))
        try:
            if not old.execute("SELECT 1 FROM sqlite_master WHERE name = 'documents'").fetchall():
                raise sqlite3.DatabaseError("it holds no documents")
        except sqlite3.DatabaseError as error:
            raise FonteError(
                f"Nothing can be read of {self._file} ({error}): bring a backup back with fonte restore, "
                "or delete that file and add your documents again"
            ) from error
        if _number(settings.get("schema")) not in (0, SCHEMA_VERSION):
            raise LibraryMismatch(f"The library at {self._folder} is of another schema: run fonte rebuild instead")
        if not {"embedder", "embedder_name", "chunker"} <= set(settings):
            settings |= settings_for(self._embedder)
        return {name: value for name, value in settings.items() if name not in ("unpurged", "schema")}

    def _save_documents(
        self, old: sqlite3.Connection, fresh: Catalog, settings: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        """Put every document that can be saved into `fresh`; yield their ids and origins."""
        query = "SELECT id FROM documents UNION SELECT document_id FROM texts UNION SELECT document_id FROM chunks"
        for (document_id,) in old.execute(f"{query} ORDER BY 1").fetchall():
            origin = _origin(old, document_id)
            try:
                saved = self._as_it_is(old, fresh, document_id, settings) or self._again(
                    old, fresh, document_id, settings
                )
            except (sqlite3.DatabaseError, ValueError, TypeError, UnicodeError):
                saved = False
            if not saved and not self._from_file(fresh, document_id, origin, _stored_hash(old, document_id), settings):
                self._report.lost.append(document_id)
                continue
            yield document_id, origin

    def _as_it_is(self, old: sqlite3.Connection, fresh: Catalog, document_id: str, settings: Mapping[str, str]) -> bool:
        """Put a document that is whole with the chunks and vectors that it has; return whether it is."""
        if text_problem(old, document_id) or passages_problem(old, document_id, _number(settings.get("dimension"))):
            return False
        document, origin = kept_document(old, document_id)
        chunks, vectors, windows = _chunks(old, document)
        fresh.put(document, chunks, vectors, windows=windows, origin=origin)
        return True

    def _again(self, old: sqlite3.Connection, fresh: Catalog, document_id: str, settings: Mapping[str, str]) -> bool:
        """Embed a document again whose text is whole; return whether it is."""
        if text_problem(old, document_id):
            return False
        document, _ = kept_document(old, document_id)
        return self._embedded(fresh, document, settings)

    def _from_file(
        self, fresh: Catalog, document_id: str, origin: str, sha256: str, settings: Mapping[str, str]
    ) -> bool:
        """Read a document again from the file it came from; return whether that is there and has not changed."""
        if not origin or not sha256:
            return False
        source = SourceFile(path_of(origin), document_id)
        for _, document in load_documents([source], on_failure=lambda _: None):
            if document is not None and document.id == document_id and document.sha256 == sha256:
                return self._embedded(fresh, document, settings)
        return False

    def _embedded(self, fresh: Catalog, document: Document, settings: Mapping[str, str]) -> bool:
        embedder = self._embedder
        if (settings["embedder"], settings["chunker"]) != (embedder.fingerprint, CUTTING):
            raise LibraryMismatch(
                f"The library at {self._folder} needs the embedder {settings['embedder_name']} to be mended: "
                f"fonte doctor --repair --embedder {settings['embedder_name']}"
            )
        Adding(self._folder, fresh, embedder, None).add_documents([document])
        self._report.mended.append(document.id)
        return True

    @cached_property
    def _embedder(self) -> Embedder:
        return self._load_embedder()


def _chunks(database: sqlite3.Connection, document: Document) -> tuple[list[Chunk], Vectors, list[Vectors | None]]:
    """Return the chunks of a document that is whole, their vectors `(n, dimension)`, and those of their windows."""
    query = (
        "SELECT chunks.id, start_offset, end_offset, page, heading, vector, vectors FROM chunks "
        "JOIN vectors USING (key) LEFT JOIN windows USING (key) WHERE document_id = ? ORDER BY key"
    )
    chunks: list[Chunk] = []
    vectors: list[Vectors] = []
    windows: list[Vectors | None] = []
    for chunk_id, start, end, page, heading, vector, of_windows in database.execute(query, (document.id,)):
        chunks.append(Chunk(chunk_id, document.id, document.text[start:end], start, end, page, heading))
        vectors.append(np.frombuffer(vector, dtype="<f4").astype(np.float32))
        stored = np.frombuffer(of_windows or b"", dtype="<f2").astype(np.float32)
        windows.append(stored.reshape(-1, len(vectors[-1])) if of_windows else None)
    return chunks, np.stack(vectors), windows


def _settings_in(file: Path) -> dict[str, str]:
    with suppress(sqlite3.Error), closing(connect(file)) as database:
        return dict(database.execute("SELECT name, value FROM settings"))
    return {}


def _generation(settings: Mapping[str, str]) -> int:
    return _number(settings.get("generation"))


def _origin(database: sqlite3.Connection, document_id: str) -> str:
    return _field(database, "origin", document_id)


def _stored_hash(database: sqlite3.Connection, document_id: str) -> str:
    return _field(database, "sha256", document_id)


def _field(database: sqlite3.Connection, name: str, document_id: str) -> str:
    with suppress(sqlite3.DatabaseError, UnicodeError):
        for (value,) in database.execute(f"SELECT {name} FROM documents WHERE id = ?", (document_id,)):
            return str(value)
    return ""


def _last_key(database: sqlite3.Connection) -> int:
    with suppress(sqlite3.DatabaseError):
        return int(database.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0])
    return 0


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _kept_aside(file: Path) -> Path:
    """Copy a catalog and its log to names of their own, and return the catalog's."""
    number = 1
    while (aside := file.with_name(f"catalog.damaged-{number}.sqlite")).exists():
        number += 1
    copy_files(file, aside)
    return aside


def _drop_leftovers(folder: Path, report: RepairReport) -> None:
    for path in left_over(folder):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        report.done.append(f"{path.name} was deleted")
