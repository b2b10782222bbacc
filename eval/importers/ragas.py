"""Rows of ragas, first generation (question, ground_truth, contexts, answer) and second (user_input, reference, ...).

Column names: https://docs.ragas.io/en/stable/concepts/components/eval_sample/.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, NotRequired

from pydantic import Field, TypeAdapter
from pydantic_core import from_json
from typing_extensions import TypedDict

from eval.importers.gather import Gathering
from eval.importers.read import Record, is_json, json_records, read_text, table_records
from rag.types import Turn

_COLUMNS = {
    "id": ("id",),
    "question": ("user_input", "question"),
    "reference": ("reference", "ground_truth", "ground_truths"),
    "reference_contexts": ("reference_contexts",),
    "retrieved_contexts": ("retrieved_contexts", "contexts"),
    "response": ("response", "answer"),
    "kind": ("synthesizer_name",),
}
_OWN = {"user_input", "ground_truth", "ground_truths", "reference_contexts", "retrieved_contexts", "contexts"}
_LISTS = {"ground_truths", "reference_contexts", "retrieved_contexts", "contexts"}
_SPEAKERS = {"human": "user", "user": "user", "ai": "agent", "assistant": "agent"}


class _Message(TypedDict):
    content: str | None
    type: NotRequired[str | None]
    role: NotRequired[str | None]


class _Row(TypedDict):
    id: NotRequired[Annotated[str, Field(coerce_numbers_to_str=True)]]
    question: str | list[_Message]
    reference: NotRequired[str | list[str]]
    reference_contexts: NotRequired[str | list[str]]
    retrieved_contexts: NotRequired[str | list[str]]
    response: NotRequired[str]
    kind: NotRequired[str]


_FIELDS, _ROW = TypeAdapter(dict[str, object]), TypeAdapter(_Row)


def recognises(names: Collection[str]) -> bool:
    """Whether these are the columns of ragas; question and answer alone are a plain table."""
    return bool(_OWN & set(names)) and bool({"user_input", "question"} & set(names))


def gather(path: Path, into: Gathering) -> None:
    """Gather ragas rows from a JSON list, JSON lines, JSON columns or a CSV table. Their contexts become documents."""
    text = read_text(path)
    records = json_records(path, text, into, one_a_row=_COLUMNS["question"]) if is_json(text) else _table(text, into)
    for number, (place, value) in enumerate(records, start=1):
        fields = into.check(_FIELDS, value, place)
        row = fields and into.check(_ROW, _named(fields), place)
        if row:
            _gather_row(place, number, row, path.name, into)


def _named(fields: dict[str, object]) -> dict[str, object]:
    """Return a row under one generation of names, without what is empty (None, pandas' NaN, "", []), in lists too."""
    known = {name: list(filter(_is_there, v)) if isinstance(v, list) else v for name, v in fields.items()}
    filled = {name: value for name, value in known.items() if _is_there(value)}
    return {
        ours: next(filled[name] for name in theirs if name in filled)
        for ours, theirs in _COLUMNS.items()
        if any(name in filled for name in theirs)
    }


def _is_there(value: object) -> bool:
    return value == value and value not in (None, "", [])


def _gather_row(place: str, number: int, row: _Row, source: str, into: Gathering) -> None:
    asked = row["question"]
    turns = [Turn("user", asked)] if isinstance(asked, str) else _turns(asked)
    last = max((place for place, turn in enumerate(turns) if turn.speaker == "user"), default=None)
    if last is None:
        into.skip(place, "no turn of the conversation is the user's")
        return
    relevant = _documents(place, row.get("reference_contexts"), source, into)
    _documents(place, row.get("retrieved_contexts"), source, into)
    answers = _as_list(row.get("reference"))
    if not relevant and not any(map(str.strip, answers)):
        into.skip(place, "there is neither a reference nor a reference context to hold an answer against")
        return
    response = row.get("response") or "\n".join(turn.text for turn in turns[last + 1 :])
    meta = {"history": turns[:last], "response": response}
    id = row.get("id", f"row-{number}")
    into.pair(place, id, turns[last].text, answers, relevant, kind=row.get("kind", ""), meta=meta)


def _turns(messages: Iterable[_Message]) -> list[Turn]:
    """Return what user and agent said; messages of tools and of the system are left out."""
    told = ((message.get("type") or message.get("role") or "", message["content"]) for message in messages)
    return [Turn(_SPEAKERS[speaker], text) for speaker, text in told if text and speaker in _SPEAKERS]  # type: ignore[arg-type]


def _documents(place: str, texts: str | list[str] | None, source: str, into: Gathering) -> list[str]:
    """Keep the texts as documents and return their ids, made from the texts since ragas gives none."""
    ids = [into.document(place, _id(text), text, source=source) for text in _as_list(texts) if text.strip()]
    return [id for id in ids if id]


def _id(text: str) -> str:
    return f"context-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _as_list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def _table(text: str, into: Gathering) -> Iterator[Record]:
    for place, cells in table_records(text, into):
        row: dict[str, object] = dict(cells)
        for name in (_LISTS | {"user_input"}) & {name for name, cell in cells.items() if cell.startswith("[")}:
            try:
                row[name] = _list(cells[name])
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                if name in _LISTS:  # a question may begin with a bracket
                    into.fault(place, f"{name}: begins like a list and cannot be read as one")
        yield place, row


def _list(cell: str) -> object:
    """Return the list in a cell: JSON, Python's notation, or numpy's, which has no commas between the strings."""
    try:
        return from_json(cell)
    except ValueError:
        value = ast.literal_eval(cell)
    tokens = tokenize.generate_tokens(io.StringIO(cell).readline)
    strings = [token.string for token in tokens if token.type == tokenize.STRING]
    joined = isinstance(value, list) and all(isinstance(item, str) for item in value) and len(strings) > len(value)
    return [ast.literal_eval(string) for string in strings] if joined else value
