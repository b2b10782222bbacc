"""gate.toml -> what a run must reach, and whether it does. Files are read in `read_gate` alone; the rest is pure."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eval.compare import Difference, paired_difference
from eval.data import Gold, Row
from eval.measures.cost import Cost
from eval.measures.interval import Figure, estimate
from eval.measures.registry import MEASURES, amount, signed
from eval.results import Figures, Parts, Scored, Scores, Stored, labels, read_scored
from eval.scores import COSTS
from index.errors import BadGate, FonteError

_ROUNDED = 5e-7  # figures are rounded to 6 digits: 2 of 3 is at least 0.6666667

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


def gate_warnings(gate: Gate, golds: Sequence[Gold]) -> list[str]:
    """Return a sentence for each way in which a worthless system could pass the gate on these questions.

    Two such systems are put through it: one that always answers, right wherever there is an answer, and one that
    always refuses but finds every document. Both are as good as they can be in all else.
    """
    warnings = list(_wrong_ways(gate))
    if all(gold.answerable for gold in golds):
        warnings.append(
            "The gold pairs hold no unanswerable question, so inventing an answer costs nothing: "
            "add some, and a requirement on refused_unanswerable."
        )
    elif _passes(gate, golds, refuses=False):
        warnings.append("A system that always answers would pass this gate: add a requirement on refused_unanswerable.")
    if _passes(gate, golds, refuses=True):
        warnings.append(
            "A system that always refuses would pass this gate: add a requirement on right or needless_refusals."
        )
    return warnings


# The file.


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


# The check.


def _check(one: Requirement, baselines: Mapping[str, Stored], scores: Scores, scored: Sequence[Scored]) -> Result:
    if one.cost is not None:
        return _check_cost(one, scores.cost.get(one.cost, Cost(None, None, 0)))
    if one.not_worse_than is not None:
        return _check_against(one, baselines[one.not_worse_than], scored)
    return _check_figure(one, scores.figure(str(one.measure), one.where), scored)


def _check_cost(one: Requirement, cost: Cost) -> Result:
    value, asked = cost.p95 if one.statistic == "p95" else cost.median, f"at most {one.at_most:g}"
    if value is None or one.at_most is None:
        return _not_measured(one, asked)
    reason = f"{one.subject} is {value:g} (n {cost.n}), {asked} is asked for"
    return _result(one, asked, value <= one.at_most + _ROUNDED, reason, value, cost.n, cost.n)


def _check_figure(one: Requirement, figure: Figure, scored: Sequence[Scored]) -> Result:
    name, least = str(one.measure), one.at_least is not None
    wanted = float((one.at_least if least else one.at_most) or 0)
    asked = f"{'at least' if least else 'at most'} {_plain(name, wanted)}"
    if figure.value is None:
        return _not_measured(one, asked)
    bound = figure.low if least else figure.high
    held = bound if one.bound and bound is not None else figure.value
    met = held >= wanted - _ROUNDED if least else held <= wanted + _ROUNDED
    reason = f"{one.subject} is {amount(name, figure.value)} (n {figure.n}), "
    if one.bound:
        reason += f"its interval {'begins' if least else 'ends'} at {amount(name, held)}, "
    questions = figure.n if MEASURES[name].of_set else _questions(one, scored)
    return _result(one, asked, met, f"{reason}{asked} is asked for", figure.value, figure.n, questions)


def _check_against(one: Requirement, baseline: Stored, scored: Sequence[Scored]) -> Result:
    name, by = str(one.measure), one.by or 0.0
    asked = f"not worse than {one.not_worse_than}" + (f" by more than {_points(name, by)}" if by else "")
    try:
        found = paired_difference(baseline.scored, scored, name, one.where)
    except FonteError as error:
        return Result(_text(one, asked), False, f"{one.subject} cannot be compared: {error}", None, 0)
    if found is None:
        return _not_measured(one, asked, f" in both this run and {one.not_worse_than}")
    reason = (
        f"{one.subject} is {amount(name, found.b)} against {amount(name, found.a)} "
        f"in {one.not_worse_than} (n {found.n}), {signed(name, found.difference)}"
    )
    if one.bound:
        reason += f" ({signed(name, found.low)} to {signed(name, found.high)})"
    allowed = f"{_points(name, by)} worse" if by else "nothing worse"
    reason += f", {allowed} is allowed"
    return _result(one, asked, _loss(found, bound=one.bound) <= by + _ROUNDED, reason, found.b, found.n, found.n)


def _loss(found: Difference, *, bound: bool) -> float:
    """Return by how much B is worse than A; with `bound`, at the unfavourable end of the interval.

    Where no question differs there is nothing to be unsure of: a run that only repeats its baseline has lost nothing.
    """
    higher = MEASURES[found.measure].higher_is_better
    if not bound or (found.wins == found.losses == 0 and found.difference == 0):
        return -found.difference if higher else found.difference
    return -found.low if higher else found.high


def _questions(one: Requirement, scored: Sequence[Scored]) -> int:
    """Count the questions that a figure rests on, of which each may hold several quotes or documents."""
    taking_part = (q for q in scored if q.value(str(one.measure)) is not None)
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


# Systems that should not pass.


def _wrong_ways(gate: Gate) -> Iterator[str]:
    """Yield a sentence for each requirement that asks a measure to be worse."""
    for one in gate.requirements:
        higher = one.measure is not None and MEASURES[one.measure].higher_is_better
        if one.measure and (one.at_most if higher else one.at_least) is not None:
            better, key = ("higher", "at_least") if higher else ("lower", "at_most")
            yield f"{one.subject} is better when {better}, yet the gate limits that: write {key}."


def _passes(gate: Gate, golds: Sequence[Gold], *, refuses: bool) -> bool:
    scored = [Scored(gold, Row(gold.id, abstained=refuses), _parts(gold, refuses=refuses)) for gold in golds]
    return check_gate(gate, _scores(scored, refuses=refuses), scored).met


def _parts(gold: Gold, *, refuses: bool) -> Parts:
    values = {name: _value(gold, name, refuses=refuses) for name in MEASURES}
    return {name: (value, 1) for name, value in values.items() if value is not None}


def _value(gold: Gold, name: str, *, refuses: bool) -> float | None:
    """Return the value that a system which always refuses, or never does, has on a question; None: no part in it."""
    measure = MEASURES[name]
    if measure.of_set or gold.answerable == (name == "refused_unanswerable"):
        return None
    if measure.group == "abstention":
        return float(refuses)
    if measure.group == "citations" or name == "answer_language":  # of the answers given
        return None if refuses else 1.0
    if measure.group in ("retrieval", "retrieval by quote") or name.startswith("same_"):  # a refusal repeats well
        return 1.0
    return float(not refuses)


def _scores(scored: Sequence[Scored], *, refuses: bool) -> Scores:
    sliced: dict[str, dict[str, list[Scored]]] = {}
    for question in scored:
        for by, label in labels(question):
            sliced.setdefault(by, {}).setdefault(label, []).append(question)
    best = Figure(0.0, len(scored), 0.0, 0.0)  # both figures of the whole set are errors: lower is better
    of_set = {} if refuses else {name: best for name, measure in MEASURES.items() if measure.of_set}
    return Scores(
        settings={},
        questions=Counter(asked=len(scored)),
        figures={**_figures(scored), **of_set},
        slices={by: {label: _figures(own) for label, own in group.items()} for by, group in sliced.items()},
        curves={},
        cost={name: Cost(0.0, 0.0, len(scored)) for name in COSTS},
    )


def _figures(scored: Sequence[Scored]) -> Figures:
    names = dict.fromkeys(name for question in scored for name in question.parts)
    return {name: estimate([question.parts[name] for question in scored if name in question.parts]) for name in names}
