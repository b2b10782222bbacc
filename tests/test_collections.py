"""Collections: libraries apart from each other in one data folder, chosen by flag, environment or file."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MILL, SHOWN, FakeEmbedder, Run
from filelock import FileLock

import ui.app
from index.access import locked
from index.collections import check_collection, folder_of, list_collections, remove_collection
from index.errors import FonteError, LibraryBusy, LibraryMissing
from index.library import Library
from index.types import Document

PORT = "The port of Lido was closed in 1975. Storms had filled it with sand."
GOLD = '{"id": "1", "question": "Who bought the mill?", "answers": ["Anna Neri"], "relevant": ["mill.txt"], '
GOLD += '"answerable": true, "language": "en", "kind": "factoid"}\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the mill in the default collection and the port in one called news."""
    data = tmp_path_factory.mktemp("made")
    for folder, id, text in ((data, "mill.txt", MILL), (folder_of(data, "news"), "port.txt", PORT)):
        with Library.open(folder, FakeEmbedder(), create=True) as library:
            library.add_documents([Document(id, text, id, language="en")])
    return data


@pytest.fixture
def two(run: Run, made: Path, docs: Path, tmp_path: Path) -> Run:
    """The two collections in ./.fonte."""
    shutil.copytree(made, tmp_path / ".fonte")
    (tmp_path / "port.txt").write_text(PORT)
    return run


def make(folder: Path, *ids: str) -> None:
    with Library.open(folder, FakeEmbedder(), create=True) as library:
        library.add_documents([Document(id, f"Testo di {id}.", language="it") for id in ids])


@pytest.mark.parametrize("name", ["a", "news", "2024", "a-b_c", "0" * 60, "con-2_"])
def test_a_collection_has_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    assert folder_of(tmp_path, name) == tmp_path / "collections" / name
    assert folder_of(tmp_path, "default") == tmp_path


@pytest.mark.parametrize(
    "name",
    ["", " ", "News", "città", "a b", ".", "..", "../a", "a/b", "-a", "_a", "a.b", "a\n", "a\x00", "0" * 61, "٣"],
)
def test_any_other_name_is_refused_in_a_sentence(run: Run, tmp_path: Path, name: str) -> None:
    with pytest.raises(FonteError, match="cannot name a collection: use lowercase letters, digits"):
        folder_of(tmp_path, name)
    if "\x00" not in name:
        ran = run("list", "--collection", name)
        assert ran.code == 1 and "cannot name a collection" in ran.err and ran.err.count("\n") == 1


def test_adding_goes_into_the_collection_and_makes_it(run: Run, docs: Path, tmp_path: Path) -> None:
    assert run("add", "docs", "--collection", "mills").out == "1 added\n"
    assert run("add", "docs", "--collection", "mills").out == "1 unchanged\n"
    assert [row.name for row in list_collections(tmp_path / ".fonte")] == ["mills"]
    assert run("list").err.endswith("there are: mills. Make it: fonte add docs/\n")


def test_nothing_of_one_is_found_in_another(two: Run) -> None:
    assert two("list").out.split("\t")[0] == "mill.txt"
    assert two("list", "--collection", "news").out.split("\t")[0] == "port.txt"
    for question, words in (("Who bought the mill?", "Anna Neri"), ("When was the port closed?", "1975")):
        found = [two("search", question, *chosen).out for chosen in ((), ("--collection", "news"))]
        assert sum(words in text for text in found) == 1
        assert all(text.count(" 1. ") == 1 and " 2. " not in text for text in found)


def test_asking_and_chatting_are_of_the_collection(two: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert two("ask", "Who bought the mill?").out.startswith(SHOWN)
    told = json.loads(two("ask", "Who bought the mill?", "--json", "--collection", "news").out)
    assert {passage["document"] for passage in told["passages"]} == {"port.txt"}
    lines = iter(["Who bought the mill?", ""])
    monkeypatch.setattr("ui.cli._prompt", lambda: next(lines))
    assert SHOWN not in two("chat", "--collection", "news").out


def test_removing_is_of_the_collection(two: Run) -> None:
    assert two("remove", "mill.txt", "--collection", "news").code == 1
    assert two("remove", "port.txt", "--collection", "news").out == "1 removed\n"
    assert two("list", "--collection", "news").out == ""
    assert "mill.txt" in two("list").out


def test_the_page_shows_the_collection(two: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr("ui.serve.serve", lambda app, **_: shown.append((app.count_documents(), app.asker.library)))
    two("serve", "--collection", "news")
    ((count, library),) = shown
    assert count == 1 and library.folder == Path(".fonte/collections/news")


@pytest.mark.parametrize("collection", [(), ("--collection", "news")])
def test_evaluation_is_of_the_collection(two: Run, tmp_path: Path, collection: tuple[str, ...]) -> None:
    gold, run = tmp_path / "gold.jsonl", tmp_path / "run.jsonl"
    gold.write_text(GOLD)
    run.write_text('{"id": "1", "answer": "Anna Neri", "citations": ["mill.txt"], "retrieved": ["mill.txt"]}\n')
    asked = two("eval", "--gold", "gold.jsonl", "--out", "out", "--retrieval-only", *collection)
    checked = two("eval", "check", "gold.jsonl", "--no-ask", *collection)
    scored = two("eval", "score", "run.jsonl", "--gold", "gold.jsonl", "--out", "scored", "--no-models", *collection)
    assert scored.code == 0
    if collection:
        assert "none of the documents" in asked.err and asked.code == 1
        assert "mill.txt" in checked.out and checked.code == 1
    else:
        assert (asked.code, checked.code) == (0, 0)


def test_drafts_are_of_the_collection(two: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Library] = []

    def drafted(library: Library, *_: object, **__: object) -> Iterator[object]:
        seen.append(library)
        return iter(())

    monkeypatch.setattr("eval.draft.draft_gold", drafted)
    two("eval", "draft", "-n", "1", "--collection", "news")
    assert [library.folder for library in seen] == [Path(".fonte/collections/news")]


def test_the_collection_comes_from_flag_environment_or_file(
    two: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fonte.toml").write_text('collection = "news"\n')
    assert "port.txt" in two("list").out
    monkeypatch.setenv("FONTE_COLLECTION", "default")
    assert "mill.txt" in two("list").out
    assert "port.txt" in two("list", "--collection", "news").out


@pytest.mark.parametrize(
    "verb",
    [("list",), ("remove", "x"), ("search", "x"), ("ask", "x"), ("chat",), ("serve",), ("eval", "draft")],
    ids=lambda verb: " ".join(verb),
)
def test_an_unknown_collection_is_told_with_those_there_are(
    two: Run, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.setattr(ui.app, "load_embedder", lambda settings: pytest.fail("the embedder was wanted"))
    ran = two(*verb, "--collection", "olds")
    assert ran.code == 1 and ran.out == ""
    told = "No collection 'olds' in .fonte; there are: default, news. Make it: fonte add docs/ --collection olds"
    assert ran.err == f"fonte: {told}\n"


def test_without_any_collection_there_are_none_to_name(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing, match=r"^No collection 'news' in .* yet\. Make it: fonte add docs/ --coll"):
        check_collection(tmp_path, "news")
    make(folder_of(tmp_path, "news"), "a")
    with pytest.raises(LibraryMissing, match=r"there are: news\. Make it: fonte add docs/$"):
        check_collection(tmp_path, "default")


def test_collections_are_listed(two: Run, tmp_path: Path) -> None:
    (tmp_path / ".fonte/collections/notes.txt").touch()
    (tmp_path / ".fonte/collections/empty").mkdir()
    assert two("collections").out == "default\t1\t1\tfake\nnews\t1\t1\tfake\n"
    rows = json.loads(two("collections", "--json").out)
    assert rows[1] == {"name": "news", "documents": 1, "passages": 1, "embedder": "fake", "problem": ""}


def test_without_a_library_listing_says_how_to_make_one(run: Run) -> None:
    ran = run("collections")
    assert ran.code == 1 and ran.err == "fonte: No library at ./.fonte yet. Make one: fonte add docs/\n"


def test_a_damaged_collection_does_not_hide_the_others(two: Run, tmp_path: Path) -> None:
    for file in (tmp_path / ".fonte/collections/news").glob("catalog.sqlite*"):
        file.write_bytes(b"not a database at all" * 100)
    ran = two("collections")
    assert ran.out == "default\t1\t1\tfake\nnews\t?\t?\t\n"
    assert ran.err.startswith("news: The library at .fonte/collections/news is damaged")
    assert two("collections", "remove", "news", "--yes").out == "news removed\n"


def test_a_collection_is_removed_whole_and_the_files_stay(two: Run, tmp_path: Path) -> None:
    ran = two("collections", "remove", "news")
    assert ran.code == 1
    assert ran.err.startswith("fonte: Remove the collection news with its 1 documents? Nobody is there to answer")
    assert two("collections", "remove", "news", "--yes").out == "news removed\n"
    assert two("collections").out == "default\t1\t1\tfake\n"
    left = [file for file in (tmp_path / ".fonte").rglob("*") if file.is_file()]
    assert left and not any(b"Lido" in file.read_bytes() for file in left)
    assert (tmp_path / "port.txt").read_text() == PORT
    assert two("ask", "Who bought the mill?").out.startswith(SHOWN)
    assert two("collections", "remove", "news", "--yes").err.startswith("fonte: No collection 'news'")
    assert two("add", "port.txt", "--collection", "news").out == "1 added\n"


@pytest.mark.parametrize(("said", "left"), [("n", 2), ("y", 1)])
def test_the_user_is_asked_before_a_collection_goes(
    two: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, left: int
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda question, err: "its 1 documents?" in question and said == "y")
    ran = two("collections", "remove", "news")
    assert ran.code == (1 if said == "n" else 0)
    assert len(list_collections(tmp_path / ".fonte")) == left


def test_the_default_collection_is_not_removed_with_the_others_in_it(two: Run, tmp_path: Path) -> None:
    for yes in (("--yes",), ()):  # nobody is asked about what is then refused
        ran = two("collections", "remove", "default", *yes)
        assert ran.code == 1 and "default collection is .fonte itself" in ran.err
    assert "cannot name a collection" in two("collections", "remove", "../x").err
    assert len(list_collections(tmp_path / ".fonte")) == 2


def test_a_collection_that_is_being_written_to_is_not_removed(tmp_path: Path) -> None:
    make(folder_of(tmp_path, "news"), "a")
    with FileLock(folder_of(tmp_path, "news") / "write.lock"), pytest.raises(LibraryBusy):
        remove_collection(tmp_path, "news")
    assert [row.documents for row in list_collections(tmp_path)] == [1]


def test_what_an_interrupted_removal_left_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("news", "olds"):
        make(folder_of(tmp_path, name), "a")

    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("index.collections.shutil.rmtree", interrupted)
        remove_collection(tmp_path, "news")
    assert [row.name for row in list_collections(tmp_path)] == ["olds"]
    remove_collection(tmp_path, "olds")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_collections_are_written_to_at_the_same_time(tmp_path: Path, fake_embedder: FakeEmbedder) -> None:
    make(tmp_path, "a")
    with locked(tmp_path):
        make(folder_of(tmp_path, "news"), "b")
    with Library.open(tmp_path, fake_embedder) as library:
        assert [row.id for row in library.documents()] == ["a"]


def test_options_before_a_verb_are_refused(two: Run) -> None:
    ran = two("collections", "--data", "elsewhere", "remove", "news")
    assert ran.code == 2 and "write --data after 'remove'" in ran.err


def test_a_corpus_and_a_collection_are_too_much(two: Run, tmp_path: Path) -> None:
    (tmp_path / "gold.jsonl").write_text(GOLD)
    ran = two("eval", "--gold", "gold.jsonl", "--out", "out", "--corpus", "docs", "--collection", "news")
    assert ran.code == 2 and "--corpus" in ran.err
