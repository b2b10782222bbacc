"""What a run was worth: each question's share of every measure, and the figures over all; their files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eval.data import Gold, Row, read_gold, read_run, variant_of, write_text
from eval.measures.cost import Cost
from eval.measures.interval import Figure
from index.errors import BadRun

HTML, MARKDOWN, JUNIT = REPORTS = ("report.html", "report.md", "junit.xml")
GOLD, RUN, SETTINGS, MEASURES, SCORES = "gold.jsonl", "run.jsonl", "run.json", "measures.jsonl", "scores.json"

Parts = Mapping[str, tuple[float, int]]  # of one question: (sum, count) for each measure that it bears on
Figures = Mapping[str, Figure]
NOT_MEASURED = Figure(None, 0, None, None)
SLICES = ("language", "kind", "answerability", "document")
OTHER_DOCUMENTS = "(other documents)"  # the slice of those with few questions


@dataclass(frozen=True, slots=True)
class Scored:
    """A question, what came back, and what that adds to each measure."""

    gold: Gold
    row: Row
    parts: Parts

    def value(self, name: str) -> float | None:
        """Return this question's own value of a measure; None where it has no part in it."""
        total, count = self.parts.get(name, (0.0, 0))
        return total / count if count else None


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures over all questions and in slices; `cost` alone differs between two runs of the same."""

    settings: Mapping[str, object]
    questions: Mapping[str, int]  # asked, answerable, unanswerable, failed
    figures: Figures  # in the order of the registry, those with n > 0
    slices: Mapping[str, Mapping[str, Figures]]  # one of SLICES -> label -> figures
    curves: Mapping[str, Sequence[tuple[float, float]]]  # "risk_coverage", "hit", "reliability": points
    cost: Mapping[str, Cost]

    def figure(self, name: str, slice: tuple[str, str] | None = None) -> Figure:
        """Return a figure, over all or in the slice (by, label); one with n 0 where it was not measured."""
        figures = self.figures if slice is None else self.slices.get(slice[0], {}).get(slice[1], {})
        return figures.get(name, NOT_MEASURED)


@dataclass(frozen=True, slots=True)
class Stored:
    """A run as it lies in its folder."""

    name: str  # of the folder
    settings: Mapping[str, object] = field(default_factory=dict)
    scored: Sequence[Scored] = ()


def labels(scored: Scored) -> Iterator[tuple[str, str]]:
    """Yield the slices that a question belongs to, as (by, label); to one for each relevant document."""
    gold = scored.gold
    if gold.language:
        yield "language", gold.language
    if gold.kind:
        yield "kind", gold.kind
    yield "answerability", "answerable" if gold.answerable else "unanswerable"
    for document in dict.fromkeys(gold.relevant):
        yield "document", document


def write_scored(out: Path, scored: Sequence[Scored]) -> None:
    """Write each question's part in the measures into the run's folder."""
    lines = (json.dumps({"id": q.gold.id, "measures": q.parts}, ensure_ascii=False) + "\n" for q in scored)
    write_text(out / MEASURES, "".join(lines))


def read_scored(out: Path) -> Stored:
    """Return the run in the folder `out`, or beside the file `out`. Raises BadRun where it is none, or not finished."""
    out = out.parent if out.is_file() else out
    if not (out / RUN).is_file():
        raise BadRun(f"{out} holds no run: name a folder that `fonte eval --out` wrote.")
    if not (out / MEASURES).is_file() or not (out / GOLD).is_file():
        raise BadRun(f"The run in {out} was not finished: go on with the same `fonte eval` command.")
    rows = {row.id: row for row in read_run(out / RUN)}
    parts = _read_parts(out / MEASURES)
    golds = [gold for gold in read_gold(out / GOLD) if not variant_of(gold)]
    if missing := [gold.id for gold in golds if gold.id not in rows or gold.id not in parts]:
        raise BadRun(f"The run in {out} lacks {missing[0]!r}: go on with the same `fonte eval` command.")
    return Stored(out.name or str(out), read_settings(out), [Scored(g, rows[g.id], parts[g.id]) for g in golds])


def read_settings(out: Path) -> Mapping[str, object]:
    """Return what the run in `out` depends on; nothing where its file is missing or damaged."""
    try:
        settings = json.loads((out / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def write_settings(out: Path, settings: Mapping[str, object]) -> None:
    """Write what the run in `out` depends on."""
    write_text(out / SETTINGS, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def write_scores(scores: Scores, path: Path) -> None:
    """Write scores.json: the same scores give the same bytes, but for what stands under "cost"."""
    write_text(path, json.dumps(asdict(scores), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _read_parts(path: Path) -> dict[str, Parts]:
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return {line["id"]: {name: (s, n) for name, (s, n) in line["measures"].items()} for line in lines}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRun(f"{path} is damaged ({error}): score the run again with `fonte eval score`.") from None
