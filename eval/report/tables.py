"""What each table of a report holds, whatever it is printed as. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.compare import FEWEST, HINT, Comparison, Difference, listed
from eval.gate import Verdict
from eval.measures.interval import Figure
from eval.measures.registry import MEASURES, Measure, amount, signed
from eval.results import OTHER_DOCUMENTS, Figures, Scores

COSTS = {
    "first_token_s": "first token, s",
    "total_s": "total, s",
    "prompt_tokens": "prompt tokens",
    "output_tokens": "output tokens",
    "memory_mb": "memory, MB",
}
SHORT = {"needless_refusals": "needless", "refused_unanswerable": "refused", "token_f1": "F1", "mrr": "MRR"}
DIFFERENCE_COLUMNS = ("before", "now", "change", "95 % interval", "p", "n", "won", "lost")
SETTINGS_COLUMNS = ("setting", "before", "now")
MOST_ROWS = 20  # of a table of slices
_MOST_IDS = 10  # of questions, named in a sentence
_ANSWERED = ("right", "token_f1", "needless_refusals", "refused_unanswerable", "hit@5")
_HASH = re.compile(r"[0-9a-f]{32,}")
_HASH_SHOWN = 10
_RETRIEVED = ("hit@1", "hit@5", "hit@10", "mrr")


@dataclass(frozen=True, slots=True)
class SliceTable:
    """The figures of a kind of slices, side by side."""

    by: str
    columns: Sequence[str]  # names of measures
    rows: Sequence[tuple[str, Figures]]
    more: int  # slices that the table leaves out

    @property
    def rest(self) -> str:
        """Return what tells of the slices left out; "" where there are none."""
        return f"and {self.more} more {self.by}s, in scores.json" if self.more else ""


def heading(questions: Mapping[str, int]) -> str:
    """Return how many questions of which sort there were, in words."""
    failed = f", {questions['failed']} failed (counted as wrong)" if questions["failed"] else ""
    return (
        f"{questions['asked']} questions: {questions['answerable']} answerable, "
        f"{questions['unanswerable']} unanswerable{failed}"
    )


def gate_told(verdict: Verdict) -> str:
    """Return how many requirements of a gate hold, in words."""
    held = sum(result.met for result in verdict.results)
    return f"requirements that hold: {held} of {len(verdict.results)}"


def figure_groups(scores: Scores) -> dict[str, list[tuple[Measure, Figure]]]:
    """Return the figures that were measured by their group, groups and figures in the order of the registry."""
    groups: dict[str, list[tuple[Measure, Figure]]] = {}
    for name, measure in MEASURES.items():
        if (figure := scores.figure(name)).n:
            groups.setdefault(measure.group, []).append((measure, figure))
    return groups


def interval(name: str, figure: Figure) -> str:
    """Return a figure's interval in words; "-" where there is none."""
    if figure.low is None or figure.high is None:
        return "-"
    return f"{amount(name, figure.low)} to {amount(name, figure.high)}"


def with_n(name: str, figure: Figure) -> str:
    """Return a figure for a narrow column: the value, "-" where there is none, and in brackets its n."""
    return f"{amount(name, figure.value, decimals=0)} ({figure.n})"


def slice_tables(scores: Scores) -> list[SliceTable]:
    """Return a table for each kind of slices that has several; documents with the most questions come first."""
    tables = (_slice_table(by, slices) for by, slices in scores.slices.items() if len(slices) > 1)
    return [table for table in tables if table.columns]


def _slice_table(by: str, slices: Mapping[str, Figures]) -> SliceTable:
    rows = list(slices.items())
    answered = any(_has(figures, name) for _, figures in rows for name in _ANSWERED[:-1])
    names = _ANSWERED if answered else _RETRIEVED
    columns = [name for name in names if any(_has(figures, name) for _, figures in rows)]
    if by == "document":
        rows.sort(key=lambda row: (row[0] == OTHER_DOCUMENTS, -_most_n(row[1], columns), row[0]))
    return SliceTable(by, columns, rows[:MOST_ROWS], len(rows[MOST_ROWS:]))


def _most_n(figures: Figures, names: Sequence[str]) -> int:
    return max((figures[name].n for name in names if name in figures), default=0)


def _has(figures: Figures, name: str) -> bool:
    return name in figures and figures[name].n > 0


def comparison_lines(comparison: Comparison, against: str) -> list[str]:
    """Return what was compared, in words; what is not in both runs is counted, never silently dropped."""
    lines = [f"Before is {against}; {comparison.shared} questions are in both runs."]
    for ids, run in ((comparison.only_a, against), (comparison.only_b, "this run")):
        if ids:
            lines.append(f"{len(ids)} only in {run}, left out: {listed(ids, most=_MOST_IDS)}.")
    if comparison.regraded:
        named = listed(comparison.regraded, most=_MOST_IDS)
        lines.append(f"{len(comparison.regraded)} held against other gold pairs than before: {named}.")
    found = f"* significant, corrected for the number of tests ({comparison.alpha:g})"
    return [*lines, f"Differences of shares are in points of a hundred. {found}; ? a hint (p < {HINT:g})."]


def difference_row(label: str, found: Difference) -> tuple[str, ...]:
    """Return a difference as the cells of a row: its label, then what DIFFERENCE_COLUMNS name."""
    name = found.measure
    p = "<0.001" if found.p < 0.001 else f"{found.p:.3f}"
    return (
        label,
        amount(name, found.a),
        amount(name, found.b),
        signed(name, found.difference),
        "-" if found.low is None or found.high is None else f"{signed(name, found.low)} to {signed(name, found.high)}",
        p + (" *" if found.significant else " ?" if found.hint else ""),
        str(found.n),
        str(found.wins),
        str(found.losses),
    )


def slice_differences(comparison: Comparison) -> list[tuple[str, str, Difference]]:
    """Return the differences in slices as (by, label, difference); slices too small to show anything are left out."""
    return [
        (slice.by, slice.label, found)
        for slice in comparison.slices
        for found in (slice.differences[:1] if slice.by == "document" else slice.differences)
        if found.n >= FEWEST
    ]


def better(found: Difference) -> bool:
    """Tell whether the second run is better in this measure."""
    return (found.difference > 0) == MEASURES[found.measure].higher_is_better


def settings_rows(settings: Mapping[str, tuple[object, object]]) -> list[tuple[str, str, str]]:
    """Return the settings in which two runs differ as rows of what SETTINGS_COLUMNS name."""
    return [(name, abridged(before), abridged(now)) for name, (before, now) in settings.items()]


def abridged(value: object) -> str:
    """Return a setting's value as a table shows it: text as it is, else JSON; long hashes cut, "-" for none."""
    return "-" if value is None else _HASH.sub(lambda found: found[0][:_HASH_SHOWN] + "…", written(value))


def written(value: object) -> str:
    """Return a setting's whole value: text as it is, else JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def cost_rows(scores: Scores) -> list[tuple[str, str, str, str]]:
    """Return what a question cost, as (label, median, 95th percentile, n)."""
    return [
        (COSTS.get(name, name), cost_number(name, cost.median), cost_number(name, cost.p95), str(cost.n))
        for name, cost in scores.cost.items()
        if cost.n
    ]


def cost_number(name: str, value: float | None) -> str:
    """Return seconds with two decimals below 100, tokens and megabytes with none; "-" where unknown."""
    if value is None:
        return "-"
    return f"{value:.2f}" if name.endswith("_s") and value < 100 else f"{value:.0f}"
