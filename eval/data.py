"""Gold pairs and the rows of a run: their files read, checked and written."""

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from index.errors import BadGold, BadRun, FonteError
from rag.types import Turn

_T = TypeVar("_T")
_MOST_SHOWN = 20
_Name = Annotated[str, Field(min_length=1)]


class Meta(TypedDict, total=False):
    """What a pair may say beyond the fixed fields; other keys are kept as they are."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    all_of: list[_Name]  # strings that must all occur in the answer, each at a word's beginning
    history: list[Turn]  # earlier turns of the conversation


@dataclass(frozen=True, slots=True)
class Gold:
    """A question with its accepted answers and the ids of the documents that hold them."""

    id: _Name
    question: _Name
    answers: tuple[str, ...]
    relevant: tuple[str, ...]
    answerable: bool
    language: str = ""  # ISO 639-1
    kind: str = ""
    meta: Meta = field(default_factory=lambda: Meta())


@dataclass(frozen=True, slots=True)
class Quote:
    """A citation of a run: `text` should equal the document's text from `start` to `end`."""

    document: str
    start: int
    end: int
    text: str
    support: float


@dataclass(frozen=True, slots=True)
class Row:
    """What came back for one question. Times and tokens are None where unknown."""

    id: str
    answer: str = ""  # with its markers
    abstained: bool = False
    retrieved: tuple[str, ...] = ()  # document ids, best first
    citations: tuple[str, ...] = ()  # document ids
    quotes: tuple[Quote, ...] = ()
    first_token_s: float | None = None
    total_s: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    error: str = ""  # why there is no answer; such a question counts as wrong


def read_gold(path: Path) -> list[Gold]:
    """Return the pairs of a gold file. Raises BadGold naming every line that cannot be used."""
    golds = _read_lines(path, TypeAdapter(Gold), BadGold)
    if not golds:
        raise BadGold(f"{path} holds no question: write one JSON object a line, as in docs/evaluation.md.")
    return golds


def sample(golds: Sequence[Gold], count: int, seed: int) -> list[Gold]:
    """Return `count` of the pairs (all, where there are no more), drawn by `seed`, in their order."""
    drawn = random.Random(seed).sample(range(len(golds)), min(count, len(golds)))
    return [golds[place] for place in sorted(drawn)]


def fingerprint(golds: Iterable[Gold]) -> str:
    """Return a SHA-256 over the pairs, in their order."""
    lines = (json.dumps(asdict(gold), sort_keys=True) for gold in golds)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_run(path: Path) -> list[Row]:
    """Return the rows of a run; a last line without its newline was cut short by a kill and is left out.

    Raises BadRun naming every other line that cannot be used.
    """
    return _read_lines(path, TypeAdapter(Row), BadRun, torn_tail=True)


def append_row(path: Path, row: Row) -> None:
    """Write `row` to the end of a run; it is on the disk when this returns."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(_line(row))
        file.flush()
        os.fsync(file.fileno())


def write_run(path: Path, rows: Iterable[Row]) -> None:
    """Replace a run by `rows`, all or nothing."""
    write_text(path, "".join(map(_line, rows)))


def write_text(path: Path, text: str) -> None:
    """Replace a file's text, all or nothing."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _line(row: Row) -> str:
    fields: dict[str, Any] = asdict(row)
    if not row.error:
        del fields["error"]
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _read_lines(
    path: Path, adapter: TypeAdapter[_T], fault: Callable[[str], FonteError], *, torn_tail: bool = False
) -> list[_T]:
    """Return one value a line, blank lines skipped; all faults are raised together."""
    # Split at "\n" alone: str.splitlines would cut at the U+2028 that JSON strings may hold.
    lines = _read_text(path, fault).split("\n")
    if torn_tail:
        lines.pop()
    values: dict[str, _T] = {}
    faults = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = adapter.validate_json(line, strict=True)
        except ValidationError as error:
            faults.append(f"line {number}: {_describe(error)}")
            continue
        id = value.id  # type: ignore[attr-defined]
        if id in values:
            faults.append(f"line {number}: the id {id!r} occurs twice")
        values[id] = value
    if faults:
        more = f"; and {len(faults) - _MOST_SHOWN} more" if len(faults) > _MOST_SHOWN else ""
        raise fault(f"{path} cannot be used. {'; '.join(faults[:_MOST_SHOWN])}{more}.")
    return list(values.values())


def _read_text(path: Path, fault: Callable[[str], FonteError]) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except OSError as error:
        raise fault(f"{path} cannot be read: {error.strerror or error}.") from None


def _describe(error: ValidationError) -> str:
    return ", ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" if fault["loc"] else fault["msg"]
        for fault in error.errors(include_url=False)
    )
