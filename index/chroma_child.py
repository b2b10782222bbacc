"""The child process that has Chroma: started when needed, replaced when it dies, ended when it takes too long."""

import shutil
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from index.child import killed_after, start_child
from index.chroma_process import IN_USE, read_message, write_message
from index.embed import Vectors

_PREFIX = "fonte-chroma-"
_START_S = 60.0
_WORK_S = 120.0  # for one request; a batch of 5,000 takes about ten
_QUERY_S = 5.0  # then comparing every vector is quicker


class StoreFailed(Exception):
    """Chroma crashed, hung, refused, or does not hold what it should. The message completes "the vector store"."""


class ChromaChild:
    """The child, with every store that it has open. Safe to use from several threads; they take turns.

    Every method raises StoreFailed when the child dies, takes too long or reports an error. A child in which anything
    failed is not used again, and what it had open is closed.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: Path | None = None
        self._open: dict[Path, Path] = {}  # the folders that are open, and whose they are
        self._at_work_for: Path | None = None

    def start(self) -> None:
        """Start the process if it is not running, without waiting until it is of use."""
        with self._starting:
            if self._process is not None and self._process.poll() is not None:
                self._forget()
            if self._process is None:
                self._scratch = Path(tempfile.mkdtemp(prefix=_PREFIX))
                _delete_abandoned(self._scratch)
                self._process = start_child("index.chroma_process", str(self._scratch))

    def stop(self) -> None:
        """End the process."""
        with self._starting:
            self._forget()

    def scratch(self) -> Path:
        """Return the running child's own folder, which is deleted with it."""
        self.start()
        assert self._scratch
        return self._scratch

    def has_open(self, folder: Path) -> bool:
        """Whether the store in `folder` is open."""
        return folder in self._open and self._process is not None and self._process.poll() is None

    def open(self, folder: Path, *, owner: Path) -> NDArray[np.int64]:
        """Open the store in `folder`, an empty one where there is none, and return the keys that it holds.

        What is asked of it later is work for `owner`.
        """
        _, numbers = self._ask({"do": "open", "folder": str(folder)}, b"", owner, _START_S + _WORK_S)
        self._open[folder] = owner
        return np.frombuffer(numbers, dtype=np.int64)

    def close(self, folder: Path) -> None:
        """Close the store in `folder`, if it is open."""
        if folder in self._open:
            self._ask_open("close", folder, b"")
            self._open.pop(folder, None)

    def add(self, folder: Path, keys: NDArray[np.int64], vectors: Vectors) -> int:
        """Add `keys` with their `vectors` `(n, dimension)`, and return how many there are now."""
        told, _ = self._ask_open("add", folder, _packed(keys, vectors), count=len(keys))
        return int(told["count"])

    def delete(self, folder: Path, keys: list[int]) -> int:
        """Take `keys` out, and return how many there are now."""
        told, _ = self._ask_open("delete", folder, np.array(keys, dtype=np.int64).tobytes())
        return int(told["count"])

    def lost(self, folder: Path, keys: NDArray[np.int64], vectors: Vectors) -> list[int]:
        """Return those of `keys` that a query with their own vector does not find."""
        _, numbers = self._ask_open("lost", folder, _packed(keys, vectors), count=len(keys))
        return [int(key) for key in np.frombuffer(numbers, dtype=np.int64)]

    def nearest(self, folder: Path, vector: NDArray[np.float32], *, limit: int) -> list[int]:
        """Return the keys of about the `limit` nearest to `vector` by cosine, best first."""
        packed = vector.astype(np.float32).tobytes()
        _, numbers = self._ask_open("nearest", folder, packed, timeout_s=_QUERY_S, limit=limit)
        return [int(key) for key in np.frombuffer(numbers, dtype=np.int64)]

    def interrupt(self, owner: Path) -> None:
        """End the process if it is at work for `owner`."""
        if self._at_work_for == owner:
            self.stop()

    def _ask_open(
        self, work: str, folder: Path, numbers: bytes, *, timeout_s: float = _WORK_S, **told: Any
    ) -> tuple[dict[str, Any], bytes]:
        owner = self._open.get(folder)
        if owner is None:
            raise StoreFailed("is not open")
        return self._ask({"do": work, "folder": str(folder), **told}, numbers, owner, timeout_s)

    def _ask(self, told: dict[str, Any], numbers: bytes, owner: Path, timeout_s: float) -> tuple[dict[str, Any], bytes]:
        if not self._turn.acquire(timeout=timeout_s):
            raise StoreFailed("is busy")
        try:
            self._at_work_for = owner
            return self._converse(told, numbers, timeout_s)
        finally:
            self._at_work_for = None
            self._turn.release()

    def _converse(self, told: dict[str, Any], numbers: bytes, timeout_s: float) -> tuple[dict[str, Any], bytes]:
        self.start()
        process = self._process
        if process is None:
            raise StoreFailed("was stopped")
        assert process.stdin and process.stdout
        with killed_after(timeout_s, process) as expired:
            try:
                write_message(process.stdin, told, numbers)
                reply, found = read_message(process.stdout)
            except (EOFError, ValueError, OSError) as error:
                self.stop()
                failed = f"took longer than {timeout_s:g} seconds" if expired.is_set() else "made Chroma crash"
                raise StoreFailed(f"{failed} ({told['do']})") from error
            except BaseException:  # Ctrl-C: the next reply would be to this request
                self.stop()
                raise
        if "error" in reply:
            self.stop()
            raise StoreFailed(f"was refused by Chroma ({told['do']}: {reply['error']})")
        return reply, found

    def _forget(self) -> None:
        process, self._process = self._process, None
        scratch, self._scratch = self._scratch, None
        self._open.clear()
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):  # what was not yet written
                    stream and stream.close()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _delete_abandoned(scratch: Path) -> None:
    """Delete the folders, beside `scratch` and of the same owner, of children that were killed with all around them."""
    for left in scratch.parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # Timeout: it is in use
            if left.lstat().st_uid == scratch.stat().st_uid and (left / IN_USE).exists():
                with FileLock(left / IN_USE, timeout=0):
                    shutil.rmtree(left)


def _packed(keys: NDArray[np.int64], vectors: Vectors) -> bytes:
    return keys.astype(np.int64).tobytes() + vectors.astype(np.float32).tobytes()
