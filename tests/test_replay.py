"""`fonte replay`: the same answer from the same documents, and what changed where it is another."""

import json
from pathlib import Path

import pytest
from conftest import FakeGenerator, Run

import ui.app

QUESTION = "Who bought the mill?"


@pytest.fixture
def asked(run: Run, docs: Path, tmp_path: Path) -> Path:
    run("add", "docs")
    file = tmp_path / "answer.json"
    file.write_text(run("ask", QUESTION, "--json").out, encoding="utf-8")
    return file


def test_the_same_answer(run: Run, asked: Path) -> None:
    ran = run("replay", "answer.json")
    assert ran.code == 0 and "Anna Neri" in ran.out
    assert ran.err == "The same answer, with the same quotes.\n"


def test_a_receipt_alone_is_asked_again(run: Run, asked: Path) -> None:
    receipt = json.loads(asked.read_text(encoding="utf-8"))["receipt"]
    asked.write_text(json.dumps(receipt), encoding="utf-8")
    ran = run("replay", "answer.json")
    assert ran.code == 0 and "Anna Neri" in ran.out and "no answer to compare" in ran.err


def test_it_is_asked_as_it_was(run: Run, docs: Path, asked: Path) -> None:
    asked.write_text(run("ask", QUESTION, "--json", "--where", "id=mill.txt").out, encoding="utf-8")
    told = json.loads(asked.read_text(encoding="utf-8"))
    told["receipt"]["settings"]["evidence_tokens"] = 77
    asked.write_text(json.dumps(told), encoding="utf-8")
    assert run("replay", "answer.json").err == "The same answer, with the same quotes.\n"


def test_what_changed_is_told(run: Run, docs: Path, asked: Path) -> None:
    (docs / "port.txt").write_text("The port at Lido was closed in 1975.", encoding="utf-8")
    run("add", "docs")
    ran = run("replay", "answer.json")
    assert ran.code == 0
    assert ran.err == "Changed since: the documents.\nThe same answer, with the same quotes.\n"


def test_another_answer_ends_with_1(run: Run, asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = FakeGenerator("The mill at Borgo was built in 1820 [1].")
    other.fingerprint = "other"
    monkeypatch.setattr(ui.app, "load_generator", lambda settings: other)
    ran = run("replay", "answer.json")
    assert ran.code == 1 and "1820" in ran.out
    assert ran.err.splitlines()[-2:] == [
        "Changed since: the setting model_sha256.",
        "fonte: This is another answer than before.",
    ]


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"receipt": 3}', '{"question": 5}', '{"receipt": {}}'])
def test_what_is_no_receipt_is_told_in_one_line(run: Run, asked: Path, text: str) -> None:
    asked.write_text(text, encoding="utf-8")
    ran = run("replay", "answer.json")
    assert ran.code == 1 and ran.out == "" and ran.err.count("\n") == 1
    assert "This is no receipt" in ran.err


@pytest.mark.parametrize("name", ["nowhere.json", "docs", "binary"])
def test_a_file_that_cannot_be_read(run: Run, asked: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    ran = run("replay", name)
    assert ran.code == 1 and ran.err.count("\n") == 1 and "cannot be read" in ran.err
