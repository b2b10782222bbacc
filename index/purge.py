"""Removed text out of the catalog's file. Deleting rows is not enough, even with SQLite's secure_delete:

- FTS5 (before SQLite 3.42) keeps the terms of a deleted row in its old segments until these are merged;
- where a b-tree is balanced, stale copies of rows stay in the unused middle of a page (one marker word in a thousand
  removals was found there), which only VACUUM takes out;
- the write-ahead log keeps every page that was ever written until it is cut off.
"""

import sqlite3
import subprocess
import sys
from pathlib import Path

NEW_CATALOG = "catalog.new.sqlite"  # one that is being made, to take the place of the present one

_PAGES_AT_ONCE = 2_000
_HEADER_BYTES = {0x02: 12, 0x05: 12, 0x0A: 8, 0x0D: 8}  # of b-tree pages by type, https://sqlite.org/fileformat2.html


def mark(database: sqlite3.Connection) -> None:
    """Note, in the transaction that deletes, that removed text is still to be taken out of the file."""
    database.execute("INSERT OR REPLACE INTO settings VALUES ('unpurged', '1')")


def purge(database: sqlite3.Connection, file: Path) -> bool:
    """Take removed text out of `file`, the catalog open as `database`; return whether none is left.

    False while another process reads an older state: the log cannot be cut off then. Costs a merge
    of the lexical index, half a second for 20,000 chunks, and once in a while a VACUUM, one second; both grow with
    the library. Nothing where nothing was removed.
    """
    if not database.execute("SELECT 1 FROM settings WHERE name = 'unpurged'").fetchall():
        return True
    delete_catalog(file.with_name(NEW_CATALOG))  # an unfinished one may hold what was removed since
    database.execute("INSERT INTO lexical (lexical) VALUES ('optimize')")
    if not _cut_log(database):
        return False
    if has_stale_bytes(file):
        database.execute("VACUUM")
    if not _cut_log(database):
        return False
    database.execute("DELETE FROM settings WHERE name = 'unpurged'")
    return True


def delete_catalog(file: Path) -> None:
    """Delete a catalog that nobody has open, with its log."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def has_stale_bytes(file: Path) -> bool:
    """Whether some page of the SQLite file holds bytes between its cell pointers and its cells.

    A child process looks: if this one opened and closed the file, it would lose the locks that SQLite holds on it.
    """
    looked = subprocess.run([sys.executable, "-I", "-S", __file__, str(file)], stdin=subprocess.DEVNULL, check=False)
    return looked.returncode != 0  # also where it could not be told


def _cut_log(database: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the file and empty it; return whether nobody stood in the way."""
    busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _first_stale_page(file: Path) -> int:
    """Return the number of the first page with stale bytes, 0 for none."""
    with file.open("rb") as pages:
        size = int.from_bytes(pages.read(18)[16:18], "big")
        size = 65_536 if size == 1 else size
        pages.seek(0)
        number = 0
        while block := pages.read(size * _PAGES_AT_ONCE):
            for start in range(0, len(block), size):
                number += 1
                if _is_stale(block, start, at=100 if number == 1 else 0, size=size):
                    return number
    return 0


def _is_stale(block: bytes, page: int, *, at: int, size: int) -> bool:
    """Whether the b-tree page that starts at `page` has bytes in its gap; its header lies `at` bytes further."""
    header = _HEADER_BYTES.get(block[page + at])
    if header is None:
        return False
    cells = int.from_bytes(block[page + at + 3 : page + at + 5], "big")
    content = int.from_bytes(block[page + at + 5 : page + at + 7], "big") or 65_536
    first, last = at + header + 2 * cells, min(content, size)
    return first < last and block.count(0, page + first, page + last) != last - first


if __name__ == "__main__":
    sys.exit(1 if _first_stale_page(Path(sys.argv[1])) else 0)
