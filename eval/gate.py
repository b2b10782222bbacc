"""gate.toml -> what a run must reach, and whether it does. Files are read in `read_gate` alone; the rest is pure."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eval.compare import Difference, paired_difference, unlike
from eval.measures.cost import Cost
from eval.measures.interval import Figure, estimate
from eval.measures.registry import MEASURES, amount, signed
from eval.results import OTHER_DOCUMENTS, Scored, Scores, Stored, labels, read_scored
from eval.scores import COSTS
from index.errors import BadGate, FonteError

_ROUNDED = 5e-7  # figures are rounded to 6 digits: 2 of 3 is at least 0.6666667

_MOST_DECIMALS = 4  # of a share in per cent, whose figures have 6 digits
_COST_DIGITS = 10  # seconds and megabytes have 3 decimals
_NO_INTERVAL = "the questions are too few, or too alike, for an interval"

# What a measure was worked out with: its name under "measured_with" in a run's settings, and in words.
_WORKED_OUT_WITH = {
    "similarity": ("similarity", "embedder"),
    "citation_recall": ("checker", "checker of citations"),
    "citation_precision": ("checker", "checker of citations"),
    "judge": ("judge", "judge"),
}

_By = Literal["language", "kind", "answerability", "document"]


class Requirement(BaseModel):
    """One [[require]] of a gate file: a measure or a cost, and what is asked of it."""

    # Unknown keys are let in only to be named beside the other faults.
    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)

    measure: str | None = None  # a name of the registry
    cost: str | None = None  # one of COSTS
    statistic: Literal["median", "p95"] | None = None  # of the cost; None: the median
    at_least: float | None = None  # shares as 0..1
    at_most: float | None = None
    not_worse_than: str | None = None  # a run's folder, relative to the gate file
    by: Annotated[float, Field(ge=0)] | None = None  # what may be lost against it; None: nothing
    bound: bool = False  # hold the unfavourable bound of the 95 % interval against it, not the value
    slice: dict[_By, str] | None = None  # one label of one kind of slice
    least_n: Annotated[int, Field(ge=1)] | None = None  # questions

    @model_validator(mode="after")
    def _can_be_checked(self) -> "Requirement":
        if faults := list(_faults(self)):
            raise ValueError(", ".join(faults))
        return self

    @property
    def where(self) -> tuple[str, str] | None:
        """The slice as (by, label); None for all questions."""
        return next(iter((self.slice or {}).items()), None)

    @property
    def subject(self) -> str:
        """What is looked at, in words."""
        name = self.measure or f"{self.statistic or 'median'} of {self.cost}"
        return name if self.where is None else f"{name} in {self.where[0]} {self.where[1]}"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    require: Annotated[list[Requirement], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Gate:
    """What a run must reach, with the runs that it is held against, by their names in the file."""

    requirements: tuple[Requirement, ...]
    baselines: Mapping[str, Stored]


@dataclass(frozen=True, slots=True)
class Result:
    """One requirement, and whether it is met; `value` is the figure itself (also where its bound was looked at)."""

    requirement: str
    met: bool
    reason: str
    value: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every requirement's result, in the file's order."""

    results: tuple[Result, ...]

    @property
    def met(self) -> bool:
        """Tell whether all requirements are met."""
        return all(result.met for result in self.results)


def read_gate(path: Path) -> Gate:
    """Return the gate in a TOML file, its baselines read. Raises BadGate naming everything that cannot be used."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadGate(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise BadGate(f"{path} is not TOML: {error}.") from None
    baselines, faults = _read_baselines(raw, path.parent)
    try:
        file = _File.model_validate(raw)
    except ValidationError as error:
        faults = [*map(_describe, error.errors()), *faults]
    if faults:
        raise BadGate(f"{path} cannot be used. {'; '.join(faults)}.")
    return Gate(tuple(file.require), baselines)


def check_gate(gate: Gate, scores: Scores, scored: Sequence[Scored]) -> Verdict:
    """Return whether a run meets each requirement; `scored` are its questions, `scores` their figures."""
    return Verdict(tuple(_check(one, gate.baselines, scores, scored) for one in gate.requirements))


def _faults(one: Requirement) -> Iterator[str]:
    """Yield why a requirement cannot be checked, beyond the types of its fields."""
    for key in one.model_extra or ():
        yield f"unknown key {key!r}{_meant(key, Requirement.model_fields)}"
    if (one.measure is None) == (one.cost is None):
        yield "name either a measure or a cost"
    if one.measure is not None:
        yield from _faults_of_measure(one, one.measure)
    elif one.cost is not None:
        yield from _faults_of_cost(one, one.cost)
    if one.slice is not None and len(one.slice) != 1:
        yield 'slice takes one label, such as {language = "it"}'
    if one.by is not None and one.not_worse_than is None:
        yield "by says how much worse than a run: give not_worse_than too"


def _faults_of_measure(one: Requirement, name: str) -> Iterator[str]:
    if name not in MEASURES:
        yield f"{name!r} is no measure{_meant(name, MEASURES)}"
    elif MEASURES[name].of_set and (one.slice or one.not_worse_than):
        yield f"{name} is a figure of the whole set: it has no slices, and no run can be paired with another"
    elif MEASURES[name].share:
        for key in ("at_least", "at_most", "by"):
            if not 0 <= (value := getattr(one, key) or 0) <= 1:
                yield f"{key} = {value:g} is no share: write shares from 0 to 1, such as {key} = 0.45"
    if sum(asked is not None for asked in (one.at_least, one.at_most, one.not_worse_than)) != 1:
        yield "ask for one of at_least, at_most and not_worse_than"
    if one.statistic:
        yield "statistic belongs to a cost"


def _faults_of_cost(one: Requirement, name: str) -> Iterator[str]:
    if name not in COSTS:
        yield f"{name!r} is no cost{_meant(name, COSTS)}"
    if one.at_most is None:
        yield "a cost needs at_most"
    keys = ("at_least", "not_worse_than", "by", "bound", "slice")
    if others := [key for key in keys if getattr(one, key) not in (None, False)]:
        yield f"a cost has no {', '.join(others)}"


def _meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f": did you mean {near[0]}?" if near else f" (there are {', '.join(known)})"


def _describe(error: Mapping[str, Any]) -> str:
    """Return one of pydantic's faults as part of a sentence; requirements are counted from 1."""
    table, *rest = error["loc"]
    if table != "require":
        return f"unknown key {table!r}: write [[require]]"
    if not rest:
        return (
            "it asks for nothing"
            if error["type"] in ("missing", "too_short")
            else "require is no list: write [[require]]"
        )
    place = f"[[require]] {rest[0] + 1}"
    keys = "".join(f", {key}" for key in rest[1:] if key != "[key]")
    return f"{place}{keys}: {str(error['msg']).removeprefix('Value error, ')}"


def _read_baselines(raw: Mapping[str, Any], folder: Path) -> tuple[dict[str, Stored], list[str]]:
    """Return the runs that a file names, and what is wrong with the others: better told before a run than after."""
    tables = raw["require"] if isinstance(raw.get("require"), list) else []
    named = [table.get("not_worse_than") for table in tables if isinstance(table, dict)]
    baselines, faults = {}, []
    for name in dict.fromkeys(name for name in named if isinstance(name, str)):
        try:
            baselines[name] = read_scored(folder / name)
        except FonteError as error:
            faults.append(f"not_worse_than {name!r}: {str(error).removesuffix('.')}")
    return baselines, faults


def _check(one: Requirement, baselines: Mapping[str, Stored], scores: Scores, scored: Sequence[Scored]) -> Result:
    if one.cost is not None:
        return _check_cost(one, scores.cost.get(one.cost, Cost(None, None, 0)))
    if one.not_worse_than is not None:
        return _check_against(one, baselines[one.not_worse_than], scores, scored)
    return _check_figure(one, scores, scored)


def _check_cost(one: Requirement, cost: Cost) -> Result:
    value, asked = cost.p95 if one.statistic == "p95" else cost.median, f"at most {one.at_most:.{_COST_DIGITS}g}"
    if value is None or one.at_most is None:
        return _not_measured(one, asked)
    reason = f"{one.subject} is {value:.{_COST_DIGITS}g} (n {cost.n}), {asked} is asked for"
    return _result(one, asked, value <= one.at_most + _ROUNDED, reason, value, cost.n, cost.n)


def _check_figure(one: Requirement, scores: Scores, scored: Sequence[Scored]) -> Result:
    name, least, figure = str(one.measure), one.at_least is not None, _figure(one, scores, scored)
    wanted = float((one.at_least if least else one.at_most) or 0)
    asked = f"{'at least' if least else 'at most'} {_plain(name, wanted)}"
    if figure.value is None:
        return _not_measured(one, asked)
    bound = figure.low if least else figure.high
    held = bound if one.bound else figure.value
    met = held is not None and (held >= wanted - _ROUNDED if least else held <= wanted + _ROUNDED)
    decimals = 1 if held is None else _decimals(held, wanted, least=least, met=met)
    reason = f"{one.subject} is {amount(name, figure.value, decimals=1 if one.bound else decimals)} (n {figure.n}), "
    if one.bound and held is None:
        reason += f"{_NO_INTERVAL}, "
    elif one.bound:
        reason += f"its interval {'begins' if least else 'ends'} at {amount(name, held, decimals=decimals)}, "
    questions = figure.n if MEASURES[name].of_set else _questions(one, scores, scored)
    return _result(one, asked, met, f"{reason}{asked} is asked for", figure.value, figure.n, questions)


def _figure(one: Requirement, scores: Scores, scored: Sequence[Scored]) -> Figure:
    """Return the figure looked at; the scores have no slice of a document with few questions, so it is made here."""
    name = str(one.measure)
    if (figure := scores.figure(name, one.where)).n or one.where is None:
        return figure
    return estimate([q.parts[name] for q in scored if name in q.parts and one.where in labels(q)])


def _decimals(value: float, limit: float, *, least: bool, met: bool) -> int:
    """Return with how many decimals of a per cent a value as printed says what the verdict says.

    44.98 % misses 45 %, which "45.0 %" would not tell.
    """
    value, limit = round(100 * value, 9), round(100 * limit, 9)

    def agrees(decimals: int) -> bool:
        shown = round(value, decimals)
        return (shown >= limit if least else shown <= limit) == met

    return next(filter(agrees, range(1, _MOST_DECIMALS)), _MOST_DECIMALS)


def _check_against(one: Requirement, baseline: Stored, scores: Scores, scored: Sequence[Scored]) -> Result:
    name, by = str(one.measure), one.by or 0.0
    asked = f"not worse than {one.not_worse_than}" + (f" by more than {_points(name, by)}" if by else "")
    try:
        found = paired_difference(baseline.scored, scored, name, one.where)
    except FonteError as error:
        return Result(_text(one, asked), False, f"{one.subject} cannot be compared: {error}", None, 0)
    if found is None:
        return _not_measured(one, asked, f" in both this run and {one.not_worse_than}")
    if other := _measured_otherwise(name, baseline.settings, scores.settings):
        reason = f"{one.subject} cannot be compared: {one.not_worse_than} was measured with another {other}"
        return Result(_text(one, asked), False, f"{reason}, measure both runs with the same", found.b, found.n)
    loss = _loss(found, bound=one.bound)
    met = loss is not None and loss <= by + _ROUNDED
    reason = _compared(one, found, 1 if loss is None else _decimals(loss, by, least=False, met=met))
    reason += f", {f'{_points(name, by)} worse' if by else 'nothing worse'} is allowed"
    reason += _left_out(one, baseline, scored)
    return _result(one, asked, met, reason, found.b, found.n, found.n)


def _measured_otherwise(name: str, before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Return in words the model that a measure takes, where two runs were measured with different ones; else ""."""
    key, told = _WORKED_OUT_WITH.get(name, ("", ""))
    models = [settings.get("measured_with") for settings in (before, now)]
    named = [own.get(key) if isinstance(own, Mapping) else None for own in models]
    return told if named[0] != named[1] else ""


def _compared(one: Requirement, found: Difference, decimals: int) -> str:
    """Return both values and their difference in words, with so many decimals of a per cent."""
    name = found.measure
    a, b = (amount(name, value, decimals=decimals) for value in (found.a, found.b))
    told = f"{one.subject} is {b} against {a} in {one.not_worse_than} (n {found.n}), "
    told += signed(name, found.difference, decimals=decimals)
    if not one.bound:
        return told
    if found.low is None or found.high is None:
        return f"{told}, {_NO_INTERVAL}"
    return f"{told} ({signed(name, found.low, decimals=decimals)} to {signed(name, found.high, decimals=decimals)})"


def _loss(found: Difference, *, bound: bool) -> float | None:
    """Return by how much B is worse than A; with `bound`, at the unfavourable end of the interval, None without one.

    Where no question of several differs there is nothing to be unsure of: a run that only repeats its baseline has
    lost nothing.
    """
    higher = MEASURES[found.measure].higher_is_better
    if not bound:
        return -found.difference if higher else found.difference
    if found.low is None or found.high is None:
        return None
    if found.wins == found.losses == 0 and found.difference == 0:
        return 0.0
    return -found.low if higher else found.high


def _left_out(one: Requirement, baseline: Stored, scored: Sequence[Scored]) -> str:
    """Return in words how many questions the two runs do not have in common; "" where they have all."""
    found = unlike(baseline.scored, scored, str(one.measure), one.where)
    told = (
        (found.only_a, f"only in {one.not_worse_than} and left out"),
        (found.only_b, "only in this run and left out"),
        (found.regraded, "held against another gold pair than before"),
    )
    return "".join(f"; {count} {what}" for count, what in told if count)


def _questions(one: Requirement, scores: Scores, scored: Sequence[Scored]) -> int:
    """Count the questions that a figure rests on, of which each may hold several quotes or documents."""
    taking_part = (q for q in scored if q.value(str(one.measure)) is not None)
    if one.where == ("document", OTHER_DOCUMENTS):
        own = {("document", id) for id in scores.slices.get("document", {})}
        return sum(any(pair[0] == "document" and pair not in own for pair in labels(q)) for q in taking_part)
    return sum(one.where is None or one.where in labels(question) for question in taking_part)


def _result(
    one: Requirement, asked: str, met: bool, reason: str, value: float | None, n: int, questions: int
) -> Result:
    if one.least_n is not None and questions < one.least_n:
        met, reason = False, f"{reason}, on {one.least_n} questions or more, and there are {questions}"
    return Result(_text(one, asked), met, reason, value, n)


def _not_measured(one: Requirement, asked: str, where: str = "") -> Result:
    return Result(_text(one, asked), False, f"{one.subject} was not measured{where}, {asked} is asked for", None, 0)


def _text(one: Requirement, asked: str) -> str:
    bound = ", with the bound of its 95 % interval" if one.bound else ""
    least = f", on {one.least_n} questions or more" if one.least_n else ""
    return f"{one.subject} {asked}{bound}{least}"


def _plain(name: str, value: float) -> str:
    return f"{100 * value:g} %" if MEASURES[name].share else f"{value:g}"


def _points(name: str, value: float) -> str:
    return f"{100 * value:g} points" if MEASURES[name].share else f"{value:g}"
