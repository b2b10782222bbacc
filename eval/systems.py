"""What is evaluated: fonte, or its search alone. command.py and server.py hold other systems."""

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import prompts
from eval.data import Found, Gold, Quote, Row
from index.embed import Embedder
from index.language import detect_language
from index.library import Library
from index.where import Condition
from rag.code import code_fingerprint
from rag.conversation import asked_before, standalone
from rag.messages import PROMPTS
from rag.types import Answer, Turn

# Several of the best chunks may come from one document, so more are fetched than documents are scored.
_CHUNKS_PER_DOCUMENT = 4
_ENGINES = ("xllamacpp", "transformers", "sentence-transformers", "tokenizers", "torch", "pystemmer", "nltk")


class Answerer(Protocol):
    """Whatever answers a question as fonte does."""

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """Return the answer. Raises FonteError."""
        ...


class System(Protocol):
    """Whatever is evaluated."""

    settings: Mapping[str, object]  # what its answers depend on, as JSON values, as far as is known
    all_known: bool  # whether that is all: then the same question need never be asked again
    at_once: int  # questions it is asked at the same time

    def ask(self, gold: Gold) -> Row:
        """Return the row of a question. Raises FonteError; may be called from several threads where at_once > 1."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class FonteSystem:
    """fonte over a library; `settings` names the model and whatever else the answerer depends on."""

    def __init__(
        self, answerer: Answerer, library: Library, settings: Mapping[str, object], *, at_once: int = 1
    ) -> None:
        self._answerer = answerer
        self.at_once = at_once
        # A model behind a server may change under its name.
        self.all_known = settings.get("model_sha256") != "" and _is_here(library.embedder)
        known = _library_settings(library) | {"prompts": prompts.fingerprint(*PROMPTS)}
        self.settings: Mapping[str, object] = {**known, **settings}

    def ask(self, gold: Gold) -> Row:
        """Return the row of a question."""
        answer = self._answerer.answer(gold.question, gold.meta.get("history", []))
        return replace(row_of(gold.id, answer), memory_mb=_memory_mb())

    def close(self) -> None:
        """Nothing was started."""


class SearchSystem:
    """The search alone: `k` documents for each question, with `history` in the light of those before it."""

    at_once = 1

    def __init__(self, library: Library, k: int, *, history: bool = True, where: Sequence[Condition] = ()) -> None:
        self._library, self._k, self._history, self._where = library, k, history, where
        self.all_known = _is_here(library.embedder)
        asked = {"k": k, "history": history, "where": [str(condition) for condition in where]}
        self.settings: Mapping[str, object] = {**_library_settings(library), **asked}

    def ask(self, gold: Gold) -> Row:
        """Return the row of a question."""
        start = time.perf_counter()
        history = gold.meta.get("history", []) if self._history else []
        whole = standalone(gold.question, history, detect_language(gold.question))
        count = self._k * _CHUNKS_PER_DOCUMENT
        passages = self._library.search(
            gold.question, k=count, where=self._where, context=asked_before(history), whole=whole
        )
        total_s = time.perf_counter() - start
        return Row(
            gold.id,
            retrieved=_once(p.document.id for p in passages)[: self._k],
            passages=tuple(Found(p.document.id, p.chunk.start, p.chunk.end) for p in passages[: self._k]),
            total_s=round(total_s, 4),
        )

    def close(self) -> None:
        """Nothing was started."""


def row_of(id: str, answer: Answer) -> Row:
    """Return the row of a run for an answer of fonte's."""
    times = answer.timings
    confidence = answer.receipt.get("answerable")
    return Row(
        id=id,
        answer=answer.text,
        abstained=answer.abstained,
        retrieved=_once(passage.document.id for passage in answer.passages),
        citations=_once(citation.document_id for citation in answer.citations),
        quotes=tuple(Quote(c.document_id, c.start, c.end, c.quote, c.support) for c in answer.citations),
        first_token_s=times.get("first_token_s"),
        total_s=times.get("total_s"),
        prompt_tokens=_whole(times.get("prompt_tokens")),
        output_tokens=_whole(times.get("output_tokens")),
        passages=tuple(Found(p.document.id, p.chunk.start, p.chunk.end) for p in answer.passages),
        confidence=confidence if isinstance(confidence, float) else None,
    )


def _code_fingerprint() -> str:
    """Return a SHA-256 over the code that answers: rows made before a change must not pass for rows made after."""
    rows = Path(__file__).read_bytes()  # how an answer becomes a row
    return hashlib.sha256(rows + code_fingerprint().encode()).hexdigest()


def _library_settings(library: Library) -> dict[str, object]:
    return {
        "library": library.fingerprint,
        "embedder": library.embedder.fingerprint,
        "reranker": library.reranker.fingerprint if library.reranker else "",
        "code": _code_fingerprint(),
        "engines": {name: version(name) for name in _ENGINES},
    }


def _is_here(embedder: Embedder) -> bool:
    from index.embed_server import ServerEmbedder

    return not isinstance(embedder, ServerEmbedder)


def _memory_mb() -> float:
    import psutil

    return round(float(psutil.Process().memory_info().rss) / 1e6, 1)


def _once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
