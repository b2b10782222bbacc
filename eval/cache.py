"""What was worked out before, kept under what it was made from: answers, and figures that take a model."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from index.errors import BadRun

_PATIENCE_S = 30.0  # for another evaluation that is writing


class Cache:
    """JSON values in one SQLite file, under keys that name all they depend on. Safe to share and to delete."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where it is missing. Raises BadRun where it cannot be."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_PATIENCE_S)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS cached (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise BadRun(f"The cache {path} cannot be used ({error}): delete it, it is only a cache.") from None

    def get(self, key: str) -> Any:
        """Return the value under `key`, None where there is none, or none that can be read."""
        try:
            found = self._connection.execute("SELECT value FROM cached WHERE key = ?", (key,)).fetchone()
            return json.loads(found[0]) if found else None
        except (sqlite3.Error, ValueError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep `value` under `key`, unless the disk is full or another evaluation holds the file: then it is lost."""
        with suppress(sqlite3.Error), self._connection:
            self._connection.execute("INSERT OR REPLACE INTO cached VALUES (?, ?)", (key, json.dumps(value)))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def key_of(*parts: object) -> str:
    """Return a SHA-256 over JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def remembered(cache: Cache | None, keys: Sequence[str], work: Callable[[Sequence[int]], Sequence[Any]]) -> list[Any]:
    """Return a value for each key; `work` makes those that `cache` does not hold, given their places, all at once."""
    values = [cache.get(key) if cache else None for key in keys]
    missing = [place for place, value in enumerate(values) if value is None]
    made = work(missing) if missing else ()
    for place, value in zip(missing, made, strict=True):
        values[place] = value
        if cache and value is not None:
            cache.put(keys[place], value)
    return values
