"""Chroma in a process of its own, behind llama-index's vector-store interface. This file alone imports chromadb.

A damaged index makes Chroma crash the process that reads it (chroma-core/chroma#7238), and a folder that another
process has open makes it wait for minutes (#7040). Here neither harms anybody: `index.vectors` replaces this process
when it dies, and ends it when it takes too long. It answers one request after another on standard input, and ends with
it, so it is never left behind when its parent is killed.

A message is two lengths of 8 bytes, then that much JSON, then that many bytes of numbers.
"""

import json
import os
import select
import shutil
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

Message = tuple[dict[str, Any], bytes]

# The one place where the environment is changed: Chroma and what it brings along read these when imported.
TELEMETRY_OFF = {"ANONYMIZED_TELEMETRY": "False", "OTEL_SDK_DISABLED": "true"}

IN_USE = "in use"  # the file in its folder that a living process has locked

_LENGTHS = struct.Struct("<QQ")
_COLLECTION = "chunks"
# With Chroma's 16 neighbours and 100 candidates at building, 6 of 300 indexes of 75 rather alike vectors did not find
# one of them by itself; with these 0 of 300. Chroma writes its index to the disk at every request (at least 2 is what
# it allows), not at every thousandth row: rows that are only in its log are put into the index anew at each opening,
# by chance otherwise each time, so that what was checked would not be what is asked.
_HNSW: Any = {
    "space": "cosine",
    "ef_search": 200,
    "ef_construction": 200,
    "max_neighbors": 32,
    "sync_threshold": 2,
    "batch_size": 2,
}


def write_message(stream: IO[bytes], told: dict[str, Any], numbers: bytes = b"") -> None:
    """Write one message of the protocol between `index.vectors` and its child."""
    data = json.dumps(told).encode()
    stream.write(_LENGTHS.pack(len(data), len(numbers)) + data)
    stream.write(numbers)
    stream.flush()


def read_message(stream: IO[bytes]) -> Message:
    """Return the next message. Raises EOFError at the end, also in the middle of one."""
    told_bytes, number_bytes = _LENGTHS.unpack(_read(stream, _LENGTHS.size))
    return json.loads(_read(stream, told_bytes)), _read(stream, number_bytes)


def _read(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


class Stores:
    """The stores that are open, by folder. Every method answers one kind of request; keys are of int64."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Any, Any]] = {}  # Chroma's client and llama-index's store

    def open(self, folder: str, numbers: bytes) -> Message:
        """Open the store in `folder`, an empty one where there is none, and return the keys that it holds."""
        import chromadb
        from chromadb.config import Settings
        from llama_index.vector_stores.chroma import ChromaVectorStore

        settings = Settings(anonymized_telemetry=False, _env_file=None)  # nor a .env that lies in the folder
        client = chromadb.PersistentClient(path=folder, settings=settings)
        # No embedding function: Chroma's default one would fetch a model from the network.
        collection = client.get_or_create_collection(
            _COLLECTION, embedding_function=None, configuration={"hnsw": _HNSW}
        )
        collection.count()  # loads the index, so that the first query waits for nothing
        self._open[folder] = client, ChromaVectorStore(chroma_collection=collection)
        return {}, _numbers([int(key) for key in collection.get(include=[])["ids"]])

    def add(self, folder: str, numbers: bytes, *, count: int) -> Message:
        """Add `count` keys and their vectors, which follow the keys, and return how many there are now."""
        keys, vectors = _unpacked(numbers, count)
        self._store(folder).add(_nodes(keys, vectors))
        return {"count": self._store(folder).client.count()}, b""

    def delete(self, folder: str, numbers: bytes) -> Message:
        """Take keys out, and return how many there are now."""
        keys = np.frombuffer(numbers, dtype=np.int64)
        self._store(folder).delete_nodes([str(key) for key in keys])
        return {"count": self._store(folder).client.count()}, b""

    def nearest(self, folder: str, numbers: bytes, *, limit: int) -> Message:
        """Return the keys of about the `limit` nearest to a vector by cosine, best first."""
        from llama_index.core.vector_stores.types import VectorStoreQuery

        vector = np.frombuffer(numbers, dtype=np.float32)
        found = self._store(folder).query(VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=limit))
        return {}, _numbers([int(key) for key in found.ids or []])

    def lost(self, folder: str, numbers: bytes, *, count: int) -> Message:
        """Return those of `count` keys that are not found by their own vectors, which follow the keys.

        A key that others of the very same vector keep from being found first is not lost.
        """
        from llama_index.core.vector_stores.types import VectorStoreQuery

        lost = []
        for key, vector in zip(*_unpacked(numbers, count), strict=True):
            query = VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=3)
            found = self._store(folder).query(query)
            same = [similarity > 1 - 1e-5 for similarity in found.similarities or []]
            if str(key) not in (found.ids or []) and not (same and all(same)):
                lost.append(int(key))
        return {}, _numbers(lost)

    def close(self, folder: str, numbers: bytes) -> Message:
        """Close the store; its files are then at rest."""
        client, _ = self._open.pop(folder, (None, None))
        if client is not None:
            client.close()
        return {}, b""

    def _store(self, folder: str) -> Any:
        return self._open[folder][1]


def _unpacked(numbers: bytes, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    keys = np.frombuffer(numbers, dtype=np.int64, count=count)
    return keys, np.frombuffer(numbers, dtype=np.float32, offset=keys.nbytes).reshape(count, -1)


def _numbers(keys: list[int]) -> bytes:
    return np.array(keys, dtype=np.int64).tobytes()


def _nodes(keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> list[Any]:
    """Return llama-index nodes that carry a key and a vector and nothing of the text."""
    from llama_index.core.schema import TextNode

    return [
        TextNode(id_=str(key), text="", embedding=vector.tolist()) for key, vector in zip(keys, vectors, strict=True)
    ]


def main(scratch: str) -> None:
    """Answer requests on standard input; at its end delete the folder `scratch` and end."""
    _watch_over(os.getpid(), scratch)
    in_use = FileLock(Path(scratch) / IN_USE)  # as long as this process lives
    in_use.acquire()
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever Chroma prints must not end up among the replies
    _leave_no_core()
    os.environ.update(TELEMETRY_OFF)
    from llama_index.vector_stores.chroma import ChromaVectorStore  # noqa: F401 - takes seconds: before it is needed

    stores = Stores()
    with suppress(EOFError):
        while True:
            write_message(replies, *_answer(stores, *read_message(requests)))
    shutil.rmtree(scratch, ignore_errors=True)


def _watch_over(worker: int, scratch: str) -> None:
    """Fork a process that ends this one, whatever it is doing, when its parent is gone; Windows has none.

    A thread could not: Chroma holds Python's lock while it adds, ten seconds at a time.
    """
    if not hasattr(os, "fork") or os.fork():
        return
    os.dup2(2, 1)  # else the parent would wait for replies from here when the worker has crashed
    gone = select.poll()
    gone.register(0, 0)  # tells nothing but that standard input has no writer any more
    gone.poll()
    if os.getppid() == worker:
        os.kill(worker, signal.SIGKILL)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)


def _answer(stores: Stores, told: dict[str, Any], numbers: bytes) -> Message:
    try:
        work: Callable[..., Message] = getattr(stores, told.pop("do"))
        return work(told.pop("folder"), numbers, **told)
    except BaseException as error:  # a panic in Chroma's Rust core arrives as a BaseException
        return {"error": f"{type(error).__name__}: {error}"[:500]}, b""


def _leave_no_core() -> None:
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(str(Path(sys.argv[1])))
