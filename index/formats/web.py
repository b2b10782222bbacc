"""Saved web pages: the article without what surrounds it, and what the page tells about it."""

import re
from copy import deepcopy
from functools import cache
from typing import Any

from index.decode import clean, decode
from index.errors import UnreadableFile
from index.formats import Parsed

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{3,30})|encoding=[\"']([\w-]{3,30})", re.I)
_LANGUAGE = re.compile(r"<html\b[^>]{0,500}?\slang=[\"']?([a-z]{2})\b|og:locale[\"']\s+content=[\"']([a-z]{2})", re.I)
# Browsers and SingleFile write the address of a page into the copy that they save.
_SAVED_FROM = re.compile(r"<!--[^>]{0,200}?(?:saved from url=\(\d+\)|url:\s*)(https?://[^\s>]{4,2000})")
_HEAD_CHARACTERS = 20_000  # where a page's language and address are looked for

_LEAST_ARTICLE = 250  # characters; trafilatura too takes less for a miss, but then gives the page in one piece
_NOT_CONTENT = "script style noscript template head nav footer aside form button select dialog iframe svg object"
_FURNITURE = re.compile(
    r"cookie|consent|gdpr|newsletter|breadcrumb|sidebar|comment|respond|share|sharing|social|related|most-read|popular"
    r"|promo|advert|banner|menu|navbar|skip-link",
    re.I,
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CELLS = ("cell", "td", "th")
_ROWS = ("row", "tr")
_LISTS = ("list", "ul", "ol")
_ITEMS = ("item", "li")
_BLOCK_NAMES = """
    p div section article main header body html dl dt dd quote blockquote table tbody thead tfoot figure figcaption
    caption address center pre head
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split()).union(_HEADINGS, _ROWS, _LISTS, _ITEMS)


def read_html(data: bytes) -> Parsed:
    """Return the page's article, or all that a browser would show where it has none."""
    declared = _CHARSET.search(data[:4096])
    return parse_page(decode(data, declared=(declared[1] or declared[2]).decode() if declared else ""))


def parse_page(html: str, *, url: str = "") -> Parsed:
    """Return the article in `html` with its metadata; `url` is where the page was, if that is known."""
    head = html[:_HEAD_CHARACTERS]
    saved_from, language = _SAVED_FROM.search(head), _LANGUAGE.search(head)
    tree = _parse(html)
    if tree is None:
        return {"text": ""}
    found = _extract(tree, url or (saved_from[1] if saved_from else ""))
    text = clean(text_of(found.body)) if found is not None else ""
    if len(text) < _LEAST_ARTICLE:
        text = max(clean(_whole_page(tree)), text, key=len)
    return {"text": text, "language": (language[1] or language[2]) if language else ""} | _metadata(found)


def _parse(html: str) -> Any:
    """Return the root of the page, None for one without elements. Raises UnreadableFile rather than cut it short."""
    import lxml.html  # type: ignore[import-untyped]
    from lxml import etree

    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(html.replace("\0", "").encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    if any(error.type_name == "ERR_RESOURCE_LIMIT" for error in parser.error_log):
        raise UnreadableFile("nests its elements deeper than any page does, so that part of it would be lost")
    return tree


def _extract(tree: Any, url: str) -> Any:
    """Return what trafilatura takes for the article, None where it finds nothing."""
    import trafilatura

    try:
        return trafilatura.bare_extraction(
            deepcopy(tree),
            url=url or None,
            with_metadata=True,
            include_comments=False,
            include_formatting=True,  # else headings come as paragraphs
            # Its wider search takes any date in the text, such as the year in "(c) 2025", for the day of publication.
            date_extraction_params={"extensive_search": False, "original_date": True},
            config=_settings(),
        )
    except Exception:  # RecursionError, and what odd pages find in so many heuristics: the whole page is left
        return None


def _metadata(found: Any) -> Parsed:
    if found is None:
        return {}
    outlet = found.sitename or ""
    if outlet.startswith("http"):  # the address of its page in a social network
        outlet = found.hostname or ""
    title = _without_outlet(found.title or "", outlet)
    return {"title": title, "author": found.author, "date": found.date, "source": found.url, "outlet": outlet}


def _without_outlet(title: str, outlet: str) -> str:
    """Return `title` without the name of the site that many pages put before or after it."""
    if not outlet:
        return title
    name, mark = re.escape(outlet), r"\s+[|–—·•:»«-]\s+"
    return re.sub(rf"^{name}{mark}|{mark}{name}$", "", title, flags=re.IGNORECASE) or title


@cache
def _settings() -> Any:
    from trafilatura.settings import DEFAULT_CONFIG

    settings = deepcopy(DEFAULT_CONFIG)
    settings["DEFAULT"]["MIN_EXTRACTED_SIZE"] = "1"
    return settings


def _whole_page(tree: Any) -> str:
    """Return what a browser would show, without what is plainly not content, for a page that has no article."""
    from lxml import etree

    etree.strip_elements(tree, *_NOT_CONTENT.split(), with_tail=False)
    most = len(tree.text_content()) // 2  # what holds more is the page itself, with a class such as "no-sidebar"
    for element in list(tree.iter(etree.Element)):
        name = f"{element.get('class', '')} {element.get('id', '')}"
        if element.getparent() is not None and _FURNITURE.search(name) and len(element.text_content()) <= most:
            element.drop_tree()
    articles = [element for element in tree.iter("article", "main") if "".join(element.itertext()).strip()]
    return text_of(articles[0] if len(articles) == 1 else tree)


def text_of(body: Any) -> str:
    """Return an element's text: headings as "# ", list items and table rows as lines, other blocks as paragraphs.

    The element is HTML, or the vocabulary that trafilatura turns it into.
    """
    from lxml import etree

    writer = _Writer()
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if isinstance(element.tag, str):  # else a comment
            (writer.start if event == "start" else writer.end)(element)
        if event == "end" and element is not body:
            writer.words.append(element.tail or "")
    writer.finish_block()
    return "".join(writer.pieces)


class _Writer:
    """The text of elements as they begin and end; without recursion, for pages can be nested as deep as they like."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.words: list[str] = []  # of the block that has begun
        self._mark = ""  # what it begins with
        self._is_line = self._after_line = False  # it, and the block before it, belong to a list or a table
        self._counters: list[int | None] = []  # of the lists around; None for one without numbers
        self._cells = 0  # around; what begins in a cell stays on its line

    def start(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS and self._cells:
            self.words.append(" ")
        elif tag in _BLOCKS:
            self.finish_block()
        if tag in _LISTS:
            self._counters.append(0 if "ol" in (tag, element.get("rend")) else None)
        elif tag in _CELLS:
            self._cells += 1
        elif self._cells:
            pass
        elif tag in _ITEMS:
            self._is_line, self._mark = True, self._next_mark()
        elif tag in _HEADINGS:
            self._mark = "#" * _HEADINGS[tag] + " "
        elif tag == "head":
            self._mark = "#" * _HEADINGS.get(element.get("rend", ""), 2) + " "
        elif tag in _ROWS:
            self._is_line, self._mark = True, "| "
        elif tag in ("br", "lb"):
            self.words.append("\v")
        self.words.append(element.text or "")

    def end(self, element: Any) -> None:
        tag = element.tag
        if tag in _LISTS:
            self._counters.pop()
        elif tag in _CELLS:
            self._cells -= 1
            self.words.append(" | ")
        if tag in _BLOCKS and not self._cells:
            self.finish_block()
            self._mark, self._is_line = "", False

    def finish_block(self) -> None:
        lines = [" ".join(line.split()) for line in "".join(self.words).split("\v")]
        text = "\n".join(line for line in lines if line)
        if not text.strip("| "):
            text = ""
        self.words.clear()
        if text:
            parted = "" if not self.pieces else "\n" if self._is_line and self._after_line else "\n\n"
            self.pieces += [parted, self._mark, text]
            self._after_line = self._is_line
            self._mark, self._is_line = "", False

    def _next_mark(self) -> str:
        if not self._counters or self._counters[-1] is None:
            return "- "
        self._counters[-1] += 1
        return f"{self._counters[-1]}. "
