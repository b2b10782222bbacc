"""Generation with llama.cpp (package xllamacpp) on a GGUF file: the default on a CPU.

We talk to its server through the library's callback, which cancels when it returns True.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from index.errors import GenerationFailed, ModelUnavailable
from index.llama_server import SEED, LlamaServer
from rag.generate import Generation, Message, ThreadedGeneration

FIRST_TOKENS = 10  # how many of the likeliest first tokens are reported
# The engine looks whether it was cancelled after each batch of prompt tokens: every half second at 65 tokens a second.
# A batch of 512 would read 4 to 10 % faster.
BATCH_TOKENS = 32
MOST_STATES = 8  # beginnings of prompts that are kept read; 4 MB for one of 130 tokens
_LAST = "\u2042"  # stands for the last message, to see where in a prompt it begins


class LlamaCppGenerator:
    """A GGUF model. Loaded at the first reply; one reply at a time, others wait for its end."""

    def __init__(
        self, path: Path, *, name: str, fingerprint: str = "", threads: int | None = None, context_tokens: int = 4096
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.context_tokens = context_tokens
        self._states = TemporaryDirectory(prefix="fonte-")
        folder = Path(self._states.name)
        self._server = LlamaServer(
            path, threads=threads, context_tokens=context_tokens, batch_tokens=BATCH_TOKENS, states=folder
        )
        self._beginnings = Beginnings(self._server, folder)
        self._turn = threading.Lock()
        self._current: LlamaCppGeneration | None = None

    def prepare(self) -> None:
        """Load the model while the caller goes on."""
        threading.Thread(target=self._load_early, name="load", daemon=True).start()

    def _load_early(self) -> None:
        with suppress(ModelUnavailable):  # the first reply meets it again
            _ = self._server.engine

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = ()) -> Generation:
        """Return a reply that is written while it is iterated. Raises ModelUnavailable where the file does not load."""
        request = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "stop": list(stop),
            "stream": True,
            "return_progress": True,  # so that the callback is asked while the prompt is read, and can cancel
            "temperature": 0,
            "seed": SEED,
            "logprobs": True,
            "top_logprobs": FIRST_TOKENS,
        }
        self._current = LlamaCppGeneration(self._server.engine, self._beginnings, request, self._turn)
        return self._current

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` costs. Loads the model."""
        return len(self._server.tokenize(text))

    def close(self) -> None:
        """Stop a reply that is being written and free the model."""
        if self._current:
            self._current.close()
        with self._turn:
            self._server.close()
            self._states.cleanup()


class Beginnings:
    """What the model has read of prompts that begin alike: all but their last message.

    Taken up from a file, the same beginning is the same to the last digit whatever was asked before, so that the same
    question has the same answer. The engine's own cache takes up as much as happens to fit, and reads on in batches
    that begin elsewhere: probabilities then differ by a tenth.
    """

    def __init__(self, server: LlamaServer, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._files: dict[str, str] = {}  # by their text, the one used last at the end

    def take_up(self, messages: Sequence[Mapping[str, str]], cancelled: Callable[[], bool]) -> bool:
        """Put the model where the last of `messages` begins; return whether it is there, and nowhere else."""
        text = self._text(messages)
        if name := self._files.pop(text, ""):
            with suppress(OSError):  # the file may be gone: temporary folders are swept
                self._act("restore", name)
                self._files[text] = name
                return True
        if not text or not self._read(text, cancelled):
            return False
        while len(self._files) >= MOST_STATES:
            oldest = next(iter(self._files))
            (self._folder / self._files.pop(oldest)).unlink(missing_ok=True)
        name = f"{hashlib.sha256(text.encode()).hexdigest()}.state"
        with suppress(OSError):  # a full disk: then it is read again next time
            self._act("save", name)
            self._files[text] = name
        return True

    def _text(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the prompt up to its last message, "" where the model's template moves that about."""
        shown = [*messages[:-1], {**messages[-1], "content": _LAST}]
        before, found, _ = str(self._server.post("/apply-template", {"messages": shown})["prompt"]).partition(_LAST)
        return before if found else ""

    def _read(self, text: str, cancelled: Callable[[], bool]) -> bool:
        """Let the model read `text` from the start; return whether it came to the end."""
        request = {"prompt": text, "n_predict": 0, "cache_prompt": False, "stream": True, "return_progress": True}
        chunks: list[str] = []

        def on_chunk(chunk: str) -> bool:
            chunks.append(chunk)
            return cancelled()

        self._server.engine.handle_completions(json.dumps(request), on_chunk)
        return not cancelled() and not any('"error"' in chunk for chunk in chunks[-1:])

    def _act(self, action: str, name: str) -> None:
        self._server.post(f"/slots/0?action={action}", {"filename": name})


class LlamaCppGeneration(ThreadedGeneration):
    """One reply of a llama.cpp server."""

    def __init__(self, server: Any, beginnings: Beginnings, request: Mapping[str, Any], turn: threading.Lock) -> None:
        super().__init__(turn)
        self._server = server
        self._beginnings = beginnings
        self._request = request

    def _write(self) -> None:
        there = self._beginnings.take_up(self._request["messages"], self._closed.is_set)
        if not self._closed.is_set():
            request = json.dumps({**self._request, "cache_prompt": there})
            self._server.handle_chat_completions(request, self._on_chunk)

    def _on_chunk(self, chunk: str) -> bool:
        """Take one chunk; return whether to cancel. An exception must not cross the engine."""
        if self._closed.is_set():
            return True
        try:
            self._take(json.loads(chunk))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self._pieces.put(GenerationFailed(f"llama.cpp sent what cannot be read: {chunk[:200]!r} ({error!r})."))
            return True
        return False

    def _take(self, chunk: Mapping[str, Any]) -> None:
        if "error" in chunk:
            self._pieces.put(_failure(chunk["error"]))
        if timings := chunk.get("timings"):
            self.prompt_tokens = timings["cache_n"] + timings["prompt_n"]
            self.output_tokens = timings["predicted_n"]
        for choice in chunk.get("choices", ()):
            if not self.first_token and (logprobs := choice.get("logprobs")):
                likeliest = logprobs["content"][0]["top_logprobs"]
                # Backwards, as pieces of characters look alike, and the likeliest is the one to keep.
                self.first_token = {token["token"]: token["logprob"] for token in reversed(likeliest)}
            if text := choice["delta"].get("content"):
                self._pieces.put(text)


def _failure(error: Mapping[str, Any]) -> GenerationFailed:
    if error.get("type") == "exceed_context_size_error":
        return GenerationFailed(
            f"The prompt has {error['n_prompt_tokens']} tokens and the model takes {error['n_ctx']}: ask a shorter "
            "question, or set FONTE_CONTEXT_TOKENS higher."
        )
    return GenerationFailed(f"The language model did not answer: {error.get('message', error)}.")
