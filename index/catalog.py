"""The SQLite record of a library: documents, chunks, vectors, the lexical index and the settings it was built with.

A document is in the library when `put` returns. Everything else (Chroma) can be made again from what is here.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.checksum import CHUNK_COLUMNS, DOCUMENT_COLUMNS, of_fields, of_vector
from index.embed import Vectors
from index.lexical import Matching, documents_where, lexical_columns
from index.purge import mark, purge
from index.types import Chunk, Document
from index.where import Condition, folded, sql_of

SCHEMA_VERSION = 2

Keys = NDArray[np.int64]

_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, source TEXT NOT NULL, language TEXT NOT NULL,
    published TEXT NOT NULL, outlet TEXT NOT NULL, author TEXT NOT NULL, sha256 TEXT NOT NULL,
    origin TEXT NOT NULL,  -- the file it came from; "" for one that came from none
    characters INTEGER NOT NULL, pages TEXT NOT NULL
);
-- Apart, so that listing and filtering documents reads none of them.
CREATE TABLE texts (
    document_id TEXT PRIMARY KEY REFERENCES documents (id), text TEXT NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE chunks (
    key INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so a key says which vector is meant
    document_id TEXT NOT NULL REFERENCES documents (id), id TEXT NOT NULL,
    start_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL, page INTEGER, heading TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document_id);
CREATE TABLE vectors (
    key INTEGER PRIMARY KEY REFERENCES chunks (key), vector BLOB NOT NULL,  -- float32
    checksum INTEGER NOT NULL
);
CREATE TABLE windows (
    key INTEGER PRIMARY KEY REFERENCES chunks (key), vectors BLOB NOT NULL,  -- float16, one after another
    checksum INTEGER NOT NULL
);
CREATE VIRTUAL TABLE lexical USING fts5 (title, terms, stems, roots, tokenize = "unicode61 remove_diacritics 0");
"""
_ROW_FIELDS = "id, title, source, language, published, outlet, author, sha256, origin, characters"
_ROWS_AT_ONCE = 2_000
_VARIABLES_AT_ONCE = 900  # SQLite's oldest limit on the question marks of a statement is 999


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document of the library without its text."""

    id: str
    title: str
    source: str
    language: str
    published: str
    outlet: str
    author: str
    sha256: str
    origin: str  # the file it came from, "" where from none
    characters: int
    chunks: int


class Catalog:
    """An open catalog. Safe to use from several threads; they take turns."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._path = path
        self._together = False
        self._database = _connected(path)
        self._database.execute("PRAGMA secure_delete = ON")
        self._database.execute("PRAGMA foreign_keys = ON")
        self._database.create_function("folded", 1, folded, deterministic=True)  # SQLite's lower() knows ASCII alone

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, str]) -> None:
        """Make an empty catalog at `path`, whole or not at all."""
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        database = sqlite3.connect(part)
        database.executescript(_SCHEMA)
        begin = secrets.randbelow(1 << 40)  # so that the vector store of another library never passes for this one's
        values = {"schema": str(SCHEMA_VERSION), "generation": str(begin), **settings}
        database.executemany("INSERT INTO settings VALUES (?, ?)", values.items())
        database.commit()
        database.close()
        for suffix in ("-wal", "-journal"):  # of a catalog that was deleted: they would be taken for the new one's
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        part.replace(path)

    def close(self) -> None:
        """Close the file; the catalog cannot be used afterwards."""
        with self._lock:
            self._database.close()

    @property
    def settings(self) -> dict[str, str]:
        """What the library was built with, by name."""
        settings = dict(self._rows("SELECT name, value FROM settings"))
        numbers = (settings.get("schema"), settings.get("generation"), settings.get("dimension", "0"))
        if not all(str(number).isdecimal() for number in numbers):
            raise sqlite3.DatabaseError("its settings are not readable")
        return settings

    @property
    def generation(self) -> int:
        """A number that grows with every change of the documents. It begins somewhere else in every library."""
        for (value,) in self._rows("SELECT value FROM settings WHERE name = 'generation'"):
            if str(value).isdecimal():
                return int(value)
        raise sqlite3.DatabaseError("its settings are not readable")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within it, everything read is of one moment, whatever other threads and processes write."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
            database = self._database
            database.execute("BEGIN")
            try:
                yield
            finally:
                if database.in_transaction:  # some errors of the disk end it
                    database.execute("COMMIT")

    def put(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        vectors: Vectors,
        *,
        windows: Sequence[Vectors | None] | None = None,
        origin: str = "",
    ) -> None:
        """Add `document` with its chunks and their vectors `(n, dimension)`, in place of one with the same id.

        `windows` are those of each chunk `(m, dimension)`; a chunk may have none. All of it or nothing, also when the
        process is killed. Within `together`, not before that ends.
        """
        with self._transaction() as database:
            _delete(database, document.id)
            database.execute("INSERT OR IGNORE INTO settings VALUES ('dimension', ?)", (str(vectors.shape[1]),))
            _insert_document(database, document, origin)
            for chunk, vector, of_chunk in zip(chunks, vectors, windows or [None] * len(chunks), strict=True):
                _insert_chunk(database, document, chunk, vector, of_chunk)
            _advance(database)

    def remove(self, document_ids: Sequence[str]) -> None:
        """Take the documents out, all of them or none."""
        with self._transaction() as database:
            for document_id in document_ids:
                _delete(database, document_id)
            _advance(database)

    def purge(self) -> bool:
        """Leave nothing of removed documents in the file; return whether nothing is left, False while others read.

        Only called by the one writer, and not while reading.
        """
        with self._lock:
            return purge(self._database, self._path)

    def relocate(self, places: Mapping[str, tuple[str, str]]) -> None:
        """Note that documents have moved: their new origins and sources, by their ids. What is in them stays."""
        with self._transaction() as database:
            for document_id, place in places.items():
                database.execute("UPDATE documents SET origin = ?, source = ? WHERE id = ?", (*place, document_id))
            _advance(database)

    def rows(self, where: Sequence[Condition] = ()) -> list[DocumentRow]:
        """Return every document that fits `where`, without its text, by id."""
        condition, values = sql_of(where)
        counted = "SELECT document_id, count(*) AS chunks FROM chunks GROUP BY document_id"
        query = f"SELECT {_ROW_FIELDS}, coalesce(chunks, 0) FROM documents LEFT JOIN ({counted}) ON document_id = id"
        return [DocumentRow(*row) for row in self._rows(f"{query} WHERE {condition} ORDER BY id", values)]

    def document(self, document_id: str) -> Document | None:
        """Return a document with its text, None where there is none of that id.

        Raises sqlite3.DatabaseError where it is not what was put.
        """
        joined = "documents LEFT JOIN texts ON document_id = id"
        query = f"SELECT {DOCUMENT_COLUMNS}, source, checksum FROM {joined} WHERE id = ?"
        for row in self._rows(query, (document_id,)):
            *fields, source, checksum = row
            if of_fields(fields) != checksum:
                raise sqlite3.DatabaseError(f"document {document_id} is not what was added")
            told = dict(zip(DOCUMENT_COLUMNS.split(", "), fields, strict=True))
            return Document(**told | {"source": str(source), "pages": tuple(json.loads(told["pages"]))})
        return None

    def check(self) -> None:
        """Raise sqlite3.DatabaseError where anything is not what was put; reads everything but the lexical index."""
        with self.reading():
            ((found,),) = self._rows("PRAGMA quick_check(1)")
            if found != "ok":
                raise sqlite3.DatabaseError(str(found))
            for (document_id,) in self._rows("SELECT id FROM documents UNION SELECT document_id FROM texts"):
                if self.document(document_id) is None:
                    raise sqlite3.DatabaseError(f"document {document_id} is not listed")
            keys = self.keys()
            self.chunk_spans(sorted(keys))
            if sum(len(part) for part, _ in self.vectors_in_parts()) != len(keys):
                raise sqlite3.DatabaseError("vectors are missing")

    def document_count(self, where: Sequence[Condition] = ()) -> int:
        """Return how many documents there are that fit `where`."""
        condition, values = sql_of(where)
        return int(self._rows(f"SELECT count(*) FROM documents WHERE {condition}", values)[0][0])

    def chunk_count(self, *, up_to: int | None = None) -> int:
        """Return how many chunks there are, or how many have keys of at most `up_to`."""
        if up_to is None:
            return int(self._rows("SELECT count(*) FROM chunks")[0][0])
        return int(self._rows("SELECT count(*) FROM chunks WHERE key <= ?", (up_to,))[0][0])

    def chunk_spans(self, keys: Sequence[int]) -> dict[int, Chunk]:
        """Return the chunks of `keys` by key, with empty texts: the text is the document's, from start to end.

        Raises sqlite3.DatabaseError where one is missing or not what was put.
        """
        found = {}
        for marks, part in _in_parts(keys):
            query = f"SELECT key, checksum, {CHUNK_COLUMNS} FROM chunks WHERE key IN ({marks})"
            for key, checksum, *fields in self._rows(query, part):
                if of_fields(fields) != checksum:
                    raise sqlite3.DatabaseError("a passage's place in its document is not what was stored")
                document_id, chunk_id, start, end, page, heading = fields
                found[key] = Chunk(chunk_id, document_id, "", start, end, page, heading)
        if len(found) != len(set(keys)):
            raise sqlite3.DatabaseError("passages are missing")
        return found

    def vectors(self, *, after: int = 0) -> tuple[Keys, Vectors]:
        """Return the keys above `after` `(n,)`, ascending, and their unit vectors `(n, dimension)`."""
        with self.reading():
            ((count,),) = self._rows("SELECT count(*) FROM chunks WHERE key > ?", (after,))
            query = "SELECT key, vector, checksum FROM vectors WHERE key > ? ORDER BY key"
            return _stacked(self._database.execute(query, (after,)), count)

    def vectors_in_parts(self) -> Iterator[tuple[Keys, Vectors]]:
        """Yield what `vectors` returns, a few megabytes at a time; only called while reading."""
        rows = self._database.execute("SELECT key, vector, checksum FROM vectors ORDER BY key")
        while part := list(islice(rows, _ROWS_AT_ONCE)):
            yield _stacked(iter(part), len(part))

    def vectors_of(self, keys: Sequence[int]) -> tuple[Keys, Vectors]:
        """Return those of `keys` that exist, ascending, and their vectors."""
        rows = []
        for marks, part in _in_parts(keys):
            rows += self._rows(f"SELECT key, vector, checksum FROM vectors WHERE key IN ({marks})", part)
        return _stacked(iter(sorted(rows)), len(rows))

    def windows_of(self, keys: Sequence[int]) -> dict[int, Vectors]:
        """Return the vectors `(n, dimension)` of the windows of those of `keys` that have more than one, by key."""
        found = {}
        for marks, part in _in_parts(keys):
            query = (
                "SELECT key, windows.vectors, windows.checksum, length(vector) FROM windows JOIN vectors USING (key) "
                f"WHERE key IN ({marks})"
            )
            for key, data, checksum, size in self._rows(query, part):
                if of_vector(key, data) != checksum:
                    raise sqlite3.DatabaseError("the vectors of a passage's windows are not what was stored")
                found[key] = np.frombuffer(data, "<f2").reshape(-1, size // 4).astype(np.float32)
        return found

    def keys(self) -> set[int]:
        """Return the keys of all chunks."""
        return {key for (key,) in self._rows("SELECT key FROM chunks")}

    def keys_up_to(self, last: int) -> Keys:
        """Return the keys up to `last` `(n,)`, ascending."""
        rows = self._rows("SELECT key FROM chunks WHERE key <= ? ORDER BY key", (last,))
        return np.array([key for (key,) in rows], dtype=np.int64)

    def languages(self, *, after: int = 0) -> dict[int, str]:
        """Return the language of the document of each chunk whose key is above `after`, by key, ascending."""
        query = "SELECT key, language FROM chunks JOIN documents ON documents.id = document_id WHERE key > ?"
        return dict(self._rows(f"{query} ORDER BY key", (after,)))

    def main_language(self) -> str:
        """Return the language of most documents, "" where none is known."""
        query = "SELECT language FROM documents WHERE language != '' GROUP BY language"
        rows = self._rows(f"{query} ORDER BY count(*) DESC, language LIMIT 1")
        return str(rows[0][0]) if rows else ""

    def keys_where(self, where: Sequence[Condition]) -> Keys:
        """Return the keys of the chunks `(n,)`, ascending, whose documents fit every condition."""
        query, values = _keys_where(where)
        return np.array([key for (key,) in self._rows(f"{query} ORDER BY key", values)], dtype=np.int64)

    def lexical(
        self, question: str, language: str, *, sure: bool = True, limit: int, where: Sequence[Condition] = ()
    ) -> list[tuple[int, float]]:
        """Return `(key, BM25 score)` of the chunks that share terms with `question`, best first; higher is better.

        In documents of other languages than `language` roots match, which names, numbers and cognates share; where it
        is not `sure` that the question is in `language`, as of a mere name, terms as they are match there, too. In
        others terms match as they are and stemmed by the rules of `language`. Nothing in `question` is query syntax.
        Only documents that fit every condition of `where` are looked at. In a library of more than 20,000 chunks only
        those count that have one of the question's rarest terms, unless that leaves fewer than `limit`.
        """
        with self.reading():
            return Matching(self._rows).best(question, language, sure=sure, limit=limit, where=where)

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within it, everything that is written waits for its end, and is committed then: all of it or nothing.

        The disk is waited for once, which for a document of one chunk is an eighth of the time to embed it.
        """
        with self._transaction():
            self._together = True
            try:
                yield
            finally:
                self._together = False

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._together:
                yield self._database
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def _connected(path: Path) -> sqlite3.Connection:
    """Open the file for writing; for reading where it lies in a folder that cannot be written."""
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")  # what was reported as added survives a power cut
    except sqlite3.OperationalError as error:
        database.close()
        database = connected_as_it_lies(path, error)
    return database


def connected_as_it_lies(path: Path, error: sqlite3.OperationalError) -> sqlite3.Connection:
    """Open a catalog in a folder that cannot be written, where SQLite would make its log: hence the `error`.

    Without a log the file is whole, and read as it lies there. Raises `error` where that is not what is wrong.
    """
    log = path.with_name(path.name + "-wal")
    closed_to_us = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
    if not closed_to_us or (log.exists() and log.stat().st_size):
        raise error
    uri = f"{path.absolute().as_uri()}?immutable=1"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)


def _keys_where(where: Sequence[Condition]) -> tuple[str, list[str]]:
    """Return the query for the keys of chunks whose documents fit, and its values."""
    condition, values = sql_of(where)
    return f"SELECT key FROM chunks WHERE document_id IN ({documents_where(condition)})", values


def _insert_document(database: sqlite3.Connection, document: Document, origin: str) -> None:
    d = document
    values = (d.id, d.title, d.source, d.language, d.published, d.outlet, d.author, d.sha256, origin, len(d.text))
    marks = ", ".join("?" * (len(values) + 1))
    database.execute(f"INSERT INTO documents ({_ROW_FIELDS}, pages) VALUES ({marks})", (*values, json.dumps(d.pages)))
    fields = (d.id, d.text, d.title, d.language, d.published, d.outlet, d.author, json.dumps(d.pages), d.sha256)
    database.execute("INSERT INTO texts VALUES (?, ?, ?)", (d.id, d.text, of_fields(fields)))


def _insert_chunk(
    database: sqlite3.Connection, document: Document, chunk: Chunk, vector: NDArray[np.float32], windows: Vectors | None
) -> None:
    fields = (document.id, chunk.id, chunk.start, chunk.end, chunk.page, chunk.heading)
    key = database.execute(
        "INSERT INTO chunks (document_id, id, start_offset, end_offset, page, heading, checksum) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*fields, of_fields(fields)),
    ).lastrowid
    assert key is not None
    data = vector.astype("<f4").tobytes()
    database.execute("INSERT INTO vectors VALUES (?, ?, ?)", (key, data, of_vector(key, data)))
    if windows is not None and len(windows) > 1:
        data = windows.astype("<f2").tobytes()
        database.execute("INSERT INTO windows VALUES (?, ?, ?)", (key, data, of_vector(key, data)))
    database.execute(
        "INSERT INTO lexical (rowid, title, terms, stems, roots) VALUES (?, ?, ?, ?, ?)",
        (key, *lexical_columns(document, chunk)),
    )


def _delete(database: sqlite3.Connection, document_id: str) -> None:
    of_document = "IN (SELECT key FROM chunks WHERE document_id = ?)"
    database.execute(f"DELETE FROM lexical WHERE rowid {of_document}", (document_id,))
    database.execute(f"DELETE FROM vectors WHERE key {of_document}", (document_id,))
    database.execute(f"DELETE FROM windows WHERE key {of_document}", (document_id,))
    database.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
    database.execute("DELETE FROM texts WHERE document_id = ?", (document_id,))
    if database.execute("DELETE FROM documents WHERE id = ?", (document_id,)).rowcount:
        mark(database)


def _advance(database: sqlite3.Connection) -> None:
    database.execute("UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'generation'")


def _in_parts(keys: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
    for i in range(0, len(keys), _VARIABLES_AT_ONCE):
        part = [int(key) for key in keys[i : i + _VARIABLES_AT_ONCE]]
        yield ", ".join("?" * len(part)), part


def _stacked(rows: Iterator[tuple[Any, ...]], count: int) -> tuple[Keys, Vectors]:
    """Return keys and vectors of the `count` rows, or fewer: filled as they are read, never held in memory twice.

    Raises sqlite3.DatabaseError where one is not what was put.
    """
    keys, vectors = np.zeros(count, dtype=np.int64), np.zeros((count, 0), dtype=np.float32)
    filled = 0
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        dimension = len(part[0][1]) // 4
        if not filled:
            vectors = np.empty((count, dimension), dtype=np.float32)
        if any(len(vector) != 4 * dimension or of_vector(key, vector) != checksum for key, vector, checksum in part):
            raise sqlite3.DatabaseError("a vector is not what was stored")
        upto = filled + len(part)
        keys[filled:upto] = [key for key, *_ in part]
        vectors[filled:upto] = np.frombuffer(b"".join([vector for _, vector, _ in part]), "<f4").reshape(-1, dimension)
        filled = upto
    return keys[:filled], vectors[:filled]
