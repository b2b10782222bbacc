"""Answers given before: shown again at once while nothing changed, gone with the documents they were made from."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MILL, REPLY, FakeEmbedder, FakeGenerator

from index.kept import MOST, Kept
from index.library import Library
from index.types import Document
from rag.answer import Answerer
from rag.types import Answer, Finished, Retrieved, Turn

QUESTION = "Who bought the mill?"


@pytest.fixture
def library(tmp_path: Path, fake_embedder: FakeEmbedder) -> Iterator[Library]:
    with Library.open(tmp_path / "library", fake_embedder, create=True) as library:
        library.add_documents([Document("mill.md", MILL, title="The mill", language="en", published="2024-01-02")])
        yield library


def remembering(library: Library, generator: FakeGenerator, **settings: int) -> Answerer:
    return Answerer(library, generator, least_answerable=0.0, remember=True, **settings)


def test_the_second_time_the_model_is_not_asked(library: Library) -> None:
    generator = FakeGenerator(REPLY)
    first = remembering(library, generator).answer(QUESTION)
    events = list(remembering(library, generator).events(f" {QUESTION}\n"))
    assert [type(event) for event in events] == [Retrieved, Finished]
    again = events[-1].answer
    assert len(generator.asked) == 1
    assert again.receipt == {**first.receipt, "cached": True} and first.receipt["cached"] is False
    for name in ("question", "text", "language", "claims", "citations", "abstained", "reason", "passages"):
        assert getattr(again, name) == getattr(first, name)
    assert 0 < again.timings["total_s"] < 1 and again.timings["output_tokens"] == 0


def test_a_refusal_is_kept_too(library: Library) -> None:
    generator = FakeGenerator("NOT FOUND")
    answers = [remembering(library, generator).answer(QUESTION) for _ in range(2)]
    assert [answer.abstained for answer in answers] == [True, True]
    assert len(generator.asked) == 1 and answers[0].reason == answers[1].reason


def test_another_question_conversation_setting_or_model_is_asked_anew(library: Library) -> None:
    generator = FakeGenerator(REPLY)
    remembering(library, generator).answer(QUESTION)
    remembering(library, generator).answer("Who sold the mill?")
    remembering(library, generator).answer(QUESTION, [Turn("user", "When was it built?")])
    remembering(library, generator, evidence_tokens=77).answer(QUESTION)
    assert len(generator.asked) == 4
    other = FakeGenerator(REPLY)
    other.fingerprint = "other"
    assert not remembering(library, other).answer(QUESTION).receipt["cached"] and other.asked


def test_a_model_that_may_change_under_its_name_is_always_asked(library: Library) -> None:
    generator = FakeGenerator(REPLY)
    generator.fingerprint = ""
    for _ in range(2):
        remembering(library, generator).answer(QUESTION)
    assert len(generator.asked) == 2


def test_without_being_told_to_nothing_is_kept(library: Library) -> None:
    Answerer(library, FakeGenerator(REPLY), least_answerable=0.0).answer(QUESTION)
    assert not (library.folder / "kept.sqlite").exists()


@pytest.mark.parametrize("change", ["add", "remove"])
def test_what_was_kept_is_gone_once_the_documents_change(library: Library, change: str) -> None:
    generator = FakeGenerator(REPLY)
    remembering(library, generator).answer(QUESTION)
    file = library.folder / "kept.sqlite"
    assert REPLY.removesuffix(" [1].").encode() in file.read_bytes()
    if change == "add":
        library.add_documents([Document("port.md", "The port was closed.", language="en")])
    else:
        library.remove(["mill.md"])
    assert not file.exists()
    assert not remembering(library, generator).answer(QUESTION).receipt["cached"]


def test_an_answer_that_was_under_way_while_the_documents_changed_is_not_kept(library: Library) -> None:
    events = remembering(library, FakeGenerator(REPLY)).events(QUESTION)
    next(events)
    library.remove(["mill.md"])
    assert isinstance(list(events)[-1], Finished)
    assert not (library.folder / "kept.sqlite").exists()


def test_a_stopped_answer_is_not_kept(library: Library) -> None:
    events = remembering(library, FakeGenerator(REPLY)).events(QUESTION)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert not (library.folder / "kept.sqlite").exists()


@pytest.mark.parametrize("value", ["nonsense", "{}", '{"text": 3}', "null"])
def test_what_cannot_be_read_is_made_again(library: Library, value: str) -> None:
    generator = FakeGenerator(REPLY)
    remembering(library, generator).answer(QUESTION)
    with sqlite3.connect(library.folder / "kept.sqlite") as database:
        database.execute("UPDATE kept SET value = ?", (value,))
    assert isinstance(remembering(library, generator).answer(QUESTION), Answer)
    assert len(generator.asked) == 2


@pytest.mark.parametrize("damage", [b"", b"not a database" * 100])
def test_a_damaged_file_costs_nothing_but_time(library: Library, damage: bytes) -> None:
    (library.folder / "kept.sqlite").write_bytes(damage)
    assert not remembering(library, FakeGenerator(REPLY)).answer(QUESTION).abstained


def test_the_oldest_make_room(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.sqlite", lambda: 1)
    for number in range(MOST + 5):
        kept.put(str(number), {"n": number}, generation=1)
    assert [kept.get(str(number)) for number in (4, 5, MOST + 4)] == [None, {"n": 5}, {"n": MOST + 4}]
    with sqlite3.connect(tmp_path / "kept.sqlite") as database:
        assert database.execute("SELECT count(*) FROM kept").fetchone() == (MOST,)


def test_values_are_json(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.sqlite", lambda: 1)
    kept.put("k", {"però": [1, None, "“"]}, generation=1)
    assert kept.get("k") == {"però": [1, None, "“"]} and kept.get("other") is None
    assert json.dumps(kept.get("k"))
