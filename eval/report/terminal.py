"""Scores as a table for the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.measures.registry import amount
from eval.report.tables import SHORT, SliceTable, cost_rows, figure_groups, heading, interval, slice_tables, with_n
from eval.report.visible import visible
from eval.results import NOT_MEASURED, Scores

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_LEAST_WIDTH = 16  # of the first column: narrower, it would break ordinary words


def table(scores: Scores) -> "RenderableType":
    """Return the scores for `rich` to print: figures with n and interval, slices where there are several, and costs."""
    from rich.console import Group

    parts: list[RenderableType] = [heading(scores.questions), _figures(scores)]
    for slices in slice_tables(scores):
        parts += [_slices(slices), *([slices.rest] if slices.rest else [])]
    costs = cost_rows(scores)
    return Group(*parts, *([_table(("cost of a question", "median", "p95", "n"), costs)] if costs else []))


def _figures(scores: Scores) -> "Table":
    made = _table(("", "value", "n", "95 % interval"), ())
    for place, (group, figures) in enumerate(figure_groups(scores).items()):
        if place:
            made.add_row()
        made.add_row(group, style="bold")
        for measure, f in figures:
            made.add_row(measure.label, amount(measure.name, f.value), str(f.n), interval(measure.name, f))
    return made


def _slices(slices: SliceTable) -> "Table":
    columns = (slices.by, *(f"{SHORT.get(name, name)} (n)" for name in slices.columns))
    rows = [
        (label, *(with_n(name, figures.get(name, NOT_MEASURED)) for name in slices.columns))
        for label, figures in slices.rows
    ]
    return _table(columns, rows)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title=" ")
    least = min(_LEAST_WIDTH, max(map(len, (columns[0], *(row[0] for row in rows)))))
    for place, column in enumerate(columns):
        made.add_column(
            column,
            justify="right" if place else "left",
            overflow="fold",
            no_wrap=place > 0,
            min_width=None if place else least,
        )
    for row in rows:
        made.add_row(*(Text(visible(cell)) for cell in row))  # a label may hold what looks like rich's markup
    return made
