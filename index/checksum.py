"""Checksums of what a catalog holds. SQLite finds pages that make no sense, not a letter or a number that has changed.

CRC-32 notices every flip of up to three bits in 10 KB, and leaves one in four thousand million of other changes. It
is there against failing disks; against people who can write to the folder nothing here would help.
"""

import sqlite3
from collections.abc import Sequence
from zlib import crc32

# What is summed up of a document and of a chunk, in this order. Where a document lies may change, so that is left out.
DOCUMENT_COLUMNS = "id, text, title, language, published, outlet, author, pages, sha256"
CHUNK_COLUMNS = "document_id, id, start_offset, end_offset, page, heading"


def of_fields(fields: Sequence[object]) -> int:
    """Return the checksum of a row's fields, as stored: DOCUMENT_COLUMNS or CHUNK_COLUMNS."""
    return crc32("\x1f".join(map(str, fields)).encode("utf-8", "surrogatepass"))


def of_vector(key: int, vector: bytes) -> int:
    """Return the checksum of a vector as it is stored, and of the key that it is stored under."""
    return crc32(vector, key & 0xFFFFFFFF) if isinstance(vector, bytes) else -1  # damage can make it a text


def text_problem(database: sqlite3.Connection, document_id: str) -> str:
    """Return what is wrong with the text, title and date of a document; "" for nothing."""
    query = (
        f"SELECT {DOCUMENT_COLUMNS}, characters, checksum FROM documents JOIN texts ON document_id = id WHERE id = ?"
    )
    found = database.execute(query, (document_id,)).fetchall()
    if len(found) != 1:
        return "its text, or its title and date, are missing"
    *fields, characters, checksum = found[0]
    if of_fields(fields) != checksum or characters != len(fields[1]):
        return "its text or its title is not what was added"
    return ""
