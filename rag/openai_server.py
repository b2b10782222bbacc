"""Generation by any server that speaks OpenAI's protocol: vLLM, Ollama, LM Studio, llama.cpp's own server."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from index.errors import GenerationFailed
from index.remote import READ_TIMEOUT_S, broken_off, connect, explained, first_model
from rag.generate import Generation, Message

SEED = 0
FIRST_TOKENS = 10
CHARACTERS_A_TOKEN = 3.5  # of European languages; short of the truth rather than past it
NOT_EVERYWHERE = ("seed", "stream_options", "logprobs", "top_logprobs")


class OpenAIGenerator:
    """A model behind a URL."""

    fingerprint = ""  # the weights are elsewhere

    def __init__(
        self, url: str, *, model: str = "", context_tokens: int = 4096, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self.name = model or url
        self.context_tokens = context_tokens
        self._url = url
        self._model = model
        self._read_timeout_s = read_timeout_s
        self._client: Any = None

    def prepare(self) -> None:
        """Do nothing: the server has its model loaded."""

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = ()) -> Generation:
        """Return a reply that is written while it is iterated. Raises GenerationFailed where no server answers."""
        request: dict[str, Any] = {
            "model": self._model_there(),
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": SEED,
            "stream": True,
            "stream_options": {"include_usage": True},
            "logprobs": True,
            "top_logprobs": FIRST_TOKENS,
        }
        if stop:
            request["stop"] = list(stop)
        return OpenAIGeneration(self._connected(), request, self._url)

    def count_tokens(self, text: str) -> int:
        """Return an estimate, as the tokenizer is elsewhere: bytes of other scripts cost more than letters."""
        return round(max(len(text), len(text.encode()) / 2) / CHARACTERS_A_TOKEN)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> Any:
        if self._client is None:
            self._client = connect(self._url, read_timeout_s=self._read_timeout_s)
        return self._client

    def _model_there(self) -> str:
        """Return the model asked for, else the first that the server lists."""
        if not self._model:
            self._model = self.name = first_model(self._connected(), self._url, GenerationFailed)
        return self._model


class OpenAIGeneration:
    """One reply, read from the server as it comes."""

    def __init__(self, client: Any, request: Mapping[str, Any], url: str) -> None:
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.first_token: Mapping[str, float] = {}
        self._client = client
        self._request = request
        self._url = url
        self._stream: Any = None
        self._closed = False

    def __iter__(self) -> Iterator[str]:
        """Yield the reply's pieces. Raises GenerationFailed."""
        finished = False
        try:
            with explained(self._url, GenerationFailed):
                self._stream = self._opened()
            with explained(self._url, GenerationFailed, begun=True):
                for chunk in self._stream:
                    if self._closed:
                        return
                    finished = finished or any(choice.finish_reason for choice in chunk.choices)
                    yield from self._pieces(chunk)
            if not finished:
                raise broken_off(self._url, GenerationFailed)
        except GenerationFailed:
            if not self._closed:  # else it is our own hanging up that was heard
                raise
        finally:
            self.close()

    def close(self) -> None:
        """Hang up, on which the servers in use stop writing."""
        self._closed = True
        if self._stream is None:
            return
        with suppress(Exception):  # the library's HTTP client and its internals change; the flag above is enough
            # A thread that waits for the next piece only wakes when the socket is shut down.
            connection = self._stream.response.extensions["network_stream"]
            connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        with suppress(Exception):
            self._stream.close()

    def _opened(self) -> Any:
        from openai import BadRequestError, UnprocessableEntityError

        try:
            return self._client.chat.completions.create(**self._request)
        except (BadRequestError, UnprocessableEntityError):
            # Some servers and models reject what they do not know: ask for the text alone.
            plain = {key: value for key, value in self._request.items() if key not in NOT_EVERYWHERE}
            return self._client.chat.completions.create(**plain)

    def _pieces(self, chunk: Any) -> Iterator[str]:
        if chunk.usage:
            self.prompt_tokens, self.output_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        for choice in chunk.choices:
            likeliest = choice.logprobs.content if choice.logprobs and not self.first_token else None
            if likeliest:
                self.first_token = {token.token: token.logprob for token in reversed(likeliest[0].top_logprobs)}
            if choice.delta and choice.delta.content:
                yield choice.delta.content
