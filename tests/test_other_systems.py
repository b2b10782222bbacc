"""Other systems behind a command or an address, among them a RAG built with llama-index."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeEmbedder

from eval.command import CommandSystem
from eval.data import Gold, Quote
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
    system = CommandSystem(script(tmp_path, "print(json.dumps({'answer': 'first'}), flush=True)\n" + ECHO))
    assert system.ask(GOLD).answer == "first"
    row = system.ask(GOLD)  # of the same process: the answer to the first question
    system.close()
    assert row.id == "q1"
    assert row.answer == "You ask: Who runs the city library? [1]"
    assert (row.retrieved, row.citations, row.output_tokens) == (("library",), ("library",), 4)
    assert row.total_s is not None


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
        ("print('hello', flush=True); sys.stdin.read()", "wrote no JSON object: 'hello'"),
        ("print('{\"answer\": 5}', flush=True); sys.stdin.read()", "answer: Input should be a valid string"),
        ("import time; time.sleep(60)", "without an answer"),
    ],
)
def test_a_command_that_misbehaves_is_told_in_a_sentence(tmp_path: Path, body: str, problem: str) -> None:
    system = CommandSystem(script(tmp_path, body), timeout_s=1.0)
    with pytest.raises((GenerationFailed, BadRun), match=problem):
        system.ask(GOLD)
    system.close()


def test_a_command_that_ended_is_started_again(tmp_path: Path) -> None:
    system = CommandSystem(script(tmp_path, "sys.stdin.readline(); print(json.dumps({'answer': 'yes'}), flush=True)"))
    assert system.ask(GOLD).answer == "yes"
    with pytest.raises(GenerationFailed):
        system.ask(GOLD)
    assert system.ask(GOLD).answer == "yes"
    system.close()


@pytest.mark.parametrize(("command", "problem"), [("", "is empty"), ("python 'x", "cannot be read")])
def test_a_command_that_cannot_be_read_is_refused(command: str, problem: str) -> None:
    with pytest.raises(BadRun, match=problem):
        CommandSystem(command)


def test_a_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    for command in ("/nowhere/rag", "/nowhere/rag {question}"):
        with pytest.raises(GenerationFailed, match="/nowhere/rag cannot be run"):
            CommandSystem(command).ask(GOLD)


Reply = Callable[[dict[str, Any]], "tuple[int, str, str]"]  # request -> status, content type, body


@contextmanager
def served(reply: Reply) -> Iterator[str]:
    """Serve `reply` to every POST, a list of one model to every GET."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(
                200, "application/json", json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]})
            )

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(*reply(request))

        def _send(self, status: int, kind: str, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

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


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(BadRun, match="is no address"):
        ServerSystem("my-rag")


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
