"""The SQLite record of a library: documents, chunks, vectors, the lexical index and the settings it was built with.

A document is in the library when `put` returns. Everything else (Chroma) can be made again from what is here.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embed import Vectors
from index.terms import stems, telling_terms, terms
from index.types import Chunk, Document
from index.where import Condition, sql_of

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
CREATE TABLE texts (document_id TEXT PRIMARY KEY REFERENCES documents (id), text TEXT NOT NULL);
CREATE TABLE chunks (
    key INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so a key says which vector is meant
    document_id TEXT NOT NULL REFERENCES documents (id), id TEXT NOT NULL,
    start_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL, page INTEGER, heading TEXT NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document_id);
CREATE TABLE vectors (key INTEGER PRIMARY KEY REFERENCES chunks (key), vector BLOB NOT NULL  /* float32 */);
CREATE VIRTUAL TABLE lexical USING fts5 (title, terms, stems, tokenize = "unicode61 remove_diacritics 0");
"""
_ROW_FIELDS = "id, title, source, language, published, outlet, author, sha256, origin, characters"
_LEXICAL_WEIGHTS = "1.0, 1.0, 1.0"  # of title, terms, stems
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
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")  # what was reported as added survives a power cut
        self._database.execute("PRAGMA secure_delete = ON")
        self._database.execute("PRAGMA foreign_keys = ON")

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, str]) -> None:
        """Make an empty catalog at `path`, whole or not at all."""
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        database = sqlite3.connect(part)
        database.executescript(_SCHEMA)
        values = {"schema": str(SCHEMA_VERSION), "generation": "0", **settings}
        database.executemany("INSERT INTO settings VALUES (?, ?)", values.items())
        database.commit()
        database.close()
        part.replace(path)

    def close(self) -> None:
        """Close the file; the catalog cannot be used afterwards."""
        with self._lock:
            self._database.close()

    @property
    def settings(self) -> dict[str, str]:
        """What the library was built with, by name."""
        return dict(self._rows("SELECT name, value FROM settings"))

    @property
    def generation(self) -> int:
        """A number that grows with every change of the documents."""
        return int(self._rows("SELECT value FROM settings WHERE name = 'generation'")[0][0])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within it, everything read is of one moment, whatever other threads and processes write."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
            self._database.execute("BEGIN")
            try:
                yield
            finally:
                self._database.execute("COMMIT")

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors, *, origin: str = "") -> None:
        """Add `document` with its chunks and their vectors `(n, dimension)`, in place of one with the same id.

        All of it or nothing, also when the process is killed.
        """
        with self._transaction() as database:
            _delete(database, document.id)
            database.execute("INSERT OR IGNORE INTO settings VALUES ('dimension', ?)", (str(vectors.shape[1]),))
            _insert_document(database, document, origin)
            for chunk, vector in zip(chunks, vectors, strict=True):
                _insert_chunk(database, document, chunk, vector)
            _advance(database)

    def remove(self, document_ids: Sequence[str]) -> None:
        """Take the documents out, all of them or none."""
        with self._transaction() as database:
            for document_id in document_ids:
                _delete(database, document_id)
            _advance(database)

    def rows(self) -> list[DocumentRow]:
        """Return every document without its text, by id."""
        counted = "SELECT document_id, count(*) AS chunks FROM chunks GROUP BY document_id"
        query = f"SELECT {_ROW_FIELDS}, coalesce(chunks, 0) FROM documents LEFT JOIN ({counted}) ON document_id = id"
        return [DocumentRow(*row) for row in self._rows(f"{query} ORDER BY id")]

    def document(self, document_id: str) -> Document | None:
        """Return a document with its text, None where there is none of that id."""
        fields = "id, text, title, source, language, published, outlet, author, pages, sha256"
        query = f"SELECT {fields} FROM documents JOIN texts ON document_id = id WHERE id = ?"
        for row in self._rows(query, (document_id,)):
            told = dict(zip(fields.split(", "), row, strict=True))
            return Document(**told | {"pages": tuple(json.loads(told["pages"]))})
        return None

    def chunk_count(self) -> int:
        """Return how many chunks there are."""
        return int(self._rows("SELECT count(*) FROM chunks")[0][0])

    def chunk_spans(self, keys: Sequence[int]) -> dict[int, Chunk]:
        """Return the chunks of `keys` by key, with empty texts: the text is the document's, from start to end."""
        found = {}
        for marks, part in _in_parts(keys):
            columns = "key, id, document_id, start_offset, end_offset, page, heading"
            query = f"SELECT {columns} FROM chunks WHERE key IN ({marks})"
            for key, chunk_id, document_id, start, end, page, heading in self._rows(query, part):
                found[key] = Chunk(chunk_id, document_id, "", start, end, page, heading)
        return found

    def vectors(self) -> tuple[Keys, Vectors]:
        """Return the key of every chunk `(n,)`, ascending, and their unit vectors `(n, dimension)`."""
        return _stacked(self._rows("SELECT key, vector FROM vectors ORDER BY key"))

    def vectors_of(self, keys: Sequence[int]) -> tuple[Keys, Vectors]:
        """Return those of `keys` that exist, ascending, and their vectors."""
        rows = []
        for marks, part in _in_parts(keys):
            rows += self._rows(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
        return _stacked(sorted(rows))

    def keys(self) -> set[int]:
        """Return the keys of all chunks."""
        return {key for (key,) in self._rows("SELECT key FROM chunks")}

    def languages(self) -> dict[int, str]:
        """Return the language of every chunk's document, by key, ascending."""
        query = "SELECT key, language FROM chunks JOIN documents ON documents.id = document_id ORDER BY key"
        return dict(self._rows(query))

    def keys_where(self, where: Sequence[Condition]) -> Keys:
        """Return the keys of the chunks `(n,)`, ascending, whose documents fit every condition."""
        query, values = _keys_where(where)
        return np.array([key for (key,) in self._rows(f"{query} ORDER BY key", values)], dtype=np.int64)

    def lexical(
        self, question: str, language: str, *, limit: int, where: Sequence[Condition] = ()
    ) -> list[tuple[int, float]]:
        """Return `(key, BM25 score)` of the chunks that share terms with `question`, best first; higher is better.

        Terms match as they are and stemmed by the rules of `language`. Nothing in `question` is query syntax. Only
        documents that fit every condition of `where` are looked at.
        """
        plain, stemmed = telling_terms(question, language)
        if not plain:
            return []
        match = f"{{title terms}} : ({_any_of(plain)})"
        if stemmed:
            match += f" OR stems : ({_any_of(stemmed)})"
        subquery, values = _keys_where(where)
        among = f"AND rowid IN ({subquery})" if where else ""
        query = (
            f"SELECT rowid, -bm25(lexical, {_LEXICAL_WEIGHTS}) AS score FROM lexical "
            f"WHERE lexical MATCH ? {among} ORDER BY score DESC, rowid LIMIT ?"
        )
        return [(key, score) for key, score in self._rows(query, (match, *values, limit))]

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def _keys_where(where: Sequence[Condition]) -> tuple[str, list[str]]:
    """Return the query for the keys of chunks whose documents fit, and its values."""
    condition, values = sql_of(where)
    return f"SELECT key FROM chunks WHERE document_id IN (SELECT id FROM documents WHERE {condition})", values


def _insert_document(database: sqlite3.Connection, document: Document, origin: str) -> None:
    d = document
    values = (d.id, d.title, d.source, d.language, d.published, d.outlet, d.author, d.sha256, origin, len(d.text))
    marks = ", ".join("?" * (len(values) + 1))
    database.execute(f"INSERT INTO documents ({_ROW_FIELDS}, pages) VALUES ({marks})", (*values, json.dumps(d.pages)))
    database.execute("INSERT INTO texts VALUES (?, ?)", (d.id, d.text))


def _insert_chunk(database: sqlite3.Connection, document: Document, chunk: Chunk, vector: NDArray[np.float32]) -> None:
    key = database.execute(
        "INSERT INTO chunks (document_id, id, start_offset, end_offset, page, heading) VALUES (?, ?, ?, ?, ?, ?)",
        (document.id, chunk.id, chunk.start, chunk.end, chunk.page, chunk.heading),
    ).lastrowid
    database.execute("INSERT INTO vectors VALUES (?, ?)", (key, vector.astype("<f4").tobytes()))
    stemmed = stems(f"{document.title}\n{chunk.text}", document.language)
    database.execute(
        "INSERT INTO lexical (rowid, title, terms, stems) VALUES (?, ?, ?, ?)",
        (key, " ".join(terms(document.title)), " ".join(terms(chunk.text)), " ".join(stemmed)),
    )


def _delete(database: sqlite3.Connection, document_id: str) -> None:
    of_document = "IN (SELECT key FROM chunks WHERE document_id = ?)"
    database.execute(f"DELETE FROM lexical WHERE rowid {of_document}", (document_id,))
    database.execute(f"DELETE FROM vectors WHERE key {of_document}", (document_id,))
    database.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
    database.execute("DELETE FROM texts WHERE document_id = ?", (document_id,))
    database.execute("DELETE FROM documents WHERE id = ?", (document_id,))


def _advance(database: sqlite3.Connection) -> None:
    database.execute("UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'generation'")


def _any_of(words: Sequence[str]) -> str:
    """Return an FTS5 expression; each word is a quoted string and holds no quote, since a term has only letters."""
    return " OR ".join(f'"{word}"' for word in words)


def _in_parts(keys: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
    for i in range(0, len(keys), _VARIABLES_AT_ONCE):
        part = [int(key) for key in keys[i : i + _VARIABLES_AT_ONCE]]
        yield ", ".join("?" * len(part)), part


def _stacked(rows: Sequence[tuple[Any, ...]]) -> tuple[Keys, Vectors]:
    keys = np.array([key for key, _ in rows], dtype=np.int64)
    joined = np.frombuffer(b"".join(vector for _, vector in rows), dtype="<f4")
    return keys, joined.astype(np.float32, copy=False).reshape(len(rows), -1 if rows else 0)
