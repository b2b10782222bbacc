"""A backup brings the same library back, and nothing that is not a whole backup of ours is brought back."""

import hashlib
import json
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeEmbedder, Run

from index import backup as module
from index.backup import backup, restore
from index.errors import BadBackup, FonteError, LibraryMissing
from index.library import Library
from index.types import Document
from index.vectors import ChromaVectors

WORDS = ["mulino", "fiume", "pane", "vento", "pietra", "torre", "grano", "ponte", "notte", "estate"]


@pytest.fixture(autouse=True)
def no_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChromaVectors, "fill", lambda *_, **__: None)
    monkeypatch.setattr(ChromaVectors, "warm", lambda self: None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two collections."""
    with Library.open(tmp_path / "data", FakeEmbedder(), create=True) as library:
        library.add_documents(document(i) for i in range(100))
    with Library.open(tmp_path / "data" / "collections" / "notes", FakeEmbedder(), create=True) as library:
        library.add_documents([Document("n", "Un appunto.", pages=(0,), author="Anna", published="2024-03-01")])
    return tmp_path / "data"


def document(i: int) -> Document:
    return Document(f"d{i}", f"Il {WORDS[i % 10]} e il {WORDS[i // 10 % 10]} di nome x{i}.", title=f"Titolo {i}")


def answers(folder: Path) -> list[list[tuple[str, float, str]]]:
    with Library.open(folder, FakeEmbedder()) as library:
        found = [library.search(f"Dove sta {WORDS[i % 10]} x{i}?", k=5) for i in range(100)]
        return [[(p.chunk.id, p.score, p.document.title) for p in passages] for passages in found]


def test_restored_library_gives_the_same_passages_to_100_questions(data: Path, tmp_path: Path) -> None:
    """Also where it is restored elsewhere, and every collection."""
    file = tmp_path / "fonte.backup"
    saved = backup(data, file)
    assert [(one.name, one.documents, one.embedder) for one in saved] == [
        ("default", 100, "fake"),
        ("notes", 1, "fake"),
    ]
    before = answers(data)
    assert restore(file, tmp_path / "elsewhere") == saved
    identical = sum(a == b for a, b in zip(before, answers(tmp_path / "elsewhere"), strict=True))
    print(f"\nbackup and restore: {identical} of 100 answers identical")
    assert identical == 100
    for folder in (data, tmp_path / "elsewhere"):
        with Library.open(folder / "collections" / "notes", FakeEmbedder()) as library:
            assert (library.document("n").author, library.documents()[0].published) == ("Anna", "2024-03-01")
    assert file.stat().st_mode & 0o77 == 0
    assert {path.name for path in tmp_path.iterdir()} == {"data", "elsewhere", "fonte.backup"}


def test_backup_taken_while_another_adds_is_of_one_moment(data: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    errors: list[BaseException] = []

    def add() -> None:
        try:
            with Library.open(data, FakeEmbedder()) as library:
                number = 1_000
                while not stop.is_set():
                    library.add_documents([document(number % 100 + 1_000), document(number % 7)])
                    number += 1
        except BaseException as error:
            errors.append(error)

    adding = threading.Thread(target=add)
    adding.start()
    try:
        for i in range(8):
            backup(data, tmp_path / f"{i}.backup")
    finally:
        stop.set()
        adding.join()
    assert not errors
    for i in range(8):
        (saved, _) = restore(tmp_path / f"{i}.backup", tmp_path / f"restored{i}")
        with Library.open(tmp_path / f"restored{i}", FakeEmbedder()) as library:
            assert len(library.documents()) == saved.documents >= 100
            assert all(library.document(row.id).text for row in library.documents())


def test_file_that_is_there_is_only_written_over_when_told(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "fonte.backup"
    file.write_text("my novel")
    with pytest.raises(FonteError, match="there already: choose another name, or write over it with --force"):
        backup(data, file)
    assert file.read_text() == "my novel"
    assert backup(data, file, force=True)


def test_backup_that_cannot_be_written_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FonteError, match=r"no/such/folder.*cannot be written: No such file or directory"):
        backup(data, tmp_path / "no" / "such" / "folder" / "x")
    with pytest.raises(LibraryMissing, match="fonte add"):
        backup(tmp_path / "nothing", tmp_path / "x")


def test_restoring_never_touches_what_is_there(data: Path, tmp_path: Path) -> None:
    backup(data, tmp_path / "b")
    with pytest.raises(FonteError, match=r"There is a library at .* already: restore into another folder with --data"):
        restore(tmp_path / "b", data)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(FonteError, match="is not empty"):
        restore(tmp_path / "b", other)
    assert [path.name for path in other.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    assert restore(tmp_path / "b", tmp_path / "empty")


def rewritten(file: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> Path:
    """Return another backup: `change` alters the manifest and the contents by name."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents.pop("manifest.json"))
    change(manifest, contents)
    other = file.with_suffix(".changed")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, content in contents.items():
            archive.writestr(name, content)
    return other


def sealed(manifest: dict[str, Any], contents: dict[str, bytes], content: bytes) -> None:
    """Put `content` in place of the first catalog, with the right hash."""
    contents["default/catalog.sqlite"] = content
    manifest["collections"][0] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def with_trigger(content: bytes, folder: Path) -> bytes:
    file = folder / "trigger.sqlite"
    file.write_bytes(content)
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TRIGGER t AFTER DELETE ON texts BEGIN DELETE FROM documents; END")
        database.commit()
    return file.read_bytes()


NOTES = "notes/catalog.sqlite"
HOSTILE: dict[str, tuple[Callable[[dict[str, Any], dict[str, bytes], Path], object], str]] = {
    "name that leads elsewhere": (lambda m, c, f: m["collections"][1].update(name="../../evil"), "cannot name"),
    "absolute name": (lambda m, c, f: m["collections"][1].update(name="/tmp/evil"), "cannot name"),
    "the same name twice": (lambda m, c, f: m["collections"][1].update(name="default"), "twice"),
    "no collections": (lambda m, c, f: m.update(collections=[]), "no collections"),
    "another shape": (lambda m, c, f: m.update(collections=[{"name": 1}]), "not a backup of fonte"),
    "a list": (lambda m, c, f: m.update(collections=7), "not a backup of fonte"),
    "newer format": (lambda m, c, f: m.update(format=99), "newer fonte: upgrade"),
    "newer schema": (lambda m, c, f: m["collections"][0].update(schema=99), "newer fonte: upgrade"),
    "missing collection": (lambda m, c, f: c.pop(NOTES), "lacks the collection notes"),
    "changed byte": (lambda m, c, f: c.update({NOTES: c[NOTES][:-1] + b"\x01"}), "damaged"),
    "longer than it says": (lambda m, c, f: c.update({NOTES: c[NOTES] + bytes(1 << 24)}), "more than it says"),
    "larger than the disk": (lambda m, c, f: m["collections"][0].update(bytes=1 << 60), "disk is full"),
    "no catalog inside": (lambda m, c, f: sealed(m, c, b"not a database" * 999), "cannot be used"),
    "catalog with a trigger": (
        lambda m, c, f: sealed(m, c, with_trigger(c["default/catalog.sqlite"], f)), "it has a trigger"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_whole_backup_of_ours_is_refused_and_nothing_is_written(
    data: Path, tmp_path: Path, what: str
) -> None:
    backup(data, tmp_path / "good.backup")
    change, told = HOSTILE[what]
    bad = rewritten(tmp_path / "good.backup", lambda manifest, contents: change(manifest, contents, tmp_path) and None)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(FonteError, match=told):
        restore(bad, tmp_path / "into" / "here")
    assert set(tmp_path.rglob("*")) - before <= {tmp_path / "into"}
    assert not (tmp_path / "evil").exists()


def test_truncated_backup_is_refused_at_every_length(data: Path, tmp_path: Path) -> None:
    file, part = tmp_path / "b", tmp_path / "part"
    backup(data, file)
    whole = file.read_bytes()
    tries = 50
    for i in range(tries):
        part.write_bytes(whole[: len(whole) * i // tries])
        with pytest.raises(BadBackup, match="not a whole backup"):
            restore(part, tmp_path / "into")
        assert not (tmp_path / "into").exists()
    print(f"\ntruncated backups: {tries} tried, {tries} refused, 0 failures in {tries}: at most {3 / tries:.0%}")


def test_full_disk_leaves_the_old_backup(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "b"
    backup(data, file)
    old = file.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_copied", full)
    with pytest.raises(FonteError, match="cannot be written: No space left on device"):
        backup(data, file, force=True)
    assert file.read_bytes() == old
    assert {path.name for path in tmp_path.iterdir()} == {"data", "b"}


def test_backup_and_restore_on_the_command_line(run: Run, docs: Path, tmp_path: Path) -> None:
    assert run("add", "docs").code == 0
    assert run("backup", "my.backup").out == "default: 1 documents, 1 passages, embedder fake\n"
    again = run("backup", "my.backup")
    assert (again.code, again.err) == (
        1, "fonte: my.backup is there already: choose another name, or write over it with --force\n"
    )  # fmt: skip
    assert run("restore", "my.backup", "--data", "elsewhere").code == 0
    assert "mill.txt" in run("list", "--data", "elsewhere").out
    refused = run("restore", "my.backup")
    assert (refused.code, "There is a library" in refused.err) == (1, True)
    missing = run("restore", "no.backup", "--data", "third")
    assert missing.err == "fonte: no.backup does not exist: give the file that fonte backup wrote\n"
    shutil.rmtree(tmp_path / "elsewhere")
