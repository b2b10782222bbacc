"""The vector store: Chroma in a folder, as a client of the process that has it open (chroma_process.py).

<library>/chroma/       what Chroma wrote, with a seal (seal.py)
<library>/chroma.lock   held by whoever makes it
<library>/chroma.new-*   one that is being made; of no use once nobody makes it

Chroma holds a copy that can be made again from the catalog at any time: the keys of the chunks, and their vectors.

Chroma never opens the sealed folder itself, because merely opening one writes to it: each client leaves a row in its
SQLite file, and an index that is not whole on the disk is replayed into files with uninitialised bytes. A seal over the
files would break with every reader, or have to leave out the very files that matter. So searching opens a private
copy, compared with the seal while it is copied, and filling works on another copy that takes the folder's place when
it has been checked. That also keeps two processes from ever having one SQLite file open (chroma-core/chroma#7040),
lets a reader use a folder that it may not write, and leaves the old store whole until the new one is sealed. The price
is the copying, about half a second for 100,000 vectors of 384 numbers.
"""

import logging
import random
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from index.chroma_child import ChromaChild, StoreFailed
from index.embed import Vectors
from index.seal import Seal, SealBroken, Stopped, check_seal, copy_sealed, read_seal, write_seal

VectorsOf = Callable[[Sequence[int]], tuple[NDArray[np.int64], Vectors]]
Stop = Callable[[], bool]

log = logging.getLogger(__name__)

_BATCH = 5_000  # Chroma takes 5,461 at a time, and writes its whole index after each
_CHECKED_NEW = 500  # of the vectors put in, so many are looked for
_CHECKED_OLD = 200  # and so many of those that were there
_LOCK_TIMEOUT_S = 0.5
_CHILD = ChromaChild()  # one for the process, since it takes seconds to start; of no cost until it is used
_NAMES = count()


class CatalogMoved(Exception):
    """The catalog no longer is what the store was to be made from."""


def never() -> bool:
    """Return that nobody wants it stopped."""
    return False


class ChromaVectors:
    """The Chroma store in `folder`.

    Raises StoreFailed where Chroma fails, SealBroken where the folder cannot be trusted, Stopped when `stopped` says
    so, CatalogMoved, and OSError: the disk is full, no permission, or another process is making the store (Timeout).
    """

    def __init__(self, folder: Path, *, child: ChromaChild = _CHILD) -> None:
        self._folder = folder.absolute()  # the child is in another place
        self._child = child
        self._copy: Path | None = None  # that the child has open, for searching
        self._copy_of = -1  # its generation
        self._opening = threading.Lock()

    def generation(self) -> int | None:
        """Return which generation of the catalog `nearest` would answer from, None where it cannot."""
        return self._copy_of if self._copy is not None and self._child.has_open(self._copy) else None

    def sealed_generation(self) -> int | None:
        """Return which generation the folder is said to hold, None where it holds none. Reads only the seal."""
        with suppress(SealBroken):
            return read_seal(self._folder).generation
        return None

    def fault(self, generation: int, *, stopped: Stop = never) -> str:
        """Return why the folder is not the store of `generation`, to complete "the vector store is"; "" where it is.

        Every file is read and compared with the seal.
        """
        try:
            return _out_of_step(check_seal(self._folder, stopped=stopped), generation)
        except SealBroken as error:
            return str(error)

    def open(self, generation: int, *, stopped: Stop = never) -> None:
        """Open a private copy of the store, if it is of `generation`, so that `nearest` answers from it."""
        with self._opening:
            self.close()
            copy = self._child.scratch() / str(next(_NAMES))
            try:
                seal = copy_sealed(self._folder, copy, stopped=stopped)
                if fault := _out_of_step(seal, generation):
                    raise SealBroken(fault)
                if seal.lost:
                    raise StoreFailed(f"does not find {seal.lost} of the vectors that it holds")
                held = self._child.open(copy, owner=self._folder)
                if len(held) != seal.count:
                    raise StoreFailed(f"holds {len(held)} vectors instead of {seal.count}")
            except BaseException:
                shutil.rmtree(copy, ignore_errors=True)
                raise
            self._copy, self._copy_of = copy, generation

    def nearest(self, vector: NDArray[np.float32], *, limit: int) -> list[int]:
        """Return the keys of about the `limit` nearest chunks by cosine, best first, from what `open` opened."""
        if self._copy is None:
            raise StoreFailed("is not open")
        return self._child.nearest(self._copy, vector, limit=limit)

    def fill(self, keys: set[int], vectors_of: VectorsOf, *, generation: int, stopped: Stop = never) -> None:
        """Make the folder hold exactly `keys`, checked and sealed; one that cannot be trusted is built anew.

        What was there stays until what is to take its place has been checked. A key's vector never changes, so
        comparing keys is enough.
        """
        with FileLock(self._folder.with_name("chroma.lock"), timeout=_LOCK_TIMEOUT_S):
            self._settle()
            fresh = self._beside(f"new-{secrets.token_hex(4)}")  # a killed process's child may not have ended yet
            if not self.fault(generation, stopped=stopped):
                return
            try:
                self._make(fresh, keys, vectors_of, generation, stopped)
                self._take_place(fresh)
            finally:
                self._discard(fresh)

    def warm(self) -> None:
        """Start what takes seconds to start, without waiting for it."""
        self._child.start()

    def interrupt(self) -> None:
        """End a request that is under way, in whatever thread: it raises StoreFailed at once."""
        self._child.interrupt(self._folder)

    def close(self) -> None:
        """Close the private copy and delete it."""
        copy, self._copy = self._copy, None
        if copy is not None:
            with suppress(StoreFailed):
                self._child.close(copy)
            shutil.rmtree(copy, ignore_errors=True)

    def _beside(self, name: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}.{name}")

    def _settle(self) -> None:
        """Finish what a process that was killed between two renames began, and delete what it left."""
        for left in (*self._folder.parent.glob(f"{self._folder.name}.new-*"), self._beside("old")):
            with suppress(SealBroken):
                if not self._folder.exists():
                    check_seal(left)
                    left.rename(self._folder)
            _delete(left)

    def _make(self, fresh: Path, keys: set[int], vectors_of: VectorsOf, generation: int, stopped: Stop) -> None:
        """Leave a sealed store of `keys` in `fresh`: from a copy of the present one if its seal holds, else anew.

        Where even a new one does not find what it holds, as among thousands of equal vectors, it is sealed as such:
        nobody asks it, and it is not made again and again.
        """
        try:
            copy_sealed(self._folder, fresh, stopped=stopped)
            if lost := self._bring(fresh, keys, vectors_of, stopped):
                raise StoreFailed(f"does not find {lost} of the vectors that it holds")
        except (SealBroken, StoreFailed) as error:
            if stopped():
                raise Stopped from error
            log.info("the vector store is built anew: %s", error)
            self._discard(fresh)
            lost = self._bring(fresh, keys, vectors_of, stopped)
        write_seal(fresh, generation=generation, count=len(keys), lost=lost)

    def _bring(self, fresh: Path, keys: set[int], vectors_of: VectorsOf, stopped: Stop) -> int:
        """Let the store in `fresh` hold `keys` and no others; afterwards nobody has it open.

        Returns how many of a sample Chroma does not find by their own vectors: known of stores with many deletions
        (chroma-core/chroma#7758). Raises StoreFailed where it does not hold them.
        """
        held = set(self._child.open(fresh, owner=self._folder).tolist())
        there = len(held)
        for batch in _batches(held - keys, stopped):
            there = self._child.delete(fresh, batch)
        for batch in _batches(keys - held, stopped):
            found, vectors = vectors_of(batch)
            if len(found) < len(batch):
                raise CatalogMoved
            there = self._child.add(fresh, found, vectors)
        if there != len(keys):
            raise StoreFailed(f"holds {there} vectors instead of {len(keys)}")
        checked = _sample(keys - held, _CHECKED_NEW) | _sample(keys & held, _CHECKED_OLD)
        lost = sum(len(self._child.lost(fresh, *vectors_of(batch))) for batch in _batches(checked, stopped))
        self._child.close(fresh)
        return lost

    def _discard(self, fresh: Path) -> None:
        with suppress(StoreFailed):
            self._child.close(fresh)
        _delete(fresh)

    def _take_place(self, fresh: Path) -> None:
        old = self._beside("old")
        if self._folder.exists():
            self._folder.rename(old)
        fresh.rename(self._folder)
        _delete(old)


def _out_of_step(seal: Seal, generation: int) -> str:
    if seal.generation == generation:
        return ""
    return "behind" if seal.generation < generation else "ahead of the catalog, or of another library"


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sample(keys: set[int], most: int) -> set[int]:
    """Return up to `most` of `keys`, the same ones for the same keys."""
    return keys if len(keys) <= most else set(random.Random(len(keys)).sample(sorted(keys), most))


def _batches(keys: Iterable[int], stopped: Stop) -> Iterable[list[int]]:
    ordered = sorted(keys)
    for i in range(0, len(ordered), _BATCH):
        if stopped():
            raise Stopped
        yield ordered[i : i + _BATCH]
