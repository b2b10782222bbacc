"""The process that is killed: it adds, changes and removes documents without end, and notes what our API reported.

Run as a program it imports everything once, then forks a worker for each job (a line of JSON on standard input), so
that a kill costs milliseconds instead of seconds; on standard output comes one line when the worker is dead.

A worker dies by SIGKILL at a moment that its job names and that can be named again: at the nth event (a call or
return of a Python function of `index`, or of a C function called in one), at a call or return of one function, or
after so many seconds, whatever it is doing then. The interpreter's own profiling hook counts the events, so no
production code knows of it.
"""

import json
import logging
import os
import random
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from conftest import FakeEmbedder

from index import backup, doctor, rebuild, salvage
from index.chroma_child import StoreFailed
from index.library import Library
from index.types import Document
from index.vectors import ChromaVectors

_INDEX = str(Path(doctor.__file__).parent) + os.sep
_SENTENCES = (
    "Il mulino di Borgo macina grano.",
    "The river rose in spring, and nobody slept.",
    "Dopo la pioggia, sole.",
)


def text_of(document_id: str, version: int) -> str:
    """Return the text of a document: of one or many passages, with a word of its own at either end."""
    chosen = random.Random(f"{document_id} {version}")
    body = " ".join(chosen.choices(_SENTENCES, k=chosen.choice((1, 3, 30, 120))))
    return f"{word_of(document_id, version)} comincia. {body} Finisce {word_of(document_id, version)}."


def word_of(document_id: str, version: int) -> str:
    return f"{document_id}versione{version}"


def without_chroma() -> None:
    """Keep the vector store from being made: it takes seconds to start, and its own kills are few."""

    def fill(*_: object, **__: object) -> None:
        raise StoreFailed("is left out of this test")

    ChromaVectors.fill = fill  # type: ignore[method-assign]
    ChromaVectors.warm = lambda self: None  # type: ignore[method-assign]


class Death:
    """Kills this process at the moment that the job names."""

    def __init__(self, kill: dict[str, Any]) -> None:
        self._at = kill.get("at")
        self._step = (kill["step"], kill["event"]) if "step" in kill else None
        self._nth = kill.get("nth", 1)
        self._events = count(1)
        self._met = count(1)
        self.seen: dict[str, None] = {}  # names of functions, in the order of their first calls
        sys.setprofile(self._on_event)
        threading.setprofile(self._on_event)

    def _on_event(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(_INDEX):
            return
        if self._at is not None and next(self._events) >= self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        if event in ("call", "return"):
            name = f"{Path(code.co_filename).stem}.{code.co_qualname}"
            self.seen.setdefault(name)
            if self._step == (name, event) and next(self._met) >= self._nth:
                os.kill(os.getpid(), signal.SIGKILL)


class Ledger:
    """A file that says what is about to be done and what was reported as done; it survives the process."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, *said: object) -> None:
        os.write(self._descriptor, json.dumps(said).encode() + b"\n")


def work(
    folder: Path, docs: Path, ledger: Ledger, *, seed: str, held: dict[str, int], steps: int, only_new: bool = False
) -> None:
    """Add, change and remove documents, `steps` times."""
    chosen = random.Random(seed)
    docs.mkdir(exist_ok=True)
    with Library.open(folder, FakeEmbedder(), create=True) as library:
        newest = max(held.values(), default=0)
        for version in range(newest + 1, newest + steps + 1):
            doing = chosen.random()
            if only_new:
                ledger.note("begin", "add", {f"d{version}": version})
                library.add_documents([Document(f"d{version}", text_of(f"d{version}", version))])
            elif held and doing < 0.25:
                ids = chosen.sample(sorted(held), min(len(held), chosen.choice((1, 1, 3))))
                ledger.note("begin", "remove", dict.fromkeys(ids, 0))
                library.remove(ids)
                for document_id in ids:
                    (docs / document_id).unlink(missing_ok=True)
                    del held[document_id]
            else:
                from_files = doing > 0.85
                kind = "f{}.txt" if from_files else "d{}"
                ids = [kind.format(chosen.randrange(12)) for _ in range(chosen.choice((1, 1, 2)))]
                wanted = dict.fromkeys(ids, version)
                for document_id in wanted if from_files else ():
                    (docs / document_id).write_text(text_of(document_id.removesuffix(".txt"), version))
                ledger.note("begin", "add", wanted)
                if from_files:
                    library.add([docs / document_id for document_id in wanted])
                else:
                    library.add_documents(Document(i, text_of(i, v), title=word_of(i, v)) for i, v in wanted.items())
                held |= wanted
            ledger.note("done")


def run(job: dict[str, Any]) -> None:
    """Do a job to its end, or to its death."""
    os.environ["FONTE_CRASH_JOB"] = job["job"]  # by which children that are left over are recognised
    folder, ledger = Path(job["folder"]), Ledger(Path(job["ledger"]))
    if not job["chroma"]:
        without_chroma()
    if "limit" in job:  # of the size of a file, say
        name, most = job["limit"]
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    death = Death(job["kill"])
    embedder = FakeEmbedder()
    try:
        match job["do"]:
            case "work":
                work(
                    folder,
                    Path(job["docs"]),
                    ledger,
                    seed=job["job"],
                    held=dict(job["held"]),
                    steps=job["steps"],
                    only_new=job.get("only_new", False),
                )
            case "rebuild":
                rebuild.rebuild(folder, FakeEmbedder(name="other", fingerprint="other-1", dimension=32))
            case "backup":
                backup.backup(folder, Path(job["file"]), force=True)
            case "restore":
                backup.restore(Path(job["file"]), folder)
            case "repair":
                salvage.repair(doctor.examine(folder), lambda: embedder)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        ledger.note("seen", list(death.seen))


def jobs() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def warm_up() -> None:
    """Do in a folder of its own what a worker does, so that all is imported. No thread is left when one is forked."""
    logging.getLogger("index").setLevel(logging.ERROR)  # a vector store that is left out is no news
    filling, warming = ChromaVectors.fill, ChromaVectors.warm
    without_chroma()
    with TemporaryDirectory() as name:
        folder = Path(name)
        work(folder / "data", folder / "docs", Ledger(folder / "ledger"), seed="warm", held={}, steps=12)
        rebuild.rebuild(folder / "data", FakeEmbedder(dimension=32))
        backup.backup(folder / "data", folder / "file")
        backup.restore(folder / "file", folder / "restored")
    ChromaVectors.fill, ChromaVectors.warm = filling, warming  # type: ignore[method-assign]
    assert threading.active_count() == 1


def main() -> None:
    warm_up()
    for job in jobs():
        child = os.fork()
        if child == 0:
            try:
                run(job)
            except BaseException as error:
                Ledger(Path(job["ledger"])).note("failed", f"{type(error).__name__}: {error}")
            finally:
                os._exit(0)
        if "after_s" in job["kill"]:
            time.sleep(job["kill"]["after_s"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(json.dumps({"killed": killed, "status": status}), flush=True)


if __name__ == "__main__":
    main()
