"""Scores as GitHub Markdown: for a comment on a pull request or the summary of a workflow."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from eval.compare import Comparison
from eval.gate import Verdict
from eval.measures.registry import MEASURES, amount
from eval.report.outcomes import GOOD, OUTCOMES, outcome, worst_first
from eval.report.tables import (
    DIFFERENCE_COLUMNS,
    SETTINGS_COLUMNS,
    SHORT,
    SliceTable,
    comparison_lines,
    cost_rows,
    difference_row,
    figure_groups,
    gate_told,
    heading,
    interval,
    settings_rows,
    slice_tables,
    with_n,
)
from eval.report.visible import one_line
from eval.results import NOT_MEASURED, Scored, Scores

MOST_QUESTIONS = 10
_CELL_CHARS = 160  # GitHub refuses comments above 65,536 characters
_SYNTAX = re.compile(r"([\\`*_\[\]|~$])")
# What GitHub turns into links and calls to people without any mark around it; a word joiner keeps the look.
_AUTOMATIC = re.compile(r"((?<!\w)@|#(?=\d)|://|\bwww(?=\.))", re.IGNORECASE)


def markdown(
    scores: Scores,
    scored: Sequence[Scored],
    *,
    name: str,
    comparison: Comparison | None = None,
    against: str = "an earlier run",
    settings: Mapping[str, tuple[object, object]] | None = None,
    verdict: Verdict | None = None,
) -> str:
    """Return the report as Markdown: gate, figures, comparison, slices, cost, and the ten worst questions.

    `comparison` holds this run against an earlier one, `against` by name; `settings` are those in which they differ,
    with both values. It fits a comment on a pull request.
    """
    parts = [f"## Evaluation: {cell(name)}", f"{heading(scores.questions)}."]
    if verdict is not None:
        parts.append(_gate(verdict))
    parts.append(_figures(scores))
    if comparison is not None:
        parts += _comparison(comparison, against, settings or {})
    parts += [_folded(f"By {slices.by}", _slices(slices)) for slices in slice_tables(scores)]
    if costs := cost_rows(scores):
        parts.append(_folded("Cost of a question", _table(("", "median", "p95", "n"), costs)))
    parts += _worst(scored)
    return "\n\n".join(parts) + "\n"


def cell(text: str, chars: int = _CELL_CHARS) -> str:
    """Return `text` on one line in which no Markdown, HTML, link or mention acts, cut after `chars` characters."""
    inert = _SYNTAX.sub(r"\\\1", escape(one_line(text, chars), quote=False))
    return _AUTOMATIC.sub("\\1\N{WORD JOINER}", inert)


def _gate(verdict: Verdict) -> str:
    rows = (("✅" if one.met else "❌", cell(one.requirement), cell(one.reason)) for one in verdict.results)
    told = f"**Gate {'met' if verdict.met else 'not met'}**: {gate_told(verdict)}"
    return f"{told}\n\n{_table(('', 'requirement', 'why'), rows, numbers=False)}"


def _comparison(comparison: Comparison, against: str, settings: Mapping[str, tuple[object, object]]) -> Iterator[str]:
    yield f"### Compared with {cell(against)}"
    yield cell(" ".join(comparison_lines(comparison, against)), 1000)
    rows = [difference_row(MEASURES[found.measure].label, found) for found in comparison.measures]
    yield _table(("", *DIFFERENCE_COLUMNS), (tuple(map(cell, row)) for row in rows))
    if settings:
        differ = (tuple(map(cell, row)) for row in settings_rows(settings))
        yield _folded(f"Settings that differ: {len(settings)}", _table(SETTINGS_COLUMNS, differ, numbers=False))


def _figures(scores: Scores) -> str:
    return _table(("", "value", "n", "95 % interval"), _figure_rows(scores))


def _figure_rows(scores: Scores) -> Iterator[tuple[str, ...]]:
    for group, figures in figure_groups(scores).items():
        yield f"**{group}**", "", "", ""
        for measure, f in figures:
            yield measure.label, amount(measure.name, f.value), str(f.n), interval(measure.name, f)


def _slices(slices: SliceTable) -> str:
    rows = [
        (cell(label, 80), *(with_n(name, figures.get(name, NOT_MEASURED)) for name in slices.columns))
        for label, figures in slices.rows
    ]
    made = _table((slices.by, *(f"{SHORT.get(name, name)} (n)" for name in slices.columns)), rows)
    return f"{made}\n\n{slices.rest}" if slices.rest else made


def _worst(scored: Sequence[Scored]) -> Iterator[str]:
    bad = [question for question in worst_first(scored) if outcome(question) not in GOOD]
    if not bad:
        return
    yield f"### The worst {min(len(bad), MOST_QUESTIONS)} of {len(scored)} questions"
    rows = map(_question_row, bad[:MOST_QUESTIONS])
    yield _table(("", "question", "accepted", "answer"), rows, numbers=False)


def _question_row(question: Scored) -> tuple[str, ...]:
    gold, row = question.gold, question.row
    accepted = "; ".join(gold.answers or gold.meta.get("all_of", [])) if gold.answerable else "(a refusal)"
    return OUTCOMES[outcome(question)], cell(gold.question), cell(accepted), cell(row.error or row.answer)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    rule = ("---", *("---:" if numbers else "---" for _ in columns[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
