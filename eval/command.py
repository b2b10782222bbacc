"""Another system behind a command."""

import json
import shlex
import subprocess
import threading
import time
from collections.abc import Mapping

from eval.data import Gold, Row
from eval.reply import json_object, question_json, row_of_reply
from index.errors import BadRun, GenerationFailed

_SHOWN_CHARS = 200


class CommandSystem:
    """A program. Where its command holds {question} it is run for each, and what it prints is the answer.

    Else it is started once: a question comes as a line of JSON (`id`, `question`, `history`, `language`) and goes back
    as a line of JSON in the format of run.jsonl.
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
        self._running: list[subprocess.Popen[str]] = []

    def ask(self, gold: Gold) -> Row:
        """Return the row of a question. Raises GenerationFailed, BadRun."""
        start = time.perf_counter()
        reply = self._run_once(gold) if self._each else self._exchange(gold)
        return row_of_reply(gold, reply, total_s=time.perf_counter() - start)

    def close(self) -> None:
        """End the programs that are running."""
        for process in self._running:
            process.kill()
            process.wait()

    def _run_once(self, gold: Gold) -> Mapping[str, object]:
        words = [word.replace("{question}", gold.question) for word in self._words]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=self._timeout_s
            )
        except subprocess.TimeoutExpired:
            raise GenerationFailed(f"{words[0]} did not answer within {self._timeout_s:g} s.") from None
        except OSError as error:
            raise GenerationFailed(f"{words[0]} cannot be run: {error.strerror or error}.") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise GenerationFailed(f"{words[0]} ended with {done.returncode}: {last[:_SHOWN_CHARS]}")
        text = done.stdout.strip()
        return json_object(text) or {"answer": text}

    def _exchange(self, gold: Gold) -> Mapping[str, object]:
        process = self._process()
        line = json.dumps(question_json(gold), ensure_ascii=False) + "\n"
        timer = threading.Timer(self._timeout_s, process.kill)
        timer.start()
        try:
            assert process.stdin and process.stdout
            process.stdin.write(line)
            process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:  # it is gone
            reply = ""
        finally:
            timer.cancel()
        if not reply:
            self._own.process = None
            process.kill()
            raise GenerationFailed(f"{self._words[0]} ended ({process.wait()}) without an answer to {gold.id!r}.")
        row = json_object(reply)
        if row is None:
            raise GenerationFailed(f"{self._words[0]} wrote no JSON object: {reply.strip()[:_SHOWN_CHARS]!r}.")
        return row

    def _process(self) -> "subprocess.Popen[str]":
        """Return this thread's running program, started where there is none."""
        process: subprocess.Popen[str] | None = getattr(self._own, "process", None)
        if process is None:
            try:
                process = subprocess.Popen(
                    self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
                )
            except OSError as error:
                raise GenerationFailed(f"{self._words[0]} cannot be run: {error.strerror or error}.") from None
            self._own.process = process
            self._running.append(process)
        return process
