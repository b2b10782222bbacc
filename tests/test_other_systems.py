"""Other systems behind a command or an address, among them a RAG built with llama-index."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeEmbedder

from eval.command import CommandSystem
from eval.data import Gold, Quote, Row, append_row, read_run
from eval.reply import read_answers
from eval.run import evaluate
from eval.server import ServerSystem
from index.errors import BadRun, GenerationFailed
from rag.types import Turn

GOLD = Gold("q1", "Who runs the city library?", ("Bruno Neri",), ("library",), True, "en")
CORPUS = {
    "museum": "Ada Conti has led the museum since 2019. The roof was repaired in 2021.",
    "library": "Bruno Neri runs the city library. It lends forty thousand books a year.",
}


def script(folder: Path, body: str) -> str:
    path = folder / "system.py"
    path.write_text(f"import json, sys\n{body}")
    return f"{sys.executable} {path}"


ECHO = """
for line in sys.stdin:
    asked = json.loads(line)
    row = {"answer": f"You ask: {asked['question']} [1]", "passages": [{"document": "library"}], "output_tokens": 4}
    print(json.dumps(row), flush=True)
"""


def test_a_command_is_started_once_and_answers_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "starts").touch()
    starts = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')\n"
    system = CommandSystem(script(tmp_path, starts + ECHO))
    row = system.ask(GOLD)
    again = system.ask(replace(GOLD, id="q2", question="And the museum?"))
    system.close()
    assert (row.id, row.answer) == ("q1", "You ask: Who runs the city library? [1]")
    assert (again.id, again.answer) == ("q2", "You ask: And the museum? [1]")
    assert (row.retrieved, row.citations, row.output_tokens) == (("library",), ("library",), 4)
    assert row.total_s is not None
    assert (tmp_path / "starts").read_text() == "x"


@pytest.mark.parametrize("said", ["Loading model ...", "[1, 2]", "\\xe0", "[" * 5000])
def test_what_a_command_says_besides_does_not_shift_its_answers(tmp_path: Path, said: str) -> None:
    body = f"""
def say():
    sys.stdout.buffer.write(b'{said}\\n')
    sys.stdout.flush()

say()
for line in sys.stdin:
    say()
    print(json.dumps({{"answer": json.loads(line)["id"]}}), flush=True)
"""
    system = CommandSystem(script(tmp_path, body))
    for id in ("q1", "q2", "q3"):
        assert system.ask(replace(GOLD, id=id)).answer == id
    system.close()


def test_a_second_answer_to_one_question_does_not_pass_for_the_next(tmp_path: Path) -> None:
    body = """
for line in sys.stdin:
    id = json.loads(line)["id"]
    print(json.dumps({"answer": id}) + "\\n" + json.dumps({"answer": id + " again"}), flush=True)
"""
    system = CommandSystem(script(tmp_path, body))
    for id in ("q1", "q2", "q3"):
        assert system.ask(replace(GOLD, id=id)).answer == id
        time.sleep(0.05)
    system.close()


def test_an_answer_to_another_question_is_refused_and_the_command_started_again(tmp_path: Path) -> None:
    body = """
from pathlib import Path
late = Path(sys.argv[0]).with_name("late")
for line in sys.stdin:
    asked = json.loads(line)
    if not late.exists():
        late.touch()
        asked["id"] = "q0"
    print(json.dumps({"id": asked["id"], "answer": asked["question"]}), flush=True)
"""
    system = CommandSystem(script(tmp_path, body))
    with pytest.raises(GenerationFailed, match="was asked 'q1' and answered 'q0'"):
        system.ask(GOLD)
    assert system.ask(GOLD).answer == GOLD.question
    system.close()


def test_a_command_that_never_comes_to_its_answer_is_told(tmp_path: Path) -> None:
    system = CommandSystem(script(tmp_path, "sys.stdin.readline()\nwhile True: print('tick', flush=True)"))
    with pytest.raises(GenerationFailed, match=r"wrote 1,000 lines instead of an answer\. It wrote 'tick'"):
        system.ask(GOLD)
    system.close()


def test_a_command_is_not_told_the_answer(tmp_path: Path) -> None:
    system = CommandSystem(script(tmp_path, "print(json.dumps({'answer': sys.stdin.readline()}), flush=True)"))
    gold = Gold("q", "And he?", ("Neri",), ("library",), True, "en", meta={"history": [Turn("user", "Who?")]})
    told = json.loads(system.ask(gold).answer)
    system.close()
    assert told == {
        "id": "q",
        "question": "And he?",
        "history": [{"speaker": "user", "text": "Who?"}],
        "language": "en",
    }


def test_a_command_with_the_question_in_it_is_run_for_each(tmp_path: Path) -> None:
    system = CommandSystem(script(tmp_path, "print('I was asked', sys.argv[1])") + " {question}")
    hostile = Gold("q", '; rm -rf $HOME `id` "?"', (), (), False)
    assert system.ask(hostile).answer == f"I was asked {hostile.question}"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("sys.exit(3)", "ended \\(3\\) without an answer to 'q1'"),
        ("print('{\"answer\": 5}', flush=True); sys.stdin.read()", "answer: Input should be a valid string"),
        ('print(\'{"response": "Ada"}\', flush=True); sys.stdin.read()', "holds no answer.*only 'response'"),
        ("print('{\"abstained\": false}', flush=True); sys.stdin.read()", "holds no answer.*only 'abstained'"),
        ("print('{}', flush=True); sys.stdin.read()", "holds no answer.*only nothing"),
    ],
)
def test_a_command_that_misbehaves_is_told_in_a_sentence(tmp_path: Path, body: str, problem: str) -> None:
    system = CommandSystem(script(tmp_path, body))
    with pytest.raises((GenerationFailed, BadRun), match=problem):
        system.ask(GOLD)
    system.close()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("import time; time.sleep(60)", r"did not answer within 1 s\."),
        (
            "print('hello', flush=True); sys.stdin.read()",
            r"did not answer within 1 s\. It wrote 'hello', no JSON object",
        ),
    ],
)
def test_a_command_that_does_not_answer_is_told_with_what_it_wrote(tmp_path: Path, body: str, problem: str) -> None:
    system = CommandSystem(script(tmp_path, body), timeout_s=1.0)
    with pytest.raises(GenerationFailed, match=problem):
        system.ask(GOLD)
    system.close()


def test_a_command_that_ended_is_started_again(tmp_path: Path) -> None:
    system = CommandSystem(script(tmp_path, "sys.stdin.readline(); print(json.dumps({'answer': 'yes'}), flush=True)"))
    assert system.ask(GOLD).answer == "yes"
    with pytest.raises(GenerationFailed):
        system.ask(GOLD)
    assert system.ask(GOLD).answer == "yes"
    system.close()


SLEEPER = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"


def sleepers(folder: Path) -> list[str]:
    """Return a line for each `sleep` that a script started from `folder` and that still runs."""
    import psutil

    found = (p.info for p in psutil.process_iter(["cmdline", "cwd"]))
    return [info["cwd"] for info in found if info["cmdline"] == ["sleep", "60"] and info["cwd"] == str(folder)]


@pytest.mark.parametrize("asked", ["", " {question}"])
def test_a_command_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    system = CommandSystem(script(tmp_path, SLEEPER) + asked, timeout_s=1.0)
    start = time.monotonic()
    with pytest.raises(GenerationFailed, match="did not answer within 1 s"):
        system.ask(GOLD)
    assert time.monotonic() - start < 5
    assert eventually(lambda: not sleepers(tmp_path))


@pytest.mark.parametrize("asked", ["", " {question}"])
def test_closing_ends_the_commands_of_all_threads_and_what_they_started(
    tmp_path: Path, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    system = CommandSystem(script(tmp_path, SLEEPER) + asked, at_once=2)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            system.ask(GOLD)
        except GenerationFailed as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(sleepers(tmp_path)) == 2)
    system.close()
    for thread in threads:
        thread.join(5)
    assert len(failed) == 2
    assert eventually(lambda: not sleepers(tmp_path))
    with pytest.raises(GenerationFailed, match="not started any more"):
        system.ask(GOLD)


def eventually(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happened()


def test_a_command_that_does_not_read_is_told_also_where_the_question_fills_the_pipe(tmp_path: Path) -> None:
    system = CommandSystem(script(tmp_path, "import time; time.sleep(60)"), timeout_s=0.5)
    with pytest.raises(GenerationFailed, match=r"did not answer within 0\.5 s"):
        system.ask(replace(GOLD, question="Who?" * 100_000))
    system.close()


def test_a_question_that_no_argument_can_hold_is_told(tmp_path: Path) -> None:
    system = CommandSystem(script(tmp_path, "print('yes')") + " {question}")
    with pytest.raises(GenerationFailed, match="cannot be run with this question: embedded null byte"):
        system.ask(replace(GOLD, question="Who\0?"))


def test_bytes_that_are_no_text_and_halves_of_characters_can_be_stored(tmp_path: Path) -> None:
    printed = b'{"answer": "caff\xe8 \\ud800", "passages": [{"document": "\\udc00"}], "\\ud800": 1}'
    once = CommandSystem(script(tmp_path, f"sys.stdout.buffer.write({printed!r})") + " {question}")
    row = once.ask(GOLD)
    append_row(tmp_path / "run.jsonl", row)
    assert (row.answer, row.retrieved) == ("caff\ufffd \ufffd", ("\ufffd",))
    assert read_run(tmp_path / "run.jsonl") == [row]


def test_json_that_is_nested_too_deep_is_text(tmp_path: Path) -> None:
    deep = CommandSystem(script(tmp_path, "print('[' * 20_000)") + " {question}")
    assert deep.ask(GOLD).answer == "[" * 20_000


@pytest.mark.parametrize("depth", [50, 500, 900, 990, 20_000])
def test_a_row_that_is_nested_too_deep_is_told(depth: int) -> None:
    row = '{"answer": "Ada", "passages": ' + "[" * depth + "]" * depth + "}"
    with (
        served(lambda request: (200, "application/json", row)) as url,
        pytest.raises((BadRun, GenerationFailed), match=r"cannot be used|sent no JSON object"),
    ):
        ServerSystem(f"{url}/ask").ask(GOLD)


def test_rows_without_an_answer_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(
        '{"id": "q1", "response": "Ada"}\n\n{"id": "q2", "abstained": true}\n{"id": "q3", "error": "no"}\n'
        '{"id": "q4", "abstained": false, "error": ""}\n{"id": "q5", "answer": ""}\n'
    )
    with pytest.raises(BadRun) as told:
        read_answers(path, [replace(GOLD, id=f"q{n}") for n in range(1, 6)])
    assert "line 1: it holds no answer, abstained: true or error, only 'id', 'response'; line 5:" in str(told.value)
    assert not any(f"line {n}:" in str(told.value) for n in (2, 3, 4, 6))


@pytest.mark.parametrize(("command", "problem"), [("", "is empty"), ("python 'x", "cannot be read")])
def test_a_command_that_cannot_be_read_is_refused(command: str, problem: str) -> None:
    with pytest.raises(BadRun, match=problem):
        CommandSystem(command)


def test_a_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    for command in ("/nowhere/rag", "/nowhere/rag {question}"):
        with pytest.raises(GenerationFailed, match="/nowhere/rag cannot be run"):
            CommandSystem(command).ask(GOLD)


Body = str | bytes | Iterator[str]  # an iterator's pieces are sent as they come
Reply = Callable[[dict[str, Any]], "tuple[int, str, Body]"]  # request -> status, content type, body
MODELS = '{"object": "list", "data": [{"id": "m", "object": "model"}]}'


@contextmanager
def served(reply: Reply, *, models: Body = MODELS, seen: list[str] | None = None, **headers: str) -> Iterator[str]:
    """Serve `reply` to every POST, `models` to every GET; `seen` gets the address of each."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, "application/json", models)

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(*reply(request))

        def _send(self, status: int, kind: str, body: Body) -> None:
            if seen is not None:
                seen.append(f"{self.command} {self.path}")
            self.send_response(status)
            for name, value in {"Content-Type": kind, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # it did not wait
                for piece in [body] if isinstance(body, str | bytes) else body:
                    self.wfile.write(piece.encode() if isinstance(piece, str) else piece)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def completion(text: str, **further: object) -> dict[str, object]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], **further}


def chunks(*texts: str, **further: object) -> str:
    lines = []
    for text in texts:
        choice = {"index": 0, "delta": {"content": text}}
        lines.append({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]})
    lines[-1].update(further)
    return "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"


def test_a_server_that_streams() -> None:
    asked = []

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        asked.append(request)
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
        return 200, "text/event-stream", chunks("Bruno ", "Neri.", retrieved=["library"], usage=usage)

    gold = Gold("q", "And he?", (), (), True, meta={"history": [Turn("user", "Who?"), Turn("agent", "Ada.")]})
    with served(reply) as url:
        row = ServerSystem(f"{url}/v1").ask(gold)
    assert (row.answer, row.retrieved, row.prompt_tokens, row.output_tokens) == ("Bruno Neri.", ("library",), 7, 2)
    assert row.first_token_s is not None
    assert not row.abstained
    assert asked[0]["messages"] == [
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Ada."},
        {"role": "user", "content": "And he?"},
    ]


def test_a_server_that_does_not_stream() -> None:
    quote = {"document": "library", "text": "Bruno Neri runs the city library."}

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        return 200, "application/json", json.dumps(completion("I don't know.", quotes=[quote], confidence=0.2))

    with served(reply) as url:
        system = ServerSystem(f"openai:{url}#mine")
        row = system.ask(GOLD)
    assert (row.answer, row.abstained, row.confidence) == ("I don't know.", True, 0.2)
    assert row.quotes == (Quote("library", text="Bruno Neri runs the city library."),)


def test_a_server_that_returns_rows() -> None:
    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        row = {"answer": f"{request['question']}", "abstained": False, "retrieved": ["library"], "unknown": 1}
        return 200, "application/json", json.dumps(row)

    with served(reply) as url:
        row = ServerSystem(f"{url}/ask").ask(GOLD)
    assert (row.answer, row.retrieved) == (GOLD.question, ("library",))


@pytest.mark.parametrize("path", ["/v1", "/ask"])
def test_a_server_that_fails_is_told_in_a_sentence(path: str) -> None:
    refusal = '{"error": {"message": "no"}}'
    with (
        served(lambda request: (400, "application/json", refusal)) as url,
        pytest.raises(GenerationFailed, match="answered 400"),
    ):
        ServerSystem(url + path).ask(GOLD)
    with pytest.raises(GenerationFailed, match="start"):
        ServerSystem(f"http://127.0.0.1:1{path}").ask(GOLD)


@pytest.mark.parametrize("url", ["my-rag", "http://", "http:///v1", "http://a:99999/v1", "http://a\n/v1", "ftp://a/v1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadRun, match="is no address"):
        ServerSystem(url)


def drip(first: str, then: str) -> Iterator[str]:
    yield first
    for _ in range(100):
        time.sleep(0.05)
        yield then


@pytest.mark.parametrize(
    ("path", "kind", "first", "then"),
    [
        ("/ask", "application/json", "{", " "),
        ("/v1", "application/json", "{", " "),
        ("/v1", "text/event-stream", "", "data: {}\n\n"),
        ("/v1", "text/event-stream", "", ": still here\n\n"),
    ],
)
def test_a_server_that_sends_a_little_at_a_time_is_held_to_the_limit(
    path: str, kind: str, first: str, then: str
) -> None:
    start = time.monotonic()
    with (
        served(lambda request: (200, kind, drip(first, then))) as url,
        pytest.raises(GenerationFailed, match=f"{path} did not answer within 0.4 s"),
    ):
        ServerSystem(f"{url}{path}#m" if path == "/v1" else url + path, timeout_s=0.4).ask(GOLD)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("path", ["/ask", "/v1"])
def test_a_server_that_says_nothing_is_held_to_the_limit(path: str) -> None:
    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        time.sleep(1.5)
        return 200, "application/json", "{}"

    start = time.monotonic()
    with served(reply) as url, pytest.raises(GenerationFailed, match=r"did not answer within 0\.4 s"):
        ServerSystem(url + path, timeout_s=0.4).ask(GOLD)
    assert time.monotonic() - start < 2  # with tries of the client's own it would be thrice as long


def test_a_server_that_fails_is_not_asked_again() -> None:
    seen: list[str] = []
    with (
        served(lambda request: (500, "text/plain", "broken"), seen=seen) as url,
        pytest.raises(GenerationFailed, match="answered 500"),
    ):
        ServerSystem(f"{url}/v1#m").ask(GOLD)
    assert seen == ["POST /v1/chat/completions"]


@pytest.mark.parametrize("sent", [{"response": "Ada"}, {"detail": "not found"}, completion("Ada"), {"answer": None}])
def test_a_row_without_an_answer_is_no_refusal(sent: dict[str, object]) -> None:
    with (
        served(lambda request: (200, "application/json", json.dumps(sent))) as url,
        pytest.raises(BadRun, match=f"holds no answer, abstained: true or error, only '{next(iter(sent))}'"),
    ):
        ServerSystem(f"{url}/ask").ask(GOLD)


@pytest.mark.parametrize(
    "choices",
    [
        [],
        None,
        [{}],
        [None],
        "text",
        [{"message": None}],
        [{"message": {"content": None}}],
        [{"message": {"content": [{"type": "text", "text": "Ada"}]}}],
        [{"message": {"content": 5}}],
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_without_text_is_no_refusal(choices: object, stream: bool) -> None:
    body = json.dumps({"choices": choices})
    if stream:
        body = f"data: {body.replace('message', 'delta')}\n\ndata: [DONE]\n\n"
    kind = "text/event-stream" if stream else "application/json"
    with (
        served(lambda request: (200, kind, body)) as url,
        pytest.raises(GenerationFailed, match="/v1 sent what is no completion: "),
    ):
        ServerSystem(f"{url}/v1").ask(GOLD)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", '"hello"'),
        ("application/json", "{}"),
        ("application/json", "[" * 100_000),
        ("application/json", b'{"choices": "\xe0'),
        ("text/html", "<html>Welcome</html>"),
        ("text/event-stream", ""),
        ("text/event-stream", "data: [DONE]\n\n"),
        ("text/event-stream", 'data: "hello"\n\n'),
        ("text/event-stream", "data: null\n\n"),
        ("text/event-stream", "data: {\n\n"),
        ("text/event-stream", "data: " + "[" * 100_000 + "\n\n"),
        ("text/event-stream", b"data: \xe0\n\n"),
        ("text/event-stream", 'data: {"error": {"message": "\\ud800 no"}}\n\n'),
    ],
)
def test_what_is_no_completion_is_told_in_a_sentence(tmp_path: Path, kind: str, body: str | bytes) -> None:
    with (
        served(lambda request: (200, kind, body)) as url,
        pytest.raises(GenerationFailed, match=r"sent what (is no completion|cannot be read): ") as told,
    ):
        ServerSystem(f"{url}/v1").ask(GOLD)
    append_row(tmp_path / "run.jsonl", Row("q1", error=str(told.value)))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("models", ["[]", '"m"', '{"data": null}', '{"data": [null]}', '{"data": []}', "null"])
def test_a_server_that_lists_no_model_is_told(models: str) -> None:
    with (
        served(lambda request: (200, "application/json", ""), models=models) as url,
        pytest.raises(GenerationFailed, match="lists no model"),
    ):
        ServerSystem(f"{url}/v1").ask(GOLD)


@pytest.mark.parametrize("stream", [False, True])
def test_the_protocols_own_refusal_is_one(stream: bool) -> None:
    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        said = {"content": None, "refusal": "That is private."}
        if stream:
            return 200, "text/event-stream", f"data: {json.dumps({'choices': [{'delta': said}]})}\n\ndata: [DONE]\n\n"
        return 200, "application/json", json.dumps({"choices": [{"message": said}]})

    with served(reply) as url:
        row = ServerSystem(f"{url}/v1").ask(GOLD)
    assert (row.answer, row.abstained) == ("That is private.", True)


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_to_stream_is_asked_without_and_so_ever_after(status: int) -> None:
    asked = []

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        asked.append((request.get("stream", False), "stream_options" in request))
        if "stream" in request:
            return status, "application/json", '{"error": {"message": "stream is not supported"}}'
        return 200, "application/json", json.dumps(completion("Bruno Neri."))

    with served(reply) as url:
        system = ServerSystem(f"{url}/v1")
        assert [system.ask(GOLD).answer for _ in range(2)] == ["Bruno Neri."] * 2
    assert asked == [(True, True), (True, False), (False, False), (False, False)]


def test_a_server_that_knows_no_stream_options_streams() -> None:
    asked = []

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        asked.append("stream_options" in request)
        if asked[-1]:
            return 400, "application/json", '{"error": {"message": "unknown: stream_options"}}'
        return 200, "text/event-stream", chunks("Bruno ", "Neri.")

    with served(reply) as url:
        system = ServerSystem(f"{url}/v1")
        rows = [system.ask(GOLD) for _ in range(2)]
    assert asked == [True, False, False]
    assert all(row.first_token_s is not None for row in rows)


def test_one_question_that_is_refused_does_not_end_the_streaming() -> None:
    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        if request["messages"][-1]["content"] == "long":
            return 400, "application/json", '{"error": {"message": "too long"}}'
        return 200, "text/event-stream", chunks("Neri.")

    with served(reply) as url:
        system = ServerSystem(f"{url}/v1")
        with pytest.raises(GenerationFailed, match=r"answered 400: .*too long"):
            system.ask(replace(GOLD, question="long"))
        assert system.ask(GOLD).first_token_s is not None


def test_an_empty_answer_in_a_stream_does_not_end_the_streaming() -> None:
    asked = []

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        asked.append(request["stream"])
        return 200, "text/event-stream", chunks("") if len(asked) == 1 else chunks("Neri.")

    with served(reply) as url:
        system = ServerSystem(f"{url}/v1")
        assert [system.ask(GOLD).answer for _ in range(2)] == ["", "Neri."]
    assert asked == [True, True]


def test_the_first_model_is_asked_for_once_and_not_within_the_time_of_an_answer() -> None:
    seen: list[str] = []
    rows: list[Row] = []

    def slowly() -> Iterator[str]:
        time.sleep(0.5)
        yield MODELS

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        return 200, "application/json", json.dumps(completion("Neri."))

    with served(reply, models=slowly(), seen=seen) as url:
        system = ServerSystem(f"{url}/v1/chat/completions/", at_once=4)
        threads = [threading.Thread(target=lambda: rows.append(system.ask(GOLD))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seen) == ["GET /v1/models"] + ["POST /v1/chat/completions"] * 4
    assert [row.total_s is not None and row.total_s < 0.5 for row in rows] == [True] * 4


@pytest.mark.parametrize("path", ["/v1", "/ask"])
def test_a_server_that_sends_on_is_not_followed(path: str) -> None:
    with (
        served(lambda request: (307, "text/plain", ""), Location="http://elsewhere/v2") as url,
        pytest.raises(GenerationFailed, match="sends on to http://elsewhere/v2: give that address"),
    ):
        ServerSystem(url + path, model="m").ask(GOLD)


def test_questions_are_asked_at_once_and_stored_in_their_order(tmp_path: Path) -> None:
    most, now, lock = 0, 0, threading.Lock()

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05 if request["id"] != "q0" else 0.3)
        with lock:
            now -= 1
        return 200, "application/json", json.dumps({"answer": request["id"]})

    golds = [Gold(f"q{n}", "Who?", (f"q{n}",), (), True, "en") for n in range(9)]
    with served(reply) as url:
        outcome = evaluate(golds, ServerSystem(f"{url}/ask", at_once=3), tmp_path / "out", text_of=None)
    assert most == 3
    assert [question.row.answer for question in outcome.scored] == [gold.id for gold in golds]
    assert outcome.scores.figure("right").value == 1.0


def llama_index_rag(embedder: FakeEmbedder) -> Callable[[str], tuple[str, list[str]]]:
    """Return a question -> (answer, document ids) made of llama-index's own parts, with a stand-in for the models."""
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

    class Embedding(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return [float(number) for number in embedder.embed_passages([text])[0]]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    class FirstSentence(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata()

        def complete(self, prompt: str, formatted: bool = False, **options: Any) -> CompletionResponse:
            context = prompt.split("---------------------")[1].strip()
            return CompletionResponse(text=context.split(".")[0] + ".")

        def stream_complete(self, prompt: str, formatted: bool = False, **options: Any) -> Any:
            raise NotImplementedError

    documents = [Document(id_=id, text=text) for id, text in CORPUS.items()]
    index = VectorStoreIndex.from_documents(documents, embed_model=Embedding())
    engine = index.as_query_engine(llm=FirstSentence(), similarity_top_k=1)

    def ask(question: str) -> tuple[str, list[str]]:
        response = engine.query(question)
        return str(response), [node.node.ref_doc_id or "" for node in response.source_nodes]

    return ask


def test_a_rag_of_another_framework_is_evaluated_over_openais_protocol(
    tmp_path: Path, fake_embedder: FakeEmbedder
) -> None:
    rag = llama_index_rag(fake_embedder)

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        answer, found = rag(request["messages"][-1]["content"])
        return 200, "application/json", json.dumps(completion(answer, retrieved=found, citations=found))

    golds = [
        GOLD,
        Gold("q2", "Who has led the museum?", ("Ada Conti",), ("museum",), True, "en"),
        Gold("q3", "Who paints the garden?", (), (), False, "en"),
    ]
    with served(reply) as url:
        outcome = evaluate(golds, ServerSystem(f"{url}/v1"), tmp_path / "out", text_of=CORPUS.get)
    scores = outcome.scores
    assert scores.questions == {"asked": 3, "answerable": 2, "unanswerable": 1, "failed": 0}
    assert scores.figure("right").value == 1.0
    assert scores.figure("hit@1").value == 1.0
    assert scores.figure("refused_unanswerable").value == 0.0
    assert scores.figure("cited_relevant").value == 1.0
    assert scores.settings["system"].endswith("/v1")  # type: ignore[attr-defined]
