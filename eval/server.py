"""Another system behind an address."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.data import Gold, Row
from eval.reply import json_object, question_json, row_of_reply, shown, within
from index.errors import BadRun, GenerationFailed
from index.remote import CONNECT_TIMEOUT_S, connect, explained, first_model

_T = TypeVar("_T")
_FURTHER_FIELDS = ("retrieved", "citations", "quotes", "passages", "abstained", "confidence", "memory_mb")
# Not every server knows the second, and some refuse the first: the best that is taken is asked for.
_WAYS: tuple[Mapping[str, object], ...] = (
    {"stream": True, "stream_options": {"include_usage": True}},
    {"stream": True},
    {},
)
_LATER_S = 1.0  # reading gives up after the whole exchange has: one limit, one message


class ServerSystem:
    """A server of OpenAI's chat protocol, streaming where it can, or one that takes a question and returns a row."""

    all_known = False

    def __init__(self, url: str, *, model: str = "", at_once: int = 1, timeout_s: float = 600.0) -> None:
        """`url` ends in /v1 or /chat/completions, or begins with "openai:", where it speaks OpenAI's protocol.

        Raises BadRun where it is no address; nothing is sent before the first question.
        """
        named, _, fragment = url.partition("#")
        address = named.removeprefix("openai:")
        plain = address.rstrip("/")
        self._openai = named != address or plain.endswith(("/v1", "/chat/completions"))
        self._url = plain.removesuffix("/chat/completions") if self._openai else address
        _check_address(url, self._url)
        self._model = model or fragment
        self._timeout_s = timeout_s
        self._way = 0
        self._lock = threading.Lock()
        self._client = self._connected()
        self.settings: Mapping[str, object] = {"system": url, "model": self._model}
        self.at_once = at_once

    def ask(self, gold: Gold) -> Row:
        """Return the row of a question. Raises GenerationFailed, BadRun."""
        if self._openai:
            self._find_model()
        deadline = time.monotonic() + self._timeout_s + _LATER_S
        exchange = self._chat if self._openai else self._post
        reply, total_s = within(self._timeout_s, lambda: exchange(gold, deadline), self._url)
        return row_of_reply(gold, reply, total_s=total_s)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _connected(self) -> Any:
        """Return the one client of all questions, so that none pays for its imports and first connection."""
        import httpx

        read_timeout_s = self._timeout_s + _LATER_S
        if self._openai:
            return connect(self._url, read_timeout_s=read_timeout_s, retries=0)
        timeout = httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
        return httpx.Client(timeout=timeout, limits=httpx.Limits(max_connections=None), follow_redirects=False)

    def _find_model(self) -> None:
        """Ask for the server's first model, once, where none was named. Raises GenerationFailed."""
        with self._lock:
            if not self._model:
                ask = (self._client, self._url, GenerationFailed)
                self._model = within(self._timeout_s, lambda: first_model(*ask), self._url)

    def _post(self, gold: Gold, deadline: float) -> tuple[Mapping[str, object], float]:
        """Return the row that the server sends, and the seconds it took."""
        import httpx

        start = time.perf_counter()
        try:
            with self._client.stream("POST", self._url, json=question_json(gold)) as response:
                body = b"".join(_until(deadline, response.iter_bytes()))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GenerationFailed(f"{self._url} does not answer ({type(error).__name__}): start it.") from None
        total_s = time.perf_counter() - start
        if response.has_redirect_location:
            raise GenerationFailed(f"{self._url} sends on to {response.headers['location']}: give that address.")
        if not response.is_success:
            raise GenerationFailed(f"{self._url} answered {response.status_code}: {shown(body)}.")
        if (row := json_object(body)) is None:
            raise GenerationFailed(f"{self._url} sent no JSON object: {shown(body)}.")
        return row, total_s

    def _chat(self, gold: Gold, deadline: float) -> tuple[Mapping[str, object], float]:
        """Return the fields of a row that a completion holds, and the seconds it took."""
        with explained(self._url, GenerationFailed):
            start, stream = self._opened({"model": self._model, "messages": _messages(gold), "temperature": 0})
        with stream, explained(self._url, GenerationFailed, begun=True):
            try:
                if "event-stream" in stream.response.headers.get("content-type", ""):
                    reply = _streamed(_until(deadline, stream), start)
                else:
                    reply = _completed(b"".join(_until(deadline, stream.response.iter_bytes())))
            except _NoCompletion as error:
                raise GenerationFailed(f"{self._url} sent what is no completion: {error}.") from None
            return reply, time.perf_counter() - start

    def _opened(self, request: Mapping[str, object]) -> tuple[float, Any]:
        """Return when the request that the server takes was sent, and its reply as it comes."""
        from openai import BadRequestError, Stream, UnprocessableEntityError

        for way in range(self._way, len(_WAYS)):
            start = time.perf_counter()
            try:
                # Of the type `object`, what comes is not made to look like a completion whether it is one or not.
                stream = self._client.post(
                    "/chat/completions",
                    body={**request, **_WAYS[way]},
                    cast_to=object,
                    stream=True,
                    stream_cls=Stream[object],
                    options={"follow_redirects": False},
                )
            except (BadRequestError, UnprocessableEntityError):
                if way == len(_WAYS) - 1:  # it is the question that it does not take
                    raise
            else:
                self._way = max(self._way, way)
                return start, stream
        raise AssertionError("unreachable")


class _NoCompletion(Exception):
    """What came has another shape."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Message(_Part):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Part):
    message: _Message | None = None
    delta: _Message | None = None


class _Usage(_Part):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(_Part):
    """A completion or a piece of one, as far as it is read here."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None


def _check_address(url: str, address: str) -> None:
    import httpx

    try:
        parsed = httpx.URL(address)
        good = parsed.scheme in ("http", "https") and bool(parsed.host) and (parsed.port or 0) < 2**16
    except httpx.InvalidURL:
        good = False
    if not good:
        raise BadRun(f"{url} is no address: --url http://127.0.0.1:8000/v1.")


def _until(deadline: float, pieces: Iterable[_T]) -> Iterator[_T]:
    """Yield the pieces; once nobody waits for them any more, stop reading."""
    for piece in pieces:
        if time.monotonic() > deadline:
            raise GenerationFailed("Nobody waits for this reply any more.")
        yield piece


def _messages(gold: Gold) -> list[dict[str, str]]:
    roles = {"user": "user", "agent": "assistant"}
    earlier = [{"role": roles[turn.speaker], "content": turn.text} for turn in gold.meta.get("history", [])]
    return [*earlier, {"role": "user", "content": gold.question}]


def _streamed(chunks: Iterable[object], start: float) -> dict[str, object]:
    reply: dict[str, object] = {}
    whole = _Message()
    for sent in chunks:
        chunk = _parsed(sent)
        delta = (chunk.choices[0].delta if chunk.choices else None) or _Message()
        if delta.content or delta.refusal:
            reply.setdefault("first_token_s", round(time.perf_counter() - start, 4))
        whole.content = _joined(whole.content, delta.content)
        whole.refusal = _joined(whole.refusal, delta.refusal)
        reply |= _extra_fields(chunk, delta)
    return {**_said(whole, "a stream without text"), **reply}


def _completed(body: bytes) -> dict[str, object]:
    sent = json_object(body)
    completion = _parsed(body if sent is None else sent)
    message = (completion.choices[0].message if completion.choices else None) or _Message()
    return {**_said(message, shown(body)), **_extra_fields(completion, message)}


def _parsed(sent: object) -> _Completion:
    try:
        return _Completion.model_validate(sent)
    except ValidationError:
        raise _NoCompletion(shown(sent if isinstance(sent, bytes) else str(sent))) from None


def _said(message: _Message, sent: str) -> dict[str, object]:
    """Return the answer, or the refusal that the protocol has a field of its own for. Raises _NoCompletion."""
    if message.refusal and not message.content:
        return {"answer": message.refusal, "abstained": True}
    if message.content is None:
        raise _NoCompletion(sent)
    return {"answer": message.content}


def _joined(before: str | None, piece: str | None) -> str | None:
    return before if piece is None else (before or "") + piece


def _extra_fields(completion: _Completion, message: _Message) -> dict[str, object]:
    """Return what a server says beyond the protocol, in the names of run.jsonl, and its count of tokens."""
    extra = {**(completion.model_extra or {}), **(message.model_extra or {})}
    fields = {name: extra[name] for name in _FURTHER_FIELDS if extra.get(name) is not None}
    if usage := completion.usage:
        fields |= {"prompt_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return fields
