"""Embedding with llama.cpp on a GGUF file."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.embed import BatchEmbedder, Vectors
from index.errors import ModelUnavailable
from index.llama_server import LlamaServer

_SPECIAL_TOKENS = 8  # room for those that the model puts around a text


class GGUFEmbedder(BatchEmbedder):
    """An embedding model in one file. Loaded when it is first used. Raises ModelUnavailable where it does not load."""

    def __init__(self, path: Path, *, name: str, fingerprint: str, threads: int | None = None) -> None:
        self.name = name
        self.fingerprint = fingerprint
        # One batch must hold a whole text, as its tokens look at each other in both directions.
        self._server = LlamaServer(
            path, threads=threads, context_tokens=self.max_tokens, batch_tokens=self.max_tokens, embedding=True
        )

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of `text`, without special tokens. Loads the model."""
        return self._server.tokenize(text)

    def _batch(self, texts: Sequence[str]) -> Vectors:
        request = json.dumps({"input": [self._cut(text) for text in texts]})
        reply = self._server.engine.handle_embeddings(request)
        answer = json.loads(reply) if isinstance(reply, str) else reply
        if "data" not in answer:  # a language model's file does not say how a text becomes one vector
            why = " ".join(str(answer.get("error", {}).get("message", answer)).split())
            raise ModelUnavailable(f"{self.name} is not an embedding model ({why}): name one that is.")
        rows = sorted(answer["data"], key=lambda row: row["index"])
        return np.array([row["embedding"] for row in rows], dtype=np.float32)

    def _cut(self, text: str) -> str:
        """Return the beginning of `text` that the model can read: it refuses longer ones."""
        most = self.max_tokens - _SPECIAL_TOKENS
        while len(text) > most and (tokens := len(self.tokenize(text))) > most:
            text = text[: len(text) * most // tokens]
        return text
