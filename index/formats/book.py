"""EPUB books: the chapters in the order in which they are read.

Containers and package files are small and plain, so they are read directly; the chapters are web pages.
"""

from collections.abc import Iterator
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote, urldefrag

from index.decode import decode
from index.errors import UnreadableFile
from index.formats import Parsed, layout
from index.formats.archive import Archive
from index.formats.web import text_of

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PAGES = ("application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document")
_NOT_SHOWN = ("head", "script", "style", "noscript", "template", "svg", "audio", "video", "rt", "rp")
_EPUB_TYPE = "epub:type"


def read_book(data: bytes) -> Parsed:
    """Return the text of the chapters with what the book tells of itself. Raises UnreadableFile, also under DRM."""
    archive = Archive(data, "epub")
    path = next((e.get("full-path") for e in archive.xml(_CONTAINER).iter("{*}rootfile") if e.get("full-path")), "")
    package = archive.xml(path)
    encrypted = _encrypted(archive)
    chapters = list(_chapters(package, dirname(path)))
    if encrypted.intersection(chapters):
        raise UnreadableFile("is protected by DRM, so nobody but its shop's reader can read it")
    return {"text": layout.join(_blocks(archive, chapters))} | _metadata(package)


def _encrypted(archive: Archive) -> set[str]:
    """Return the names of encrypted parts. Many honest books have encrypted fonts."""
    if _ENCRYPTION not in archive:
        return set()
    return {unquote(e.get("URI", "")) for e in archive.xml(_ENCRYPTION).iter("{*}CipherReference")}


def _chapters(package: Any, folder: str) -> Iterator[str]:
    """Yield the names of the parts that the reader turns through, without the table of contents."""
    items = {item.get("id"): item for item in package.iterfind("{*}manifest/{*}item")}
    seen = set()
    for reference in package.iterfind("{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGES or "nav" in item.get("properties", "").split():
            continue
        name = normpath(join(folder, unquote(urldefrag(item.get("href", ""))[0])))
        if name not in seen:
            seen.add(name)
            yield name


def _blocks(archive: Archive, chapters: list[str]) -> Iterator[str]:
    for name in chapters:
        yield _chapter(archive.read(name))


def _chapter(page: bytes) -> str:
    from lxml import etree, html  # type: ignore[import-untyped]

    text = decode(page)
    if not text.strip():
        return ""
    # An HTML parser, unlike one for XML, knows no entities but HTML's own, and forgives an unclosed tag.
    tree = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8", huge_tree=True))
    etree.strip_elements(tree, *_NOT_SHOWN, with_tail=False)
    for link in [link for link in tree.iter("a") if "noteref" in link.get(_EPUB_TYPE, "")]:
        link.drop_tree()  # its number would stick to the word before it
    return text_of(tree)


def _metadata(package: Any) -> Parsed:
    told = {}
    for name in ("title", "creator", "language", "publisher", "date"):
        told[name] = [e.text.strip() for e in package.iter(f"{_DC}{name}") if e.text and e.text.strip()]
    first = {name: values[0] if values else "" for name, values in told.items()}
    return {
        "title": first["title"],
        "author": ", ".join(told["creator"]),
        "language": first["language"],
        "outlet": first["publisher"],
        "date": first["date"],
    }
