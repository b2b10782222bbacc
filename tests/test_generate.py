"""The three generators: a tiny transformers model made on the spot, servers on the loopback, the real GGUF."""

import json
import math
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import FakeGenerator

from index.errors import GenerationFailed, ModelUnavailable
from index.llama_server import usable_cores
from rag.generate import Message, open_generator
from rag.llama_cpp import MOST_STATES, LlamaCppGenerator
from rag.openai_server import OpenAIGenerator
from rag.transformers_model import TransformersGenerator, cut_at_stop, prompt_ids
from rag.weights import ResolvedModel

QUESTION = [Message("system", "Be brief."), Message("user", "ciao mondo")]


def test_the_fake_follows_its_script() -> None:
    fake = FakeGenerator(["one two", "three"], first_token={"one": -0.1})
    assert "".join(fake.generate(QUESTION, max_tokens=99)) == "one two"
    assert ["".join(fake.generate(QUESTION, max_tokens=99)) for _ in range(2)] == ["three", "three"]
    assert fake.asked == [tuple(QUESTION)] * 3
    reply = FakeGenerator(lambda messages: messages[-1].content * 9).generate(QUESTION, max_tokens=99)
    pieces = iter(reply)
    next(pieces)
    reply.close()
    assert list(pieces) == []


def test_each_engine_gets_its_adapter(tmp_path: Path) -> None:
    gguf = open_generator(ResolvedModel("m", "llama.cpp", tmp_path / "m.gguf", fingerprint="f"), threads=1)
    assert isinstance(gguf, LlamaCppGenerator) and (gguf.name, gguf.fingerprint) == ("m", "f")
    folder = open_generator(ResolvedModel("m", "transformers", tmp_path), context_tokens=512)
    assert isinstance(folder, TransformersGenerator) and folder.context_tokens == 512
    server = open_generator(ResolvedModel("m", "openai", url="http://localhost:1/v1", remote_model="m"))
    assert isinstance(server, OpenAIGenerator)
    with pytest.raises(ValueError):
        open_generator(ResolvedModel("m", "sentence-transformers", tmp_path))


def test_stop_words_are_cut_where_they_are_split_between_pieces() -> None:
    assert "".join(cut_at_stop(iter(["one E", "N", "D two"]), ["END"])) == "one "
    assert "".join(cut_at_stop(iter(["one E", "N", "TER"]), ["END"])) == "one ENTER"
    assert "".join(cut_at_stop(iter(["a||b", "##"]), ["##", "||"])) == "a"
    assert "".join(cut_at_stop(iter(["one EN"]), ["END"])) == "one EN"


def test_this_machine_has_a_core() -> None:
    assert usable_cores() == -1 or usable_cores() >= 1


# transformers


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights, and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = ["<s>", "</s>", "<unk>", "user", ":", *(f"w{i}" for i in range(50)), "ciao", "mondo"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=4096,
        bos_token_id=0,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path) -> Iterator[TransformersGenerator]:
    generator = TransformersGenerator(tiny_folder, name="tiny")
    yield generator
    generator.close()


def test_transformers_streams_the_same_reply_twice(tiny: TransformersGenerator) -> None:
    reply = tiny.generate(QUESTION, max_tokens=12)
    pieces = list(reply)
    assert len(pieces) > 1
    assert "".join(pieces) == "".join(tiny.generate(QUESTION, max_tokens=12))
    assert reply.output_tokens == 12
    assert reply.prompt_tokens == tiny.count_tokens("System: Be brief. User: ciao mondo Assistant:")


def test_transformers_reports_the_likeliest_first_tokens(tiny: TransformersGenerator) -> None:
    reply = tiny.generate(QUESTION, max_tokens=3)
    text = "".join(reply)
    best = max(reply.first_token, key=lambda token: reply.first_token[token])
    assert text.startswith(best)
    assert 0 < sum(math.exp(value) for value in reply.first_token.values()) <= 1


def test_transformers_stops_when_closed(tiny: TransformersGenerator) -> None:
    reply = tiny.generate(QUESTION, max_tokens=3000)
    pieces = iter(reply)
    next(pieces)
    reply.close()
    assert list(pieces) == []
    assert list(tiny.generate(QUESTION, max_tokens=2))  # waits until the engine is free
    assert reply.output_tokens < 3000


def test_transformers_cuts_at_a_stop_word(tiny: TransformersGenerator) -> None:
    words = "".join(tiny.generate(QUESTION, max_tokens=8)).split()
    stopped = "".join(tiny.generate(QUESTION, max_tokens=8, stop=[words[2]]))
    assert stopped.split() == words[: words.index(words[2])]


def test_transformers_refuses_a_prompt_that_is_too_long(tiny: TransformersGenerator) -> None:
    with pytest.raises(GenerationFailed, match="FONTE_CONTEXT_TOKENS"):
        tiny.generate([Message("user", "ciao " * 5000)], max_tokens=5)


def test_a_folder_that_is_no_language_model_is_explained(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match="cannot load"):
        TransformersGenerator(tmp_path, name="broken").generate(QUESTION, max_tokens=5)


def test_the_models_own_chat_format_is_used_and_may_know_no_system_message(tiny_folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)
    loop = "{% for m in messages %}{{ m.role }} : {{ m.content }} {% endfor %}"
    tokenizer.chat_template = loop
    assert tokenizer.decode(prompt_ids(tokenizer, QUESTION[1:])) == "user : ciao mondo"
    tokenizer.chat_template = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + loop
    assert tokenizer.decode(prompt_ids(tokenizer, QUESTION)) == "user : <unk> <unk> ciao mondo"


# Servers that speak OpenAI's protocol


class Server(BaseHTTPRequestHandler):
    """A chat server; `behave` writes the reply to POST, `requests` keeps what was asked."""

    behave: Callable[["Server"], None]
    requests: list[dict]
    headers_seen: list[str]

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        self.send_json(200, {"object": "list", "data": [{"id": "first-model", "object": "model"}]})

    def do_POST(self) -> None:
        self.headers_seen.append(self.headers["Authorization"])
        self.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        type(self).behave(self)

    def send_json(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_events(self, events: list[object], *, end: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        if end:
            self.wfile.write(b"data: [DONE]\n\n")
        self.wfile.flush()


def chunk(text: str | None = None, finish: str | None = None, **more) -> dict:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish, **more}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


USAGE = {**chunk(), "choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 3, "total_tokens": 24}}


def answers(server: Server) -> None:
    likeliest = [{"token": "Ci", "logprob": -0.1, "bytes": None}, {"token": "No", "logprob": -2.5, "bytes": None}]
    logprobs = {"content": [{"token": "Ci", "logprob": -0.1, "bytes": None, "top_logprobs": likeliest}]}
    server.send_events([chunk("Ci", logprobs=logprobs), chunk("ao "), chunk("🎉"), chunk(finish="stop"), USAGE])


@pytest.fixture
def server() -> Iterator[type[Server]]:
    class OneServer(Server):
        pass

    OneServer.requests, OneServer.headers_seen, OneServer.behave = [], [], answers
    listening = ThreadingHTTPServer(("127.0.0.1", 0), OneServer)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    OneServer.url = f"http://127.0.0.1:{listening.server_port}/v1"
    yield OneServer
    listening.shutdown()
    listening.server_close()


@pytest.fixture(autouse=True)
def quick_and_keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.remote.RETRIES", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("OPENAI_API_KEY", "FONTE_OPENAI_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def ask(server: type[Server], **more) -> str:
    return "".join(OpenAIGenerator(server.url, **more).generate(QUESTION, max_tokens=9))


def complaint(server: type[Server], **more) -> str:
    with pytest.raises(GenerationFailed) as error:
        ask(server, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_server_streams_its_first_model(server: type[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTE_OPENAI_KEY", "k3y")
    generator = OpenAIGenerator(server.url)
    reply = generator.generate(QUESTION, max_tokens=9, stop=["\n\n"])
    assert list(reply) == ["Ci", "ao ", "🎉"]
    assert (reply.prompt_tokens, reply.output_tokens) == (21, 3)
    assert reply.first_token == {"Ci": -0.1, "No": -2.5}
    assert generator.name == "first-model"
    request = server.requests[0]
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("first-model", 0, 9)
    assert request["messages"][1] == {"role": "user", "content": "ciao mondo"} and request["stop"] == ["\n\n"]
    assert server.headers_seen == ["Bearer k3y"]


def test_a_server_that_rejects_probabilities_is_asked_for_the_text_alone(server: type[Server]) -> None:
    def picky(handler: Server) -> None:
        if "logprobs" in handler.requests[-1]:
            handler.send_json(400, {"error": {"message": "logprobs is not supported"}})
        else:
            answers(handler)

    server.behave = picky
    assert ask(server, model="m") == "Ciao 🎉"


def test_a_server_that_fails_says_why(server: type[Server]) -> None:
    server.behave = lambda handler: handler.send_json(500, {"error": {"message": "out of\nmemory"}})
    assert "answered 500" in complaint(server, model="m") and "out of memory" in complaint(server, model="m")


def test_a_server_that_refuses_the_key(server: type[Server]) -> None:
    server.behave = lambda handler: handler.send_json(401, {"error": {"message": "no"}})
    assert "FONTE_OPENAI_KEY" in complaint(server, model="m")


def test_a_server_that_does_not_know_the_model(server: type[Server]) -> None:
    server.behave = lambda handler: handler.send_json(404, {"error": {"message": "no"}})
    assert "openai:URL#MODEL" in complaint(server, model="m")


def test_a_server_that_is_not_there(server: type[Server]) -> None:
    server.url = "http://127.0.0.1:9/v1"
    assert complaint(server, model="m").startswith("No model answers at http://127.0.0.1:9/v1")
    assert complaint(server).startswith("No model answers at http://127.0.0.1:9/v1")


def test_a_server_that_dies_in_the_middle(server: type[Server]) -> None:
    server.behave = lambda handler: handler.send_events([chunk("Ci"), chunk("ao")], end=False)
    assert "broke off" in complaint(server, model="m")


def test_a_server_that_promises_more_than_it_sends(server: type[Server]) -> None:
    def dies(handler: Server) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(f"data: {json.dumps(chunk('Ci'))}\n\n".encode())

    server.behave = dies
    assert "broke off" in complaint(server, model="m")


def test_a_server_that_talks_nonsense(server: type[Server]) -> None:
    def nonsense(handler: Server) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(b"data: {not json\n\n")

    server.behave = nonsense
    assert "cannot be read" in complaint(server, model="m")


def test_a_server_that_falls_silent(server: type[Server]) -> None:
    release = threading.Event()

    def hangs(handler: Server) -> None:
        handler.send_events([chunk("Ci")], end=False)
        release.wait(20)

    server.behave = hangs
    said = complaint(server, model="m", read_timeout_s=0.3)
    release.set()
    assert "broke off" in said or "No model answers" in said


def test_closing_hangs_up_while_another_thread_waits_for_a_piece(server: type[Server]) -> None:
    hung_up = threading.Event()

    def endless(handler: Server) -> None:
        handler.send_events([chunk("Ci")], end=False)
        handler.connection.settimeout(20)
        if handler.connection.recv(1) == b"":
            hung_up.set()

    server.behave = endless
    reply = OpenAIGenerator(server.url, model="m").generate(QUESTION, max_tokens=9)
    pieces: list[str] = []
    thread = threading.Thread(target=lambda: pieces.extend(reply))
    thread.start()
    deadline = time.monotonic() + 10
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    reply.close()
    thread.join(10)
    assert not thread.is_alive()
    assert hung_up.wait(10)


def test_tokens_of_other_scripts_are_not_underestimated() -> None:
    generator = OpenAIGenerator("http://localhost:1/v1")
    assert generator.count_tokens("a" * 350) == 100
    assert generator.count_tokens("漢" * 100) >= 40


# llama.cpp


def test_a_missing_or_damaged_gguf_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no model file"):
        LlamaCppGenerator(tmp_path / "none.gguf", name="none").generate(QUESTION, max_tokens=5)
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + bytes(range(256)) * 20)
    with pytest.raises(ModelUnavailable, match="damaged"):
        LlamaCppGenerator(bad, name="bad").generate(QUESTION, max_tokens=5)


@pytest.fixture(scope="module")
def real(default_generator_path: Path) -> Iterator[LlamaCppGenerator]:
    generator = LlamaCppGenerator(default_generator_path, name="default")
    yield generator
    generator.close()


@pytest.mark.models
def test_the_default_model_answers_the_same_twice(real: LlamaCppGenerator, capfd: pytest.CaptureFixture[str]) -> None:
    question = [Message("user", "What is the capital of Italy? Answer with one word.")]
    reply = real.generate(question, max_tokens=8)
    text = "".join(reply)
    assert "Rome" in text
    assert reply.prompt_tokens > 10 and reply.output_tokens >= 1
    assert max(reply.first_token, key=lambda token: reply.first_token[token]) == "R" or "Rome" in reply.first_token
    assert "".join(real.generate(question, max_tokens=8)) == text
    assert capfd.readouterr().err == ""


@pytest.mark.models
def test_the_default_model_counts_tokens_and_stops_at_words(real: LlamaCppGenerator) -> None:
    assert 2 <= real.count_tokens("ciao mondo") <= 5
    count = [Message("user", "Write the numbers from 1 to 20, separated by commas.")]
    assert "7" not in "".join(real.generate(count, max_tokens=60, stop=["7"]))


@pytest.mark.models
def test_the_default_model_is_cancelled_while_it_reads_and_while_it_writes(real: LlamaCppGenerator) -> None:
    long = [Message("user", " ".join(f"word{i}" for i in range(800)) + " How many words?")]
    reading = real.generate(long, max_tokens=5)
    threading.Timer(0.5, reading.close).start()
    assert list(reading) == [] and reading.prompt_tokens == 0
    writing = real.generate([Message("user", "Write a long story about a fox.")], max_tokens=1000)
    pieces = iter(writing)
    next(pieces)
    writing.close()
    assert list(pieces) == []
    assert "".join(real.generate([Message("user", "Say yes.")], max_tokens=3))


@pytest.mark.models
def test_a_reply_does_not_depend_on_what_was_asked_before(real: LlamaCppGenerator) -> None:
    told = Message("system", "Answer from the text in a few words. Where it does not say, write only: NOT FOUND")
    mill = "Anna Neri bought the mill in 1950 and made it a museum; it was built in 1820."

    def asked(question: str, text: str = mill) -> tuple[str, dict[str, float]]:
        reply = real.generate([told, Message("user", f"{text}\n\n{question}")], max_tokens=12)
        return "".join(reply), dict(reply.first_token)

    first = asked("Who bought the mill?")
    assert asked("Who bought the mill?") == first
    asked("Who built the mill?")  # much of the prompt is the same
    assert asked("Who bought the mill?") == first
    asked("When?", "The harbour was closed in 1994.")
    "".join(real.generate([Message("user", "Say yes.")], max_tokens=3))  # another beginning
    for file in Path(real._states.name).iterdir():
        file.unlink()  # as a sweep of the temporary folder would
    assert asked("Who bought the mill?") == first


@pytest.mark.models
def test_few_beginnings_are_kept(real: LlamaCppGenerator) -> None:
    for number in range(MOST_STATES + 3):
        real_messages = [Message("system", f"Answer number {number}."), Message("user", "Say yes.")]
        "".join(real.generate(real_messages, max_tokens=1))
    assert len(list(Path(real._states.name).iterdir())) == MOST_STATES


@pytest.mark.models
def test_a_prompt_past_the_context_is_explained(real: LlamaCppGenerator) -> None:
    with pytest.raises(GenerationFailed, match="FONTE_CONTEXT_TOKENS"):
        list(real.generate([Message("user", "word " * 5000)], max_tokens=5))


@pytest.mark.models
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/props", "/slots", "/tokenize"])
def test_the_engines_port_is_closed_to_other_programs(real: LlamaCppGenerator, path: str) -> None:
    real.count_tokens("load")
    address = real._server.engine.listening_address
    assert address.startswith("http://127.0.0.1:")
    body = b"{}" if path in ("/v1/chat/completions", "/tokenize") else None
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address + path, data=body, timeout=10)
    assert error.value.code == 401


@pytest.mark.models
def test_leaving_python_in_the_middle_of_a_reply_is_quiet(default_generator_path: Path) -> None:
    program = f"""
from pathlib import Path
from rag.llama_cpp import LlamaCppGenerator
from rag.generate import Message
generator = LlamaCppGenerator(Path({str(default_generator_path)!r}), name="default")
pieces = iter(generator.generate([Message("user", "Count to one hundred.")], max_tokens=500))
print(next(pieces))
"""
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (child.returncode, child.stderr) == (0, "")
