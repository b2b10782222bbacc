"""Every verb of the command line with fakes for the two models: what is printed where, and the exit code."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import MILL, REPLY, SHOWN, FakeEmbedder, FakeGenerator, Ran, Run
from rich.console import Console

import ui.app
from index.catalog import DocumentRow
from index.embed import Vectors
from index.library import Library
from index.types import Passage
from rag.answer import Answerer
from ui.library_cli import documents_table
from ui.page import App


def test_adding_twice_does_nothing_and_a_changed_file_replaces_its_old_self(run: Run, docs: Path) -> None:
    assert run("add", "docs") == Ran(0, "1 added\n", "")
    assert run("add", "docs") == Ran(0, "1 unchanged\n", "")
    (docs / "mill.txt").write_text(MILL + " It is closed.", encoding="utf-8")
    assert run("add", "docs").out == "1 replaced\n"
    assert "closed" in run("search", "closed").out


def test_a_file_that_cannot_be_read_is_reported_and_the_others_go_in(run: Run, docs: Path) -> None:
    (docs / "empty.txt").write_bytes(b"")
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    ran = run("add", "docs")
    assert ran.code == 1 and ran.out == "1 added\n"
    assert "empty.txt: " in ran.err and "broken.pdf: " in ran.err


@pytest.mark.parametrize("path", ["nowhere", "nowhere.txt"])
def test_a_wrong_path_is_named(run: Run, path: str) -> None:
    ran = run("add", path)
    assert ran.code == 1 and path in ran.err


def test_an_empty_folder_adds_nothing_and_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    ran = run("add", "void")
    assert ran.code == 1 and ran.out == "Nothing added.\n"
    assert ran.err.startswith("not added void: holds no file")
    ran = run("search", "who?", "--json")
    assert ran.err == "The library holds no documents yet. Add some: fonte add docs/\n"
    assert json.loads(ran.out)["passages"] == []


@pytest.mark.parametrize("verb", [("list",), ("ask", "who?"), ("search", "who?"), ("remove", "x"), ("chat",)])
def test_without_a_library_every_verb_says_how_to_make_one(run: Run, verb: tuple[str, ...]) -> None:
    ran = run(*verb)
    assert ran.code == 1 and ran.out == ""
    assert ran.err == "fonte: No library at ./.fonte yet. Make one: fonte add docs/\n"


def test_without_a_library_no_model_is_fetched(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui.app, "load_embedder", lambda settings: pytest.fail("the embedder was wanted"))
    assert run("ask", "who?").code == 1


def test_listing_needs_no_model(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "docs")
    monkeypatch.setattr(ui.app, "load_embedder", lambda settings: pytest.fail("the embedder was wanted"))
    assert run("list").out.split("\t")[0] == "mill.txt"
    (row,) = json.loads(run("list", "--json").out)
    assert row["id"] == "mill.txt" and row["characters"] == len(MILL)


@pytest.fixture
def news(run: Run, tmp_path: Path) -> Run:
    """A library of three dated articles, two of which answer who bought the mill."""
    articles = (
        {"id": "old", "text": "Anna Neri bought the mill in 1950.", "title": "Mill sold", "date": "2023-05-01"},
        {"id": "new", "text": "Carla Riva bought the mill in 2024.", "date": "2024-03-31", "outlet": "Il Città"},
        {"id": "it", "text": "Il mulino fu venduto nel 2024.", "language": "it", "date": "2024-03-31"},
    )
    (tmp_path / "news.jsonl").write_text("".join(json.dumps({"language": "en", **a}) + "\n" for a in articles))
    assert run("add", "news.jsonl").code == 0
    return run


def test_conditions_limit_every_verb_that_searches(news: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    question, where = "Who bought the mill?", ("--where", "published>=2024", "--where", "language=en")
    assert [line.split("\t")[0] for line in news("list", *where).out.splitlines()] == ["new"]
    assert [row["id"] for row in json.loads(news("list", "--json", *where).out)] == ["new"]
    found = json.loads(news("search", question, "--json", *where).out)["passages"]
    assert [passage["document"] for passage in found] == ["new"]
    answer = json.loads(news("ask", question, "--json", *where).out)
    assert {passage["document"] for passage in answer["passages"]} == {"new"}
    assert answer["receipt"]["where"] == ["published>=2024", "language=en"]
    lines = iter([question, ""])
    monkeypatch.setattr("ui.cli._prompt", lambda: next(lines))
    chatted = news("chat", "--where", "outlet=il CITTÀ").out
    assert "Carla Riva" in chatted and "1950" not in chatted.replace(SHOWN, "")
    shown: list[App] = []
    monkeypatch.setattr("ui.serve.serve", lambda app, **_: shown.append(app))
    assert news("serve", *where).code == 0
    assert [condition.value for condition in shown[0].asker.where] == ["2024", "en"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", [("list",), ("search", "who?"), ("ask", "who?"), ("chat",), ("serve",)])
def test_where_no_document_fits_it_is_said_before_a_model_is_loaded(
    news: Run, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.setattr(ui.app, "load_embedder", lambda settings: pytest.fail("the embedder was wanted"))
    ran = news(*verb, "--where", "language=xx")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "fonte: No document fits language=xx: see what there is with fonte list\n"
    ran = news(*verb, "--where", "language>it")
    assert ran.code == 1 and ran.err.startswith("fonte: language is compared with = or !=")


def settings_and_found(run: Run, tmp_path: Path, out: str, *flags: str) -> tuple[dict[str, object], list[str]]:
    ran = run("eval", "--gold", "gold.jsonl", "--out", out, "--retrieval-only", *flags)
    assert ran.code == 0, ran.err
    (row,) = map(json.loads, (tmp_path / out / "run.jsonl").read_text().splitlines())
    return json.loads((tmp_path / out / "scores.json").read_text())["settings"], row["retrieved"]


def test_the_search_alone_is_measured_with_the_conversation_and_without(news: Run, tmp_path: Path) -> None:
    turns = [{"speaker": "user", "text": "Who was Carla Riva?"}, {"speaker": "agent", "text": "A miller."}]
    gold = {"id": "1", "question": "And when did she buy it?", "answers": ["2024"], "relevant": ["new"]}
    gold |= {"answerable": True, "language": "en", "kind": "factoid", "meta": {"history": turns}}
    (tmp_path / "gold.jsonl").write_text(json.dumps(gold) + "\n")
    asked: list[tuple[str, str]] = []
    search = Library.search

    def noted(self: Library, query: str, **named: Any) -> list[Passage]:
        asked.append((query, named["context"]))
        return search(self, query, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Library, "search", noted)
        settings, found = settings_and_found(news, tmp_path, "with")
        assert settings["history"] is True and found[0] == "new"
        assert settings_and_found(news, tmp_path, "without", "--no-history")[0]["history"] is False
    question = "And when did she buy it?"
    assert asked == [(question, "Who was Carla Riva?"), (question, "")]
    settings, found = settings_and_found(news, tmp_path, "some", "--where", "published>2023")
    assert settings["where"] == ["published>2023"] and set(found) == {"new", "it"}
    ran = news("eval", "--gold", "gold.jsonl", "--out", "none", "--retrieval-only", "--where", "author=x")
    assert ran.code == 1 and "No document fits author=x" in ran.err


@pytest.mark.parametrize(
    ("flags", "told"),
    [(("--no-history",), "--no-history goes with"), (("--url", "http://127.0.0.1:1", "--where", "id=a"), "--where is")],
)
def test_flags_that_would_change_nothing_are_wrong_usage(run: Run, flags: tuple[str, ...], told: str) -> None:
    ran = run("eval", "--gold", "gold.jsonl", "--out", "out", *flags)
    assert ran.code == 2 and told in ran.err


@pytest.mark.parametrize("width", [80, 120])
def test_a_list_fits_the_terminal(width: int) -> None:
    rows = [
        DocumentRow(f"2024/03/a-rather-long-name-{i}.html", "A title " * 20, "s", "it", "2024-03-31",
                    "Corriere della Sera", "", "", "", 9, 12)
        for i in range(3)
    ]  # fmt: skip
    with io.StringIO() as stream:
        Console(file=stream, width=width).print(documents_table(rows, width=width))
        lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert sum("2024-03-31" in line and "Corriere" in line for line in lines) == 3
    head = next(line for line in lines if "document" in line)
    ids = "".join(line[: head.index("title")].strip() for line in lines)
    assert all(row.id in ids for row in rows)
    assert ("passages" in head) == (width == 120)


def test_a_list_has_no_column_for_what_no_document_has() -> None:
    row = DocumentRow("a.txt", "A", "s", "it", "", "", "", "", "", 9, 1)
    assert [column.header for column in documents_table([row], width=120).columns] == [
        "document",
        "title",
        "lang",
        "passages",
    ]


def test_removing(run: Run, docs: Path) -> None:
    run("add", "docs")
    ran = run("remove", "other.txt")
    assert ran.code == 1 and "other.txt" in ran.err
    assert run("remove", "mill.txt").out == "1 removed\n"
    assert run("list").out == ""
    assert (docs / "mill.txt").exists()


def test_asking_prints_the_answer_and_its_quotes(run: Run, docs: Path) -> None:
    run("add", "docs")
    ran = run("ask", "Who bought the mill?")
    assert ran.code == 0 and ran.err == ""
    assert ran.out.startswith(SHOWN + "\n")
    assert "mill.txt" in ran.out and "made it a museum." in ran.out


def test_asking_for_json(run: Run, docs: Path) -> None:
    run("add", "docs")
    answer = json.loads(run("ask", "Who bought the mill?", "--json").out)
    (citation,) = answer["citations"]
    assert MILL[citation["start"] : citation["end"]] == citation["quote"]
    assert answer["abstained"] is False


def test_a_refusal_is_no_failure_unless_strict(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "docs")
    monkeypatch.setattr(ui.app, "load_generator", lambda settings: FakeGenerator("NOT FOUND"))
    assert run("ask", "Who sold the mill?").code == 0
    ran = run("ask", "Who sold the mill?", "--strict")
    assert ran.code == 3 and "do not answer" in ran.out


@pytest.mark.parametrize("question", ["", "  ", "x" * 100_000])
def test_a_question_that_cannot_be_asked(run: Run, docs: Path, question: str) -> None:
    run("add", "docs")
    ran = run("ask", question)
    assert ran.code == 1 and ran.err.startswith("fonte: The question ") and ran.err.count("\n") == 1


def test_chatting_keeps_the_conversation(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "docs")
    generator = FakeGenerator(REPLY)
    lines = iter(["Who bought the mill?", "And when?", ""])
    monkeypatch.setattr(ui.app, "load_generator", lambda settings: generator)
    monkeypatch.setattr("ui.cli._prompt", lambda: next(lines))
    ran = run("chat")
    assert ran.code == 0 and ran.out.count(SHOWN) == 2
    assert "Who bought the mill? And when?" in generator.asked[1][1].content


def test_ctrl_c_while_answering_is_130_and_loses_nothing(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "docs")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Answerer, "events", interrupted)
    ran = run("ask", "Who bought the mill?")
    assert ran.code == 130 and "stopped" in ran.err
    assert run("list").out.startswith("mill.txt")


def test_ctrl_c_while_adding_keeps_what_was_added(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(99):
        (docs / f"{i:02}.txt").write_text(f"Port number {i} was closed in 1975.", encoding="utf-8")
    embed = FakeEmbedder.embed_passages
    calls: list[int] = []

    def interrupted(self: FakeEmbedder, texts: Sequence[str]) -> Vectors:
        calls.append(len(texts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return embed(self, texts)

    with monkeypatch.context() as patched:
        patched.setattr(FakeEmbedder, "embed_passages", interrupted)
        assert run("add", "docs").code == 130
    kept = run("list").out.count("\n")
    assert kept == calls[0]
    again = run("add", "docs")
    assert again.code == 0 and again.out == f"{100 - kept} added, {kept} unchanged\n"


def test_a_library_of_another_embedder_is_refused(run: Run, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "docs")
    monkeypatch.setattr(ui.app, "load_embedder", lambda settings: FakeEmbedder(name="other", fingerprint="other-1"))
    ran = run("ask", "Who bought the mill?")
    assert ran.code == 1 and "--embedder fake" in ran.err


@pytest.mark.parametrize("arguments", [("ask",), ("serve", "--port", "x"), ("add",), ("nothing",), ("list", "--no")])
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 2 and ran.err


def test_a_port_in_use(run: Run, docs: Path, free_port: int) -> None:
    import socket

    run("add", "docs")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        ran = run("serve", "--no-open", "--port", str(free_port))
    assert ran.code == 1 and str(free_port) in ran.err


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_real_ctrl_c_ends_a_real_process_with_130(tmp_path: Path) -> None:
    # It waits on standard input for its next question, with the fakes in place.
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from conftest import FakeEmbedder, FakeGenerator\n"
        "import ui.app, ui.cli\n"
        "ui.app.load_embedder = lambda s: FakeEmbedder(); ui.app.load_generator = lambda s: FakeGenerator('x')\n"
        "print('ready', flush=True); ui.cli.main()"
    )
    with Library.open(tmp_path / ".fonte", FakeEmbedder(), create=True):
        pass
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent), "chat"],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "ready\n"
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors


def test_an_unknown_use_of_the_reader_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTE_READER", "orders")
    done = run("list")
    assert done.code == 1 and "reader = 'orders'" in done.err and "evidence, order" in done.err


@pytest.mark.parametrize(
    "command", ["", "ask", "search", "chat", "serve", "add", "eval", "eval score", "compare", "models"]
)
def test_help_is_printed(run: Run, command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.code == 0 and "Usage" in done.out
