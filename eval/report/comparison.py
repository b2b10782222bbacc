"""Two runs side by side, for the terminal and as JSON."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from eval.compare import FEWEST, Change, Comparison, Difference, Slice
from eval.measures.registry import MEASURES, amount
from eval.report.tables import DIFFERENCE_COLUMNS, SETTINGS_COLUMNS, comparison_lines, difference_row, settings_rows
from eval.report.visible import visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_MOST_SHOWN = 20


def compare_table(
    comparison: Comparison, against: str, settings: Mapping[str, tuple[object, object]] | None = None
) -> "RenderableType":
    """Return the comparison for `rich` to print; `against` names the first run, `settings` are those that differ."""
    from rich.console import Group

    parts: list[RenderableType] = [_text(line) for line in comparison_lines(comparison, against)]
    if settings:
        parts.append(_table(SETTINGS_COLUMNS, settings_rows(settings), numbers=()))
    own = [difference_row(MEASURES[found.measure].label, found) for found in comparison.measures]
    parts.append(_table(("", *DIFFERENCE_COLUMNS), own))
    for by, group in groupby(comparison.slices, key=lambda found: found.by):
        parts.append(_table((by, *DIFFERENCE_COLUMNS), [row for found in group for row in _slice_rows(found)]))
    if comparison.questions:
        columns = (f"{comparison.primary} differs", "before", "now", "question")
        parts.append(_table(columns, [_change_row(comparison, c) for c in comparison.questions[:_MOST_SHOWN]]))
        if (more := len(comparison.questions) - _MOST_SHOWN) > 0:
            parts.append(_text(f"and {more} more"))
    return Group(*parts)


def comparison_json(comparison: Comparison) -> dict[str, object]:
    """Return the comparison for JSON, in a fixed order, numbers rounded to 6 digits."""
    slices = {
        by: {found.label: {"n": found.n, "measures": _differences_json(found.differences)} for found in group}
        for by, group in groupby(comparison.slices, key=lambda found: found.by)
    }
    return {
        "questions": {
            "shared": comparison.shared,
            "only_a": list(comparison.only_a),
            "only_b": list(comparison.only_b),
            "regraded": list(comparison.regraded),
        },
        "alpha": comparison.alpha,
        "primary": comparison.primary,
        "measures": _differences_json(comparison.measures),
        "slices": slices,
        "changed": [_change_json(change) for change in comparison.questions],
    }


def _differences_json(found: Sequence[Difference]) -> dict[str, object]:
    return {
        own.measure: {
            "a": own.a,
            "b": own.b,
            "difference": own.difference,
            "low": own.low,
            "high": own.high,
            "p": round(own.p, 6),
            "n": own.n,
            "wins": own.wins,
            "losses": own.losses,
            "ties": own.ties,
            "significant": own.significant,
        }
        for own in found
    }


def _change_json(change: Change) -> dict[str, object]:
    a, b = (
        {"value": round(value, 6), "answer": row.answer, "abstained": row.abstained}
        for value, row in ((change.a, change.row_a), (change.b, change.row_b))
    )
    return {"id": change.gold.id, "question": change.gold.question, "a": a, "b": b}


def _slice_rows(slice: Slice) -> list[tuple[str, ...]]:
    """Return a slice's rows; one for a document, of which there may be hundreds, and n alone where there is no more."""
    blank = ("",) * 5
    found = slice.differences[:1] if slice.by == "document" else slice.differences
    rows = []
    for own in found:
        label = f"{slice.label}: {own.measure.replace('_', ' ')}"  # spaces, so that a narrow terminal can break it
        rows.append(difference_row(label, own) if own.n >= FEWEST else (label, *blank, str(own.n), "", ""))
    return rows or [(slice.label, *blank, str(slice.n), "", "")]


def _change_row(comparison: Comparison, change: Change) -> tuple[str, ...]:
    name = comparison.primary or ""
    return change.gold.id, amount(name, change.a), amount(name, change.b), change.gold.question


def _table(
    columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, numbers: Sequence[str] = DIFFERENCE_COLUMNS
) -> "Table":
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), title=" ")
    for place, column in enumerate(columns):
        number = place > 0 and column in numbers
        made.add_column(_text(column), justify="right" if number else "left", no_wrap=number)
    for row in rows:
        made.add_row(*map(_text, row))
    return made


def _text(words: str) -> "Text":
    """Return words of a gold file, a folder's name or a setting: neither markup nor what drives a terminal acts."""
    from rich.text import Text

    return Text(visible(words))
