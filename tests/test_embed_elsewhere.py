"""Embedders on a server and in a GGUF file."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from index.embed_gguf import GGUFEmbedder
from index.embed_server import ServerEmbedder
from index.errors import ModelUnavailable
from index.library import Library
from index.llama_server import LlamaServer
from rag.settings import load_settings
from ui.app import load_embedder


class Embeddings(BaseHTTPRequestHandler):
    """Two numbers a text: how many a's and b's it has; the rows come in the wrong order."""

    asked: ClassVar[list[dict[str, object]]] = []
    status = 200

    def do_GET(self) -> None:
        self._send({"object": "list", "data": [{"id": "first", "object": "model"}]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(request)
        rows = [
            {"object": "embedding", "index": i, "embedding": [text.count("a") + 0.01, float(text.count("b"))]}
            for i, text in enumerate(request["input"])
        ]
        self._send({"object": "list", "model": request["model"], "data": rows[::-1]})

    def _send(self, body: object) -> None:
        payload = json.dumps(body).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("index.remote.RETRIES", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(Embeddings, "asked", [])
    monkeypatch.setattr(Embeddings, "status", 200)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Embeddings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_server_embeds_in_order_and_in_unit_length(url: str) -> None:
    embedder = ServerEmbedder(url)
    vectors = embedder.embed_passages(["aaa", "bbb"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert vectors[0, 0] > 0.99 and vectors[1, 1] > 0.99
    assert embedder.dimension == 2
    assert embedder.embed_queries([]).shape == (0, 2)
    assert Embeddings.asked[0]["model"] == "first"


def test_an_e5_model_on_a_server_gets_its_prompts(url: str) -> None:
    embedder = ServerEmbedder(url, model="multilingual-e5-base")
    embedder.embed_queries(["x"])
    embedder.embed_passages(["y"])
    assert [request["input"] for request in Embeddings.asked] == [["query: x"], ["passage: y"]]


def test_a_library_is_built_through_the_command_lines_setting(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("aaa aaa. aaa.", encoding="utf-8")
    (tmp_path / "b.txt").write_text("bbb bbb. bbb.", encoding="utf-8")
    embedder = load_embedder(load_settings(data=tmp_path / "lib", embedder=f"openai:{url}#letters"))
    with Library.open(tmp_path / "lib", embedder, create=True) as library:
        assert len(library.add([tmp_path / "a.txt", tmp_path / "b.txt"]).added) == 2
        assert library.search("bb", k=1)[0].document.id == "b.txt"


def test_an_embedder_that_is_not_there_is_told_in_one_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Embeddings, "status", 500)
    for there in (url, "http://127.0.0.1:9/v1"):
        with pytest.raises(ModelUnavailable) as error:
            ServerEmbedder(there, model="m").embed_queries(["x"])
        assert there in str(error.value) and "\n" not in str(error.value)


def test_a_gguf_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelUnavailable, match="cannot load"):
        GGUFEmbedder(tmp_path / "x.gguf", name="x", fingerprint="x").embed_queries(["x"])


class Engine:
    """Stands for a loaded embedding model: a vector a text, as llama.cpp sends it."""

    asked: ClassVar[list[list[str]]] = []

    def handle_embeddings(self, request: str) -> str:
        texts = json.loads(request)["input"]
        self.asked.append(texts)
        rows = [{"index": i, "embedding": [float(len(text)), 1.0]} for i, text in enumerate(texts)]
        return json.dumps({"data": rows[::-1]})


def test_a_gguf_file_embeds_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LlamaServer, "engine", Engine())
    monkeypatch.setattr(LlamaServer, "tokenize", lambda self, text: list(range(len(text.split()))))
    embedder = GGUFEmbedder(tmp_path / "e5.gguf", name="e5", fingerprint="x")
    vectors = embedder.embed_passages(["a", "a " * 2000])
    assert embedder.dimension == 2 and np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert vectors[1, 0] > vectors[0, 0]
    first, second = Engine.asked[0]
    assert first == "passage: a" and len(second.split()) <= embedder.max_tokens


@pytest.mark.models
def test_a_language_models_file_is_refused(default_generator_path: Path) -> None:
    embedder = GGUFEmbedder(default_generator_path, name="qwen", fingerprint="x")
    assert len(embedder.tokenize("The board met.")) == 4
    with pytest.raises(ModelUnavailable, match="qwen is not an embedding model"):
        embedder.embed_passages(["The board met on Friday."])
