"""Presentations: a page a slide, with its title, texts, tables, diagrams and the speaker's notes."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from index.formats import Parsed
from index.formats.archive import parse_xml
from index.formats.layout import heading, item, join, table
from index.formats.office import open_office, properties

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DIAGRAM = "/diagramData"


def read_slides(data: bytes) -> Parsed:
    """Return the text of the slides in their order, and the offset at which each begins.

    A slide that is hidden in the show says so in its title. Numbers, dates and footers of slides are left out.
    """
    from pptx import Presentation

    archive = open_office(data, "pptx")
    # By name: a damaged or hostile list may name one slide a thousand times.
    slides_by_name = {slide.part.partname: slide for slide in Presentation(archive.repacked()).slides}
    slides = [join(_blocks(slide)) + "\n\n" for slide in slides_by_name.values()]
    starts = list(accumulate(map(len, slides), initial=0))[:-1]
    return {"text": "".join(slides), "pages": starts} | properties(archive)


def _blocks(slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    hidden = " (hidden slide)" if slide.element.get("show") in ("0", "false") else ""
    yield heading((title.text_frame.text if title is not None else "") + hidden)
    for shape in slide.shapes:
        if title is None or shape.element is not title.element:
            yield from _shape(shape)
    related = [relation for relation in slide.part.rels.values() if not relation.is_external]
    for part in dict.fromkeys(relation.target_part for relation in related if relation.reltype.endswith(_DIAGRAM)):
        yield _diagram(part)
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
        yield from notes.text.split("\n")


def _shape(shape: Any) -> Iterator[str]:
    if shape.is_placeholder and _is_furniture(shape):
        return
    if hasattr(shape, "shapes"):  # a group
        for inner in shape.shapes:
            yield from _shape(inner)
    elif shape.has_text_frame:
        yield "\n".join(filter(None, (item(paragraph.text) for paragraph in shape.text_frame.paragraphs)))
    elif getattr(shape, "has_table", False):
        yield table([cell.text for cell in row.cells] for row in shape.table.rows)
    elif getattr(shape, "has_chart", False):
        yield _chart(shape.chart)


def _is_furniture(shape: Any) -> bool:
    from pptx.enum.shapes import PP_PLACEHOLDER as KINDS

    return shape.placeholder_format.type in (KINDS.DATE, KINDS.FOOTER, KINDS.SLIDE_NUMBER, KINDS.HEADER)


def _chart(chart: Any) -> str:
    """Return the chart's title and its figures, a row a category, a column a series, whatever kind of chart it is."""
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    series = list(chart.element.iter(f"{_C}ser"))
    names = ["".join(_points(one, "tx").values()) for one in series]
    columns = [_points(one, "val", "yVal") for one in series]
    categories = {at: name for one in series for at, name in _points(one, "cat", "xVal").items()}
    places = dict.fromkeys(at for points in (categories, *columns) for at in points)
    rows = ([categories.get(at, ""), *(column.get(at, "") for column in columns)] for at in places)
    return "\n".join(filter(None, [item(title), table([["", *names], *rows])]))


def _points(series: Any, *names: str) -> dict[str, str]:
    """Return the values of a series that the file keeps beside their formula, by their place."""
    points = (point for name in names for point in series.iterfind(f"{_C}{name}//{_C}pt"))
    return {point.get("idx", ""): point.findtext(f"{_C}v") or "" for point in points}


def _diagram(part: Any) -> str:
    paragraphs = parse_xml(part.blob, str(part.partname)).iter(f"{_A}p")
    return "\n".join(filter(None, (item("".join(text.text or "" for text in p.iter(f"{_A}t"))) for p in paragraphs)))
