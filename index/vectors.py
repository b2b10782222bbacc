"""The vector store: Chroma in a folder, behind llama-index's vector-store interface. This file alone imports chromadb.

Chroma holds a copy that can be made again from the catalog at any time: the keys of the chunks, and their vectors.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embed import Vectors

# The one place where the environment is changed: Chroma and what it brings along read these when imported.
TELEMETRY_OFF = {"ANONYMIZED_TELEMETRY": "False", "OTEL_SDK_DISABLED": "true"}

VectorsOf = Callable[[Sequence[int]], tuple[NDArray[np.int64], Vectors]]

_COLLECTION = "chunks"
_GENERATION_FILE = "generation"
_BATCH = 1_000


class ChromaVectors:
    """The Chroma store in `folder`. Opened on first use, so that a small library never pays for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client: Any = None
        self._store: Any = None

    def generation(self) -> int | None:
        """Return which generation of the catalog the store holds, None where it holds none."""
        try:
            return int((self._folder / _GENERATION_FILE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def nearest(self, vector: NDArray[np.float32], *, limit: int) -> list[int]:
        """Return the keys of about the `limit` nearest chunks by cosine, best first. Raises what Chroma raises."""
        from llama_index.core.vector_stores.types import VectorStoreQuery

        self._open()
        found = self._store.query(VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=limit))
        return [int(key) for key in found.ids or []]

    def fill(self, keys: set[int], vectors_of: VectorsOf, *, generation: int) -> None:
        """Make the store hold exactly `keys`; a store that is missing or cannot be used is built anew.

        Must only be called by the one writer. A key's vector never changes, so comparing keys is enough.
        """
        try:
            self._bring_up_to_date(keys, vectors_of, generation)
        except Exception:
            self._rebuild(keys, vectors_of, generation)
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # how a panic in Chroma's Rust core arrives
                raise
            self._rebuild(keys, vectors_of, generation)

    def close(self) -> None:
        """Close the store; it opens again when used."""
        if self._client is not None:
            self._client.close()
        self._client = self._store = None

    def _open(self) -> None:
        if self._store is not None:
            return
        os.environ.update(TELEMETRY_OFF)
        import chromadb
        from chromadb.api.shared_system_client import SharedSystemClient
        from chromadb.config import Settings
        from llama_index.vector_stores.chroma import ChromaVectorStore

        settings = Settings(anonymized_telemetry=False, _env_file=None)  # nor a .env that lies in the folder
        try:
            self._client = chromadb.PersistentClient(path=str(self._folder), settings=settings)
        except Exception:
            SharedSystemClient.clear_system_cache()  # else Chroma answers the next attempt with the broken instance
            raise
        # No embedding function: Chroma's default one would fetch a model from the network.
        collection = self._client.get_or_create_collection(
            _COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine", "ef_search": 200}}
        )
        self._store = ChromaVectorStore(chroma_collection=collection)

    def _bring_up_to_date(self, keys: set[int], vectors_of: VectorsOf, generation: int) -> None:
        (self._folder / _GENERATION_FILE).unlink(missing_ok=True)  # until it is whole again
        self._open()
        held = {int(key) for key in self._store.client.get(include=[])["ids"]}
        for batch in _batches(sorted(held - keys)):
            self._store.delete_nodes([str(key) for key in batch])
        for batch in _batches(sorted(keys - held)):
            self._store.add(_nodes(*vectors_of(batch)))
        count = self._store.client.count()
        if count != len(keys):
            raise ValueError(f"Chroma holds {count} vectors instead of {len(keys)}")
        _write_whole(self._folder / _GENERATION_FILE, str(generation))

    def _rebuild(self, keys: set[int], vectors_of: VectorsOf, generation: int) -> None:
        """Build the store in a folder beside, then let it take the place of the old one."""
        self.close()
        fresh, old = (self._folder.with_name(self._folder.name + suffix) for suffix in (".new", ".old"))
        _delete(fresh)
        _delete(old)
        beside = ChromaVectors(fresh)
        try:
            beside._bring_up_to_date(keys, vectors_of, generation)
        finally:
            beside.close()
        if self._folder.exists():
            self._folder.rename(old)
        fresh.rename(self._folder)
        _delete(old)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _nodes(keys: NDArray[np.int64], vectors: Vectors) -> list[Any]:
    """Return llama-index nodes that carry a key and a vector and nothing of the text."""
    from llama_index.core.schema import TextNode

    return [
        TextNode(id_=str(key), text="", embedding=vector.tolist()) for key, vector in zip(keys, vectors, strict=True)
    ]


def _batches(keys: list[int]) -> list[list[int]]:
    return [keys[i : i + _BATCH] for i in range(0, len(keys), _BATCH)]


def _write_whole(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="ascii")
    part.replace(path)
