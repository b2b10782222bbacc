"""Answers in the form in which they are kept: without the documents' texts, which the library has."""

from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from index.errors import FonteError
from index.library import Library
from index.types import Chunk, Passage
from rag.types import Answer, Citation, Claim


@dataclass(frozen=True, slots=True)
class _Found:
    """A passage without its document; the chunk's text is empty."""

    chunk: Chunk
    score: float
    rank: int
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Kept:
    text: str
    language: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    abstained: bool
    reason: str
    passages: tuple[_Found, ...]
    receipt: dict[str, Any]


_FORM = TypeAdapter(_Kept)


def packed(answer: Answer) -> object:
    """Return `answer` as JSON values, without question and timings."""
    found = tuple(_Found(replace(p.chunk, text=""), p.score, p.rank, dict(p.scores)) for p in answer.passages)
    kept = _Kept(
        answer.text,
        answer.language,
        answer.claims,
        answer.citations,
        answer.abstained,
        answer.reason,
        found,
        dict(answer.receipt),
    )
    return _FORM.dump_python(kept, mode="json")


def unpacked(value: object, question: str, library: Library) -> Answer | None:
    """Return the answer that was packed into `value`, None where it cannot be: then it is made again."""
    try:
        kept = _FORM.validate_python(value)
        passages = tuple(_passage(found, library) for found in kept.passages)
    except (ValidationError, FonteError):
        return None
    return Answer(
        question=question,
        text=kept.text,
        language=kept.language,
        claims=kept.claims,
        citations=kept.citations,
        abstained=kept.abstained,
        reason=kept.reason,
        passages=passages,
        receipt={**kept.receipt, "cached": True},
    )


def _passage(found: _Found, library: Library) -> Passage:
    document = library.document(found.chunk.document_id)
    chunk = replace(found.chunk, text=document.text[found.chunk.start : found.chunk.end])
    return Passage(chunk, document, found.score, found.rank, found.scores)
