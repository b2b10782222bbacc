"""Another system behind an address."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from eval.data import Gold, Row
from eval.reply import json_object, question_json, row_of_reply
from index.errors import BadRun, GenerationFailed

_SHOWN_CHARS = 200
_FURTHER_FIELDS = ("retrieved", "citations", "quotes", "passages", "abstained", "confidence", "memory_mb")


class ServerSystem:
    """A server of OpenAI's chat protocol, streaming where it can, or one that takes a question and returns a row."""

    all_known = False

    def __init__(self, url: str, *, model: str = "", at_once: int = 1, timeout_s: float = 600.0) -> None:
        """`url` ends in /v1 or /chat/completions, or begins with "openai:", where it speaks OpenAI's protocol."""
        named, _, fragment = url.partition("#")
        address = named.removeprefix("openai:")
        self._openai = named != address or address.rstrip("/").endswith(("/v1", "/chat/completions"))
        self._url = address.removesuffix("/chat/completions") if self._openai else address
        if not self._url.startswith(("http://", "https://")):
            raise BadRun(f"{url} is no address: --url http://127.0.0.1:8000/v1.")
        self._model = model or fragment
        self._streams = True
        self._timeout_s = timeout_s
        self.settings: Mapping[str, object] = {"system": url, "model": self._model}
        self.at_once = at_once

    def ask(self, gold: Gold) -> Row:
        """Return the row of a question. Raises GenerationFailed, BadRun."""
        start = time.perf_counter()
        reply = self._chat(gold, start) if self._openai else self._post(gold)
        return row_of_reply(gold, reply, total_s=time.perf_counter() - start)

    def close(self) -> None:
        """Nothing was started."""

    def _post(self, gold: Gold) -> Mapping[str, object]:
        import httpx

        try:
            reply = httpx.post(self._url, json=question_json(gold), timeout=self._timeout_s)
            reply.raise_for_status()
            row = json_object(reply.text)
        except httpx.HTTPStatusError as error:
            raise GenerationFailed(f"{self._url} answered {error.response.status_code}.") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GenerationFailed(f"{self._url} does not answer ({type(error).__name__}): start it.") from None
        if row is None:
            raise GenerationFailed(f"{self._url} sent no JSON object: {reply.text.strip()[:_SHOWN_CHARS]!r}.")
        return row

    def _chat(self, gold: Gold, start: float) -> Mapping[str, object]:
        from index.remote import connect, explained, first_model

        client = connect(self._url, read_timeout_s=self._timeout_s)
        with client, explained(self._url, GenerationFailed):
            model = self._model or first_model(client, self._url, GenerationFailed)
            request = {"model": model, "messages": _messages(gold), "temperature": 0}
            if self._streams:
                reply = _streamed(client.chat.completions.create(**request, stream=True), start)
                if reply["answer"] or len(reply) > 1:
                    return reply
                self._streams = False  # a server that answers a stream with nothing does not stream
            return _completed(client.chat.completions.create(**request))


def _messages(gold: Gold) -> list[dict[str, str]]:
    roles = {"user": "user", "agent": "assistant"}
    earlier = [{"role": roles[turn.speaker], "content": turn.text} for turn in gold.meta.get("history", [])]
    return [*earlier, {"role": "user", "content": gold.question}]


def _streamed(chunks: Iterable[Any], start: float) -> dict[str, object]:
    reply: dict[str, object] = {}
    text = ""
    for chunk in chunks:
        delta = chunk.choices[0].delta if chunk.choices else None
        if delta is not None and delta.content:
            reply.setdefault("first_token_s", round(time.perf_counter() - start, 4))
            text += delta.content
        reply |= _extra_fields(chunk, delta)
    return {"answer": text, **reply}


def _completed(completion: Any) -> dict[str, object]:
    message = completion.choices[0].message if completion.choices else None
    return {"answer": (message.content if message else "") or "", **_extra_fields(completion, message)}


def _extra_fields(*parts: Any) -> dict[str, object]:
    """Return what a server says beyond the protocol, in the names of run.jsonl, and its count of tokens."""
    fields: dict[str, object] = {}
    for part in parts:
        extra = getattr(part, "model_extra", None) or {}
        fields |= {name: extra[name] for name in _FURTHER_FIELDS if extra.get(name) is not None}
        if usage := getattr(part, "usage", None):
            fields |= {"prompt_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return fields
