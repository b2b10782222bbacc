"""Scores -> scores.json, and a table for the terminal. Pure but for the one file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from eval.data import write_text
from eval.measures.cost import Cost
from eval.measures.interval import Figure
from eval.measures.retrieval import NAMES as RETRIEVAL
from eval.scores import Scores

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_LABELS = {
    "right": "right (holds an accepted answer)",
    "right_in_60_words": "right within the first 60 words",
    "token_f1": "token F1",
    "needless_refusals": "needless refusals, of answerable",
    "refused_unanswerable": "refused, of unanswerable",
    "answers_cited": "answers with a citation",
    "quotes_verbatim": "quotes verbatim",
    "cited_relevant": "cited documents relevant",
    "answer_language": "answer in the question's language",
    "hit@1": "hit@1, by document",
    "hit@5": "hit@5, by document",
    "hit@10": "hit@10, by document",
    "mrr": "MRR, by document",
    "first_token_s": "first token, s",
    "total_s": "total, s",
    "prompt_tokens": "prompt tokens",
    "output_tokens": "output tokens",
}
_MEANS = {"token_f1", "mrr"}  # the others are shares, shown in %
_IN_SLICES = ("right", "token_f1", "needless_refusals", "refused_unanswerable", "hit@5")
_SHORT = {"needless_refusals": "needless", "refused_unanswerable": "refused", "token_f1": "F1", "mrr": "MRR"}


def write_scores(scores: Scores, path: Path) -> None:
    """Write scores.json: the same scores give the same bytes, but for what stands under "cost"."""
    write_text(path, json.dumps(asdict(scores), indent=2, ensure_ascii=False) + "\n")


def table(scores: Scores) -> "RenderableType":
    """Return the scores for `rich` to print: figures with n and interval, slices where there are several, and costs."""
    from rich.console import Group

    parts: list[RenderableType] = [_heading(scores.questions), _figures(scores.figures)]
    parts += [
        _slices(title, slices)
        for title, slices in (("language", scores.by_language), ("kind", scores.by_kind))
        if len(slices) > 1
    ]
    return Group(*parts, _costs(scores.cost))


def _heading(questions: Mapping[str, int]) -> str:
    failed = f", {questions['failed']} failed (counted as wrong)" if questions["failed"] else ""
    return (
        f"{questions['asked']} questions: {questions['answerable']} answerable, "
        f"{questions['unanswerable']} unanswerable{failed}"
    )


def _figures(figures: Mapping[str, Figure]) -> "Table":
    rows = [
        (_LABELS[name], _amount(name, f.value), str(f.n), f"{_amount(name, f.low)} to {_amount(name, f.high)}")
        for name, f in figures.items()
        if f.n
    ]
    return _table(("", "value", "n", "95 % interval"), rows)


def _slices(title: str, slices: Mapping[str, Mapping[str, Figure]]) -> "Table":
    answered = "right" in next(iter(slices.values()))
    names = _IN_SLICES if answered else RETRIEVAL
    rows = [(label, *(_value_with_n(name, figures[name]) for name in names)) for label, figures in slices.items()]
    return _table((title, *(f"{_SHORT.get(name, name)} (n)" for name in names)), rows)


def _costs(costs: Mapping[str, Cost]) -> "Table":
    rows = [(_LABELS[name], _number(c.median), _number(c.p95), str(c.n)) for name, c in costs.items() if c.n]
    return _table(("cost of a question", "median", "p95", "n"), rows)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> "Table":
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title=" ")
    for place, column in enumerate(columns):
        made.add_column(column, justify="right" if place else "left")
    for row in rows:
        made.add_row(*row)
    return made


def _value_with_n(name: str, figure: Figure) -> str:
    return f"{_amount(name, figure.value, decimals=0)} ({figure.n})" if figure.n else "-"


def _amount(name: str, value: float | None, *, decimals: int = 1) -> str:
    if value is None:
        return "-"
    return f"{value:.{decimals + 2}f}" if name in _MEANS else f"{100 * value:.{decimals}f} %"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"
