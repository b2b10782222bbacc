"""Generation with llama.cpp (package xllamacpp) on a GGUF file: the default on a CPU.

We talk to its server through the library's callback, which cancels when it returns True.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from index.errors import GenerationFailed, ModelUnavailable
from index.llama_server import SEED, LlamaServer
from rag.generate import Generation, Message, ThreadedGeneration

FIRST_TOKENS = 10  # how many of the likeliest first tokens are reported
# The engine looks whether it was cancelled after each batch of prompt tokens: every half second at 65 tokens a second.
# A batch of 512 would read 4 to 10 % faster.
BATCH_TOKENS = 32


class LlamaCppGenerator:
    """A GGUF model. Loaded at the first reply; one reply at a time, others wait for its end."""

    def __init__(
        self, path: Path, *, name: str, fingerprint: str = "", threads: int | None = None, context_tokens: int = 4096
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.context_tokens = context_tokens
        self._server = LlamaServer(path, threads=threads, context_tokens=context_tokens, batch_tokens=BATCH_TOKENS)
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
            "cache_prompt": True,
            "temperature": 0,
            "seed": SEED,
            "logprobs": True,
            "top_logprobs": FIRST_TOKENS,
        }
        self._current = LlamaCppGeneration(self._server.engine, json.dumps(request), self._turn)
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


class LlamaCppGeneration(ThreadedGeneration):
    """One reply of a llama.cpp server."""

    def __init__(self, server: Any, request: str, turn: threading.Lock) -> None:
        super().__init__(turn)
        self._server = server
        self._request = request

    def _write(self) -> None:
        self._server.handle_chat_completions(self._request, self._on_chunk)

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
