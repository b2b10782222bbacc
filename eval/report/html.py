"""A run as one HTML file that needs no network: figures, curves, slices, and every question with its passages."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from eval.compare import Comparison, Difference
from eval.corpus import TextOf
from eval.gate import Verdict
from eval.measures.registry import MEASURES, amount
from eval.report.outcomes import OUTCOMES, worst_first
from eval.report.plots import difference_plot, plots
from eval.report.questions import passages_json, question_view
from eval.report.tables import (
    DIFFERENCE_COLUMNS,
    SETTINGS_COLUMNS,
    SHORT,
    abridged,
    better,
    comparison_lines,
    cost_rows,
    difference_row,
    figure_groups,
    gate_told,
    heading,
    interval,
    slice_differences,
    slice_tables,
    written,
)
from eval.report.visible import visible
from eval.results import NOT_MEASURED, Scored, Scores, labels

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_HEADLINES = ("right", "needless_refusals", "refused_unanswerable", "hit@1", "hit@5", "hit@10", "quotes_verbatim")
_MOST_HEADLINES = 5
_MARKER = re.compile(r"\[(\d{1,3})\]")


def html(
    scores: Scores,
    scored: Sequence[Scored],
    text_of: TextOf,
    *,
    name: str,
    comparison: Comparison | None = None,
    against: str = "an earlier run",
    settings: Mapping[str, tuple[object, object]] | None = None,
    verdict: Verdict | None = None,
    date: date | None = None,
) -> str:
    """Return the report as one page; the same input gives the same bytes.

    `comparison` holds this run against an earlier one, `against` by name; `settings` are those in which they differ,
    with both values.
    `text_of` gives a document's text by its id, None where it is unknown. Whatever documents, models and gold say is
    escaped, and the page's content policy allows no script but its own and no connection at all.
    """
    questions = worst_first(scored)
    read = cache(text_of)
    style, script = _asset("report.css"), _asset("report.js")
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            name=name,
            date=date.isoformat() if date else None,
            scores=scores,
            heading=heading(scores.questions),
            headlines=_headlines(scores),
            settings=[(key, *_setting(value)) for key, value in scores.settings.items()],
            verdict=verdict,
            gate_told=gate_told(verdict) if verdict is not None else "",
            against=against,
            comparison=comparison,
            compared=_compared(comparison, against, settings or {}) if comparison is not None else None,
            groups=figure_groups(scores),
            plots=plots(scores, scored),
            slices=slice_tables(scores),
            costs=cost_rows(scores),
            choices=_choices(scored),
            questions=[question_view(question, read) for question in questions],
            outcomes=OUTCOMES,
            passages=_data(passages_json(questions, read)),
            style=style,
            script=script,
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; "
            "form-action 'none'",
        )
    )


def _headlines(scores: Scores) -> list[str]:
    known = [name for name in _HEADLINES if scores.figure(name).n]
    if "right" in known:
        known = [name for name in known if name not in ("hit@1", "hit@10")]
    return known[:_MOST_HEADLINES]


def _compared(comparison: Comparison, against: str, settings: Mapping[str, tuple[object, object]]) -> dict[str, object]:
    """Return what a comparison shows; each row of its tables with "better" or "worse" where that is significant."""
    slices: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for by, label, found in slice_differences(comparison):
        row = difference_row(f"{label}: {SHORT.get(found.measure, found.measure)}", found)
        slices.setdefault(by, []).append((_class(found), row))
    measures = [(_class(found), difference_row(MEASURES[found.measure].label, found)) for found in comparison.measures]
    return {
        "lines": comparison_lines(comparison, against),
        "columns": DIFFERENCE_COLUMNS,
        "tables": {"": measures, **slices},
        "plot": difference_plot(comparison),
        "settings_columns": SETTINGS_COLUMNS,
        "settings": [(name, *map(_setting, both)) for name, both in settings.items()],
    }


def _class(found: Difference) -> str:
    if not found.significant:
        return ""
    return "better" if better(found) else "worse"


def _choices(scored: Sequence[Scored]) -> dict[str, list[str]]:
    """Return what the questions can be filtered by, and the values that occur."""
    found: dict[str, set[str]] = {"language": set(), "kind": set(), "answerability": set()}
    for by, label in (pair for question in scored for pair in labels(question)):
        if by in found:
            found[by].add(label)
    return {by: sorted(values) for by, values in found.items()}


def _setting(value: object) -> tuple[str, str]:
    """Return a setting's value, its hashes abridged, and the whole for a tooltip; "" where nothing is left out."""
    short, whole = abridged(value), written(value)
    return short, "" if value is None or short == whole else whole


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _data(value: Mapping[str, object]) -> str:
    """Return JSON for a script element: without "<" it can neither end the element nor open a comment."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_asset),
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"percent": _percent, "with_markers": _with_markers}
    made.globals |= {"amount": amount, "interval": interval}
    made.globals |= {"MEASURES": MEASURES, "NOT_MEASURED": NOT_MEASURED, "SHORT": SHORT}
    return made


def _percent(value: float) -> str:
    return f"{100 * min(1.0, max(0.0, value)):.2f}%"


def _with_markers(text: str) -> "Markup":
    """Return an answer as HTML, its markers set apart."""
    from markupsafe import Markup, escape

    return Markup(_MARKER.sub(r'<span class="marker">\1</span>', str(escape(visible(text)))))
