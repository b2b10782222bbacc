"""OpenDocument texts: paragraphs, headings, lists, tables, boxes and notes in their order.

The XML is read directly. The libraries for the format write comments into the sentences and lose spaces between words.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from index.errors import UnreadableFile
from index.formats import Parsed
from index.formats.archive import Archive
from index.formats.layout import ancestors, heading, item, join, table

_NS = "urn:oasis:names:tc:opendocument:xmlns"
_TEXT, _TABLE, _OFFICE = f"{{{_NS}:text:1.0}}", f"{{{_NS}:table:1.0}}", f"{{{_NS}:office:1.0}}"
_STYLE, _DRAW = f"{{{_NS}:style:1.0}}", f"{{{_NS}:drawing:1.0}}"
_DC, _META = "{http://purl.org/dc/elements/1.1/}", f"{{{_NS}:meta:1.0}}"
_PARAGRAPH, _HEADING, _LIST = (f"{_TEXT}{name}" for name in ("p", "h", "list"))
_NOTE, _BOX, _ROW = f"{_TEXT}note", f"{_DRAW}text-box", f"{_TABLE}table-row"
_SPACE = re.compile(r"\s+")
_SIGNS = {f"{_TEXT}s": " ", f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}
# What was deleted, comments, tables of contents and indexes, notes and boxes (which follow), how words are spoken.
_LEFT_OUT_NAMES = """
    tracked-changes note ruby-text hidden-text hidden-paragraph page-number page-count table-of-content
    alphabetical-index illustration-index table-index object-index user-index
"""
_LEFT_OUT = {f"{_TEXT}{name}" for name in _LEFT_OUT_NAMES.split()} | {
    f"{_OFFICE}annotation",
    f"{_OFFICE}forms",
    f"{_DRAW}frame",
}


def read_open_document(data: bytes) -> Parsed:
    """Return the document's text; notes follow the paragraph that they belong to, headers and footers come last.

    Comments, deleted text, hidden text and tables of contents are out.
    """
    archive = Archive(data, "odt")
    manifest = "META-INF/manifest.xml"
    if manifest in archive and b":encryption-data" in archive.read(manifest):
        raise UnreadableFile("is encrypted: save a copy without the password and add that")
    root = archive.xml("content.xml")
    body = root.find(f"{_OFFICE}body/{_OFFICE}text")
    if body is None:
        raise UnreadableFile("is damaged: its part content.xml holds no text document")
    walk = _Walk(_title_styles(root))
    return {"text": join(chain(walk.blocks(body), _furniture(archive, walk)))} | _properties(archive)


def _title_styles(root: Any) -> set[str]:
    """Return the names of the styles that a title has: "Title", and those that the program derived from it."""
    derived = root.iterfind(f"{_OFFICE}automatic-styles/{_STYLE}style[@{_STYLE}parent-style-name='Title']")
    return {"Title", *(style.get(f"{_STYLE}name") for style in derived)}


class _Walk:
    """From elements to blocks of text; lxml allows no more than 256 levels, so its methods may call themselves."""

    def __init__(self, title_styles: set[str]) -> None:
        self._title_styles = title_styles

    def blocks(self, parent: Any) -> Iterator[str]:
        """Yield the paragraphs, lists and tables in `parent`, each followed by its boxes and notes."""
        for element in parent.iterchildren("*"):
            if element.tag in (_PARAGRAPH, _HEADING):
                yield self._paragraph(element)
            elif element.tag == _LIST:
                yield "\n".join(filter(None, map(item, _items(element))))
            elif element.tag == f"{_TABLE}table":
                yield table(map(_cells, element.iter(_ROW)))
            elif element.tag == f"{_DRAW}frame":
                yield from self._boxes(element)
                continue
            elif element.tag not in _LEFT_OUT:  # a section
                yield from self.blocks(element)
                continue
            yield from self._boxes(element)
            for note in element.iterdescendants(_NOTE):
                yield from map(_text, note.iterfind(f"{_TEXT}note-body/{_PARAGRAPH}"))

    def _paragraph(self, element: Any) -> str:
        if element.tag == _HEADING:
            level = element.get(f"{_TEXT}outline-level", "1")
            return heading(_text(element), int(level) if level.isdigit() else 1)
        is_title = element.get(f"{_TEXT}style-name") in self._title_styles
        return heading(_text(element)) if is_title else _text(element)

    def _boxes(self, element: Any) -> Iterator[str]:
        for box in element.iterdescendants(_BOX):
            if all(parent.tag not in (_BOX, f"{_OFFICE}annotation") for parent in ancestors(box, element)):
                yield from self.blocks(box)


def _items(element: Any) -> Iterator[str]:
    """Yield the paragraphs in a list or a cell, however deep."""
    for child in element.iterchildren("*"):
        if child.tag in (_PARAGRAPH, _HEADING):
            yield _text(child)
        elif child.tag not in _LEFT_OUT:
            yield from _items(child)


def _cells(row: Any) -> list[str]:
    return [" ".join(_items(cell)) for cell in row.iterchildren(f"{_TABLE}table-cell")]


def _text(element: Any) -> str:
    pieces = [_SPACE.sub(" ", element.text or "")]
    for child in element.iterchildren():
        if isinstance(child.tag, str) and child.tag not in _LEFT_OUT:
            pieces.append(_SIGNS.get(child.tag) or _text(child))
        pieces.append(_SPACE.sub(" ", child.tail or ""))
    return "".join(pieces)


def _furniture(archive: Archive, walk: _Walk) -> Iterator[str]:
    """Yield what stands in headers and footers, each once."""
    if "styles.xml" not in archive:
        return
    names = [f"{_STYLE}{name}" for name in ("header", "footer", "header-first", "footer-first")]
    seen = set()
    for element in archive.xml("styles.xml").iter(*names):
        for block in walk.blocks(element):
            if block not in seen and any(map(str.isalpha, block)):
                seen.add(block)
                yield block


def _properties(archive: Archive) -> Parsed:
    if "meta.xml" not in archive:
        return {}
    told = archive.xml("meta.xml").find(f"{_OFFICE}meta")
    if told is None:
        return {}
    return {
        "title": told.findtext(f"{_DC}title"),
        "author": told.findtext(f"{_META}initial-creator") or told.findtext(f"{_DC}creator"),
        "language": told.findtext(f"{_DC}language"),
        "date": told.findtext(f"{_META}creation-date"),
    }
