"""Messages to text: the Generator protocol, what the adapters share, and the choice between them.

The adapters are llama_cpp.py, transformers_model.py and openai_server.py.
"""

import atexit
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from index.errors import FonteError, GenerationFailed
from rag.weights import ResolvedModel

WAIT_S = 0.05
EXIT_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class Generation(Protocol):
    """One reply being written: iterate for its pieces of text; `close` stops the engine within half a second."""

    prompt_tokens: int  # 0 until known
    output_tokens: int
    first_token: Mapping[str, float]  # log-probability of the likeliest first tokens; empty where unknown

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Stop writing. Does nothing where the reply is complete."""
        ...


class Generator(Protocol):
    """A language model. Replies are the same for the same messages: temperature 0, fixed seed."""

    name: str
    fingerprint: str  # SHA-256 of the weights, "" where they are elsewhere
    context_tokens: int

    def prepare(self) -> None:
        """Begin to load what the first reply needs, and return at once; what goes wrong is told by that reply."""
        ...

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = ()) -> Generation:
        """Return a reply that is written while it is iterated. Raises GenerationFailed."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` costs; an estimate where the tokenizer is elsewhere."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


def open_generator(resolved: ResolvedModel, *, threads: int | None = None, context_tokens: int = 4096) -> Generator:
    """Return the generator for a model that `rag.weights.resolve` found. Nothing is loaded before it is first used."""
    if resolved.engine == "openai":
        from rag.openai_server import OpenAIGenerator

        return OpenAIGenerator(resolved.url, model=resolved.remote_model, context_tokens=context_tokens)
    if resolved.path is None or resolved.engine == "sentence-transformers":
        raise ValueError(f"{resolved} is not a generator")
    if resolved.engine == "llama.cpp":
        from rag.llama_cpp import LlamaCppGenerator

        return LlamaCppGenerator(
            resolved.path,
            name=resolved.name,
            fingerprint=resolved.fingerprint,
            threads=threads,
            context_tokens=context_tokens,
        )
    from rag.transformers_model import TransformersGenerator

    return TransformersGenerator(
        resolved.path, name=resolved.name, fingerprint=resolved.fingerprint, context_tokens=context_tokens
    )


_running: "set[ThreadedGeneration]" = set()


@atexit.register
def _stop_running() -> None:
    """Let the engines stop before the interpreter does: a thread that it kills inside one takes the process down."""
    for generation in tuple(_running):
        generation.close()
        generation.join(EXIT_WAIT_S)


class ThreadedGeneration(ABC):
    """A reply of an engine inside this process: a thread drives the engine, the pieces come over a queue.

    `turn` lets one reply at a time at the engine; the next one waits until this one has really stopped.
    """

    def __init__(self, turn: threading.Lock) -> None:
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.first_token: Mapping[str, float] = {}
        self._turn = turn
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._pieces: queue.SimpleQueue[str | FonteError | None] = queue.SimpleQueue()

    @abstractmethod
    def _write(self) -> None:
        """Drive the engine to the reply's end, or until `_closed` is set, putting pieces into `_pieces`."""

    def __iter__(self) -> Iterator[str]:
        """Yield the reply's pieces. Raises GenerationFailed, and ValueError where it was iterated before."""
        if self._thread:
            raise ValueError("a reply is iterated once")
        while not self._turn.acquire(timeout=WAIT_S):
            if self._closed.is_set():
                return
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        _running.add(self)
        self._thread.start()
        try:
            while (piece := self._pieces.get()) is not None:
                if self._closed.is_set():
                    return
                if isinstance(piece, FonteError):
                    raise piece
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Let the engine stop at its next step, and whoever iterates at once."""
        self._closed.set()
        self._pieces.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait until the engine has stopped."""
        if self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            if not self._closed.is_set():
                self._write()
        except FonteError as error:
            self._pieces.put(error)
        except Exception as error:  # whatever the engine objects belongs to the reader of the pieces
            self._pieces.put(GenerationFailed(f"The language model did not answer: {error}."))
        finally:
            _running.discard(self)
            self._turn.release()
            self._pieces.put(None)
