"""Another system behind a command."""

import json
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from eval.data import Gold, Row
from eval.reply import json_object, question_json, row_of_reply, shown, within
from index.errors import BadRun, FonteError, GenerationFailed

_MOST_OTHER_LINES = 1000  # a program that writes more of them than that will not come to its answer


class CommandSystem:
    """A program. Where its command holds {question} it is run for each, and what it prints is the answer.

    Else it is started once: a question comes as a line of JSON (`id`, `question`, `history`, `language`) and goes back
    as a line of JSON in the format of run.jsonl. Other lines that it writes are passed over.
    """

    all_known = False

    def __init__(self, command: str, *, at_once: int = 1, timeout_s: float = 600.0) -> None:
        """Raises BadRun where the command cannot be read; nothing is started before the first question."""
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise BadRun(f"The command {command!r} cannot be read: {error}.") from None
        if not self._words:
            raise BadRun("The command is empty: --system 'python my_rag.py'.")
        self.settings: Mapping[str, object] = {"system": command}
        self.at_once = at_once
        self._timeout_s = timeout_s
        self._each = any("{question}" in word for word in self._words)
        self._own = threading.local()
        self._running = _Running()

    def ask(self, gold: Gold) -> Row:
        """Return the row of a question. Raises GenerationFailed, BadRun."""
        return self._ask_anew(gold) if self._each else self._ask_on(gold)

    def close(self) -> None:
        """End the programs that are running, with all that they started; none starts any more."""
        self._running.end_all()

    def _ask_anew(self, gold: Gold) -> Row:
        start = time.perf_counter()
        words = [word.replace("{question}", gold.question) for word in self._words]
        process = self._running.start(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            output, said = process.communicate(timeout=self._timeout_s)
        except BaseException as error:
            self._running.end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise GenerationFailed(f"{words[0]} did not answer within {self._timeout_s:g} s.") from None
            raise
        self._running.forget(process)
        if process.returncode:
            last = (said.strip().splitlines() or [b"it said nothing"])[-1]
            raise GenerationFailed(f"{words[0]} ended with {process.returncode}: {shown(last)}.")
        text = output.decode("utf-8", errors="replace").strip()
        reply = json_object(text)
        total_s = time.perf_counter() - start
        return row_of_reply(gold, {"answer": text} if reply is None else reply, total_s=total_s)

    def _ask_on(self, gold: Gold) -> Row:
        program = self._program()
        start = time.perf_counter()
        try:
            reply = within(self._timeout_s, lambda: program.exchange(gold), self._words[0])
            return row_of_reply(gold, reply, total_s=time.perf_counter() - start)
        except BaseException as error:
            # What it writes from now on could pass for the answer to the next question.
            self._own.program = None
            self._running.end(program.process)
            if isinstance(error, FonteError) and program.passed_over:
                raise type(error)(f"{error} It wrote {shown(program.passed_over)}, no JSON object.") from None
            raise

    def _program(self) -> "_Program":
        """Return this thread's running program, started where there is none."""
        program: _Program | None = getattr(self._own, "program", None)
        if program is None:
            program = self._own.program = _Program(self._running.start(self._words, stdin=subprocess.PIPE))
        return program


class _Program:
    """A running program that answers line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.passed_over = b""  # the last line, since the question, that is no JSON object
        self._name = str(process.args[0])  # type: ignore[index]
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def exchange(self, gold: Gold) -> Mapping[str, object]:
        """Return the reply to a question. Raises GenerationFailed."""
        self.passed_over = b""
        while not self._lines.empty():  # written before it was asked: an answer to nothing
            self._next(gold)
        assert self.process.stdin
        with suppress(OSError):  # it is gone, as reading will show
            self.process.stdin.write(json.dumps(question_json(gold), ensure_ascii=False).encode() + b"\n")
            self.process.stdin.flush()
        for _ in range(_MOST_OTHER_LINES):
            line = self._next(gold)
            if (reply := json_object(line)) is not None:
                return self._checked(gold, reply)
            self.passed_over = line
        raise GenerationFailed(f"{self._name} wrote {_MOST_OTHER_LINES:,} lines instead of an answer.")

    def _checked(self, gold: Gold, reply: Mapping[str, object]) -> Mapping[str, object]:
        self.passed_over = b""
        if reply.get("id") is not None and str(reply["id"]) != gold.id:
            raise GenerationFailed(f"{self._name} was asked {gold.id!r} and answered {shown(str(reply['id']))}.")
        return reply

    def _next(self, gold: Gold) -> bytes:
        if line := self._lines.get():
            return line
        raise GenerationFailed(f"{self._name} ended ({self.process.wait()}) without an answer to {gold.id!r}.")

    def _read(self) -> None:
        assert self.process.stdout
        with suppress(OSError, ValueError):  # closed meanwhile
            for line in self.process.stdout:
                self._lines.put(line)
        self._lines.put(b"")


class _Running:
    """The programs that are running, each the leader of a group of processes, which ends as a whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def start(self, words: list[str], *, stdin: int, stderr: int | None = None) -> "subprocess.Popen[bytes]":
        """Return a program that has just been started. Raises GenerationFailed."""
        with self._lock:
            if self._closed:
                raise GenerationFailed(f"{words[0]} is not started any more.")
            try:
                process = subprocess.Popen(
                    words, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
                )
            except OSError as error:
                raise GenerationFailed(f"{words[0]} cannot be run: {error.strerror or error}.") from None
            except ValueError as error:  # no argument can hold a zero byte
                raise GenerationFailed(f"{words[0]} cannot be run with this question: {error}.") from None
            self._processes.add(process)
            return process

    def forget(self, process: "subprocess.Popen[bytes]") -> None:
        """Leave alone what a program that has ended has started."""
        with self._lock:
            self._processes.discard(process)

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """End a program and what it has started."""
        self.forget(process)
        _kill(process)

    def end_all(self) -> None:
        """End every program; none starts any more."""
        with self._lock:
            self._closed = True
            processes = list(self._processes)
            self._processes.clear()
        for process in processes:
            _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):  # PermissionError: what macOS says of one that has ended
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
