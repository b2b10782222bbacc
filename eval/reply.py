"""What another system is sent, and the row that its reply becomes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

from eval.data import Gold, Row, parse_row
from eval.measures.abstention import refuses
from rag.cite import parse_claims


def question_json(gold: Gold) -> dict[str, object]:
    """Return the question as it is sent; nothing of its answer."""
    history = [asdict(turn) for turn in gold.meta.get("history", [])]
    return {"id": gold.id, "question": gold.question, "history": history, "language": gold.language}


def row_of_reply(gold: Gold, reply: Mapping[str, object], *, total_s: float) -> Row:
    """Return the row of another system's reply; what it left out is read from its answer. Raises BadRun."""
    known = {name: value for name, value in reply.items() if value is not None and name in Row.__dataclass_fields__}
    row = parse_row({"total_s": round(total_s, 4), **known}, id=gold.id)
    sources = [quote.document for quote in row.quotes] or [found.document for found in row.passages]
    if "abstained" not in known and not row.error:
        row = replace(row, abstained=refuses(row.answer))
    if "retrieved" not in known:
        row = replace(row, retrieved=_once(found.document for found in row.passages if found.document))
    if "citations" not in known and not row.abstained:
        markers = [m for claim in parse_claims(row.answer, gold.language or "en") for m in claim.markers]
        row = replace(row, citations=_once(sources[m - 1] for m in markers if 0 < m <= len(sources)))
    return row


def json_object(text: str) -> Mapping[str, object] | None:
    """Return the JSON object that `text` is, None where it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _once(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
