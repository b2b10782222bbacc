"""A library made anew from its stored texts: for another embedder, chunker or schema. The old one stays until the end.

The new catalog grows beside the old one, document by document, so that an interrupted rebuild goes on where it stopped.
It then takes the old one's place in one SQLite transaction: whoever reads sees the old library or the new one.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from index.access import check_not_newer, check_present, locked, settings_for, told_plainly
from index.add import Adding, Progress
from index.catalog import Catalog, connected_as_it_lies
from index.checksum import text_problem
from index.embed import Embedder
from index.errors import FonteError
from index.purge import NEW_CATALOG, delete_catalog
from index.types import Document

Kept = tuple[Document, str]  # a document as it is stored, and the file it came from

_REBUILT_FROM = "rebuilt_from"  # the setting that names the generation which an unfinished new catalog is made from


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What `rebuild` made, and the name of the embedder of before."""

    documents: int
    chunks: int
    was: str


def rebuild(
    folder: Path, embedder: Embedder, *, on_progress: Callable[[Progress], None] | None = None
) -> RebuildReport:
    """Make the library in `folder` anew with `embedder`; nothing of the old one is lost until the new one is whole.

    Documents keep their ids and metadata. The vector store is made at the next opening. Interrupted, it goes on next
    time. Raises LibraryMissing, LibraryBusy, LibraryMismatch where a newer fonte made the library, and FonteError.
    """
    check_present(folder)
    file = folder / "catalog.sqlite"
    with told_plainly(folder), locked(folder), closing(connect(file)) as old:
        settings = dict(old.execute("SELECT name, value FROM settings"))
        check_not_newer(folder, settings)
        with closing(_catalog_beside(folder, embedder, old, settings)) as fresh:
            Adding(folder, fresh, embedder, on_progress).add_documents(document for document, _ in kept_documents(old))
            _check_all_there(folder, old, fresh)
            report = RebuildReport(len(fresh.rows()), fresh.chunk_count(), settings.get("embedder_name", ""))
        origins = dict(old.execute("SELECT id, origin FROM documents"))
        fill_origins(folder / NEW_CATALOG, origins, generation=int(settings["generation"]) + 1)
        replace_content(file, folder / NEW_CATALOG)
        shutil.rmtree(folder / "chroma", ignore_errors=True)  # its keys mean other vectors now
        delete_catalog(folder / NEW_CATALOG)
    return report


def connect(file: Path) -> sqlite3.Connection:
    """Open a catalog of any schema as it is. What is deleted in it is overwritten, as in `Catalog`.

    One that lies in a folder that cannot be written is open for reading alone.
    """
    database = sqlite3.connect(file, isolation_level=None, timeout=5)
    try:
        database.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        database.close()
        database = connected_as_it_lies(file, error)
    except sqlite3.DatabaseError:
        pass  # damaged: whoever asks for something is told
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def kept_documents(database: sqlite3.Connection) -> Iterator[Kept]:
    """Yield the documents of a catalog of any schema, by id. Raises sqlite3.Error, ValueError on what is damaged."""
    checked = "checksum" in _columns(database, "texts")
    for (document_id,) in database.execute("SELECT id FROM documents ORDER BY id").fetchall():
        if checked and (problem := text_problem(database, document_id)):
            raise sqlite3.DatabaseError(f"document {document_id}: {problem}")
        yield kept_document(database, document_id)


def kept_document(database: sqlite3.Connection, document_id: str) -> Kept:
    """Return one document of a catalog of any schema. Raises sqlite3.Error and ValueError where it is damaged."""
    columns = _columns(database, "documents")
    names = [field.name for field in fields(Document) if field.name in columns - {"text"}]
    text = "documents.text" if "text" in columns else "texts.text"
    joined = "" if "text" in columns else "JOIN texts ON texts.document_id = documents.id"
    query = f"SELECT origin, {text}, {', '.join(names)} FROM documents {joined} WHERE documents.id = ?"
    found = database.execute(query, (document_id,)).fetchall()
    if len(found) != 1:
        raise ValueError(f"{document_id} has no text")
    origin, whole, *values = found[0]
    told: dict[str, Any] = dict(zip(names, values, strict=True))
    told["pages"] = tuple(json.loads(told.get("pages") or "[]"))
    return Document(text=whole, **told), origin


def replace_content(file: Path, source: Path) -> None:
    """Make the catalog `file` hold what the catalog `source` holds, in one transaction.

    Renaming would be unsafe: whoever has the old file open would go on with it, and its log has the same name.
    """
    with closing(connect(source)) as fresh, closing(connect(file)) as live:
        live.execute("PRAGMA synchronous = FULL")
        if _page_size(fresh) != _page_size(live):  # SQLite copies only into an empty file then, which nobody reads
            _needs_alone(live)
        fresh.backup(live)
        live.execute("PRAGMA journal_mode = WAL")
        live.execute("PRAGMA busy_timeout = 500")  # whoever reads now will not hold the log for ever
        live.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def new_catalog(file: Path, settings: Mapping[str, str], last_key: int) -> Catalog:
    """Return an empty catalog at `file`; its chunks get keys above `last_key`, so that none is ever used twice."""
    delete_catalog(file)
    Catalog.create(file, settings)
    with closing(connect(file)) as fresh:
        fresh.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('chunks', ?)", (last_key,))
    return Catalog(file)


def fill_origins(file: Path, origins: Mapping[str, str], *, generation: int, done: str = "") -> None:
    """Give a new catalog the places that its documents came from, and the generation that tells readers of the change.

    It is finished then: `done` is a setting that says so.
    """
    with closing(connect(file)) as fresh:
        fresh.execute("BEGIN IMMEDIATE")
        places = [(origin, document_id) for document_id, origin in origins.items()]
        fresh.executemany("UPDATE documents SET origin = ? WHERE id = ?", places)
        fresh.execute("UPDATE settings SET value = ? WHERE name = 'generation'", (str(generation),))
        fresh.execute("DELETE FROM settings WHERE name = ?", (_REBUILT_FROM,))
        if done:
            fresh.execute("INSERT OR REPLACE INTO settings VALUES (?, '1')", (done,))
        fresh.execute("COMMIT")
        fresh.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fresh.execute("PRAGMA journal_mode = DELETE")  # one file, that can be given another name


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _catalog_beside(folder: Path, embedder: Embedder, old: sqlite3.Connection, settings: Mapping[str, str]) -> Catalog:
    """Return the new catalog: an unfinished one of the same origin and embedder, else an empty one."""
    file = folder / NEW_CATALOG
    wanted = settings_for(embedder) | {_REBUILT_FROM: settings["generation"]}
    if file.exists():
        try:
            unfinished = Catalog(file)
            if wanted.items() <= unfinished.settings.items():
                return unfinished
            unfinished.close()
        except sqlite3.Error:
            pass  # made anew
    (last_key,) = old.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
    return new_catalog(file, wanted, last_key)


def _check_all_there(folder: Path, old: sqlite3.Connection, fresh: Catalog) -> None:
    missing = {document_id for (document_id,) in old.execute("SELECT id FROM documents")}
    missing -= {row.id for row in fresh.rows()}
    if missing:
        named = ", ".join(sorted(missing)[:5])
        raise FonteError(
            f"{len(missing)} documents of {folder} could not be taken over ({named}), so the library stays as it is: "
            "remove them with fonte remove, then rebuild again"
        )


def _needs_alone(live: sqlite3.Connection) -> None:
    live.execute("PRAGMA busy_timeout = 500")
    live.execute("PRAGMA journal_mode = DELETE")  # fails with "database is locked" while another process reads


def _page_size(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA page_size").fetchone()[0])


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
