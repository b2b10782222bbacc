"""What was worked out from a library's documents, kept beside them. All of it is gone once they change."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

MOST = 1_000  # values; the oldest make room
_PATIENCE_S = 1.0  # for another process that is writing


class Kept:
    """JSON values in one SQLite file. Nothing that goes wrong is told: what cannot be kept is worked out again.

    `generation` tells the state of the documents; a value worked out before they changed is not taken.
    """

    def __init__(self, file: Path, generation: Callable[[], int]) -> None:
        self._file = file
        self._generation = generation

    def get(self, key: str) -> Any:
        """Return what is kept under `key`, None where nothing is."""
        if not self._file.exists():
            return None
        with suppress(sqlite3.Error, ValueError), self._connected() as database:
            found = database.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
            return json.loads(found[0]) if found else None
        return None

    def put(self, key: str, value: Any, *, generation: int) -> None:
        """Keep `value`, which was worked out when the documents were at `generation`."""
        if self._generation() != generation:
            return
        with suppress(sqlite3.Error), self._connected() as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, json.dumps(value, ensure_ascii=False)))
            database.execute("DELETE FROM kept WHERE rowid <= (SELECT max(rowid) FROM kept) - ?", (MOST,))
        if self._generation() != generation:  # they changed while it was written
            self.clear()

    def clear(self) -> None:
        """Forget everything."""
        for file in (self._file, self._file.with_name(f"{self._file.name}-journal")):
            with suppress(OSError):
                file.unlink(missing_ok=True)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        # Opened each time: the file may have been deleted by whoever changed the documents.
        with closing(sqlite3.connect(self._file, timeout=_PATIENCE_S)) as database:
            database.execute("PRAGMA secure_delete = ON")
            yield database
