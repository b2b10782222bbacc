"""The library as its users see it: nothing lost, nothing half done, everything told in a sentence."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEmbedder

from index.catalog import Catalog
from index.chroma_child import ChromaChild
from index.embed import Vectors
from index.errors import BadQuestion, FonteError, LibraryBusy, LibraryMismatch, LibraryMissing
from index.library import Library, Progress
from index.types import Chunk, Document

CEO = "Christian Laforte e Shan Shan Wong sono co-CEO ad interim.\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for name, text in {
        "ceo.txt": CEO,
        "weather.txt": "It rained for three days over the northern hills.\n",
        "sub/recipe.md": "# Ricetta\n\nSi mescolano farina, uova e zucchero.\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def library(tmp_path: Path, fake_embedder: FakeEmbedder) -> Library:
    return Library.open(tmp_path / "data", fake_embedder, create=True)


def ids(library: Library) -> list[str]:
    return [row.id for row in library.documents()]


def fill(library: Library, count: int) -> None:
    library.add_documents(Document(f"d{i:03}", f"Documento {i} parla di cosa{i}.", language="it") for i in range(count))


def test_question_finds_its_passage_with_exact_offsets(library: Library, docs: Path) -> None:
    report = library.add([docs])
    assert sorted(report.added) == ["ceo.txt", "sub/recipe.md", "weather.txt"]
    assert report.chunks == len(library) == 3
    first, *others = library.search("Chi sono i co-CEO?", k=3)
    assert (first.document.id, first.rank, first.chunk.text) == ("ceo.txt", 1, CEO)
    assert first.chunk.text == first.document.text[first.chunk.start : first.chunk.end]
    assert first.scores["lexical"] > 0
    assert [passage.rank for passage in others] == [2, 3]
    assert first.score >= others[0].score >= others[1].score


def test_adding_again_does_nothing_and_a_changed_file_replaces_its_old_self(library: Library, docs: Path) -> None:
    library.add([docs])
    before = library.fingerprint
    assert sorted(library.add([docs]).unchanged) == ["ceo.txt", "sub/recipe.md", "weather.txt"]
    assert library.fingerprint == before
    (docs / "ceo.txt").write_text("Prem Akkaraju guida la società.\n")
    report = library.add([docs])
    assert (report.added, report.replaced, len(report.unchanged)) == ((), ("ceo.txt",), 2)
    assert library.fingerprint != before
    assert "Laforte" not in " ".join(passage.document.text for passage in library.search("Laforte", k=10))
    assert library.document("ceo.txt").text.startswith("Prem")


def test_same_content_under_another_name_is_another_document(library: Library, docs: Path) -> None:
    (docs / "copy.txt").write_text(CEO)
    library.add([docs])
    assert {"ceo.txt", "copy.txt"} <= set(ids(library))


def test_id_gets_longer_only_where_two_files_would_collide(library: Library, docs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "ceo.txt").write_text("Un altro testo.\n")
    library.add([docs / "ceo.txt"])
    library.add([other / "ceo.txt"])
    assert ids(library) == ["ceo.txt", "other/ceo.txt"]
    assert library.add([other / "ceo.txt", docs]).unchanged == ("other/ceo.txt", "ceo.txt")
    moved = docs.rename(tmp_path / "moved")
    assert library.add([moved / "ceo.txt"]).unchanged == ("ceo.txt",)


def test_corpus_lines_keep_their_ids_and_a_changed_line_is_replaced(library: Library, tmp_path: Path) -> None:
    corpus = tmp_path / "c.jsonl"
    corpus.write_text('{"id": "a", "text": "Testo a."}\n{"id": "b", "text": "Testo b."}\nno\n')
    report = library.add([corpus])
    assert (report.added, [failure.path for failure in report.failed]) == (("a", "b"), [f"{corpus}, line 3"])
    corpus.write_text('{"id": "a", "text": "Testo a."}\n{"id": "b", "text": "Testo nuovo."}\n')
    report = library.add([corpus])
    assert (report.unchanged, report.replaced, report.failed) == (("a",), ("b",), ())
    (tmp_path / "d.jsonl").write_text('{"id": "a", "text": "Altro."}\n')
    assert library.add([tmp_path / "d.jsonl"]).added == ("d.jsonl/a",)


def test_what_cannot_be_read_is_told_and_the_others_go_in(library: Library, docs: Path) -> None:
    (docs / "empty.txt").touch()
    (docs / "program.txt").write_bytes(b"\x7fELF" + bytes(99))
    (docs / "notes.xyz").touch()
    report = library.add([docs, docs / "missing.txt"])
    assert len(report.added) == 3
    assert {Path(failure.path).name for failure in report.failed} == {"empty.txt", "program.txt", "missing.txt"}
    assert [Path(failure.path).name for failure in report.skipped] == ["notes.xyz"]


def test_removed_document_is_never_found_again(library: Library, docs: Path) -> None:
    library.add([docs])
    assert library.remove(["ceo.txt"]) == ("ceo.txt",)
    assert "ceo.txt" not in {passage.document.id for passage in library.search("co-CEO Laforte", k=10)}
    with pytest.raises(FonteError, match=r"No document ceo\.txt"):
        library.document("ceo.txt")


def test_unknown_ids_are_named_together_and_nothing_is_removed(library: Library, docs: Path) -> None:
    library.add([docs])
    with pytest.raises(FonteError, match=r"Not in the library: no\.txt, nor\.txt\. See what is: fonte list"):
        library.remove(["ceo.txt", "no.txt", "nor.txt"])
    assert "ceo.txt" in ids(library)


def test_rows_tell_about_documents_without_their_texts(library: Library, docs: Path) -> None:
    library.add([docs])
    row = library.documents()[1]
    assert (row.id, row.title, row.language, row.chunks) == ("sub/recipe.md", "Ricetta", "it", 1)
    assert row.characters == len((docs / "sub/recipe.md").read_text())


def test_progress_ends_at_its_total(library: Library, docs: Path) -> None:
    seen: list[Progress] = []
    library.add([docs], on_progress=seen.append)
    assert [(p.done, p.total) for p in seen if p.unit == "files"] == [(1, 3), (2, 3), (3, 3)]
    assert [(p.done, p.total) for p in seen if p.unit == "chunks"] == [(3, 3)]


def test_no_library_yet(tmp_path: Path, fake_embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LibraryMissing, match=r"^No library at \./\.fonte yet\. Make one: fonte add docs/$"):
        Library.open(Path(".fonte"), fake_embedder)
    assert list(tmp_path.iterdir()) == []


def test_another_embedder_is_refused_with_what_to_type(library: Library, docs: Path) -> None:
    library.add([docs])
    with pytest.raises(LibraryMismatch, match="built with the embedder fake, not other: use --embedder fake"):
        Library.open(library.folder, FakeEmbedder(name="other", fingerprint="other-1"))
    narrow = Library.open(library.folder, FakeEmbedder(dimension=32))
    with pytest.raises(LibraryMismatch, match="vectors of 64 numbers and fake makes 32"):
        narrow.search("ciao")


def test_library_of_a_newer_fonte_is_refused(library: Library, fake_embedder: FakeEmbedder) -> None:
    with closing(sqlite3.connect(library.folder / "catalog.sqlite")) as database, database:
        database.execute("UPDATE settings SET value = '99' WHERE name = 'schema'")
    with pytest.raises(LibraryMismatch, match="newer fonte: upgrade"):
        Library.open(library.folder, fake_embedder)


def test_damaged_catalog_is_told_in_a_sentence(library: Library, docs: Path, fake_embedder: FakeEmbedder) -> None:
    library.add([docs])
    library.close()
    for file in library.folder.glob("catalog.sqlite*"):
        file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(FonteError, match="is damaged"):
        Library.open(library.folder, fake_embedder)


def test_log_of_a_catalog_that_was_deleted_is_not_taken_for_the_new_one(
    library: Library, docs: Path, tmp_path: Path, fake_embedder: FakeEmbedder
) -> None:
    library.add([docs])
    folder = tmp_path / "killed"
    folder.mkdir()
    shutil.copy(library.folder / "catalog.sqlite-wal", folder)
    with Library.open(folder, fake_embedder, create=True) as again:
        assert ids(again) == []
        assert again.add([docs / "ceo.txt"]).added == ("ceo.txt",)
        again._catalog.check()
    library.close()


@pytest.mark.parametrize("query", ["", " \n "])
def test_empty_question_is_refused(library: Library, query: str) -> None:
    with pytest.raises(BadQuestion, match="empty"):
        library.search(query)


def test_empty_library_and_odd_questions_find_nothing_or_something_but_never_fail(library: Library, docs: Path) -> None:
    assert library.search("Chi sono?") == []
    library.add([docs])
    for query in ("?!", '"', "x" * 100_000, "a AND (", "\x00", "😀"):
        assert len(library.search(query, k=2)) == 2


def test_one_long_document_leaves_room_for_others(library: Library) -> None:
    library.add_documents([Document("long", "Il gatto dorme sul divano di casa.\n\n" * 200, language="it")])
    library.add_documents([Document(f"d{i}", f"Il gatto mangia cosa{i}.", language="it") for i in range(4)])
    found = [passage.document.id for passage in library.search("gatto divano", k=6)]
    assert sorted(found) == ["d0", "d1", "d2", "d3", "long", "long"]


def test_of_more_copies_than_candidates_the_first_by_id_is_shown_whatever_the_order(library: Library) -> None:
    copies = [Document(f"copy{i:03}", "Il mulino di Borgo macina grano.", language="it") for i in range(100)]
    others = [Document(f"z{i}", f"Il mulino macina cosa{i}.", language="it") for i in range(3)]
    library.add_documents([*reversed(copies), *others])
    found = [passage.document.id for passage in library.search("mulino di Borgo", k=4)]
    assert found[0] == "copy000" and sorted(found[1:]) == ["z0", "z1", "z2"]


def test_same_question_gives_the_same_ranking_after_reopening(library: Library, fake_embedder: FakeEmbedder) -> None:
    fill(library, 30)
    before = [passage.chunk.id for passage in library.search("di che parla il documento", k=10)]
    library.close()
    with Library.open(library.folder, fake_embedder) as again:
        assert [passage.chunk.id for passage in again.search("di che parla il documento", k=10)] == before


def test_large_library_is_searched_by_chroma_with_the_same_result(library: Library) -> None:
    fill(library, 120)
    exact = library.search("cosa77 del documento", k=10)
    library.close()
    with Library.open(library.folder, library.embedder, exact_up_to=10) as large:
        assert large.wait_for_store(60)
        assert large._finder.view().vectors is None
        assert large._chroma.generation() == large._catalog.generation
        found = large.search("cosa77 del documento", k=10)
    assert found[0].document.id == "d077"
    assert found[0].score == pytest.approx(exact[0].score, abs=1e-4)
    assert {passage.document.id for passage in found[:3]} == {passage.document.id for passage in exact[:3]}


@pytest.mark.parametrize("harm", ["missing", "behind", "unreadable", "of another version"])
def test_vector_store_is_made_again_while_searches_go_on(library: Library, harm: str) -> None:
    fill(library, 40)
    library.close()
    chroma = library.folder / "chroma"
    if harm == "missing":
        shutil.rmtree(chroma)
    elif harm == "behind":
        library._catalog = Catalog(library.folder / "catalog.sqlite")
        library._catalog.remove(["d001"])
        library._catalog.close()
    elif harm == "unreadable":
        (chroma / "chroma.sqlite3").write_bytes(b"damage" * 1000)
    else:
        (chroma / "seal.json").write_text((chroma / "seal.json").read_text().replace('"chromadb": "', '"chromadb": "0'))
    with Library.open(library.folder, library.embedder, exact_up_to=0) as large:
        assert large.search("cosa7", k=1)[0].document.id == "d007"
        assert large.wait_for_store(60)
        assert large.store_state == "ready"
        assert large._chroma.generation() == large._catalog.generation
        assert large.search("cosa7", k=1)[0].document.id == "d007"
        assert large._chroma.fault(large._catalog.generation) == ""


def test_reading_a_small_library_starts_no_process(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(library, 40)
    library.close()
    monkeypatch.setattr(ChromaChild, "start", lambda self: pytest.fail("Chroma was started"))
    with Library.open(library.folder, library.embedder) as small:
        assert small.search("cosa7", k=1)[0].document.id == "d007"
        assert small.wait_for_store(60)
        assert small._chroma.generation() is None


def test_search_survives_a_vector_store_whose_process_dies(library: Library) -> None:
    fill(library, 40)
    library.close()
    with Library.open(library.folder, library.embedder, exact_up_to=0) as large:
        assert large.wait_for_store(60)
        child = large._chroma._child
        assert child._process
        child._process.kill()
        assert large.search("cosa7", k=1)[0].document.id == "d007"
        large._upkeep._looked_at = 0.0  # as some seconds later
        assert large.search("cosa8", k=1)[0].document.id == "d008"
        assert large.wait_for_store(60)
        assert large._chroma.generation() == large._catalog.generation


def test_closing_does_not_wait_for_a_rebuild_and_the_next_opening_finishes_it(library: Library) -> None:
    """A rebuild that is cut off half-way, several times."""
    fill(library, 40)
    vectors = np.random.default_rng(1).normal(size=(2_500, 64)).astype(np.float32)
    library._catalog.put(Document("x", "x"), [Chunk(f"x#{i}", "x", "x", 0, 1) for i in range(2_500)], vectors)
    library.close()
    shutil.rmtree(library.folder / "chroma")
    for _ in range(3):
        again = Library.open(library.folder, library.embedder)
        while again.store_state != "rebuilding" or not list(library.folder.glob("chroma.new-*")):
            time.sleep(0.01)
        began = time.monotonic()
        again.close()
        assert time.monotonic() - began < 2
        assert not (library.folder / "chroma").exists()
    with Library.open(library.folder, library.embedder) as again:
        assert again.wait_for_store(60)
        assert again._chroma.fault(again._catalog.generation) == ""
    assert not list(library.folder.glob("chroma.*[!k]"))


def test_adding_takes_over_from_a_rebuild(library: Library) -> None:
    fill(library, 40)
    library.close()
    shutil.rmtree(library.folder / "chroma")
    with Library.open(library.folder, library.embedder) as again:
        again.add_documents([Document("new", "Una cosa nuova.", language="it")])
        assert again.store_state == "ready"
        assert again._chroma.fault(again._catalog.generation) == ""


def test_reader_follows_what_another_process_wrote(library: Library) -> None:
    fill(library, 40)
    with Library.open(library.folder, library.embedder, exact_up_to=0) as reader:
        assert reader.wait_for_store(60)
        library.add_documents([Document("new", "Una faccenda nuova.", language="it")])
        assert reader.search("faccenda", k=1)[0].document.id == "new"
        reader._upkeep._looked_at = 0.0
        reader.search("faccenda", k=1)
        assert reader.wait_for_store(60)
        assert reader._chroma.generation() == reader._catalog.generation
        assert reader.search("faccenda", k=1)[0].document.id == "new"


def test_second_writer_is_refused_and_readers_go_on(library: Library, docs: Path, fake_embedder: FakeEmbedder) -> None:
    library.add([docs])
    holder = (
        "import sys, filelock\n"
        "with filelock.FileLock(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", holder, str(library.folder / "write.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout and other.stdout.readline() == b"held\n"
        for change in (lambda: library.add([docs]), lambda: library.remove(["ceo.txt"])):
            with pytest.raises(LibraryBusy, match="being changed by another process"):
                change()
        with Library.open(library.folder, fake_embedder) as reader:
            assert reader.search("Laforte", k=1)[0].document.id == "ceo.txt"
    finally:
        other.communicate()
    assert len(library.add([docs]).unchanged) == 3


def test_open_reader_sees_what_another_added(library: Library, docs: Path, fake_embedder: FakeEmbedder) -> None:
    with Library.open(library.folder, fake_embedder) as reader:
        assert reader.search("Laforte") == []
        library.add([docs])
        assert reader.search("Laforte", k=1)[0].document.id == "ceo.txt"


class InterruptedEmbedder(FakeEmbedder):
    """Is interrupted at the second batch, as by Ctrl-C."""

    batches = 0

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.batches += 1
        if self.batches == 2:
            raise KeyboardInterrupt
        return super().embed_passages(texts)


def test_interrupted_adding_keeps_whole_documents_and_goes_on_next_time(tmp_path: Path) -> None:
    library = Library.open(tmp_path / "data", InterruptedEmbedder(), create=True)
    texts = {f"d{i}": f"Frase numero {i} del documento.\n\n" * 400 for i in range(8)}
    documents = [Document(id, text, language="it") for id, text in texts.items()]
    with pytest.raises(KeyboardInterrupt):
        library.add_documents(documents)
    kept = ids(library)
    assert 0 < len(kept) < 8
    assert all(library.document(id).text == texts[id] for id in kept)
    assert library._catalog.chunk_count() == sum(row.chunks for row in library.documents())
    report = library.add_documents(documents)
    assert sorted(report.unchanged) == kept
    assert len(ids(library)) == 8
    assert library.store_state == "ready"


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import FakeEmbedder
from index.library import Library
from index.types import Document

library = Library.open(Path(sys.argv[1]), FakeEmbedder(), create=True)
documents = (Document(f"d{i}", f"Frase {i}.\\n\\n" * 300, language="it") for i in range(10_000))
for document in documents:
    library.add_documents([document])
    print(document.id, flush=True)
"""


def test_killed_process_loses_nothing_that_it_reported(tmp_path: Path, fake_embedder: FakeEmbedder) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "data"), str(Path(__file__).parent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    reported = [process.stdout.readline().strip() for _ in range(5)]
    process.send_signal(signal.SIGKILL)
    reported += process.stdout.read().split()
    process.wait()
    with Library.open(tmp_path / "data", fake_embedder) as library:
        assert set(reported) <= set(ids(library))
        assert len(ids(library)) <= len(reported) + 1
        for row in library.documents():
            number = row.id[1:]
            assert library.document(row.id).text == f"Frase {number}.\n\n" * 300
        assert library.wait_for_store(60)


def test_threads_search_while_one_adds_and_removes(library: Library) -> None:
    fill(library, 20)
    errors: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                for passage in library.search("cosa7", k=5):
                    assert passage.chunk.text == passage.document.text[passage.chunk.start : passage.chunk.end]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(10):
        library.add_documents([Document("changing", f"Versione {i} di cosa7. " * (i + 1), language="it")])
    library.remove(["changing"])
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_what_was_asked_before_counts_for_half(library: Library) -> None:
    texts = {"mill": "Il mulino fu costruito nel 1820.", "bridge": "Il ponte fu costruito nel 1910.", "x": "Piove."}
    library.add_documents(Document(id, text, language="it") for id, text in texts.items())
    for about in ("mulino", "ponte"):
        found = library.search("quando fu costruito?", k=3, context=f"chi vende il {about}?")
        assert about in found[0].chunk.text
    plain = library.search("il mulino", k=3)
    assert [p.score for p in library.search("il mulino", k=3, context=" ")] == [p.score for p in plain]


def test_a_passage_that_repeats_another_comes_after_what_is_new(library: Library) -> None:
    told = "La banca di Borgo ha chiuso le tre filiali della valle, dice il sindaco Rossi, e non ne apre altre."
    library.add_documents(Document(f"copy{i}", told, language="it") for i in range(4))
    library.add_documents([Document("new", "La banca di Borgo apre in valle.", language="it")])
    found = [passage.document.id for passage in library.search("dice il sindaco Rossi che la banca ha chiuso?", k=5)]
    assert found == ["copy0", "new", "copy1", "copy2", "copy3"]
