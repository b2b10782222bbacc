"""llama.cpp's own server (package xllamacpp) inside this process, on one GGUF file: for generating and for embedding.

Its loopback port cannot be turned off, so it gets a random key.
"""

import json
import os
import secrets
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from index.errors import ModelUnavailable

SEED = 0


class LlamaServer:
    """A GGUF model, loaded when it is first used. Raises ModelUnavailable where the file does not load."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None,
        context_tokens: int,
        batch_tokens: int,
        embedding: bool = False,
        states: Path | None = None,
    ) -> None:
        """`states` is a folder for what the model has read, 28 KB a token: see `post("/slots/0?action=save", ...)`."""
        self._path = path
        self._threads = threads or usable_cores()
        self._context_tokens = context_tokens
        self._batch_tokens = batch_tokens
        self._embedding = embedding
        self._states = states
        self._key = secrets.token_urlsafe(32)
        self._engine: Any = None
        self._loading = threading.Lock()

    @property
    def engine(self) -> Any:
        """The `xllamacpp.Server`."""
        with self._loading:
            if self._engine is None:
                self._engine = self._load()
            return self._engine

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of `text`, without special tokens."""
        return list(self.post("/tokenize", {"content": text})["tokens"])

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return what the server answers at one of its addresses, for what the library has no call for."""
        request = urllib.request.Request(
            f"{self.engine.listening_address}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        # No proxy: it would be sent the text and the key.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=30) as reply:
            return json.load(reply)

    def close(self) -> None:
        """Free the model."""
        with self._loading:
            self._engine = None

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
        params.n_ctx = self._context_tokens
        params.n_parallel = 1  # several slots make replies depend on who else is asking (llama.cpp #7052)
        params.n_batch = params.n_ubatch = self._batch_tokens
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        # What the model has read of an earlier prompt is taken up again by our own hand alone (rag/llama_cpp.py): how
        # much of it fits decides where batches begin, and so the last digits of every probability.
        params.cache_ram_mib = 0
        if self._states:
            params.slot_save_path = f"{self._states}{os.sep}"
        # Read into memory, not mapped: the weights are repacked for the processor, and the map would stay beside them
        # (1.9 GB resident instead of 1.3 GB). No warm-up: the first prompt does the same work.
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.warmup = False
        params.embedding = self._embedding
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
