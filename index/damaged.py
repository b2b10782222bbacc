"""A catalog that SQLite calls malformed: what of its rows can still be read. Nothing is written to it."""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from index.purge import delete_catalog

_MOST_PADDED = 1 << 40  # bytes; takes no room on the disk
_MOST_MISSED = 5_000  # row ids in a row; a damaged page hides far fewer


def copy_files(file: Path, target: Path) -> None:
    """Copy a catalog and its log."""
    delete_catalog(target)
    for suffix in ("-wal", ""):
        source = file.with_name(file.name + suffix)
        if source.exists():
            shutil.copy2(source, target.with_name(target.name + suffix))


def padded_copy(file: Path, copy: Path) -> Path:
    """Copy a damaged catalog and its log to `copy`, as long as it says it is: SQLite opens nothing shorter."""
    copy_files(file, copy)
    with copy.open("r+b") as raw:
        header = raw.read(32)
        size, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
        said = (65_536 if size == 1 else size) * pages
        if raw.seek(0, 2) < said <= _MOST_PADDED:
            raw.truncate(said)
    return copy


def copy_readable(damaged: sqlite3.Connection, copy: sqlite3.Connection) -> bool:
    """Copy every row that can be read of a damaged catalog into an empty one; return whether that was all of them.

    Indexes are made anew by that, and what hangs on a damaged page is left out.
    """
    complete = True
    for table in ("documents", "texts", "chunks", "vectors", "windows"):
        columns = [row[1] for row in copy.execute(f"PRAGMA table_info({table})")]
        insert = f"INSERT OR IGNORE INTO {table} (rowid, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})"
        reading = _Reading(damaged, f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED")
        copy.executemany(insert, reading.rows())
        complete &= reading.complete
    return complete


class _Reading:
    """Reads a damaged table by its row ids: from either end up to the damage, then one by one what lies between."""

    def __init__(self, database: sqlite3.Connection, query: str) -> None:
        self._database = database
        self._query = query
        self.complete = True

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows that can be read."""
        first = 0
        for row in self._until_damage("ORDER BY rowid"):
            first = row[0]
            yield row
        if self.complete:
            return
        last = sys.maxsize
        for row in self._until_damage("WHERE rowid > ? ORDER BY rowid DESC", first):
            last = row[0]
            yield row
        missed = 0
        for rowid in range(first + 1, last):
            found = list(self._until_damage("WHERE rowid = ?", rowid))
            missed = 0 if found else missed + 1
            yield from found
            if missed > _MOST_MISSED:
                return

    def _until_damage(self, rest: str, *values: int) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._database.execute(f"{self._query} {rest}", values)
        except (sqlite3.DatabaseError, UnicodeError):
            self.complete = False
