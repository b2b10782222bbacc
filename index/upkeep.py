"""The vector store kept in step with the catalog: looked at when a library is opened, mended beside the searching."""

import logging
import sqlite3
import threading
import time
from typing import Literal

from filelock import Timeout

from index.catalog import Catalog
from index.chroma_child import StoreFailed
from index.seal import SealBroken, Stopped
from index.vectors import CatalogMoved, ChromaVectors

StoreState = Literal["unknown", "rebuilding", "ready", "behind"]

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 5.0
_TRIES = 5  # while another process adds, the catalog moves on under a rebuild


class Upkeep:
    """Keeps `chroma` in step with `catalog`. No error comes out of it: searches compare every vector meanwhile."""

    def __init__(self, catalog: Catalog, chroma: ChromaVectors, *, exact_up_to: int) -> None:
        self._catalog = catalog
        self._chroma = chroma
        self._exact_up_to = exact_up_to
        self._state: StoreState = "unknown"
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked_at = 0.0
        self._looking = threading.Lock()

    @property
    def state(self) -> StoreState:
        """Whether the store holds what the catalog holds: "unknown" until it has been looked at; "behind" where it
        does not and is not being mended, as in a folder that cannot be written, or while another process mends it.
        """
        return self._state

    def begin(self) -> None:
        """Look at the store in a thread of its own, and mend it where it needs it."""
        self._looked_at = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name="fonte-vector-store", daemon=True)
        self._thread.start()

    def look_again(self) -> None:
        """Begin again, now and then, while searches would need the store and it is of another generation."""
        if time.monotonic() - self._looked_at < _LOOK_AGAIN_S or not self._looking.acquire(blocking=False):
            return
        try:
            self._looked_at = time.monotonic()
            if self._needed() and not self._alive() and self._chroma.generation() != self._catalog.generation:
                self.begin()
        finally:
            self._looking.release()

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing goes on; return whether the store is ready."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._state == "ready"

    def stop(self) -> None:
        """End what goes on in the background at once; what was half made is of no use to anybody."""
        self._stopping.set()
        while self._alive():
            self._chroma.interrupt()
            assert self._thread
            self._thread.join(0.1)
        self._stopping.clear()

    def after_writing(self) -> None:
        """Bring the store up to date with what was just written, before this returns."""
        self.stop()
        try:
            self._mend()
        finally:
            if self._needed():
                self.begin()

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _needed(self) -> bool:
        """Whether searches ask the store: smaller libraries are searched by comparing every vector."""
        return self._catalog.chunk_count() > self._exact_up_to

    def _keep(self) -> None:
        try:
            self._mend()
            if self._state == "ready" and self._needed():
                self._chroma.open(self._catalog.generation, stopped=self._stopping.is_set)
        except Stopped:
            pass
        except (SealBroken, StoreFailed, OSError, sqlite3.Error) as error:
            log.info("the vector store cannot be asked: %s", error)
            self._state = "behind"

    def _mend(self) -> None:
        self._state = "unknown"
        for _ in range(_TRIES):
            with self._catalog.reading():
                generation, count = self._catalog.generation, self._catalog.chunk_count()
            fault = self._chroma.fault(generation, stopped=self._stopping.is_set)
            if not fault or (not count and fault == "missing"):
                self._state = "ready"
                return
            log.info("the vector store is %s and is made again; every vector is compared meanwhile", fault)
            self._state = "rebuilding"
            if not self._fill():
                break
        self._state = "behind"

    def _fill(self) -> bool:
        """Make the store from the catalog; return whether it is worth looking again."""
        with self._catalog.reading():
            generation, keys = self._catalog.generation, self._catalog.keys()
        try:
            self._chroma.fill(keys, self._catalog.vectors_of, generation=generation, stopped=self._stopping.is_set)
        except CatalogMoved:
            return True
        except Timeout:
            log.info("another process makes the vector store; every vector is compared meanwhile")
        except PermissionError as error:
            log.info("the vector store cannot be written (%s); every vector is compared", error)
        except (SealBroken, StoreFailed, OSError) as error:
            if self._stopping.is_set():
                raise Stopped from error
            log.warning("the vector store could not be made (%s); every vector is compared", error)
        else:
            return True
        return False
