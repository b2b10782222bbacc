"""The Chroma store: filled from the record, and made again whatever became of it."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.vectors import ChromaVectors

ALL = np.random.default_rng(7).normal(size=(300, 16)).astype(np.float32)
ALL /= np.linalg.norm(ALL, axis=1, keepdims=True)


def vectors_of(keys: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    ordered = np.array(sorted(keys))
    return ordered, ALL[ordered]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChromaVectors]:
    store = ChromaVectors(tmp_path / "chroma")
    yield store
    store.close()


def reachable(store: ChromaVectors, keys: Sequence[int]) -> list[int]:
    return [key for key in keys if store.nearest(ALL[key], limit=1) == [key]]


def test_every_vector_finds_itself(store: ChromaVectors) -> None:
    store.fill(set(range(300)), vectors_of, generation=1)
    assert reachable(store, range(300)) == list(range(300))
    exact = set(np.argsort(-(ALL @ ALL[9]))[:10].tolist())
    assert set(store.nearest(ALL[9], limit=10)) == exact


def test_filling_again_takes_out_and_adds_what_changed(store: ChromaVectors) -> None:
    store.fill(set(range(200)), vectors_of, generation=1)
    store.fill(set(range(100, 300)), vectors_of, generation=5)
    assert store.generation() == 5
    assert not set(store.nearest(ALL[50], limit=200)) & set(range(100))
    assert reachable(store, range(100, 300)) == list(range(100, 300))


def test_unfilled_store_has_no_generation(store: ChromaVectors, tmp_path: Path) -> None:
    assert store.generation() is None
    assert not (tmp_path / "chroma").exists()


def test_interrupted_filling_leaves_no_generation(store: ChromaVectors) -> None:
    def interrupted(keys: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        raise KeyboardInterrupt

    store.fill(set(range(10)), vectors_of, generation=1)
    with pytest.raises(KeyboardInterrupt):
        store.fill(set(range(20)), interrupted, generation=2)
    assert store.generation() is None


@pytest.mark.parametrize("damage", ["garbage", "emptied", "a file in its place"])
def test_store_that_cannot_be_opened_is_made_again(store: ChromaVectors, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "chroma"
    store.fill(set(range(50)), vectors_of, generation=1)
    store.close()
    if damage == "garbage":
        (folder / "chroma.sqlite3").write_bytes(b"not a database" * 1000)
    else:
        shutil.rmtree(folder)
        folder.write_text("x") if damage == "a file in its place" else folder.mkdir()
    store.fill(set(range(60)), vectors_of, generation=2)
    assert reachable(store, range(60)) == list(range(60))
    assert [path.name for path in tmp_path.iterdir()] == ["chroma"]


def test_store_keeps_no_text(store: ChromaVectors) -> None:
    store.fill({1, 2}, vectors_of, generation=1)
    assert store._store.client.get()["documents"] == ["", ""]
    assert store._store.client._embedding_function is None
