"""Saved web pages: the article without what surrounds it, and what the page tells about it."""

import re
from copy import deepcopy
from functools import cache
from itertools import islice
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
_LEAST_SHARE = 0.8  # of what the page marks as its article; less, and some of it was taken for furniture
_LONGEST_REPEATED, _MOST_REPEATED = 200, 10_000  # characters of a cell, and cells
_NOT_SHOWN = ("script", "style", "noscript", "template", "head", "button", "select", "iframe", "svg", "object")
_NOT_CONTENT = ("nav", "footer", "aside", "dialog")
_FURNITURE = re.compile(
    r"cookie|consent|gdpr|newsletter|breadcrumb|sidebar|comment|respond|share|sharing|social|related|most-read|popular"
    r"|promo|advert|banner|menu|navbar|skip-link",
    re.I,
)
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
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
    _prepare(tree)
    found = _extract(tree, url or (saved_from[1] if saved_from else ""))
    text = clean(text_of(found.body)) if found is not None else ""
    metadata = _metadata(found, tree)
    whole = clean(_whole_page(tree))
    expected = 0.0 if _article(tree) is None else _LEAST_SHARE * len(whole)
    if len(text) < max(_LEAST_ARTICLE, expected):
        text = max(whole, text, key=len)
    return {"text": text, "language": (language[1] or language[2]) if language else ""} | metadata


def parse_mail(html: str) -> str:
    """Return all that a mail written as a page shows: nothing in it belongs to a site around it."""
    from lxml import etree  # type: ignore[import-untyped]

    tree = _parse(html)
    if tree is None:
        return ""
    _prepare(tree)
    etree.strip_elements(tree, *_NOT_SHOWN, with_tail=False)
    for element in [e for e in tree.iter(etree.Element) if _HIDDEN.search(e.get("style", ""))]:
        if element.getparent() is not None:  # what a list of mails shows beside the subject
            element.drop_tree()
    return clean(text_of(tree))


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


def _prepare(tree: Any) -> None:
    """Change in place what the extraction would lose or shuffle."""
    for footer in list(tree.iterfind(".//blockquote//footer")):  # who is quoted
        footer.tag = "p"
    _flatten_layout(tree)
    _repeat_tall_cells(tree)


def _flatten_layout(tree: Any) -> None:
    """Turn tables that only place things on the page, as in newsletters, into blocks that follow each other."""
    around = (next(inner.iterancestors("table"), None) for inner in tree.iter("table", "h1", "h2", "h3"))
    layout = {table for table in around if table is not None}
    layout.update(table for table in tree.iter("table") if table.get("role") in ("presentation", "none"))
    parts = [(next(part.iterancestors("table"), None), part) for part in tree.iter("tbody", "tr", "td", "th")]
    layout -= {table for table, part in parts if part.tag == "th"}  # a table of facts, with something in its cells
    for element in [part for table, part in parts if table in layout] + list(layout):
        element.tag = "div"


def _repeat_tall_cells(tree: Any) -> None:
    """Write a cell that spans several rows into each of them, so that their other cells keep their columns."""
    left = _MOST_REPEATED
    for cell in [cell for cell in tree.iter("td", "th") if cell.get("rowspan", "").strip().isdecimal()]:
        if cell.getparent().tag != "tr" or len("".join(cell.itertext())) > _LONGEST_REPEATED:
            continue
        place = cell.getparent().index(cell)
        for row in islice(cell.getparent().itersiblings("tr"), min(int(cell.get("rowspan")[:6]) - 1, left)):
            copy = deepcopy(cell)
            copy.tail = None
            copy.attrib.pop("rowspan")
            row.insert(place, copy)
            left -= 1
        cell.attrib.pop("rowspan")  # else the extraction makes room for it below


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


def _article(tree: Any) -> Any:
    """Return the page's only article or else its only main part, None where there is none."""
    for tag in ("article", "main"):
        found = [element for element in tree.iter(tag) if "".join(element.itertext()).strip()]
        if len(found) == 1:
            return found[0]
    return None


def _metadata(found: Any, tree: Any) -> Parsed:
    if found is None:
        return {}
    outlet = found.sitename or ""
    if outlet.startswith("http"):  # the address of its page in a social network
        outlet = found.hostname or ""
    title = _without_outlet(_whole_title(found.title or "", tree), outlet)
    return {"title": title, "author": found.author, "date": found.date, "source": found.url, "outlet": outlet}


def _whole_title(title: str, tree: Any) -> str:
    """Return `title`, or the page's <title> of which it is a part that nothing else confirms: it may be the site's."""
    whole = " ".join((tree.findtext(".//title") or "").split())
    told = [" ".join(heading.text_content().split()) for heading in tree.iter("h1", "h2")]
    told += [meta.get("content") for meta in tree.iter("meta")]
    return whole if title in whole and title not in told else title


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

    etree.strip_elements(tree, *_NOT_SHOWN, *_NOT_CONTENT, with_tail=False)
    most = len(tree.text_content()) // 2  # what holds more is the page itself, with a class such as "no-sidebar"
    for element in list(tree.iter(etree.Element)):
        name = f"{element.get('class', '')} {element.get('id', '')}"
        is_furniture = element.tag == "form" or _FURNITURE.search(name)
        if element.getparent() is not None and is_furniture and len(element.text_content()) <= most:
            element.drop_tree()
    article = _article(tree)
    return text_of(tree if article is None else article)


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
