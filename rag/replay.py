"""A receipt read back: what was asked, and whether all that decided the answer is still the same. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from index.errors import FonteError
from rag.types import Answer, Turn

# What may have changed, by its name in a receipt.
_PARTS = {
    "library_sha256": "the documents",
    "embedder_sha256": "the embedder",
    "reranker_sha256": "what orders the passages",
    "prompts_sha256": "the prompts",
    "code_sha256": "fonte itself",
    "settings": "the settings",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an answer says of how it came about; `told` is all of it."""

    question: str
    history: tuple[Turn, ...]
    where: tuple[str, ...]
    settings: dict[str, Any]
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Quoted:
    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The object of `fonte ask --json`, as far as it matters here."""

    answer: str
    citations: tuple[_Quoted, ...]
    receipt: dict[str, Any]


def read_receipt(text: str) -> tuple[Receipt, Asked | None]:
    """Return the receipt in `text`, and the answer that it belongs to where that is there too.

    `text` is the object of `fonte ask --json`, or its receipt alone. Raises FonteError.
    """
    try:
        asked = TypeAdapter(Asked).validate_json(text) if '"receipt"' in text else None
        told = asked.receipt if asked else TypeAdapter(dict[str, Any]).validate_json(text)
        receipt = TypeAdapter(Receipt).validate_python({**told, "told": told})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise FonteError(
            f"This is no receipt ({f'{place}: ' if place else ''}{first['msg'].lower()}): "
            "give what fonte ask --json printed"
        ) from None
    return receipt, asked


def changes(receipt: Receipt, now: Mapping[str, object]) -> list[str]:
    """Return what is no longer as it was, for people; `now` is the receipt of the answer just given."""
    changed = []
    for name, called in _PARTS.items():
        before, after = receipt.told.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, Mapping):
            names = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
            changed += [called.replace("the settings", f"the setting {key}") for key in names]
        elif before != after:
            changed.append(called)
    return changed


def same_answer(asked: Asked, answer: Answer) -> bool:
    """Whether `answer` is the same to the letter, and its quotes are in the same places."""
    quotes = tuple(_Quoted(c.document_id, c.start, c.end) for c in answer.citations)
    return (asked.answer, asked.citations) == (answer.text, quotes)
