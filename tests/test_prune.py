"""`fonte add DIR --prune`: what was deleted is removed, and nothing that only could not be looked at."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeEmbedder, Run

from index.add import AddReport
from index.library import Library
from index.types import Document


@pytest.fixture
def library(tmp_path: Path, fake_embedder: FakeEmbedder) -> Iterator[Library]:
    with Library.open(tmp_path / "data", fake_embedder, create=True) as opened:
        yield opened


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    write(folder / "a.txt", "Il ponte fu chiuso.")
    write(folder / "b.txt", "Il ponte fu riaperto.")
    write(folder / "sub/c.txt", "Il ponte crollò.")
    write(folder / "sub/deep/d.txt", "Il ponte fu rifatto.")
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def lines(path: Path, *ids: str) -> Path:
    return write(path, "".join(f'{{"id": "{id}", "text": "Testo di {id}."}}\n' for id in ids))


def ids(library: Library) -> list[str]:
    return [row.id for row in library.documents()]


def told(report: AddReport) -> dict[str, str]:
    return {Path(failure.path).name: failure.reason for failure in report.failed}


def refusing(function: Callable[..., Any], *refused: Path) -> Callable[..., Any]:
    """Return `function` as it is for someone who may not look into the folders `refused`: tests may run as root."""

    def refuses(path: Any = ".", *arguments: Any, **named: Any) -> Any:
        if not isinstance(path, int) and any(Path(path).is_relative_to(folder) for folder in refused):
            raise PermissionError(13, "Permission denied", str(path))
        return function(path, *arguments, **named)

    return refuses


def test_documents_follow_their_files(library: Library, docs: Path) -> None:
    library.add([docs])
    (docs / "a.txt").unlink()
    shutil.rmtree(docs / "sub")
    write(docs / "e.txt", "Un altro ponte.")
    report = library.add([docs], prune=True)
    assert (report.added, report.unchanged) == (("e.txt",), ("b.txt",))
    assert (report.pruned, report.kept, report.failed) == (("a.txt", "sub/c.txt", "sub/deep/d.txt"), (), ())
    assert ids(library) == ["b.txt", "e.txt"]
    assert {passage.document.id for passage in library.search("il ponte crollò", k=10)} == {"b.txt", "e.txt"}


def test_without_being_asked_nothing_is_removed(library: Library, docs: Path) -> None:
    library.add([docs])
    shutil.rmtree(docs / "sub")
    assert library.add([docs]).pruned == ()
    assert len(ids(library)) == 4


def test_a_file_that_moved_within_the_folder_is_there_once(library: Library, docs: Path) -> None:
    library.add([docs])
    (docs / "a.txt").rename(docs / "sub/z.txt")
    report = library.add([docs], prune=True)
    assert (report.added, report.pruned) == (("sub/z.txt",), ("a.txt",))


def test_only_what_is_under_the_named_folder_is_looked_at(library: Library, docs: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "docs2/x.txt", "Altro testo.")
    library.add([docs, other.parent])
    library.add_documents([Document("from nowhere", "Testo senza file.", language="it")])
    for gone in (other, docs / "a.txt", docs / "sub/c.txt"):
        gone.unlink()
    assert library.add([docs / "sub"], prune=True).pruned == ("sub/c.txt",)
    assert library.add([docs], prune=True).pruned == ("a.txt",)
    assert ids(library) == ["b.txt", "from nowhere", "sub/deep/d.txt", "x.txt"]


@pytest.mark.parametrize("way", ["relative", "dotted", "link"])
def test_the_folder_may_be_named_in_any_way(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.chdir(docs.parent)
    (docs.parent / "link").symlink_to(docs)
    library.add([docs])
    (docs / "a.txt").unlink()
    named = {"relative": "docs", "dotted": "./docs/../docs/", "link": "link"}[way]
    report = library.add([Path(named)], prune=True)
    assert (report.pruned, len(report.unchanged)) == (("a.txt",), 3)


def test_lines_that_are_gone_from_a_corpus_are_removed(library: Library, docs: Path) -> None:
    corpus = lines(docs / "corpus.jsonl", "one", "two", "three")
    library.add([docs])
    lines(corpus, "three", "one", "four")
    report = library.add([docs], prune=True)
    assert (report.added, report.pruned) == (("four",), ("two",))
    lines(corpus, "one")
    assert library.add([corpus], prune=True).pruned == ("four", "three")
    corpus.unlink()
    assert library.add([docs], prune=True).pruned == ("one",)


@pytest.mark.parametrize("harm", ['{"id": "a", "text": "Testo di a."}\nno\n', "no\n", "", "\x00\x01\x02"])
def test_a_corpus_that_cannot_be_read_whole_loses_no_line(library: Library, docs: Path, harm: str) -> None:
    corpus = lines(docs / "b, line 3.jsonl", "a", "b")
    library.add([docs])
    corpus.write_text(harm)
    report = library.add([docs], prune=True)
    assert report.pruned == () and "b" in report.kept
    assert report.failed and all("b, line 3.jsonl" in failure.path for failure in report.failed)
    assert {"a", "b"} <= set(ids(library))


def test_a_corpus_that_became_a_gold_file_holds_documents_no_more(library: Library, docs: Path) -> None:
    corpus = lines(docs / "c.jsonl", "a")
    library.add([docs])
    corpus.write_text('{"id": "1", "question": "Chi?"}\n')
    assert library.add([docs], prune=True).pruned == ("a",)


@pytest.mark.parametrize("content", ["", "\x7fELF\x00\x00"])
def test_a_file_that_cannot_be_parsed_any_more_is_kept_and_told(library: Library, docs: Path, content: str) -> None:
    library.add([docs])
    (docs / "a.txt").write_text(content)
    report = library.add([docs], prune=True)
    assert (report.pruned, report.kept, list(told(report))) == ((), ("a.txt",), ["a.txt"])
    assert library.document("a.txt").text == "Il ponte fu chiuso."


def test_a_file_that_is_too_large_now_is_kept(library: Library, docs: Path) -> None:
    library.add([docs])
    write(docs / "a.txt", "Il ponte. " * 2_000)
    report = library.add([docs], prune=True, max_file_mb=0.01)
    assert (report.pruned, report.kept) == ((), ("a.txt",)) and "--max-mb" in told(report)["a.txt"]


@pytest.mark.parametrize("now", ["missing", "file", "unreadable"])
def test_a_folder_that_cannot_be_looked_into_loses_nothing(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    library.add([docs])
    if now == "unreadable":
        monkeypatch.setattr(os, "scandir", refusing(os.scandir, docs))
        (docs / "a.txt").unlink()
    else:
        docs.rename(docs.with_name("away"))
    if now == "file":
        docs.write_text("not a folder")
    report = library.add([docs], prune=True)
    assert report.pruned == () and list(told(report)) == ["docs"]
    assert report.kept == (("a.txt",) if now == "unreadable" else ())
    assert len(ids(library)) == 4


def test_of_two_folders_the_one_that_is_there_is_looked_at(library: Library, docs: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other/x.txt", "Altro testo.").parent
    library.add([docs, other])
    (docs / "a.txt").unlink()
    shutil.rmtree(other)
    report = library.add([docs, other], prune=True)
    assert (report.pruned, list(told(report))) == (("a.txt",), ["other"])
    assert "x.txt" in ids(library)


def test_nothing_under_a_folder_without_permission_is_removed(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where the folder cannot be listed, nor where nothing in it can be asked for."""
    library.add([docs])
    (docs / "a.txt").unlink()
    shutil.rmtree(docs / "sub/deep")
    monkeypatch.setattr(os, "scandir", refusing(os.scandir, docs / "sub"))
    report = library.add([docs], prune=True)
    assert (report.pruned, report.kept) == (("a.txt",), ("sub/deep/d.txt",))
    assert [(Path(skipped.path).name, skipped.reason) for skipped in report.skipped] == [
        ("sub", "cannot be opened: Permission denied")
    ]
    monkeypatch.setattr(Path, "lstat", refusing(Path.lstat, docs / "sub/c.txt", docs / "sub/deep"))
    assert library.add([docs], prune=True).kept == ("sub/c.txt", "sub/deep/d.txt")


@pytest.mark.parametrize("now", ["folder", "link", "link above"])
def test_what_is_no_file_any_more_is_removed(library: Library, docs: Path, now: str) -> None:
    library.add([docs])
    if now == "folder":
        (docs / "a.txt").unlink()
        write(docs / "a.txt/new.txt", "Testo nuovo.")
    elif now == "link":
        (docs / "a.txt").unlink()
        (docs / "a.txt").symlink_to("b.txt")
    else:
        (docs / "sub").rename(docs.with_name("elsewhere"))
        (docs / "sub").symlink_to(docs.with_name("elsewhere"))
    lost = ("sub/c.txt", "sub/deep/d.txt") if now == "link above" else ("a.txt",)
    assert library.add([docs], prune=True).pruned == lost


def test_a_hidden_file_that_was_named_itself_stays_until_it_is_gone(library: Library, docs: Path) -> None:
    hidden = write(docs / ".notes/h.txt", "Appunti sul ponte.")
    (docs / "link.txt").symlink_to(docs / "b.txt")
    library.add([docs])
    library.add([hidden])
    report = library.add([docs], prune=True)
    assert (report.pruned, report.kept) == ((), ()) and "h.txt" in ids(library)
    hidden.unlink()
    assert library.add([docs], prune=True).pruned == ("h.txt",)


def test_an_empty_folder_has_lost_everything(library: Library, docs: Path) -> None:
    library.add([docs])
    shutil.rmtree(docs)
    docs.mkdir()
    report = library.add([docs])
    assert "holds no file" in told(report)["docs"] and len(ids(library)) == 4
    report = library.add([docs], prune=True)
    assert len(report.pruned) == 4 and report.failed == () and ids(library) == []
    assert library.add([docs], prune=True) == AddReport()


def test_a_folder_that_moved_is_followed(library: Library, docs: Path) -> None:
    """Ids, texts and vectors stay; where the files are is noted, so that later deletions are noticed."""
    corpus = lines(docs / "corpus.jsonl", "one", "two")
    library.add([docs])
    moved = docs.rename(docs.with_name("moved"))
    assert len(library.add([moved]).unchanged) == 6
    assert {Path(row.origin).parts[-2] for row in library.documents()} <= {"moved", "sub", "deep"}
    assert library.document("sub/c.txt").source == str(moved / "sub/c.txt")
    (moved / "a.txt").unlink()
    lines(moved / corpus.name, "two")
    assert library.add([moved], prune=True).pruned == ("a.txt", "one")
    docs.mkdir()
    assert library.add([docs], prune=True).pruned == ()


def test_a_folder_that_moved_and_changed_keeps_what_its_files_say(library: Library, docs: Path) -> None:
    write(docs / "m.md", "Il mulino.")
    library.add([docs])
    moved = docs.rename(docs.with_name("moved"))
    write(moved / "m.md", "---\nsource: https://example.org/m.md\n---\nIl mulino nuovo.")
    assert library.add([moved], prune=True).replaced == ("m.md",)
    assert library.document("m.md").source == "https://example.org/m.md"


def test_the_place_of_a_file_whose_name_is_no_unicode_is_known(library: Library, docs: Path) -> None:
    odd = docs / os.fsdecode(b"caff\xe8 \xff.txt")
    odd.write_text("Il caffè del ponte.", encoding="utf-8")
    added = library.add([docs]).added
    assert "caff\\udce8 \\udcff.txt" in added
    report = library.add([docs], prune=True)
    assert (len(report.unchanged), report.pruned, report.kept) == (5, (), ())
    odd.unlink()
    assert library.add([docs], prune=True).pruned == ("caff\\udce8 \\udcff.txt",)


def test_interrupted_adding_removes_nothing(library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.add([docs])
    (docs / "a.txt").unlink()
    write(docs / "b.txt", "Testo cambiato.")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeEmbedder, "embed_passages", interrupted)
    with pytest.raises(KeyboardInterrupt):
        library.add([docs], prune=True)
    assert "a.txt" in ids(library)


def test_the_library_equals_the_folder_after_any_changes(library: Library, docs: Path) -> None:
    """Files made, changed, moved and deleted at random; after each `add --prune` both hold the same texts."""
    rng = random.Random(7)
    count = 25
    for step in range(count):
        for i in range(rng.randint(1, 5)):
            files = [path for path in sorted(docs.rglob("*.txt")) if path.is_file()]
            place = docs / rng.choice([".", "sub", "sub/deep", "new"]) / f"{rng.choice('abcdef')}.txt"
            action = rng.choice(["make", "delete", "move", "drop"])
            if action == "make" or not files:
                write(place, f"Testo numero {step} {i}.")
            elif action == "delete":
                rng.choice(files).unlink()
            elif action == "move":
                place.parent.mkdir(parents=True, exist_ok=True)
                rng.choice(files).replace(place)
            elif rng.random() < 0.3:
                shutil.rmtree(rng.choice(files).parent)
                docs.mkdir(exist_ok=True)
        report = library.add([docs], prune=True)
        assert (report.failed, report.kept) == ((), ())
        held = {row.origin: library.document(row.id).text for row in library.documents()}
        assert held == {str(path): path.read_text(encoding="utf-8") for path in docs.rglob("*.txt")}
    print(f"{count} rounds: 0 failures in {count}: at most 3/{count}")


def test_what_was_removed_and_what_was_kept_is_printed(run: Run, docs: Path) -> None:
    for name in "123456":
        write(docs / f"{name}.txt", f"Testo {name}.")
    run("add", "docs")
    (docs / "a.txt").unlink()
    shutil.rmtree(docs / "sub")
    assert run("add", "docs", "--prune").out == "7 unchanged, 3 removed\n"
    for name in "123456":
        (docs / f"{name}.txt").write_bytes(b"")
    ran = run("add", "docs", "--prune")
    assert (ran.code, ran.out) == (1, "1 unchanged\n")
    assert "kept 1.txt, 2.txt, 3.txt, 4.txt, 5.txt and 1 more: whether" in ran.err
    assert ran.err.count("not added ") == 6
    assert run("add", "gone", "--prune").code == 1
