"""Generation with llama.cpp (package xllamacpp) on a GGUF file: the default on a CPU.

The package runs llama.cpp's own server inside this process. Its loopback port cannot be turned off, so it gets a random
key; we talk to it through the library's callback instead, which cancels when it returns True.
"""

import json
import os
import secrets
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from index.errors import GenerationFailed, ModelUnavailable
from rag.generate import Generation, Message, ThreadedGeneration

SEED = 0
FIRST_TOKENS = 10  # how many of the likeliest first tokens are reported
# The engine looks whether it was cancelled after each batch of prompt tokens: every half second at 65 tokens a second.
# A batch of 512 would read 4 to 10 % faster.
BATCH_TOKENS = 32
PROMPT_CACHE_MIB = 256  # states of earlier prompts, so that a prompt that comes back is not read again; 28 KB a token


class LlamaCppGenerator:
    """A GGUF model. Loaded at the first reply; one reply at a time, others wait for its end."""

    def __init__(
        self, path: Path, *, name: str, fingerprint: str = "", threads: int | None = None, context_tokens: int = 4096
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.context_tokens = context_tokens
        self._path = path
        self._threads = threads or usable_cores()
        self._key = secrets.token_urlsafe(32)
        self._server: Any = None
        self._loading = threading.Lock()
        self._turn = threading.Lock()
        self._current: LlamaCppGeneration | None = None

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
        self._current = LlamaCppGeneration(self._loaded(), json.dumps(request), self._turn)
        return self._current

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` costs. Loads the model."""
        server = self._loaded()
        request = urllib.request.Request(
            f"{server.listening_address}/tokenize",
            data=json.dumps({"content": text}).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        # No proxy: it would be sent the text and the key.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=30) as reply:
            return len(json.load(reply)["tokens"])

    def close(self) -> None:
        """Stop a reply that is being written and free the model."""
        if self._current:
            self._current.close()
        with self._turn, self._loading:
            self._server = None

    def _loaded(self) -> Any:
        with self._loading:
            if self._server is None:
                self._server = self._load()
            return self._server

    def _load(self) -> Any:
        # libgomp's threads spin a millisecond for each other. Where another program keeps one of two cores busy, this
        # writes 0.5 to 6 tokens a second, and with short spins 14 (25 either way where none does). The value is read
        # once, when this or torch, which shares the library, is first imported: it must be set before either.
        os.environ.setdefault("GOMP_SPINCOUNT", "500")
        import xllamacpp

        if not self._path.is_file():
            raise ModelUnavailable(f"There is no model file at {self._path}.")
        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.n_ctx = self.context_tokens
        params.n_parallel = 1  # several slots make replies depend on who else is asking (llama.cpp #7052)
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        params.cache_ram_mib = PROMPT_CACHE_MIB
        # Read into memory, not mapped: the weights are repacked for the processor, and the map would stay beside them
        # (1.9 GB resident instead of 1.3 GB). No warm-up: the first prompt does the same work.
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.warmup = False
        params.sampling.seed = SEED
        params.verbosity = -1  # its log goes to standard error, over the user's terminal
        params.api_keys = [self._key]
        params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
        try:
            return xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ModelUnavailable(
                f"llama.cpp cannot load {self._path}: it is damaged, or of a kind that this version does not know."
            ) from error


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


def usable_cores() -> int:
    """Return how many physical cores this process may use; -1 where llama.cpp should find out by itself.

    Two threads on one core only wait for each other, and so do more threads than a container's share of the processor.
    """
    try:
        cores = {_siblings(cpu) for cpu in os.sched_getaffinity(0)}
    except (AttributeError, OSError):  # not Linux
        return -1
    return max(1, min(len(cores), _container_share()))


def _siblings(cpu: int) -> str:
    return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text(encoding="ascii").strip()


def _container_share() -> int:
    """Return the whole processors of the control group's quota."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):  # none, or "max"
        return 1 << 16
