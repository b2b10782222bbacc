"""The Chroma store: filled from the record, checked, sealed, and made again whatever became of it."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from index.chroma_child import ChromaChild, StoreFailed
from index.seal import SealBroken, check_seal, copy_sealed, write_seal
from index.vectors import CatalogMoved, ChromaVectors

ALL = np.random.default_rng(7).normal(size=(2_100, 16)).astype(np.float32)
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


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_vector_finds_itself(store: ChromaVectors) -> None:
    store.fill(set(range(300)), vectors_of, generation=1)
    store.open(1)
    assert reachable(store, range(300)) == list(range(300))
    exact = set(np.argsort(-(ALL[:300] @ ALL[9]))[:10].tolist())
    assert set(store.nearest(ALL[9], limit=10)) == exact


def test_filling_again_takes_out_and_adds_what_changed(store: ChromaVectors) -> None:
    store.fill(set(range(200)), vectors_of, generation=1)
    asked: list[int] = []

    def noted(keys: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        asked.extend(keys)
        return vectors_of(keys)

    store.fill(set(range(100, 300)), noted, generation=5)
    assert asked[:100] == list(range(200, 300))  # what was there is not put in again
    store.open(5)
    assert store.generation() == store.sealed_generation() == 5
    assert not set(store.nearest(ALL[50], limit=200)) & set(range(100))
    assert reachable(store, range(100, 300)) == list(range(100, 300))


def test_folder_named_from_where_we_are_is_the_same_for_the_child(
    store: ChromaVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.fill({1}, vectors_of, generation=1)  # starts the child here
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    other = ChromaVectors(Path("chroma"))
    other.fill({1, 2}, vectors_of, generation=1)
    assert other.fault(1) == ""
    assert (tmp_path / "elsewhere" / "chroma" / "seal.json").exists()


def test_unfilled_store_is_missing_and_nothing_is_made(store: ChromaVectors, tmp_path: Path) -> None:
    assert (store.generation(), store.sealed_generation(), store.fault(1)) == (None, None, "missing")
    with pytest.raises(SealBroken, match="missing"):
        store.open(1)
    with pytest.raises(StoreFailed, match="not open"):
        store.nearest(ALL[0], limit=1)
    assert list(tmp_path.iterdir()) == []


def test_reading_leaves_the_sealed_files_as_they_are(store: ChromaVectors, tmp_path: Path) -> None:
    """Chroma writes to a folder by merely opening it; a reader must not make the store look damaged."""
    store.fill(set(range(60)), vectors_of, generation=1)
    before = files(tmp_path / "chroma")
    for _ in range(3):
        store.open(1)
        store.nearest(ALL[3], limit=5)
        store.close()
    assert files(tmp_path / "chroma") == before
    assert store.fault(1) == ""


def test_interrupted_filling_leaves_the_old_store(store: ChromaVectors, tmp_path: Path) -> None:
    def interrupted(keys: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        raise KeyboardInterrupt

    store.fill(set(range(10)), vectors_of, generation=1)
    with pytest.raises(KeyboardInterrupt):
        store.fill(set(range(20)), interrupted, generation=2)
    assert (store.fault(1), store.fault(2)) == ("", "behind")
    assert {path.name for path in tmp_path.iterdir()} == {"chroma", "chroma.lock"}


def test_what_the_catalog_no_longer_has_is_not_put_in(store: ChromaVectors) -> None:
    with pytest.raises(CatalogMoved):
        store.fill({1, 2}, lambda keys: vectors_of([1]), generation=1)
    assert store.fault(1) == "missing"


@pytest.mark.parametrize("damage", ["garbage", "emptied", "a file in its place"])
def test_store_that_cannot_be_opened_is_made_again(store: ChromaVectors, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "chroma"
    store.fill(set(range(50)), vectors_of, generation=1)
    if damage == "garbage":
        (folder / "chroma.sqlite3").write_bytes(b"not a database" * 1000)
    else:
        shutil.rmtree(folder)
        folder.write_text("x") if damage == "a file in its place" else folder.mkdir()
    with pytest.raises(SealBroken):
        store.open(1)
    store.fill(set(range(60)), vectors_of, generation=2)
    store.open(2)
    assert reachable(store, range(60)) == list(range(60))
    assert {path.name for path in tmp_path.iterdir()} == {"chroma", "chroma.lock"}


def test_store_keeps_no_text(store: ChromaVectors, tmp_path: Path) -> None:
    import sqlite3

    store.fill({1, 2}, vectors_of, generation=1)
    database = sqlite3.connect(tmp_path / "chroma" / "chroma.sqlite3")
    query = "SELECT DISTINCT string_value FROM embedding_metadata WHERE key = 'chroma:document'"
    assert database.execute(query).fetchall() == [("",)]
    database.close()


@pytest.mark.parametrize("count", [999, 1_000, 1_001])
def test_nothing_is_lost_around_the_size_at_which_chroma_writes_its_index(store: ChromaVectors, count: int) -> None:
    """Just below, at and above Chroma's sync threshold (chroma-core/chroma#7090, #6975), whole and after a removal."""
    store.fill(set(range(count)), vectors_of, generation=1)
    store.open(1)
    assert reachable(store, range(0, count, 7)) == list(range(0, count, 7))
    store.fill(set(range(5, count + 5)), vectors_of, generation=2)
    store.open(2)
    assert reachable(store, range(5, count + 5, 7)) == list(range(5, count + 5, 7))


def test_store_that_does_not_find_what_it_holds_is_built_anew(
    store: ChromaVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after deletions and additions in turn (chroma-core/chroma#7758)."""
    store.fill(set(range(50)), vectors_of, generation=1)
    asked: list[int] = []
    true = ChromaChild.lost

    def lost(self: ChromaChild, folder: Path, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> list[int]:
        asked.append(len(keys))
        return [3] if len(asked) == 1 else true(self, folder, keys, vectors)

    monkeypatch.setattr(ChromaChild, "lost", lost)
    store.fill(set(range(60)), vectors_of, generation=2)
    assert asked == [60, 60]
    assert store.fault(2) == ""


def test_store_that_never_finds_what_it_holds_is_made_once_and_not_asked(
    store: ChromaVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChromaChild, "lost", lambda self, folder, keys, vectors: [3])
    store.fill(set(range(50)), vectors_of, generation=1)
    assert store.fault(1) == ""
    with pytest.raises(StoreFailed, match="does not find 1 of the vectors"):
        store.open(1)


def test_a_vector_that_is_not_there_is_noticed_and_one_of_many_alike_is_not_taken_for_lost(tmp_path: Path) -> None:
    child = ChromaChild()
    try:
        child.open(tmp_path / "c", owner=tmp_path)
        same = np.repeat(ALL[:1], 40, axis=0)
        assert child.add(tmp_path / "c", np.arange(40), same) == 40
        assert child.add(tmp_path / "c", np.arange(100, 120), ALL[100:120]) == 60
        assert child.lost(tmp_path / "c", np.arange(40), same) == []
        assert child.lost(tmp_path / "c", np.array([110, 130]), ALL[[110, 130]]) == [130]
    finally:
        child.stop()


def test_child_that_crashes_or_hangs_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = ChromaChild()
    store = ChromaVectors(tmp_path / "chroma", child=child)
    try:
        store.fill(set(range(50)), vectors_of, generation=1)
        store.open(1)
        first = child._process
        assert first
        first.kill()
        first.wait()
        assert store.generation() is None
        with pytest.raises(StoreFailed):
            store.nearest(ALL[0], limit=1)
        store.open(1)
        assert store.nearest(ALL[0], limit=1) == [0]
        monkeypatch.setattr("index.chroma_child._QUERY_S", 0.2)
        second = child._process
        assert second
        psutil.Process(second.pid).suspend()
        with pytest.raises(StoreFailed, match="took longer than"):
            store.nearest(ALL[0], limit=1)
        assert second.poll() is not None
    finally:
        child.stop()


def test_full_disk_while_filling_is_told_and_the_old_store_stays(tmp_path: Path) -> None:
    child = ChromaChild()
    store = ChromaVectors(tmp_path / "chroma", child=child)
    try:
        store.fill(set(range(50)), vectors_of, generation=1)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        child.stop()
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, most))  # the child has it from us; one file fills the disk
        try:
            with pytest.raises((StoreFailed, OSError)):
                store.fill(set(range(2_000)), vectors_of, generation=2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert store.fault(1) == ""
        assert {path.name for path in tmp_path.iterdir()} == {"chroma", "chroma.lock"}
        store.fill(set(range(100)), vectors_of, generation=2)
        assert store.fault(2) == ""
    finally:
        child.stop()


ENDING = """
import os, signal, sys
from pathlib import Path
import numpy as np
from index.vectors import ChromaVectors
def vectors_of(keys):
    return np.array(keys), np.load(sys.argv[2])[keys]
for count in (999, 1000, 1001):
    ChromaVectors(Path(sys.argv[1]) / str(count) / "chroma").fill(set(range(count)), vectors_of, generation=1)
if sys.argv[3] != "exit":
    os.kill(os.getpid(), getattr(signal, sys.argv[3]))
"""


@pytest.mark.parametrize("ending", ["exit", "SIGTERM", "SIGKILL"])
def test_nothing_is_lost_however_the_process_ends_after_filling(tmp_path: Path, ending: str) -> None:
    np.save(tmp_path / "all.npy", ALL)
    for count in (999, 1_000, 1_001):
        (tmp_path / str(count)).mkdir()
    command = [sys.executable, "-c", ENDING, str(tmp_path), str(tmp_path / "all.npy"), ending]
    assert -subprocess.run(command, check=False).returncode == (0 if ending == "exit" else getattr(signal, ending))
    for count in (999, 1_000, 1_001):
        store = ChromaVectors(tmp_path / str(count) / "chroma")
        store.open(1)
        keys = [*range(0, count, 20), *range(count - 5, count)]
        assert reachable(store, keys) == keys
        assert not set(store.nearest(ALL[count], limit=20)) - set(range(count))
        store.close()


def test_rebuild_killed_half_way_leaves_the_old_store_and_is_made_again(tmp_path: Path, store: ChromaVectors) -> None:
    store.fill(set(range(50)), vectors_of, generation=0)
    for moment_s in (0.0, 0.5, 1.0):
        parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "chroma")], stdout=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("chroma.new-*/*/*.bin")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(moment_s)
        parent.kill()
        parent.communicate()
        assert list(tmp_path.glob("chroma.new-*"))
        assert (store.fault(0), store.fault(1)) == ("", "behind")
    store.fill(set(range(100)), vectors_of, generation=1)
    store.open(1)
    assert reachable(store, range(100)) == list(range(100))
    assert {path.name for path in tmp_path.iterdir()} == {"chroma", "chroma.lock"}


PARENT = """
import sys, time
from pathlib import Path
import numpy as np
from index.vectors import ChromaVectors, _CHILD
def vectors_of(keys):
    return np.array(keys), np.random.default_rng(1).normal(size=(len(keys), 256)).astype("f4")
store = ChromaVectors(Path(sys.argv[1]))
_CHILD.start()
print(_CHILD._process.pid, _CHILD.scratch(), flush=True)
store.fill(set(range(1_000_000)), vectors_of, generation=1)
"""


@pytest.mark.parametrize("moment_s", [0.0, 3.0])
def test_child_and_its_files_are_gone_soon_after_its_parent_was_killed(tmp_path: Path, moment_s: float) -> None:
    """Also while Chroma adds, during which no other thread of the child can run."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "chroma")], stdout=subprocess.PIPE)
    assert parent.stdout
    pid, scratch = parent.stdout.readline().decode().split(maxsplit=1)
    time.sleep(moment_s)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while (Path(scratch.strip()).exists() or psutil.pid_exists(int(pid))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(pid))
    assert not Path(scratch.strip()).exists()


def test_files_of_a_child_that_was_killed_with_all_around_it_are_deleted_by_the_next(tmp_path: Path) -> None:
    one, two, three = ChromaChild(), ChromaChild(), ChromaChild()
    try:
        for child in (one, two):
            child.open(tmp_path / "c", owner=tmp_path)
            child.close(tmp_path / "c")
        assert one._process
        for process in (*psutil.Process(one._process.pid).children(), one._process):
            process.kill()
        one._process.wait()
        three.start()
        assert (one._scratch and one._scratch.exists(), two.scratch().exists()) == (False, True)
    finally:
        for child in (one, two, three):
            child.stop()


def test_killed_between_the_two_renames_the_new_store_is_taken(store: ChromaVectors, tmp_path: Path) -> None:
    store.fill(set(range(50)), vectors_of, generation=1)
    (tmp_path / "chroma").rename(tmp_path / "chroma.new-1")
    shutil.copytree(tmp_path / "chroma.new-1", tmp_path / "chroma.old")

    def must_not_be_asked(keys: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        raise AssertionError

    store.fill(set(range(50)), must_not_be_asked, generation=1)
    assert store.fault(1) == ""
    assert {path.name for path in tmp_path.iterdir()} == {"chroma", "chroma.lock"}


def test_seal_notices_every_kind_of_change(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(bytes(100))
    (folder / "sub" / "b").write_bytes(b"b" * 3_000_000)
    write_seal(folder, generation=7, count=2)
    assert check_seal(folder).generation == copy_sealed(folder, tmp_path / "copy").generation == 7
    assert files(tmp_path / "copy") == {name: data for name, data in files(folder).items() if name != "seal.json"}

    def noticed(change: str) -> None:
        with pytest.raises(SealBroken):
            check_seal(tmp_path / "harmed")
        with pytest.raises(SealBroken):
            copy_sealed(tmp_path / "harmed", tmp_path / change)
        shutil.rmtree(tmp_path / "harmed")

    def harmed() -> Path:
        return Path(shutil.copytree(folder, tmp_path / "harmed"))

    (harmed() / "a").write_bytes(bytes(99) + b"\1")
    noticed("flipped")
    os.truncate(harmed() / "sub" / "b", 2_999_999)
    noticed("truncated")
    (harmed() / "a").unlink()
    noticed("deleted")
    seal = harmed() / "seal.json"
    seal.write_text(seal.read_text().replace('"generation": 7', '"generation": 8'))
    noticed("seal")
    seal = harmed() / "seal.json"
    seal.write_text(seal.read_text().replace('"chromadb": "', '"chromadb": "9.'))
    noticed("version")
    (harmed() / "c").touch()
    with pytest.raises(SealBroken, match="added"):
        check_seal(tmp_path / "harmed")
