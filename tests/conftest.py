"""Fakes for the two things that no ordinary test may load: the embedder and the language model."""

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from platformdirs import user_cache_path

from index.embed import Vectors
from rag.generate import Message


class FakeEmbedder:
    """Unit vectors of hashed words: texts that share words are near each other, the same in every run."""

    def __init__(self, *, name: str = "fake", fingerprint: str = "fake-1", dimension: int = 64) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.dimension = dimension
        self.max_tokens = 512

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(-1, self.dimension)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_passages(texts)

    def tokenize(self, text: str) -> list[int]:
        return [len(piece) for piece in re.findall(r"\w{1,6}|[^\w\s]", text)]

    def _vector(self, text: str) -> Vectors:
        vector = np.full(self.dimension, 1e-3, dtype=np.float32)
        for word in re.findall(r"\w+", text.casefold()):
            vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % self.dimension] += 1
        unit: Vectors = vector / np.linalg.norm(vector)
        return unit


@pytest.fixture
def fake_embedder() -> FakeEmbedder:
    return FakeEmbedder()


class FakeGeneration:
    """A reply that is known beforehand, in pieces of a few characters."""

    def __init__(self, text: str, prompt_tokens: int, first_token: Mapping[str, float]) -> None:
        self.prompt_tokens = prompt_tokens
        self.output_tokens = 0
        self.first_token = first_token
        self.closed = False
        self._pieces = re.findall(r"(?s).{1,5}", text)

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces:
            if self.closed:
                return
            self.output_tokens += 1
            yield piece

    def close(self) -> None:
        self.closed = True


class FakeGenerator:
    """A language model that follows a script: a function of the messages, or replies of which the last one repeats."""

    def __init__(
        self,
        replies: str | Sequence[str] | Callable[[Sequence[Message]], str] = "",
        *,
        first_token: Mapping[str, float] | None = None,
        name: str = "fake",
        context_tokens: int = 4096,
    ) -> None:
        self.name = name
        self.fingerprint = "fake-1"
        self.context_tokens = context_tokens
        self.first_token = first_token or {}
        self.asked: list[Sequence[Message]] = []  # the messages of each call
        self.replies: list[FakeGeneration] = []
        self._script = [replies] if isinstance(replies, str) else replies

    def prepare(self) -> None:
        pass

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = ()) -> FakeGeneration:
        if callable(self._script):
            text = self._script(messages)
        else:
            text = self._script[min(len(self.asked), len(self._script) - 1)]
        self.asked.append(tuple(messages))
        text = min((text.split(word)[0] for word in stop), key=len, default=text)[: 5 * max_tokens]
        tokens = sum(self.count_tokens(message.content) for message in messages)
        self.replies.append(FakeGeneration(text, tokens, self.first_token))
        return self.replies[-1]

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w{1,6}|[^\w\s]", text))

    def close(self) -> None:
        for reply in self.replies:
            reply.close()


MILL = "The mill at Borgo was built in 1820. Anna Neri bought the mill in 1950 and made it a museum."
REPLY = "Anna Neri bought the mill in 1950 [1]."
SHOWN = "Anna Neri bought the mill in 1950. [1]"


@dataclass
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fake_embedder: FakeEmbedder
) -> Run:
    """Run a command line with fakes for both models, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    import ui.app
    from ui.cli import main

    monkeypatch.setattr(ui.app, "load_embedder", lambda settings: fake_embedder)
    monkeypatch.setattr(ui.app, "load_generator", lambda settings: FakeGenerator(REPLY))
    monkeypatch.setattr(ui.app, "load_reader", lambda settings: None)
    monkeypatch.setenv("FONTE_MODELS", str(tmp_path / "cache" / "models"))
    monkeypatch.setenv("FONTE_LEAST_ANSWERABLE", "0")  # fitted to real models, not to hashed words

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["fonte", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ran(int(stopped.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "mill.txt").write_text(MILL, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """Where the real models are kept, for the tests that run them."""
    return Path(os.environ.get("FONTE_MODELS") or user_cache_path("fonte", appauthor=False) / "models")


@pytest.fixture(scope="session")
def default_generator_path(models_folder: Path) -> Path:
    """The default language model, fetched where it is missing. A test that asks for it is marked `models`."""
    from rag.weights import resolve

    path = resolve("default", kind="generator", models_folder=models_folder).path
    assert path is not None
    return path
