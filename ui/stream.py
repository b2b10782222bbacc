"""A question followed from another thread, so that neither Stop nor a second reader waits for a slow model."""

from collections.abc import Generator, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import Protocol

from rag.types import Event, Turn

TICK_S = 0.1  # between two updates of the page, and until a Stop is noticed


class Asker(Protocol):
    """What answers: `rag.answer.Answerer`, and a scripted fake in tests."""

    def events(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        """Yield Retrieved, then any number of Piece, then Finished. Closing the iterator stops the model."""
        ...


def follow(asker: Asker, question: str, history: Sequence[Turn], *, stop: Flag, busy: Lock) -> Iterator[list[Event]]:
    """Yield what happened, in order, at most one batch every `TICK_S` seconds, until it is over or `stop` is set.

    `busy` is held while the asker works: one question at a time. Raises what the asker raised.
    """
    happened: SimpleQueue[Event | Exception | None] = SimpleQueue()
    Thread(target=_work, args=(asker, question, history, stop, busy, happened), daemon=True).start()
    try:
        while not stop.is_set():
            batch = _collect(happened)
            events = [item for item in batch if item is not None and not isinstance(item, Exception)]
            if events:
                yield events
            if len(events) < len(batch):  # the last item is None or an error
                if isinstance(batch[-1], Exception):
                    raise batch[-1]
                return
            stop.wait(TICK_S if events else 0)
    finally:
        stop.set()


def _collect(happened: SimpleQueue[Event | Exception | None]) -> list[Event | Exception | None]:
    """Return what is waiting; waits up to `TICK_S` for a first item."""
    batch: list[Event | Exception | None] = []
    try:
        batch.append(happened.get(timeout=TICK_S))
        while True:
            batch.append(happened.get_nowait())
    except Empty:
        return batch


def _work(
    asker: Asker,
    question: str,
    history: Sequence[Turn],
    stop: Flag,
    busy: Lock,
    happened: SimpleQueue[Event | Exception | None],
) -> None:
    while not busy.acquire(timeout=TICK_S):
        if stop.is_set():
            return
    events: Iterator[Event] = iter(())
    try:
        events = asker.events(question, history)
        for event in events:
            if stop.is_set():
                break
            happened.put(event)
        happened.put(None)
    except Exception as error:
        happened.put(error)
    finally:
        if isinstance(events, Generator):
            events.close()
        busy.release()
