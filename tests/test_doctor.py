"""What is wrong is told in plain words, mended where it can be, and named where it cannot."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import FakeEmbedder, Run
from filelock import FileLock

from index.doctor import examine
from index.embed import Embedder
from index.errors import FonteError
from index.library import Library
from index.salvage import repair
from index.types import Document
from index.vectors import ChromaVectors


@pytest.fixture(autouse=True)
def no_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChromaVectors, "fill", lambda *_, **__: None)
    monkeypatch.setattr(ChromaVectors, "warm", lambda self: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library of eight files and forty documents that came from none."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for i in range(8):
        (docs / f"{i}.txt").write_text(f"Il mulino x{i} macina il grano del vicino. " * 40)
    with Library.open(tmp_path / "data", FakeEmbedder(), create=True) as library:
        library.add([docs])
        library.add_documents(Document(f"d{i:02}", f"Il ponte y{i} sul fiume. " * 60) for i in range(40))
    return tmp_path / "data"


def no_embedder() -> Embedder:
    raise AssertionError("no embedder is needed")


def texts(folder: Path) -> dict[str, str]:
    with Library.open(folder, FakeEmbedder()) as library:
        assert library.search("mulino e ponte", k=1)
        return {row.id: library.document(row.id).text for row in library.documents()}


def told(folder: Path) -> str:
    return "\n".join(finding.text for finding in examine(folder).findings)


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "catalog.sqlite", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_sound_library_is_told_to_be_sound_and_nothing_is_changed(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    health = examine(folder)
    assert health.sound
    assert health.tidy
    assert [finding.text for finding in health.findings][:2] == [
        "The catalog can be read: 48 documents, 96 passages, fake", "Every document is whole"
    ]  # fmt: skip
    assert {path: path.read_bytes() for path in before} == before


DAMAGE = {
    "text changed": ("UPDATE texts SET text = replace(text, 'mulino', 'molino') WHERE document_id = '3.txt'", "3.txt"),
    "title changed": ("UPDATE documents SET title = 'x' WHERE id = '3.txt'", "3.txt"),
    "text missing": ("DELETE FROM texts WHERE document_id = '3.txt'", "3.txt"),
    "passage moved": ("UPDATE chunks SET start_offset = start_offset + 1 WHERE document_id = 'd07'", "d07"),
    "vector changed": ("UPDATE vectors SET vector = zeroblob(length(vector)) WHERE key = 90", "d"),
    "vector cut off": ("UPDATE vectors SET vector = substr(vector, 1, 8) WHERE key = 90", "d"),
    "vectors of sentences changed": ("UPDATE windows SET vectors = zeroblob(length(vectors)) WHERE key = 90", "d"),
    "vector missing": ("DELETE FROM vectors WHERE key = 90", "d"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_document_is_named_and_mended(folder: Path, what: str) -> None:
    """From the text that is stored where that is whole, else from the file, which still has the same content."""
    statement, named = DAMAGE[what]
    before = texts(folder)
    change(folder, statement)
    health = examine(folder)
    assert not health.sound
    assert len(health.damaged) == 1
    assert health.damaged[0].startswith(named)
    assert "1 documents are damaged" in told(folder)
    report = repair(health, FakeEmbedder)
    assert (report.mended, report.lost) == ([health.damaged[0]], [])
    assert texts(folder) == before
    assert examine(folder).sound


def test_document_that_cannot_be_saved_is_named_and_taken_out(folder: Path, tmp_path: Path) -> None:
    before = texts(folder)
    change(folder, "UPDATE texts SET text = text || '!' WHERE document_id IN ('d05', '2.txt', '3.txt')")
    (tmp_path / "docs" / "2.txt").write_text("something else")
    report = repair(examine(folder), FakeEmbedder)
    assert (sorted(report.lost), report.mended) == (["2.txt", "d05"], ["3.txt"])
    assert texts(folder) == {id: text for id, text in before.items() if id not in ("d05", "2.txt")}
    assert examine(folder).sound


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM lexical WHERE rowid = 7", "DELETE FROM lexical_data WHERE id > 10", "DELETE FROM lexical_content"],
)
def test_lexical_index_that_does_not_agree_is_made_again_without_an_embedder(folder: Path, statement: str) -> None:
    before = texts(folder)
    change(folder, statement)
    health = examine(folder)
    assert not health.sound
    assert "The lexical index does not agree with the documents" in told(folder)
    assert repair(health, no_embedder).lost == []
    assert texts(folder) == before
    assert examine(folder).sound


def flip(file: Path, chosen: random.Random, harm: str) -> None:
    with file.open("r+b") as raw:
        size = raw.seek(0, 2)
        if harm == "truncated":
            raw.truncate(chosen.randrange(size // 2, size))
            return
        for _ in range(chosen.choice((1, 8, 64)) if harm == "bits" else 1):
            at = chosen.randrange(4096, size)
            raw.seek(at if harm == "bits" else at - at % 4096)
            byte = raw.read(1)
            raw.seek(-1, 1)
            raw.write(bytes([byte[0] ^ 1 << chosen.randrange(8)]) if harm == "bits" else bytes(4096))


def test_catalog_with_damaged_pages_is_saved_as_far_as_it_can_be_read(folder: Path, tmp_path: Path) -> None:
    """Bits flipped, a page of zeros, the end cut off: 30 times. What is there afterwards is right, the rest named."""
    before = texts(folder)
    saved = unnoticed = looked_at = 0
    tries = 30
    for i in range(tries):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        (copy / "chroma").mkdir()
        flip(copy / "catalog.sqlite", random.Random(i), ("bits", "page", "truncated")[i % 3])
        health = examine(copy)
        if health.sound:  # where nothing is stored, or nothing that matters
            unnoticed += 1
            assert texts(copy) == before
            continue
        try:
            report = repair(health, FakeEmbedder)
        except FonteError as error:
            assert "Nothing can be read" in str(error)
            continue
        assert examine(copy).sound, i
        assert not (copy / "chroma").exists()  # whose keys are of no passage any more
        after = texts(copy)
        assert all(before[document_id] == text for document_id, text in after.items()), i
        missing = before.keys() - after.keys()
        assert missing <= set(report.lost) or any("could not be read" in done for done in report.done), i
        if not health.readable:
            assert (copy / "catalog.damaged-1.sqlite").exists()
        if i % 3 < 2:  # of a file that was cut off little may be left
            saved, looked_at = saved + len(after), looked_at + len(before)
    share = saved / looked_at
    print(
        f"\ndamaged catalogs: {tries} tried, {unnoticed} unharmed, 0 wrong texts in {tries}: at most {3 / tries:.0%}; "
        f"{share:.0%} of the documents saved where the file was not cut off"
    )
    assert share > 0.7


def test_document_added_after_a_repair_was_cut_off_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the repair had made is then of an earlier state, and may not take the place of the catalog."""

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    before = texts(folder)
    change(folder, "DELETE FROM vectors WHERE key = 90")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("index.salvage.replace_content", cut_off)
        repair(examine(folder), FakeEmbedder)
    with Library.open(folder, FakeEmbedder()) as library:
        library.add_documents([Document("late", "Tardi.")])
    repair(examine(folder), FakeEmbedder)
    assert texts(folder) == before | {"late": "Tardi."}
    assert examine(folder).sound


@pytest.mark.parametrize("content", [b"not a database at all" * 1000, b""])
def test_catalog_of_which_nothing_can_be_read_is_left_alone(folder: Path, content: bytes) -> None:
    for path in folder.glob("catalog.sqlite*"):
        path.write_bytes(content)
    health = examine(folder)
    assert "The catalog is damaged" in told(folder)
    with pytest.raises(
        FonteError, match=r"Nothing can be read of .*: bring a backup back with fonte restore, or delete"
    ):
        repair(health, FakeEmbedder)
    assert (folder / "catalog.sqlite").read_bytes() == content


@pytest.mark.parametrize("name", ["catalog.part", "catalog.read.part", "chroma.part"])
def test_what_was_left_over_is_named_and_deleted(folder: Path, name: str) -> None:
    (folder / name).write_text("half")
    health = examine(folder)
    assert health.sound
    assert f"{name} was left over" in told(folder)
    repair(health, no_embedder)
    assert not (folder / name).exists()


def test_vector_store_that_somebody_makes_just_now_is_not_left_over(folder: Path) -> None:
    (folder / "chroma.new-1").mkdir()
    with FileLock(folder / "chroma.lock"):
        assert "left over" not in told(folder)
    assert "chroma.new-1 was left over" in told(folder)


def test_library_that_others_may_read_is_told(folder: Path) -> None:
    assert "Other users" not in told(folder)
    folder.chmod(0o755)
    assert f"Other users of this computer may read the library: chmod -R go= {folder}" in told(folder)


def test_library_in_use_is_told(folder: Path) -> None:
    from index.access import locked

    with locked(folder):
        assert "Another process is writing to the library just now" in told(folder)


def test_damaged_vector_store_is_told_and_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with Library.open(folder, FakeEmbedder()) as library:
        assert library.wait_for_store(60)
    assert "The vector store agrees with the documents" in told(folder)
    (folder / "chroma" / "chroma.sqlite3").write_bytes(b"damage")
    health = examine(folder)
    assert not health.sound
    assert "The vector store is damaged (chroma.sqlite3)" in told(folder)
    repair(health, no_embedder)
    with Library.open(folder, FakeEmbedder()) as library:
        assert library.wait_for_store(60)
    assert examine(folder).sound


def test_doctor_on_the_command_line_looks_at_every_collection(run: Run, docs: Path, tmp_path: Path) -> None:
    assert run("add", "docs").code == 0
    assert run("add", "docs", "--collection", "notes").code == 0
    sound = run("doctor")
    assert (sound.code, sound.err) == (0, "")
    assert "default: sound\n" in sound.out
    assert "notes: sound\n" in sound.out
    change(tmp_path / ".fonte" / "collections" / "notes", "DELETE FROM vectors")
    wrong = run("doctor")
    assert wrong.code == 1
    assert "notes: not sound\n" in wrong.out
    assert "! 1 documents are damaged: mill.txt (vectors are missing). Mend them: fonte doctor --repair" in wrong.out
    assert wrong.err == "fonte: 1 of 2 collections are not sound; the lines with ! say what to do\n"
    mended = run("doctor", "--repair")
    assert (mended.code, "embedded again: mill.txt" in mended.err) == (0, True)
    assert run("doctor").code == 0
    nothing = run("doctor", "--data", "nowhere")
    assert (nothing.code, "No library at ./nowhere yet" in nothing.err) == (1, True)
