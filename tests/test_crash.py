"""Killed at any moment: what was reported is there, nothing is half there, and opening puts things right.

The kills are seeded: a failure names its job, and the same job dies at the same event again. Most leave the vector
store out, since making it takes seconds; `test_killed_while_the_vector_store_is_made` has the real one. FONTE_KILLS
says how many random moments (100 here, 1,000 under `make crash`); from 1,000 on every function of `index` that a change
passes through is a step, too.
"""

import json
import logging
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import FakeEmbedder
from crash_worker import text_of, without_chroma, word_of

from index.backup import restore
from index.doctor import examine
from index.library import Library
from index.rebuild import rebuild
from index.salvage import repair
from index.types import Document
from index.vectors import ChromaVectors

KILLS = int(os.environ.get("FONTE_KILLS", "100"))
LIVES = 10  # kills that one library goes through
EVENTS = 12_000  # about as many as a worker's steps have
OTHER = FakeEmbedder(name="other", fingerprint="other-1", dimension=32)

# What a kill may interrupt, by the function that does it; before is its call, after its return.
STEPS = {
    "creation of the library": "catalog.Catalog.create",
    "opening": "library.Library.open",
    "reading of a file": "load._Reader.read",
    "embedding": "add.Adding._embedded",
    "deletion of what is replaced": "catalog._delete",
    "insertion of a document": "catalog._insert_document",
    "end of the transaction": "catalog._advance",
    "commit": "catalog.Catalog.put",
    "commit of a removal": "catalog.Catalog.remove",
    "purge": "purge.purge",
    "search for stale bytes": "purge.has_stale_bytes",
    "cutting of the log": "purge._cut_log",
    "closing": "catalog.Catalog.close",
}


class Workers:
    """The program that forks workers, and what one library must hold after its worker died."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        self.folder = folder
        self.killed = 0

    def die(self, do: str, **job: Any) -> bool:
        """Let a worker do a job until it is killed; return whether it was, and did not end before."""
        told = {"do": do, "kill": {}, "chroma": False, "held": {}, "steps": 30} | job
        assert self._process.stdin and self._process.stdout
        print(json.dumps(told), file=self._process.stdin, flush=True)
        reply = json.loads(self._process.stdout.readline())
        self.killed += reply["killed"]
        return bool(reply["killed"])

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    workers = Workers(tmp_path_factory.mktemp("crash"))
    yield workers
    workers.close()


@pytest.fixture(autouse=True)
def no_chroma(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if "real_chroma" not in request.fixturenames:
        for name in ("fill", "warm"):
            monkeypatch.setattr(ChromaVectors, name, getattr(ChromaVectors, name))  # put back afterwards
        without_chroma()
        caplog.set_level(logging.ERROR, logger="index")  # that it is left out is no news


@pytest.fixture
def real_chroma() -> None:
    pass


class Life:
    """A library that is changed by workers, one after another, each of which is killed."""

    def __init__(self, workers: Workers, folder: Path) -> None:
        self.workers = workers
        self.folder = folder / "data"
        self.ledger = folder / "ledger"
        self.docs = folder / "docs"
        self.failed: list[str] = []
        self.held: dict[str, int] = {}  # by id, the version that was reported as added
        folder.mkdir()

    def die(self, name: str, **job: Any) -> bool:
        """Let a worker change the library until it is killed, and check what is left."""
        places = {"folder": str(self.folder), "ledger": str(self.ledger), "docs": str(self.docs)}
        self.ledger.unlink(missing_ok=True)
        killed = self.workers.die("work", job=name, held=self.held, **places, **job)
        notes = [json.loads(line) for line in self.ledger.read_text().splitlines()] if self.ledger.exists() else []
        self.failed = [note[1] for note in notes if note[0] == "failed"]
        assert "limit" in job or not self.failed, self.failed
        pending = self._replay(notes)
        self.check(pending, f"{name} {job}")
        return killed

    def check(self, pending: dict[str, int], told: str) -> None:
        """Compare the library with what was reported; what was `pending` may be done or not."""
        if not (self.folder / "catalog.sqlite").exists():
            assert not self.held, told
            return
        with Library.open(self.folder, FakeEmbedder()) as library:
            found = {row.id: version_in(library.document(row.id)) for row in library.documents()}
            changed = {i for i in found.keys() | self.held.keys() if found.get(i) != self.held.get(i)}
            assert changed <= pending.keys(), told
            assert all(found.get(i, 0) == pending[i] for i in changed), told
            if 0 in pending.values():  # a removal is done for all or for none
                assert changed in (set(), pending.keys()), told
            assert len(library) == sum(row.chunks for row in library.documents()), told
            for document_id in {*pending, *sorted(found)[:2]}:
                self.check_search(library, document_id, found.get(document_id, 0), told)
            check_contiguous(self.folder, told)
        health = examine(self.folder)
        assert health.sound, (told, health.findings)
        self.held = found

    def check_search(self, library: Library, document_id: str, version: int, told: str) -> None:
        name = document_id.removesuffix(".txt")
        old = self.held.get(document_id, 0)
        if version:
            found = [p for p in library.search(word_of(name, version), k=200) if p.document.id == document_id]
            exact = [p for p in found if word_of(name, version) in p.chunk.text]
            assert exact and all(p.scores["lexical"] > 0 for p in exact), told
            for chunk in (passage.chunk for passage in found):
                assert chunk.text == text_of(name, version)[chunk.start : chunk.end], told
        if old and old != version:
            assert all(word_of(name, old) not in p.chunk.text for p in library.search(word_of(name, old), k=5)), told

    def _replay(self, notes: list[list[Any]]) -> dict[str, int]:
        """Bring `held` up to what was reported, and return what was begun and not reported: 0 stands for removed."""
        pending: dict[str, int] = {}
        for kind, *what in notes:
            if kind == "begin":
                pending = what[1]
            elif kind == "done":
                self.held |= pending
                self.held = {i: version for i, version in self.held.items() if version}
                pending = {}
        return pending


def version_in(document: Document) -> int:
    """Return the version of a document that is whole."""
    name = document.id.removesuffix(".txt")
    version = int(document.text.split(" ", 1)[0].removeprefix(f"{name}versione"))
    assert document.text == text_of(name, version)
    return version


def check_contiguous(folder: Path, told: str) -> None:
    """Every document is cut into passages once: the end of one is the beginning of the next."""
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database:
        query = "SELECT sum(end_offset - start_offset), characters FROM chunks JOIN documents ON documents.id = "
        for covered, characters in database.execute(query + "document_id GROUP BY document_id"):
            assert covered == characters, told


def tell(what: str, tried: int) -> None:
    print(f"\n{what}: {tried} kills, 0 failures in {tried}: at most {3 / tried:.3%}")


def test_killed_at_random_moments_loses_nothing(workers: Workers, tmp_path: Path) -> None:
    """Killed at random while adding, changing and removing: half at a counted event, half after a time."""
    seed = int(os.environ.get("FONTE_SEED", "20"))
    chosen = random.Random(seed)
    killed = 0
    life = Life(workers, tmp_path / "0")
    for i in range(KILLS):
        if i % LIVES == 0:
            life = Life(workers, tmp_path / f"{i + 1}")
        kill = {"at": chosen.randrange(EVENTS)} if i % 2 else {"after_s": chosen.uniform(0, 0.5)}
        killed += life.die(f"seed {seed}, kill {i}", kill=kill)
    tell(f"random moments, seed {seed}", killed)
    assert killed > KILLS * 0.8


def steps_of(seen: list[str]) -> dict[str, str]:
    """Return the named steps, and for a long run every function that a change passes through."""
    kept = ("library", "add", "catalog", "access", "purge", "upkeep", "load", "origins")
    every = {name: name for name in seen if name.split(".")[0] in kept and "<locals>" not in name}
    assert set(STEPS.values()) <= every.keys()
    return every if KILLS >= 1_000 else STEPS


def test_killed_before_and_after_every_step_loses_nothing(workers: Workers, tmp_path: Path) -> None:
    life = Life(workers, tmp_path / "whole")
    assert not life.die("no kill", kill={})
    seen = json.loads(life.ledger.read_text().splitlines()[-1])[1]
    life = Life(workers, tmp_path / "steps")
    steps = [(name, step, event) for name, step in steps_of(seen).items() for event in ("call", "return")]
    missed = []
    for number, (name, step, event) in enumerate(steps):
        if step == STEPS["creation of the library"]:
            life = Life(workers, tmp_path / f"steps{number}")
        kill = {"step": step, "event": event}
        if not life.die(f"{name}, {event}", kill=kill):
            missed.append(name)
    assert len(missed) <= len(steps) // 10, missed
    tell(f"{len(steps) // 2} steps, before and after each", len(steps) - len(missed))


def version_of_copy(folder: Path) -> dict[str, int]:
    with Library.open(folder, FakeEmbedder()) as library:
        return {row.id: version_in(library.document(row.id)) for row in library.documents()}


def test_log_that_is_torn_by_a_power_cut_leaves_an_earlier_state(workers: Workers, tmp_path: Path) -> None:
    """Of the write-ahead log any tail may be missing after a power cut, or be zeros: what is left is a state that was.

    What was moved from the log into the file before is in every such state.
    """
    life = Life(workers, tmp_path / "life")
    job = {"folder": str(life.folder), "ledger": str(life.ledger), "docs": str(life.docs), "held": {}}
    kill = {"step": "catalog.Catalog.close", "event": "call"}
    assert workers.die("work", job="torn", kill=kill, steps=15, only_new=True, **job)
    states: list[dict[str, int]] = [{}]
    for kind, *what in map(json.loads, life.ledger.read_text().splitlines()):
        if kind == "begin":
            states.append(states[-1] | what[1])
    log = life.folder / "catalog.sqlite-wal"
    size = log.stat().st_size
    chosen = random.Random(4)
    found = []
    tries = max(20, KILLS // 5)
    for i in range(tries):
        torn = tmp_path / "torn"
        shutil.copytree(life.folder, torn)
        with (torn / log.name).open("r+b") as file:
            file.truncate(chosen.randrange(size))
            if i % 2:
                file.truncate(size)  # with zeros
        state = version_of_copy(torn)
        assert state in states
        assert examine(torn).sound
        found.append(states.index(state))
        shutil.rmtree(torn)
    assert len(set(found)) > 5
    print(f"\ntorn logs: {tries} tried, {tries} recovered, 0 failures in {tries}: at most {3 / tries:.1%}")


def filled(folder: Path, count: int = 6) -> dict[str, str]:
    texts = {f"d{i}": text_of(f"d{i}", i + 1) for i in range(count)}
    with Library.open(folder, FakeEmbedder(), create=True) as library:
        library.add_documents(Document(i, text, title=f"Titolo {i}") for i, text in texts.items())
    return texts


def texts_in(folder: Path, embedder: FakeEmbedder | None = None) -> dict[str, str]:
    with Library.open(folder, embedder or FakeEmbedder()) as library:
        return {row.id: library.document(row.id).text for row in library.documents()}


@pytest.fixture
def sample(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A library to copy, and its texts."""
    return tmp_path / "sample", filled(tmp_path / "sample")


def moments(of: tuple[str, ...]) -> list[dict[str, Any]]:
    steps = [{"step": step, "event": event} for step in of for event in ("call", "return")]
    return steps + [{"at": random.Random(f"{of}{i}").randrange(2_000)} for i in range(max(4, KILLS // 50))]


def test_killed_rebuild_leaves_the_old_library_or_the_new_one(
    workers: Workers, tmp_path: Path, sample: tuple[Path, dict[str, str]]
) -> None:
    """Killed while the library is made anew: the old one stays until the swap, and the next rebuild ends the work."""
    tried = 0
    for number, kill in enumerate(
        moments(
            ("rebuild.new_catalog", "catalog.Catalog.put", "rebuild.fill_origins", "rebuild.replace_content",
             "purge.delete_catalog")
        )
    ):  # fmt: skip
        original, texts = sample
        folder = shutil.copytree(original, tmp_path / str(number))
        ledger = tmp_path / "ledger"
        if not workers.die("rebuild", job=f"rebuild {number}", folder=str(folder), ledger=str(ledger), kill=kill):
            continue
        tried += 1
        with closing(sqlite3.connect(folder / "catalog.sqlite")) as database:
            built = dict(database.execute("SELECT name, value FROM settings"))["embedder"]
        assert texts_in(folder, FakeEmbedder() if built == "fake-1" else OTHER) == texts, kill
        assert rebuild(folder, OTHER).documents == len(texts)
        assert texts_in(folder, OTHER) == texts
        assert examine(folder).sound, kill
        assert not list(folder.glob("catalog.new*")), kill
    tell("rebuild", tried)
    assert tried > 8


def test_killed_backup_leaves_the_file_as_it_was(workers: Workers, tmp_path: Path) -> None:
    texts = filled(tmp_path / "data")
    file = tmp_path / "fonte.backup"
    file.write_bytes(b"the backup of last week")
    tried = 0
    for number, kill in enumerate(moments(("backup._save", "backup._copied", "purge.delete_catalog"))):
        ledger, before = str(tmp_path / "ledger"), file.read_bytes()
        job = {"folder": str(tmp_path / "data"), "ledger": ledger, "file": str(file)}
        if workers.die("backup", job=f"backup {number}", kill=kill, **job):
            tried += 1
            if file.read_bytes() != before:
                restore(file, tmp_path / f"restored{number}")
                assert texts_in(tmp_path / f"restored{number}") == texts
        assert texts_in(tmp_path / "data") == texts
    assert not workers.die("backup", job="backup", **job)
    assert {path.name for path in tmp_path.glob("fonte.backup*")} == {"fonte.backup"}
    tell("backup", tried)
    assert tried > 5


def test_killed_restore_leaves_all_or_nothing(workers: Workers, tmp_path: Path) -> None:
    from index.backup import backup

    texts = filled(tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "data" / "collections" / "other")
    file = tmp_path / "fonte.backup"
    backup(tmp_path / "data", file)
    tried = 0
    for number, kill in enumerate(moments(("backup._unpack", "backup._problem_of", "backup._put_in_place"))):
        target = tmp_path / f"restored{number}"
        job = {"folder": str(target), "ledger": str(tmp_path / "ledger"), "file": str(file)}
        tried += workers.die("restore", job=f"restore {number}", kill=kill, **job)
        if not target.exists():
            restore(file, target)
        assert texts_in(target) == texts_in(target / "collections" / "other") == texts
        assert not list(tmp_path.glob("*.restoring")) or number
    tell("restore", tried)
    assert tried > 5


def test_killed_repair_goes_on_next_time(workers: Workers, tmp_path: Path, sample: tuple[Path, dict[str, str]]) -> None:
    tried = 0
    for number, kill in enumerate(moments(("salvage._Salvage._save_documents", "salvage._kept_aside",
                                           "rebuild.fill_origins", "rebuild.sync_folder"))):  # fmt: skip
        original, texts = sample
        folder = shutil.copytree(original, tmp_path / str(number))
        damage_index(folder)
        job = {"folder": str(folder), "ledger": str(tmp_path / "ledger")}
        tried += workers.die("repair", job=f"repair {number}", kill=kill, **job)
        health = examine(folder)
        if not health.sound:
            assert repair(health, FakeEmbedder).lost == [], kill
        assert texts_in(folder) == texts, kill
        assert examine(folder).sound
    tell("repair", tried)
    assert tried > 5


def test_disk_that_is_full_is_told_and_loses_nothing(workers: Workers, tmp_path: Path) -> None:
    """Files may not grow beyond a size, at many sizes: each time one sentence, and nothing reported is lost."""
    life = Life(workers, tmp_path / "life")
    told = []
    tries = max(20, KILLS // 5)
    for i in range(tries):
        if i % 5 == 0:
            life = Life(workers, tmp_path / f"life{i}")
        life.die(f"full {i}", kill={}, limit=("FSIZE", random.Random(i).randrange(1_000, 400_000)), steps=40)
        told += life.failed
    assert len(told) > tries // 2
    assert all("disk" in sentence and sentence.startswith("FonteError: The ") for sentence in told), set(told)
    print(f"\ndisk full: {tries} tried, {len(told)} refused, 0 failures in {tries}: at most {3 / tries:.1%}")


def test_too_many_open_files_are_told_and_lose_nothing(workers: Workers, tmp_path: Path) -> None:
    life = Life(workers, tmp_path / "life")
    told = []
    for most in range(4, 24):
        life.die(f"files {most}", kill={}, limit=("NOFILE", most), steps=8)
        told += life.failed
    assert told
    assert all(re.match("FonteError|LibraryMissing|UnreadableFile", sentence) for sentence in told), set(told)
    print(f"\ntoo many files: 20 tried, {len(told)} refused, 0 failures in 20: at most 15%")


def damage_index(folder: Path) -> None:
    """Spoil the root page of the documents' index, so that SQLite finds the catalog malformed."""
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_documents_1'"
        (page,) = database.execute(query).fetchone()
    with (folder / "catalog.sqlite").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\x00" * 100)


def test_killed_while_the_vector_store_is_made(workers: Workers, tmp_path: Path, real_chroma: None) -> None:
    """Killed around the filling, sealing and renaming of the store: opening makes it right; no process is left over."""
    life = Life(workers, tmp_path / "life")
    kills = [
        {"step": "vectors.ChromaVectors._bring", "event": "return"},
        {"step": "seal.write_seal", "event": "return"},
        {"step": "vectors.ChromaVectors._take_place", "event": "call"},
        {"step": "vectors.ChromaVectors._take_place", "event": "return"},
    ] * max(1, KILLS // 500)
    for number, kill in enumerate(kills):
        assert life.die(f"chroma {number}", kill=kill, chroma=True), kill
        with Library.open(life.folder, FakeEmbedder(), exact_up_to=0) as library:
            assert library.wait_for_store(60), kill
            for document_id, version in list(life.held.items())[:3]:
                assert library.search(word_of(document_id, version), k=1)[0].document.id == document_id
        assert gone_within(10, f"chroma {number}"), kill
        assert {path.name for path in life.folder.glob("chroma*")} <= {"chroma", "chroma.lock"}
    tell("making the vector store", len(kills))


def gone_within(seconds: float, job: str) -> bool:
    """Whether no process of a job is alive any more, or soon will not be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(is_of(process, job) for process in psutil.process_iter()):
            return True
        time.sleep(0.1)
    return False


def is_of(process: psutil.Process, job: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get("FONTE_CRASH_JOB") == job
    except psutil.Error:
        return False
