"""Every verb of the command line with fakes for the two models: what is printed where, and the exit code."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import MILL, REPLY, SHOWN, FakeEmbedder, FakeGenerator, Ran, Run

import ui.app
from index.catalog import Catalog
from index.library import Library
from rag.answer import Answerer


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
    (docs / "second.txt").write_text("The port was closed in 1975. " * 3, encoding="utf-8")
    put = Catalog.put
    calls: list[object] = []

    def interrupted(self: Catalog, *arguments, **named) -> None:  # type: ignore[no-untyped-def]
        if calls:
            raise KeyboardInterrupt
        calls.append(put(self, *arguments, **named))

    monkeypatch.setattr(Catalog, "put", interrupted)
    assert run("add", "docs").code == 130
    monkeypatch.setattr(Catalog, "put", put)
    assert run("list").out.count("\n") == 1
    again = run("add", "docs")
    assert again.code == 0 and again.out == "1 added, 1 unchanged\n"


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
