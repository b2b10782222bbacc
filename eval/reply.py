"""What another system is sent, and the row that its reply becomes."""

import codecs
import json
import queue
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from pydantic_core import from_json

from eval.data import Fault, Gold, Row, cannot_be_used, parse_row, read_run
from eval.measures.abstention import refuses
from index.errors import BadRun, GenerationFailed
from rag.cite import parse_claims

_T = TypeVar("_T")
_SHOWN_CHARS = 200
_SHOWN_KEYS = 8


def question_json(gold: Gold) -> dict[str, object]:
    """Return the question as it is sent; nothing of its answer."""
    history = [asdict(turn) for turn in gold.meta.get("history", [])]
    return {"id": gold.id, "question": gold.question, "history": history, "language": gold.language}


def row_of_reply(gold: Gold, reply: Mapping[str, object], *, total_s: float) -> Row:
    """Return the row of another system's reply; what it left out is read from its answer. Raises BadRun."""
    if lacks := _lacks(reply):
        raise BadRun(f"An answer cannot be used: {lacks}.")
    known = {name: value for name, value in reply.items() if value is not None and name in Row.__dataclass_fields__}
    try:
        return _completed(parse_row({"total_s": round(total_s, 4), **_whole(known)}, id=gold.id), gold, known)
    except RecursionError:
        raise BadRun("An answer cannot be used: it is nested too deep.") from None


def read_answers(path: Path, golds: Sequence[Gold]) -> list[Row]:
    """Return the row of each of `golds` from a file of them, completed as `row_of_reply` does.

    Raises BadRun naming every line that cannot be used, or where a question has no row.
    """
    rows = {row.id: row for row in read_run(path, torn_tail=False)}
    known = _known_fields(path)
    if missing := [gold.id for gold in golds if gold.id not in rows]:
        raise BadRun(
            f"{path} has no row for {len(missing):,} of {len(golds):,} questions, such as {missing[0]!r}: "
            'add them; {"id": ..., "error": "why"} counts as wrong.'
        )
    return [_completed(rows[gold.id], gold, known[gold.id]) for gold in golds]


def _known_fields(path: Path) -> dict[str, set[str]]:
    """Return what each row of a file that can be read says. Raises BadRun naming every line that answers nothing."""
    known, faults = {}, []
    for number, line in enumerate(path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        fields = from_json(line)
        known[fields["id"]] = {name for name, value in fields.items() if value is not None}
        if lacks := _lacks(fields):
            faults.append(Fault(number, lacks))
    if faults:
        raise BadRun(cannot_be_used(path, faults))
    return known


def _completed(row: Row, gold: Gold, known: Collection[str]) -> Row:
    """Return the row with what its system left out: all but the `known` fields."""
    if row.error:
        return row
    if "abstained" not in known:
        row = replace(row, abstained=refuses(row.answer))
    if "retrieved" not in known:
        found = _once(found.document for found in row.passages if found.document)
        row = replace(row, retrieved=found if "passages" in known else None)
    if "citations" not in known and not row.abstained:
        sources = [quote.document for quote in row.quotes] or [found.document for found in row.passages]
        markers = [m for claim in parse_claims(row.answer, gold.language or "en") for m in claim.markers]
        row = replace(row, citations=_once(sources[m - 1] for m in markers if 0 < m <= len(sources)))
    return row


def json_object(text: str | bytes) -> Mapping[str, object] | None:
    """Return the JSON object that `text` is, bytes that are no UTF-8 replaced, None where it is none."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def shown(text: str | bytes) -> str:
    """Return the beginning of what another system wrote, quoted, on one line, as an error may hold it."""
    if isinstance(text, bytes):
        text = text[: 4 * _SHOWN_CHARS].decode("utf-8", errors="replace")
    return repr(text.strip()[:_SHOWN_CHARS])


def within(timeout_s: float, exchange: Callable[[], _T], who: str) -> _T:
    """Return what `exchange` does, or raise GenerationFailed once `timeout_s` are over.

    It works in a thread that is left alone then: a write to a full pipe, or a read from a server that sends a byte now
    and then, does not keep to a limit of its own.
    """
    outcome: queue.SimpleQueue[tuple[_T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put((exchange(), None))
        except BaseException as error:  # raised again where it can be seen
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        result, error = outcome.get(timeout=timeout_s)
    except queue.Empty:
        raise GenerationFailed(f"{who} did not answer within {timeout_s:g} s.") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _lacks(reply: Mapping[str, object]) -> str:
    """Return why the reply answers nothing, "" where it does: silence must not pass for a refusal."""
    if reply.get("answer") is not None or reply.get("abstained") is True or reply.get("error"):
        return ""
    keys = ", ".join(shown(key) for key in list(reply)[:_SHOWN_KEYS])
    return f"it holds no answer, abstained: true or error, only {keys or 'nothing'}"


def _whole(fields: Mapping[str, object]) -> Mapping[str, object]:
    """Return the JSON object with U+FFFD for each lone half of a character (surrogate), which no file can hold."""
    text = json.dumps(fields, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    whole: Mapping[str, object] = json.loads(text)
    return whole


def _once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
