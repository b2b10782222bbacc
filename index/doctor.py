"""What is wrong with a library, in plain words. Only looks; `index.salvage` repairs.

The catalog is read with SQLite, which tells of damage instead of crashing. The vector store's files are compared with
their seal and never opened.
"""

import shutil
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from filelock import FileLock

from index.access import about_sqlite, locked
from index.catalog import SCHEMA_VERSION
from index.checksum import CHUNK_COLUMNS, of_fields, of_vector, text_problem
from index.errors import LibraryBusy
from index.purge import NEW_CATALOG
from index.rebuild import connect
from index.vectors import ChromaVectors
from index.windows import CUTTING

_NAMED = 5  # of the documents that something is wrong with
_LEAST_FREE_MB = 200
_VECTORS_AT_ONCE = 900
_NO_DAMAGE = {  # what keeps SQLite from reading a catalog that may be whole
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `sound` is False where something must be done; a remark is sound."""

    text: str
    sound: bool = True
    untidy: bool = False  # a repair would clear it away


@dataclass(frozen=True, slots=True)
class Health:
    """What was found of one library."""

    folder: Path
    findings: tuple[Finding, ...]
    damaged: tuple[str, ...] = ()  # ids of documents that are not whole
    readable: bool = True  # SQLite reads the catalog, all of it
    lexical: bool = True  # the lexical index agrees with the chunks
    vector_store: bool = True  # the vector store agrees with the chunks

    @property
    def sound(self) -> bool:
        """Whether nothing must be done."""
        return all(finding.sound for finding in self.findings)

    @property
    def tidy(self) -> bool:
        """Whether nothing lies around that a repair would clear away."""
        return not any(finding.untidy for finding in self.findings)


def examine(folder: Path) -> Health:
    """Return what was found of the library in `folder`. Changes nothing, and goes on where something is unreadable."""
    surroundings = [*_lock(folder), *_leftovers(folder), *_room(folder), *_permissions(folder)]
    try:
        with closing(connect(folder / "catalog.sqlite")) as database:
            health = _examine_catalog(folder, database)
    except (sqlite3.Error, ValueError, TypeError, KeyError, UnicodeError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NO_DAMAGE and isinstance(error, sqlite3.Error):
            return Health(folder, (Finding(about_sqlite(folder, error), sound=False), *surroundings))
        text = f"The catalog is damaged: {error}. Save what can be saved: fonte doctor --repair"
        return Health(folder, (Finding(text, sound=False), *surroundings), readable=False)
    return replace(health, findings=(*health.findings, *surroundings))


def _examine_catalog(folder: Path, database: sqlite3.Connection) -> Health:
    database.execute("BEGIN")  # everything below is of one moment
    broken = [row[0] for row in database.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
    if broken:
        text = f"The catalog is damaged: {broken[0]}. Save what can be saved: fonte doctor --repair"
        return Health(folder, (Finding(text, sound=False),), readable=False)
    settings = dict(database.execute("SELECT name, value FROM settings"))
    if missing := {"schema", "generation", "embedder", "embedder_name", "chunker"} - set(settings):
        raise ValueError(f"its settings lack {', '.join(sorted(missing))}")
    if int(settings["schema"]) != SCHEMA_VERSION:
        return Health(folder, (_about_schema(int(settings["schema"])),))
    damaged = dict(_damaged_documents(database, settings))
    lexical = tuple(_lexical(database))
    (documents,) = database.execute("SELECT count(*) FROM documents").fetchone()
    (chunks,) = database.execute("SELECT count(*) FROM chunks").fetchone()
    store = _store(folder, settings)
    findings = [
        Finding(f"The catalog can be read: {documents} documents, {chunks} passages, {settings['embedder_name']}"),
        *_about_documents(damaged),
        *lexical,
        store,
        *_about_settings(settings),
    ]
    agrees = all(finding.sound for finding in lexical)
    return Health(folder, tuple(findings), tuple(damaged), lexical=agrees, vector_store=store.sound)


def _about_schema(schema: int) -> Finding:
    if schema > SCHEMA_VERSION:
        return Finding("The library was made by a newer fonte: upgrade this one", sound=False)
    return Finding("The library was made by an earlier fonte: bring it up to date with fonte rebuild", sound=False)


def _about_settings(settings: Mapping[str, str]) -> Iterator[Finding]:
    if settings["chunker"] != CUTTING:
        yield Finding("The documents were cut in another way: bring the library up to date with fonte rebuild", False)
    if "unpurged" in settings:
        yield Finding(
            "Words of removed documents are still in the file: take them out with fonte doctor --repair", False
        )


def _about_documents(damaged: dict[str, str]) -> list[Finding]:
    if not damaged:
        return [Finding("Every document is whole")]
    named = "; ".join(f"{document_id} ({why})" for document_id, why in list(damaged.items())[:_NAMED])
    more = f" and {len(damaged) - _NAMED} more" if len(damaged) > _NAMED else ""
    return [Finding(f"{len(damaged)} documents are damaged: {named}{more}. Mend them: fonte doctor --repair", False)]


def _damaged_documents(database: sqlite3.Connection, settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the ids of documents that are not whole, each with what is wrong."""
    dimension = int(settings.get("dimension", 0))
    query = "SELECT id FROM documents UNION SELECT document_id FROM texts UNION SELECT document_id FROM chunks"
    for (document_id,) in database.execute(f"{query} ORDER BY 1").fetchall():
        why = text_problem(database, document_id) or passages_problem(database, document_id, dimension)
        if why:
            yield str(document_id), why


def passages_problem(database: sqlite3.Connection, document_id: str, dimension: int) -> str:
    """Return what is wrong with the passages of a document whose text is whole, and their vectors; "" for nothing."""
    (characters,) = database.execute("SELECT characters FROM documents WHERE id = ?", (document_id,)).fetchone()
    query = f"SELECT key, checksum, {CHUNK_COLUMNS} FROM chunks WHERE document_id = ? ORDER BY start_offset"
    chunks = database.execute(query, (document_id,)).fetchall()
    if any(of_fields(fields) != checksum for _, checksum, *fields in chunks):
        return "passages are not what was stored"
    if not _cover([(start, end) for _, _, _, _, start, end, _, _ in chunks], characters):
        return "passages are missing"
    return _wrong_vectors(database, [chunk[0] for chunk in chunks], dimension)


def _cover(spans: Sequence[tuple[int, int]], characters: int) -> bool:
    """Whether spans, ordered by their starts, leave out nothing of a text and lie within it."""
    if not spans or spans[0][0] != 0 or max(end for _, end in spans) != characters:
        return False
    return all(start < end for start, end in spans) and all(after[0] <= before[1] for before, after in pairwise(spans))


def _wrong_vectors(database: sqlite3.Connection, keys: Sequence[int], dimension: int) -> str:
    for start in range(0, len(keys), _VECTORS_AT_ONCE):
        part = keys[start : start + _VECTORS_AT_ONCE]
        query = f"SELECT key, vector, checksum FROM vectors WHERE key IN ({', '.join('?' * len(part))})"
        rows = database.execute(query, part).fetchall()
        if len(rows) != len(part):
            return "vectors are missing"
        if any(len(vector) != 4 * dimension or of_vector(key, vector) != checksum for key, vector, checksum in rows):
            return "vectors are not what was stored"
        joined = np.frombuffer(b"".join(vector for _, vector, _ in rows), dtype="<f4")
        lengths = np.linalg.norm(joined.reshape(len(rows), dimension), axis=1)
        if not np.all(np.abs(lengths - 1) < 1e-2):  # also where one is not a number
            return "vectors are not of unit length"
        query = f"SELECT key, vectors, checksum FROM windows WHERE key IN ({', '.join('?' * len(part))})"
        if any(of_vector(key, data) != checksum for key, data, checksum in database.execute(query, part)):
            return "vectors are not what was stored"
    return ""


def _lexical(database: sqlite3.Connection) -> Iterator[Finding]:
    strays = database.execute(
        "SELECT (SELECT count(*) FROM chunks WHERE key NOT IN (SELECT rowid FROM lexical)) + "
        "(SELECT count(*) FROM lexical WHERE rowid NOT IN (SELECT key FROM chunks))"
    ).fetchone()[0]
    broken = f"it lacks {strays} passages, or has too many" if strays else _lexical_problem(database)
    if broken:
        yield Finding(f"The lexical index does not agree with the documents ({broken}): fonte doctor --repair", False)
    else:
        yield Finding("The lexical index agrees with the documents")


def _lexical_problem(database: sqlite3.Connection) -> str:
    database.execute("COMMIT")
    try:
        database.execute(
            "INSERT INTO lexical (lexical) VALUES ('integrity-check')"
        )  # FTS5's way to ask; writes nothing
    except sqlite3.DatabaseError as error:
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY)
        return "" if busy else str(error)
    return ""


def _store(folder: Path, settings: Mapping[str, str]) -> Finding:
    """Compare the store's files with their seal."""
    store = ChromaVectors(folder / "chroma")
    if fault := store.fault(int(settings["generation"])):
        text = f"The vector store is {fault}; questions are answered by comparing every vector until it is made again"
        return Finding(text + ", which opening the library does", sound=fault in ("missing", "behind"))
    return Finding("The vector store agrees with the documents")


def _lock(folder: Path) -> Iterator[Finding]:
    try:
        with locked(folder):
            yield Finding("Nobody is writing to the library")
    except LibraryBusy:
        yield Finding("Another process is writing to the library just now; ask again when it is done")
    except OSError as error:
        why = error.strerror or error
        yield Finding(f"The library cannot be written: {why}; check the permissions of {folder}", sound=False)


def _leftovers(folder: Path) -> Iterator[Finding]:
    if (folder / NEW_CATALOG).exists():
        yield Finding(f"A rebuild was cut off ({NEW_CATALOG}): go on with fonte rebuild")
    for path in left_over(folder):
        yield Finding(f"{path.name} was left over by a process that was killed; --repair deletes it", untidy=True)
    for path in sorted(folder.glob("catalog.damaged-*.sqlite")):
        yield Finding(
            f"{path.name} holds what could not be saved, and texts removed since: delete it when it is done with"
        )


def left_over(folder: Path) -> list[Path]:
    """Return what killed processes left in `folder` that nothing needs."""
    patterns = ["*.part", "*.part-*", ".removed-*"]
    with suppress(OSError), FileLock(folder / "chroma.lock", timeout=0):  # else somebody makes a vector store just now
        patterns += ["chroma.old*", "chroma.new*"]
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def _room(folder: Path) -> Iterator[Finding]:
    free_mb = shutil.disk_usage(folder).free / 1e6
    needed_mb = max(_LEAST_FREE_MB, 2 * (folder / "catalog.sqlite").stat().st_size / 1e6)
    if free_mb < needed_mb:
        yield Finding(f"Only {free_mb:,.0f} MB are free on the disk; changes and repairs may need {needed_mb:,.0f} MB")


def _permissions(folder: Path) -> Iterator[Finding]:
    open_to = [
        path for path in (folder, folder / "catalog.sqlite") if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    if len(open_to) == 2:  # behind a closed folder nothing can be reached
        yield Finding(f"Other users of this computer may read the library: chmod -R go= {folder}")
