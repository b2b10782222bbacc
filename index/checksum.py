"""Checksums of what a catalog holds. SQLite finds pages that make no sense, not a letter or a number that has changed.

CRC-32 notices every flip of up to three bits in 10 KB, and leaves one in four thousand million of other changes. It
is there against failing disks; against people who can write to the folder nothing here would help.
"""

import sqlite3
from collections.abc import Sequence
from zlib import crc32

_DOCUMENT = "id, text, title, language, published, outlet, author, pages, sha256"  # where it lies may change
_CHUNK = "document_id, id, start_offset, end_offset, page, heading"


def of_fields(fields: Sequence[object]) -> int:
    """Return the checksum of a row's fields: a document's (id, text, title, language, published, outlet, author,
    pages as stored, sha256), or a chunk's (document_id, id, start, end, page, heading).
    """
    return crc32("\x1f".join(map(str, fields)).encode("utf-8", "surrogatepass"))


def of_vector(key: int, vector: bytes) -> int:
    """Return the checksum of a vector as it is stored, and of the key that it is stored under."""
    return crc32(vector, key & 0xFFFFFFFF) if isinstance(vector, bytes) else -1  # damage can make it a text


def add_checksums(database: sqlite3.Connection) -> None:
    """Bring a catalog of schema 2 to schema 3, which is schema 2 with checksums; all of it or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        if database.execute("SELECT value FROM settings WHERE name = 'schema'").fetchall() == [("2",)]:
            _add_checksums(database)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _add_checksums(database: sqlite3.Connection) -> None:
    database.create_function("fields_checksum", -1, lambda *fields: of_fields(fields), deterministic=True)
    database.create_function("vector_checksum", 2, of_vector, deterministic=True)
    for table in ("texts", "chunks", "vectors"):
        database.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    document = f"SELECT fields_checksum({_DOCUMENT}) FROM documents WHERE id = document_id"
    database.execute(f"UPDATE texts SET checksum = ({document})")
    database.execute(f"UPDATE chunks SET checksum = fields_checksum({_CHUNK})")
    database.execute("UPDATE vectors SET checksum = vector_checksum(key, vector)")
    database.execute("UPDATE settings SET value = '3' WHERE name = 'schema'")
