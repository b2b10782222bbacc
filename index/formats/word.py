"""Word documents: the text as its last reader saw it, in its order, with headings, tables, boxes and notes."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from index.formats import Parsed
from index.formats.archive import parse_xml
from index.formats.layout import ancestors, heading, item, join, table
from index.formats.office import open_office, properties

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PARAGRAPH, _TABLE, _ROW, _CELL, _BOX = (f"{_W}{name}" for name in ("p", "tbl", "tr", "tc", "txbxContent"))
_AROUND_BLOCKS = {f"{_W}{name}" for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")}
# Deleted and moved-away text, what only an old Word would show, how words are spoken, and what holds no text.
_LEFT_OUT_NAMES = "del moveFrom rt pPr rPr tblPr instrText delText txbxContent footnoteReference endnoteReference"
_LEFT_OUT = {f"{_W}{name}" for name in _LEFT_OUT_NAMES.split()} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
_TEXT = {f"{_W}t", "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"}
_SIGNS = {f"{_W}tab": "\t", f"{_W}ptab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_HEADING_STYLE = re.compile(r"heading (\d)|title$", re.I)
_OFF = {"0", "false", "off", "none"}


def read_word(data: bytes) -> Parsed:
    """Return the document's text; notes follow the paragraph that they belong to, headers and footers come last.

    Inserted text is in, deleted text, comments, hidden text and tables of contents are out.
    """
    import docx

    archive = open_office(data, "docx")
    part = docx.Document(archive.repacked()).part
    walk = _Walk(_Styles(part.styles.element), _notes(part))
    return {"text": join(chain(walk.blocks(part.element.body), _furniture(part, walk)))} | properties(archive)


class _Styles:
    """Which paragraph styles are headings (of which level), items of lists, or lines of a table of contents."""

    def __init__(self, styles: Any) -> None:
        self._styles = {style.get(f"{_W}styleId"): style for style in styles.iterchildren(f"{_W}style")}

    def level(self, paragraph: Any) -> int:
        """Return the level of a heading, 0 for any other paragraph."""
        for source in (paragraph, *self._inherited(paragraph)):
            name = _value(source, "name")
            if match := _HEADING_STYLE.match(name):
                return int(match[1] or 1)
            outline = _value(source, "pPr", "outlineLvl")
            if outline.isdigit():
                return int(outline) + 1 if int(outline) < 9 else 0
        return 0

    def is_item(self, paragraph: Any) -> bool:
        """Whether the paragraph has a bullet or a number before it."""
        for source in (paragraph, *self._inherited(paragraph)):
            if number := _value(source, "pPr", "numPr", "numId"):
                return number != "0"
        return False

    def is_contents(self, paragraph: Any) -> bool:
        """Whether the paragraph is a line of a table of contents, which repeats the headings."""
        return any(re.match(r"toc \d", _value(style, "name"), re.I) for style in self._inherited(paragraph))

    def _inherited(self, paragraph: Any) -> Iterator[Any]:
        name, seen = _value(paragraph, "pPr", "pStyle"), set()
        while name in self._styles and name not in seen:
            seen.add(name)
            yield self._styles[name]
            name = _value(self._styles[name], "basedOn")


class _Walk:
    """From elements to blocks of text."""

    def __init__(self, styles: _Styles, notes: dict[tuple[str, str], Any]) -> None:
        self._styles = styles
        self._notes = notes  # those not yet shown: each is, once, however often it is referred to

    def blocks(self, parent: Any) -> Iterator[str]:
        """Yield the paragraphs and tables in `parent`, each followed by its boxes and notes."""
        items: list[str] = []
        for element in _blocks_in(parent):
            text = self._table(element) if element.tag == _TABLE else self._paragraph(element)
            following = [*self._boxes(element), *self._notes_of(element)]
            if text.startswith("- ") and not following:
                items.append(text)
                continue
            yield "\n".join(items)
            items.clear()
            yield text
            yield from following
        yield "\n".join(items)

    def _paragraph(self, paragraph: Any) -> str:
        text = _text(paragraph)
        if not text.strip() or self._styles.is_contents(paragraph):
            return ""
        if level := self._styles.level(paragraph):
            return heading(text, level)
        return item(text) if self._styles.is_item(paragraph) else text

    def _table(self, element: Any) -> str:
        """Return the table without its deleted rows; one in a cell becomes that cell's text."""
        rows = [row for row in element.iter(_ROW) if next(row.iterancestors(_TABLE)) is element]
        shown = (row for row in rows if row.find(f"{_W}trPr/{_W}del") is None)
        return table(
            [_cell(cell) for cell in row.iter(_CELL) if next(cell.iterancestors(_ROW)) is row] for row in shown
        )

    def _boxes(self, element: Any) -> Iterator[str]:
        for box in element.iterdescendants(_BOX):
            if not any(parent.tag in _LEFT_OUT for parent in ancestors(box, element)):
                yield from self.blocks(box)

    def _notes_of(self, element: Any) -> Iterator[str]:
        for kind in ("footnote", "endnote"):
            for reference in element.iterdescendants(f"{_W}{kind}Reference"):
                note = self._notes.pop((kind, reference.get(f"{_W}id")), None)
                if note is not None:
                    yield from (_text(paragraph) for paragraph in note.iter(_PARAGRAPH))


def _blocks_in(parent: Any) -> Iterator[Any]:
    for element in parent.iterchildren("*"):
        if element.tag in (_PARAGRAPH, _TABLE):
            yield element
        elif element.tag in _AROUND_BLOCKS:
            yield from _blocks_in(element)


def _cell(cell: Any) -> str:
    return " ".join(_text(paragraph) for paragraph in cell.iter(_PARAGRAPH))


def _text(element: Any) -> str:
    """Return the text in `element`; lxml allows no more than 256 levels, so it may call itself."""
    pieces = []
    for child in element.iterchildren("*"):
        if child.tag in _TEXT:
            pieces.append(child.text or "")
        elif child.tag in _SIGNS:
            pieces.append(_SIGNS[child.tag])
        elif child.tag not in _LEFT_OUT and not _is_hidden(child):
            pieces.append(_text(child))
    return "".join(pieces)


def _is_hidden(run: Any) -> bool:
    hidden = run.find(f"{_W}rPr/{_W}vanish")
    return hidden is not None and hidden.get(f"{_W}val", "1") not in _OFF


def _value(element: Any, *path: str) -> str:
    found = element.find("/".join(f"{_W}{name}" for name in path))
    return "" if found is None else str(found.get(f"{_W}val", ""))


def _notes(part: Any) -> dict[tuple[str, str], Any]:
    """Return the foot- and endnotes by kind and number."""
    notes = {}
    for kind in ("footnote", "endnote"):
        for name, blob in _related(part, f"{kind}s"):
            for note in parse_xml(blob, name).iterchildren(f"{_W}{kind}"):
                notes[kind, note.get(f"{_W}id")] = note
    return notes


def _furniture(part: Any, walk: _Walk) -> Iterator[str]:
    """Yield what stands in headers and footers, each once, without lines that count the pages."""
    seen = set()
    for kind in ("header", "footer"):
        for name, blob in _related(part, kind):
            root = parse_xml(blob, name)
            for field in [*root.iter(f"{_W}instrText"), *root.iter(f"{_W}fldSimple")]:
                if re.match(r"\s*(NUM)?PAGE", field.text or field.get(f"{_W}instr") or ""):
                    for paragraph in field.iterancestors(_PARAGRAPH):
                        paragraph.clear()
            for block in walk.blocks(root):
                if block not in seen:
                    seen.add(block)
                    yield block


def _related(part: Any, kind: str) -> Iterator[tuple[str, bytes]]:
    for relation in part.rels.values():
        if not relation.is_external and relation.reltype.endswith(f"/{kind}"):
            yield str(relation.target_part.partname), relation.target_part.blob
