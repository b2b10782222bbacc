"""Gold pairs and the rows of a run: their files read, checked and written."""

import codecs
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from index.errors import BadGold, BadRun, FonteError
from rag.types import Turn

_T = TypeVar("_T")
_MOST_SHOWN = 20
_LEFT_OUT_WHERE_EMPTY = ("passages", "confidence", "memory_mb", "error")
_Name = Annotated[str, Field(min_length=1)]
_Place = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Meta(TypedDict, total=False):
    """What a pair may say beyond the fixed fields; other keys are kept as they are."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    all_of: list[_Name]  # strings that must all occur in the answer, each at a word's beginning
    history: list[Turn]  # earlier turns of the conversation
    quotes: list[_Name]  # pieces of the relevant documents that show the answer
    grades: dict[str, int]  # how relevant each document is, for nDCG
    paraphrases: list[_Name]  # the question in other words
    variant_of: _Name  # the id of the pair that this one asks in other words or letters
    variant: _Name  # in which way
    draft: bool  # proposed by a model, accepted by nobody yet


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
    """A citation of a run: `text` should equal the document's text from `start` to `end`, where these are given."""

    document: str
    start: _Place | None = None
    end: _Place | None = None
    text: str = ""
    support: _Share | None = None  # how far the answering system itself trusts it


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of a run: the document's text from `start` to `end`, or `text` where only that is known."""

    document: str
    start: _Place | None = None
    end: _Place | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What came back for one question. Times, tokens and memory are None where unknown."""

    id: _Name
    answer: str = ""  # with its markers
    abstained: bool = False
    retrieved: tuple[str, ...] | None = ()  # document ids, best first; None where the system does not say
    citations: tuple[str, ...] = ()  # document ids
    quotes: tuple[Quote, ...] = ()
    first_token_s: _Amount | None = None
    total_s: _Amount | None = None
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    output_tokens: Annotated[int, Field(ge=0)] | None = None
    passages: tuple[Found, ...] = ()  # best first
    confidence: _Share | None = None  # that the answer is right
    memory_mb: _Amount | None = None  # of the answering process, resident, when it had answered
    error: str = ""  # why there is no answer; such a question counts as wrong

    @property
    def answered(self) -> bool:
        """Whether there is an answer: neither a refusal nor a failure."""
        return not (self.abstained or self.error)


@dataclass(frozen=True, slots=True)
class Fault:
    """What makes a line of a file unusable."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


def read_gold(path: Path) -> list[Gold]:
    """Return the pairs of a gold file. Raises BadGold naming every line that cannot be used."""
    pairs, faults = read_gold_lines(path)
    if faults:
        raise BadGold(cannot_be_used(path, faults))
    if not pairs:
        raise BadGold(f"{path} holds no question: write one JSON object a line, as in docs/evaluation.md.")
    return [gold for _, gold in pairs]


def read_gold_lines(path: Path) -> tuple[list[tuple[int, Gold]], list[Fault]]:
    """Return the pairs of a gold file, each with its line's number from 1, and what is wrong with the other lines.

    Raises BadGold where the file cannot be read.
    """
    pairs, faults = _read_lines(path, TypeAdapter(Gold), BadGold)
    own = {gold.id for _, gold in pairs if not variant_of(gold)}
    for number, gold in pairs:
        if variant_of(gold) and variant_of(gold) not in own:
            faults.append(Fault(number, f"meta.variant_of names no pair of this file: {variant_of(gold)!r}"))
    return pairs, sorted(faults, key=lambda fault: fault.line)


def variant_of(gold: Gold) -> str:
    """Return the id of the pair that this one only asks in other words or letters, "" for a pair of its own."""
    return gold.meta.get("variant_of", "")


def sample(golds: Sequence[Gold], count: int, seed: int) -> list[Gold]:
    """Return `count` of the pairs (all, if there are no more) with their variants, drawn by `seed`, in their order."""
    own = [gold.id for gold in golds if not variant_of(gold)]
    drawn = {own[place] for place in random.Random(seed).sample(range(len(own)), min(count, len(own)))}
    return [gold for gold in golds if (variant_of(gold) or gold.id) in drawn]


def fingerprint(golds: Iterable[Gold]) -> str:
    """Return a SHA-256 over the pairs, in their order."""
    lines = (json.dumps(asdict(gold), sort_keys=True) for gold in golds)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_run(path: Path, *, torn_tail: bool = True) -> list[Row]:
    """Return the rows of a run. Raises BadRun naming every line that cannot be used.

    With `torn_tail` a last line without its newline was cut short by a kill, and is left out.
    """
    rows, faults = _read_lines(path, _rows_adapter(), BadRun, torn_tail=torn_tail)
    if faults:
        raise BadRun(cannot_be_used(path, faults))
    return [row for _, row in rows]


def append_row(path: Path, row: Row) -> None:
    """Write `row` to the end of a run; it is on the disk when this returns."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(_line(row))
        file.flush()
        os.fsync(file.fileno())


def write_run(path: Path, rows: Iterable[Row]) -> None:
    """Replace a run by `rows`, all or nothing."""
    write_text(path, "".join(map(_line, rows)))


def write_gold(path: Path, golds: Iterable[Gold]) -> None:
    """Replace a gold file by `golds`, all or nothing."""
    write_text(path, "".join(gold_json(gold) + "\n" for gold in golds))


def gold_json(gold: Gold) -> str:
    """Return the pair as a line of gold.jsonl, without its newline."""
    return json.dumps(asdict(gold), ensure_ascii=False)


def parse_row(row: Mapping[str, object], **fields: object) -> Row:
    """Return the row that another system wrote as a JSON object; `fields` replace its own. Raises BadRun."""
    try:
        return _rows_adapter().validate_json(json.dumps({**row, **fields}), strict=True)
    except ValidationError as error:
        raise BadRun(f"An answer cannot be used: {describe(error)}.") from None


@cache
def _rows_adapter() -> TypeAdapter[Row]:
    """Return what checks rows: making it takes 4 ms, as long as scoring one."""
    return TypeAdapter(Row)


def write_text(path: Path, text: str) -> None:
    """Replace a file's text, all or nothing."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _line(row: Row) -> str:
    return row_json(row) + "\n"


def row_json(row: Row) -> str:
    """Return the row as a line of run.jsonl, without its newline; what few systems fill is left out where empty."""
    fields: dict[str, Any] = asdict(row)
    for name in _LEFT_OUT_WHERE_EMPTY:
        if fields[name] in ((), None, ""):
            del fields[name]
    return json.dumps(fields, ensure_ascii=False)


def _read_lines(
    path: Path, adapter: TypeAdapter[_T], fault: Callable[[str], FonteError], *, torn_tail: bool = False
) -> tuple[list[tuple[int, _T]], list[Fault]]:
    """Return one value a line with its number, blank lines skipped, and the faults of the others."""
    first_line: dict[str, int] = {}
    values: list[tuple[int, _T]] = []
    faults = []
    for number, line in _lines(path, fault):
        if torn_tail and not line.endswith(b"\n"):
            break
        if not line.strip():
            continue
        try:
            value = adapter.validate_json(line.strip(), strict=True)
        except ValidationError as error:
            faults.append(Fault(number, describe(error)))
            continue
        id: str = value.id  # type: ignore[attr-defined]
        if id in first_line:
            faults.append(Fault(number, f"the id {id!r} occurs twice, first on line {first_line[id]}"))
        else:
            first_line[id] = number
            values.append((number, value))
    return values, faults


def _lines(path: Path, fault: Callable[[str], FonteError]) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a file with its number. Only "\n" ends one: JSON strings may hold other line separators."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
    except OSError as error:
        raise fault(f"{path} cannot be read: {error.strerror or error}.") from None


def cannot_be_used(path: Path, faults: Sequence[object]) -> str:
    """Return the sentence that names what makes a file unusable: the first twenty faults, and how many more."""
    more = f"; and {len(faults) - _MOST_SHOWN:,} more" if len(faults) > _MOST_SHOWN else ""
    return f"{path} cannot be used. {'; '.join(map(str, faults[:_MOST_SHOWN]))}{more}."


def describe(error: ValidationError) -> str:
    """Return what does not fit the shape asked for, each with its field: "answers.0: Input should be ..."."""
    return ", ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" if fault["loc"] else fault["msg"]
        for fault in error.errors(include_url=False, include_input=False)
    )
