"""The curves of a run, and what it changed, as SVG for an HTML page: text stays text, colours are those of the page."""

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from eval.compare import MAIN, Comparison, Difference
from eval.measures.interval import Figure
from eval.measures.registry import MEASURES, amount
from eval.report.tables import SHORT, better, cost_number, interval
from eval.results import Scored, Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = (4.4, 2.7)  # inches
_FRAME = (0.165, 0.19, 0.775, 0.77)  # left, bottom, width, height of the axes in shares of the whole
_ROW, _AXIS, _NAMES = 0.34, 0.62, 0.46  # of a plot of rows: inches of a row and of all else; share for their names
_MOST_ROWS = 6
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
# matplotlib cannot write CSS variables: it draws in these colours, which become variables of the page afterwards.
_INK, _SOFT, _LINE, _ACCENT, _WARN, _BAD = "#010203", "#020304", "#030405", "#040506", "#050607", "#060708"
_VARIABLES = {_INK: "--ink", _SOFT: "--soft", _LINE: "--line", _ACCENT: "--accent", _WARN: "--warn", _BAD: "--bad"}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "fonte",
    "font.size": 10.0,
    "text.color": _INK,
    "axes.labelcolor": _SOFT,
    "axes.edgecolor": _LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.major.pad": 7,
    "ytick.major.pad": 5,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _SOFT,
    "ytick.labelcolor": _SOFT,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A curve with what it says in words, for a caption and for those who cannot see it."""

    name: str
    title: str
    caption: str
    svg: str


def plots(scores: Scores, scored: Sequence[Scored]) -> list[Plot]:
    """Return the curves that there are points for; the same input gives the same bytes."""
    return [*_hit(scores), *_risk_coverage(scores), *_reliability(scores), *_latency(scored)]


def difference_plot(comparison: Comparison) -> Plot | None:
    """Return the change in each main measure with its interval, all on their scale from 0 to 1; None without any."""
    main = [found for found in comparison.measures if found.measure in MAIN]
    rows = (main or comparison.measures)[:_MOST_ROWS]
    if not rows:
        return None

    def draw(axes: "Axes") -> None:
        axes.axvline(0, color=_SOFT, linewidth=1, linestyle=(0, (4, 3)))
        for place, found in enumerate(rows):
            _draw_difference(axes, place, found)
        widest = max(0.05, *(1.1 * abs(end) for found in rows for end in _ends(found)))
        axes.set(xlabel="change, on a scale from 0 to 1", xlim=(-widest, widest), ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticks(range(len(rows)), [_name(found) for found in rows])
        axes.grid(visible=False, axis="y")

    told = "; ".join(f"{_name(found)} {found.difference:+z.3f} ({_bounds(found)})" for found in rows)
    about = "Change from the earlier run to this one, with its 95 % interval; ↓ where less is better"
    caption = f"{about}. Coloured where it is significant. {told}."
    height = _AXIS + _ROW * len(rows)
    frame = (_NAMES, 0.5 / height, 0.94 - _NAMES, 1 - _AXIS / height)
    return _plot("differences", "What changed", caption, draw, (_SIZE[0], height), frame)


def _draw_difference(axes: "Axes", place: int, found: Difference) -> None:
    colour = _SOFT if not found.significant else _ACCENT if better(found) else _BAD
    ends = _ends(found)
    axes.plot([ends[0], ends[-1]], [place, place], color=colour, linewidth=4, alpha=0.3, solid_capstyle="butt")
    axes.plot([found.difference], [place], color=colour, marker="o")


def _ends(found: Difference) -> list[float]:
    """Return all that is drawn of a difference, from left to right."""
    return [end for end in (found.low, found.difference, found.high) if end is not None]


def _name(found: Difference) -> str:
    arrow = "" if MEASURES[found.measure].higher_is_better else " ↓"
    return f"{SHORT.get(found.measure, found.measure.replace('_', ' '))}{arrow} (n {found.n})"


def _bounds(found: Difference) -> str:
    return "no interval" if found.low is None or found.high is None else f"{found.low:+z.3f} to {found.high:+z.3f}"


def _hit(scores: Scores) -> Iterator[Plot]:
    points = scores.curves.get("hit", ())
    if not points:
        return
    known = {k: f for k in (1, 3, 5, 10) if (f := scores.figure(f"hit@{k}")).n}

    def draw(axes: "Axes") -> None:
        axes.plot(*_columns(points), color=_ACCENT, marker="o")
        _draw_intervals(axes, known)
        axes.set(xlabel="k, documents looked at", ylabel="questions with a hit", ylim=(0, 1.03))
        axes.set_xticks(_whole_ticks([int(k) for k, _ in points]))
        _percent(axes, "y")

    n = max((figure.n for figure in known.values()), default=0)
    told = ", ".join(f"hit@{k} {amount('hit@1', f.value)}" for k, f in known.items())
    caption = f"How often a relevant document is among the first k found{_counted(n)}. {told}."
    yield _plot("hit", "Hit@k", caption, draw)


def _draw_intervals(axes: "Axes", figures: Mapping[int, Figure]) -> None:
    for k, figure in figures.items():
        if figure.low is not None and figure.high is not None:
            axes.plot([k, k], [figure.low, figure.high], color=_ACCENT, linewidth=4, alpha=0.3, solid_capstyle="butt")


def _whole_ticks(ks: Sequence[int]) -> Sequence[int]:
    return ks if len(ks) <= 10 else [k for k in ks if k == 1 or k % 5 == 0]


def _risk_coverage(scores: Scores) -> Iterator[Plot]:
    points = scores.curves.get("risk_coverage", ())
    if not points:
        return

    def draw(axes: "Axes") -> None:
        coverage, risk = _columns(points)
        axes.fill_between(coverage, risk, color=_ACCENT, alpha=0.15, linewidth=0)
        axes.plot(coverage, risk, color=_ACCENT, marker="o" if len(points) == 1 else "")
        axes.set(xlabel="questions, surest first", ylabel="of these, wrong", xlim=(0, 1.02))
        axes.set_ylim(0, max(0.1, *(1.08 * value for value in risk)))
        _percent(axes, "xy")

    area = scores.figure("aurc")
    told = f" Area under the curve {amount('aurc', area.value)} ({interval('aurc', area)})." if area.n else ""
    about = "How many of the surest questions are wrong; refusals come last and count as wrong"
    caption = f"{about}{_counted(area.n)}.{told}"
    yield _plot("risk-coverage", "Risk and coverage", caption, draw)


def _reliability(scores: Scores) -> Iterator[Plot]:
    points = scores.curves.get("reliability", ())
    if not points:
        return

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=_SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(*_columns(points), color=_ACCENT, marker="o")
        axes.set(xlabel="confidence", ylabel="answers that are right", xlim=(0, 1.02), ylim=(0, 1.03))
        _percent(axes, "xy")

    error = scores.figure("calibration_error")
    told = f" Calibration error {amount('calibration_error', error.value)}." if error.n else ""
    caption = f"Confidence against answers that are right; on the dashed line it tells the truth{_counted(error.n)}."
    yield _plot("reliability", "Reliability of the confidence", caption + told, draw)


def _latency(scored: Sequence[Scored]) -> Iterator[Plot]:
    done = [question.row for question in scored if not question.row.error]
    first = [row.first_token_s for row in done if row.first_token_s is not None]
    total = [row.total_s for row in done if row.total_s is not None]
    series = [(label, s, c) for label, s, c in (("first token", first, _WARN), ("total", total, _ACCENT)) if s]
    if not series:
        return

    def draw(axes: "Axes") -> None:
        for label, seconds, colour in series:
            axes.ecdf(seconds, label=label, color=colour)
        axes.set(xlabel="seconds", ylabel="questions answered", ylim=(0, 1.03))
        axes.set_xlim(left=0)
        axes.legend(loc="lower right")
        _percent(axes, "y")

    told = ", ".join(f"{label} {cost_number('total_s', median(s))} s (n {len(s)})" for label, s, _ in series)
    yield _plot("latency", "Time to an answer", f"Share of the questions answered in time. Median: {told}.", draw)


def _counted(n: int) -> str:
    return f" (n {n})" if n else ""


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _percent(axes: "Axes", which: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for letter in which:
        axis = axes.xaxis if letter == "x" else axes.yaxis
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))


def _plot(
    name: str,
    title: str,
    caption: str,
    draw: Callable[["Axes"], None],
    size: tuple[float, float] = _SIZE,
    frame: tuple[float, float, float, float] = _FRAME,
) -> Plot:
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    with rc_context(_STYLE):
        canvas = Canvas(figsize=size, facecolor="none")
        axes = canvas.add_axes(frame)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        draw(axes)
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None})
    return Plot(name, title, caption, _for_page(file.getvalue(), name, title, caption))


def _for_page(svg: str, name: str, title: str, caption: str) -> str:
    """Return matplotlib's SVG fit to stand in a page.

    Its style element would reach the whole page, its style attributes are what a strict content policy forbids, and
    its ids are the same in every plot.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _adapt(element, name)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib |= {"class": "plot", "viewBox": view, "role": "img", "stroke-linejoin": "round"}
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for place, (tag, text) in enumerate((("title", title), ("desc", caption))):
        described = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{tag}"})
        described.text = text
        root.insert(place, described)
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _adapt(element: ElementTree.Element, prefix: str) -> None:
    if "id" in element.attrib:
        element.set("id", f"{prefix}-{element.attrib['id']}")
    if _HREF in element.attrib:
        element.set("href", f"#{prefix}-{element.attrib.pop(_HREF).removeprefix('#')}")
    if "clip-path" in element.attrib:
        element.set("clip-path", element.attrib["clip-path"].replace("url(#", f"url(#{prefix}-"))
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font":
            key, value = "font-size", re.findall(r"[\d.]+px", value)[0]
        if key:
            element.set(key, f"var({_VARIABLES[value]})" if value in _VARIABLES else value)
