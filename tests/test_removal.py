"""What is removed is gone from every byte of the data folder."""

import random
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEmbedder

from index.catalog import Catalog
from index.doctor import examine
from index.library import Library
from index.purge import has_stale_bytes
from index.rebuild import NEW_CATALOG
from index.salvage import repair
from index.terms import stems
from index.types import Chunk, Document
from index.vectors import ChromaVectors


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vector store gets keys and vectors only; `test_vector_store_holds_no_words` makes it."""
    monkeypatch.setattr(ChromaVectors, "fill", lambda *_, **__: None)
    monkeypatch.setattr(ChromaVectors, "warm", lambda self: None)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "data", FakeEmbedder(), create=True)


def marked(number: int, *, chosen: random.Random) -> Document:
    """Return a document that says its own words in every field and all over its text."""
    mark = f"zqx{number}k"
    words = [f"parola{chosen.randrange(900)}" for _ in range(chosen.choice((5, 80, 900)))]
    for place in range(0, len(words), 40):
        words.insert(place, f"{mark}corpo")
    return Document(
        f"d{number % 30}", f"# {mark}sezione\n\n" + " ".join(words) + ".", f"{mark}titolo", f"/docs/{mark}fonte.txt",
        "it", "2024-01-01", f"{mark}testata", f"{mark}autrice", sha256=f"{mark}hash",
    )  # fmt: skip


def left_in(folder: Path, words: Iterable[str]) -> list[str]:
    """Return those of `words`, or of their stems, that some file under `folder` holds."""
    raw = b"\n".join(path.read_bytes().lower() for path in folder.rglob("*") if path.is_file())
    looked_for = {word: [word, *stems(word, "it"), *stems(word, "en")] for word in words}
    return [word for word, forms in looked_for.items() if any(form.encode() in raw for form in forms)]


def test_removed_documents_leave_no_byte_behind(library: Library) -> None:
    """Removed and replaced at random, at once and in numbers: no marker in any file when the call has returned."""
    chosen = random.Random(3)
    live: dict[str, str] = {}
    gone: list[str] = []
    for step in range(40):
        if live and chosen.random() < 0.4:
            ids = chosen.sample(sorted(live), min(len(live), chosen.choice((1, 4))))
            library.remove(ids)
            gone += [live.pop(document_id) for document_id in ids]
        else:
            documents = [marked(10_000 + 20 * step + i, chosen=chosen) for i in range(chosen.choice((1, 5, 20)))]
            library.add_documents(documents)
            for document in documents:
                if document.id in live:
                    gone.append(live[document.id])
                live[document.id] = document.title.removesuffix("titolo")
        assert left_in(library.folder, gone) == []
    assert len(left_in(library.folder, live.values())) == len(live)
    print(f"\nremoved: {len(gone)} documents, 0 traces in {len(gone)}: at most {3 / len(gone):.2%}")
    assert len(gone) > 120


def test_stale_copies_of_moved_rows_are_taken_out(tmp_path: Path) -> None:
    """Where rows come and go, SQLite moves them between pages and leaves copies in what is unused of a page."""
    chosen = random.Random(3)
    file = tmp_path / "catalog.sqlite"
    Catalog.create(file, {})
    with closing(Catalog(file)) as catalog:
        for step in range(150):
            document = marked(10_000 + step, chosen=chosen)
            chunk = Chunk(f"{document.id}#", document.id, document.text, 0, len(document.text), None, document.title)
            catalog.put(document, [chunk], np.ones((1, 8), np.float32))
            if step % 3 == 2:
                catalog.remove([chosen.choice(catalog.rows()).id])
        assert has_stale_bytes(file)
        assert catalog.purge()
        assert not has_stale_bytes(file)


def test_single_rare_word_leaves_the_lexical_index(library: Library) -> None:
    library.add_documents([Document(f"d{i}", f"Il mulino numero {i} macina ancora il grano.") for i in range(30)])
    library.add_documents([Document("secret", "La parola segreta era ornitorinco.")])
    library.remove(["secret"])
    assert left_in(library.folder, ["ornitorinco", "segreta"]) == []
    assert left_in(library.folder, ["macina"])


def test_pruned_document_leaves_nothing(library: Library, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("Una frase con ornitorinco.\n")
    (docs / "b.txt").write_text("Una frase con mulino.\n")
    library.add([docs])
    (docs / "a.txt").unlink()
    library.add([docs], prune=True)
    assert left_in(library.folder, ["ornitorinco"]) == []


def test_removal_while_another_process_reads_is_finished_when_the_library_is_opened(library: Library) -> None:
    """A reader in the middle of a search keeps the log from being cut off; who opens the library next does it."""
    library.add_documents([Document("secret", "La parola era ornitorinco."), Document("other", "Il mulino.")])
    library._catalog._database.execute("PRAGMA busy_timeout = 100")
    with closing(sqlite3.connect(library.folder / "catalog.sqlite", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM texts").fetchone() == (2,)
        library.remove(["secret"])
        assert reader.execute("SELECT count(*) FROM texts").fetchone() == (2,)
    assert left_in(library.folder, ["ornitorinco"])
    health = examine(library.folder)
    assert not health.sound
    assert "Words of removed documents are still in the file" in str(health.findings)
    Library.open(library.folder, FakeEmbedder()).close()
    assert left_in(library.folder, ["ornitorinco"]) == []
    assert examine(library.folder).sound


def test_doctor_takes_out_what_a_reader_kept_in(library: Library) -> None:
    library.add_documents([Document("secret", "La parola era ornitorinco."), Document("other", "Il mulino.")])
    library._catalog._database.execute("PRAGMA busy_timeout = 100")
    with closing(sqlite3.connect(library.folder / "catalog.sqlite", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM texts").fetchone()
        library.remove(["secret"])
    repair(examine(library.folder), FakeEmbedder)
    assert left_in(library.folder, ["ornitorinco"]) == []


def test_unfinished_copy_of_the_library_goes_with_what_is_removed(library: Library) -> None:
    library.add_documents([Document("secret", "La parola era ornitorinco.")])
    (library.folder / NEW_CATALOG).write_text("half of a rebuild, with ornitorinco")
    library.remove(["secret"])
    assert left_in(library.folder, ["ornitorinco"]) == []


def test_stale_bytes_of_a_page_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE a (b TEXT)")
        database.execute("INSERT INTO a VALUES ('something')")
        database.commit()
    assert not has_stale_bytes(file)
    with file.open("r+b") as raw:
        raw.seek(4096 + 2000)  # the middle of the table's page
        raw.write(b"ornitorinco")
    assert has_stale_bytes(file)


def test_vector_store_holds_no_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with Library.open(tmp_path / "data", FakeEmbedder(), create=True) as library:
        library.add_documents(marked(i, chosen=random.Random(i)) for i in range(5))
        assert library.wait_for_store(60)
        files = [path for path in (library.folder / "chroma").rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if re.search(rb"zqx\d|parola\d", path.read_bytes())]


def test_clock_that_jumps_back_changes_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither order nor identity comes from the clock, so that setting it back or into 2038 does no harm."""
    for number, now in enumerate((2_200_000_000.0, 0.0, 951_782_400.0)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        library.add_documents([Document(f"d{number}", f"Il mulino numero {number}.")])
        library.add_documents([Document("same", f"Versione numero {number}.")])
    assert {row.id for row in library.documents()} == {"d0", "d1", "d2", "same"}
    assert library.document("same").text == "Versione numero 2."
    assert examine(library.folder).sound
