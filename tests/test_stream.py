"""Following a question from another thread: order, errors, Stop, one at a time."""

import threading

import pytest
from scripted import PASSAGES, ScriptedAsker, leads, script

from index.errors import BadQuestion
from rag.types import Finished, Piece, Retrieved
from ui.stream import follow


@pytest.fixture
def asker():
    return ScriptedAsker()


def followed(asker, question, stop=None, busy=None):
    batches = follow(asker, question, (), stop=stop or threading.Event(), busy=busy or threading.Lock())
    return (event for batch in batches for event in batch)


def test_events_come_in_order_and_complete(asker):
    steps = script(leads())
    asker.play("Q", *steps)
    assert list(followed(asker, "Q")) == steps


def test_what_the_asker_raises_is_raised_after_what_came_before(asker):
    asker.play("Q", Retrieved(PASSAGES), BadQuestion("Too long."))
    events = followed(asker, "Q")
    assert next(events) == Retrieved(PASSAGES)
    with pytest.raises(BadQuestion, match=r"Too long\."):
        next(events)


def test_stop_ends_at_once_while_the_model_is_silent_and_closes_it_when_it_speaks(asker):
    silence, stop = threading.Event(), threading.Event()
    asker.play("Q", Retrieved(PASSAGES), silence, *[Piece("word ")] * 1000, Finished(leads()))
    events = followed(asker, "Q", stop)
    assert next(events) == Retrieved(PASSAGES)
    stop.set()
    assert list(events) == []
    assert not asker.closed["Q"].is_set()
    silence.set()
    assert asker.closed["Q"].wait(5)


def test_leaving_the_stream_closes_the_asker(asker):
    asker.play("Q", Retrieved(PASSAGES), Piece("one"), gate := threading.Event(), Piece("two"), Finished(leads()))
    events = follow(asker, "Q", (), stop=threading.Event(), busy=threading.Lock())
    next(events)
    events.close()
    gate.set()
    assert asker.closed["Q"].wait(5)


def test_a_second_question_waits_for_the_first(asker):
    busy, gate = threading.Lock(), threading.Event()
    asker.play("first", Retrieved(PASSAGES), gate, Finished(leads()))
    asker.play("second", Retrieved(PASSAGES), Finished(leads()))
    first = followed(asker, "first", busy=busy)
    next(first)
    answers = []
    waiting = threading.Thread(target=lambda: answers.extend(followed(asker, "second", busy=busy)))
    waiting.start()
    assert "second" not in asker.histories
    gate.set()
    assert isinstance(list(first)[-1], Finished)
    waiting.join(10)
    assert len(answers) == 2


def test_a_question_that_waits_its_turn_can_be_stopped(asker):
    busy, stop = threading.Lock(), threading.Event()
    asker.play("Q", Finished(leads()))
    with busy:
        stop.set()
        assert list(followed(asker, "Q", stop, busy)) == []
    assert "Q" not in asker.histories
