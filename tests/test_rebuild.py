"""The library made anew from its own texts: for another embedder, for an earlier schema."""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from conftest import FakeEmbedder, Run

from index.doctor import examine
from index.embed import Vectors
from index.errors import FonteError, LibraryMismatch
from index.library import Library
from index.rebuild import NEW_CATALOG, rebuild
from index.types import Document
from index.vectors import ChromaVectors

OTHER = FakeEmbedder(name="other", fingerprint="other-1", dimension=32)
# The schema of the first release, and the one after it.
SCHEMA_1 = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, title TEXT NOT NULL, source TEXT NOT NULL, language TEXT NOT NULL,
    published TEXT NOT NULL, outlet TEXT NOT NULL, author TEXT NOT NULL, pages TEXT NOT NULL, sha256 TEXT NOT NULL,
    origin TEXT NOT NULL
);
CREATE TABLE chunks (
    key INTEGER PRIMARY KEY AUTOINCREMENT, document_id TEXT NOT NULL REFERENCES documents (id), id TEXT NOT NULL,
    start_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL, page INTEGER, heading TEXT NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document_id);
CREATE TABLE vectors (key INTEGER PRIMARY KEY REFERENCES chunks (key), vector BLOB NOT NULL);
CREATE VIRTUAL TABLE lexical USING fts5 (title, terms, stems, tokenize = "unicode61 remove_diacritics 0");
"""


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChromaVectors, "fill", lambda *_, **__: None)
    monkeypatch.setattr(ChromaVectors, "warm", lambda self: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    for i in range(8):
        (docs / f"{i}.txt").write_text(f"Titolo {i}\n\n" + f"Il mulino x{i} macina il grano. " * 30)
    with Library.open(tmp_path / "data", FakeEmbedder(), create=True) as library:
        library.add([docs])
        library.add_documents([Document("d", "Un ponte.", author="Anna", pages=(0, 3), published="2024-03-01")])
    return tmp_path / "data"


def content(folder: Path, embedder: FakeEmbedder) -> list[tuple[object, ...]]:
    with Library.open(folder, embedder) as library:
        return [(library.document(row.id), row.origin) for row in library.documents()]


def test_another_embedder_keeps_documents_and_metadata(folder: Path) -> None:
    before = content(folder, FakeEmbedder())
    report = rebuild(folder, OTHER)
    assert (report.documents, report.was) == (9, "fake")
    assert content(folder, OTHER) == before
    with Library.open(folder, OTHER) as library:
        assert (library.settings["embedder_name"], library.settings["dimension"]) == ("other", "32")
        assert "3.txt" in {passage.document.id for passage in library.search("x3", k=9)}
        assert len(library.add([folder.parent / "docs"]).unchanged) == 8
    assert examine(folder).sound
    with pytest.raises(
        LibraryMismatch, match="built with the embedder other, not fake: use --embedder other, or build"
    ):
        Library.open(folder, FakeEmbedder())


def test_damaged_text_does_not_pass_for_whole_in_the_new_library(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database, database:
        database.execute("UPDATE texts SET text = replace(text, 'mulino', 'molino') WHERE document_id = '3.txt'")
    with pytest.raises(FonteError, match=r"is damaged \(document 3\.txt: its text .*: .* fonte doctor --repair"):
        rebuild(folder, OTHER)
    assert examine(folder).damaged == ("3.txt",)


def test_open_reader_goes_on_and_then_says_what_has_changed(folder: Path) -> None:
    with Library.open(folder, FakeEmbedder()) as reader:
        with reader._catalog.reading():  # in the middle of a search, so to speak
            assert len(reader) == 17
            rebuild(folder, FakeEmbedder(name="other", fingerprint="other-1"))
            assert reader.document("d").text == "Un ponte."
            assert reader.settings["embedder_name"] == "fake"
        with pytest.raises(LibraryMismatch, match="fonte rebuild --embedder fake"):
            reader.search("mulino")


class InterruptedEmbedder(FakeEmbedder):
    """Is interrupted at the second batch, as by Ctrl-C; counts what it embedded."""

    def __init__(self, *, at: int) -> None:
        super().__init__(name="other", fingerprint="other-1", dimension=32)
        self.at = at
        self.embedded = 0

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.at -= 1
        if self.at == 0:
            raise KeyboardInterrupt
        self.embedded += len(texts)
        return super().embed_passages(texts)


def test_interrupted_rebuild_leaves_the_old_library_and_goes_on_next_time(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Library.open(folder, FakeEmbedder(), create=True) as library:
        library.add_documents(Document(f"d{i}", f"Frase {i} del mulino. " * 300) for i in range(10))
    before = content(folder, FakeEmbedder())
    with pytest.raises(KeyboardInterrupt):
        rebuild(folder, InterruptedEmbedder(at=2))
    assert content(folder, FakeEmbedder()) == before
    kept = len(content_of(folder / NEW_CATALOG))
    assert 0 < kept < 10
    assert "A rebuild was cut off" in str(examine(folder).findings)
    second, whole = InterruptedEmbedder(at=0), InterruptedEmbedder(at=0)
    rebuild(folder, second)
    rebuild(folder, whole)
    assert 0 < second.embedded < whole.embedded
    assert content(folder, OTHER) == before


def content_of(file: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT id FROM documents").fetchall()


def test_unfinished_rebuild_of_another_state_is_not_taken_up(folder: Path) -> None:
    """What was added or removed since is in the new library, or is not."""
    with pytest.raises(KeyboardInterrupt):
        rebuild(folder, InterruptedEmbedder(at=1))
    with Library.open(folder, FakeEmbedder()) as library:
        library.add_documents([Document("late", "Tardi.")])
        library.remove(["d"])
    rebuild(folder, OTHER)
    ids = {document.id for document, _ in content(folder, OTHER)}  # type: ignore[attr-defined]
    assert "late" in ids
    assert "d" not in ids


def as_schema_1(folder: Path) -> None:
    """Turn a library into one of the first release."""
    file, old = folder / "catalog.sqlite", folder / "old.sqlite"
    with closing(sqlite3.connect(old)) as database:
        database.executescript(SCHEMA_1)
        database.execute("ATTACH ? AS now", (str(file),))
        database.execute("INSERT INTO settings SELECT name, value FROM now.settings")
        database.execute("UPDATE settings SET value = '1' WHERE name = 'schema'")
        database.execute(
            "INSERT INTO documents SELECT id, text, title, source, language, published, outlet, author, pages, sha256, "
            "origin FROM now.documents JOIN now.texts ON document_id = id"
        )
        database.execute(
            "INSERT INTO chunks SELECT key, document_id, id, start_offset, end_offset, page, heading FROM now.chunks"
        )
        database.execute("INSERT INTO vectors SELECT key, vector FROM now.vectors")
        database.commit()
        database.execute("PRAGMA journal_mode = WAL")
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    old.replace(file)


def test_library_of_the_first_release_is_told_and_brought_up_to_date(folder: Path, tmp_path: Path) -> None:
    before = content(folder, FakeEmbedder())
    as_schema_1(folder)
    with pytest.raises(LibraryMismatch, match="made by an earlier fonte: bring it up to date with fonte rebuild"):
        Library.open(folder, FakeEmbedder())
    health = examine(folder)
    assert not health.sound
    assert "bring it up to date with fonte rebuild" in str(health.findings)
    rebuild(folder, FakeEmbedder())
    assert content(folder, FakeEmbedder()) == before
    assert examine(folder).sound


def test_catalog_with_pages_of_another_size_is_replaced_when_nobody_reads(folder: Path) -> None:
    before = content(folder, FakeEmbedder())
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA page_size = 8192")
        database.execute("VACUUM")
    rebuild(folder, OTHER)
    assert content(folder, OTHER) == before


def test_vector_store_is_made_anew_for_the_new_vectors(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with Library.open(folder, FakeEmbedder()) as library:
        assert library.wait_for_store(60)
    rebuild(folder, OTHER)
    with Library.open(folder, OTHER, exact_up_to=0) as library:
        assert library.wait_for_store(60)
        assert "5.txt" in {passage.document.id for passage in library.search("x5", k=9)}
    shutil.rmtree(folder)


def test_rebuild_on_the_command_line(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("add", "docs").code == 0
    monkeypatch.setattr("ui.app.load_embedder", lambda settings: OTHER)
    refused = run("search", "mill")
    assert (refused.code, "fonte rebuild --embedder other" in refused.err) == (1, True)
    assert run("rebuild", "--embedder", "other").out == "1 documents, 1 passages, made with other\n"
    assert "Borgo" in run("search", "mill").out
    missing = run("rebuild", "--collection", "nothing")
    assert (missing.code, "nothing" in missing.err) == (1, True)
