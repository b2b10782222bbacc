"""PDF files: their pages' text, without what only the paper needed: broken words, running heads, page numbers."""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from index.decode import clean, signature
from index.errors import UnreadableFile
from index.formats import MOST_CHARACTERS, Parsed

_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
# The line ends after the mended word then: lines of one width are what tells a wrapped paragraph.
_SOFT_BREAK = re.compile(r"\u00ad[^\S\n]*\n[^\S\n]*(\S+)[^\S\n]*\n?")
_BROKEN_WORD = re.compile(r"(?<![^\W_])([^\W\d_]+)[-\u2010][^\S\n]*\n[^\S\n]*([^\W\d_]+)(\S*)[^\S\n]*\n?")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_MOST_RANGES = 20
_MOST_WORD = 60  # characters
_LEAST_PAGES, _LEAST_SHARE = 4, 0.4  # that share a line for it to be a running head; left and right may differ
_MOST_RUNNING_LINES = 4  # at either end of a page
_NUMBER = re.compile(r"(?<!\d)\d{1,5}(?!\d)")
# Titles that a program made up.
_NO_TITLE = re.compile(r"Microsoft \w+ - |untitled|.*\.(docx?|odt|rtf|indd|qxd|pptx?|pages|tex|dvi)$", re.I)


def read_pdf(data: bytes) -> Parsed:
    """Return the text of the pages, and the offset at which each begins.

    Pages that are only pictures are told in a remark. Raises UnreadableFile where all are, and for an encrypted file.
    """
    import pypdf

    # Something may lie before the mark, but not the beginning of another kind of file.
    if b"%PDF-" not in data[:1024] or signature(data) not in ("", "a PDF"):
        raise UnreadableFile("is not a PDF, whatever its name says")
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableFile("is encrypted: save a copy without the password and add that")
    texts, scanned, damaged = [], [], []
    for number, page in enumerate(_pages(reader), start=1):
        texts.append(page.text)
        if page.is_damaged:
            damaged.append(number)
        elif page.is_scan:
            scanned.append(number)
    pages = [f"{page}\n\n" for page in _mended(_without_running_lines(texts))]
    if not pages:
        raise UnreadableFile("holds no pages")
    if not any(page.strip() for page in pages):
        cause = "its pages are damaged" if damaged else "it may be a scan, which needs OCR first"
        raise UnreadableFile(f"holds no text: {cause}")
    starts = [0]
    for text in pages[:-1]:
        starts.append(starts[-1] + len(text))
    remark = _remark(scanned, damaged, len(pages))
    return {"text": "".join(pages), "pages": starts} | _metadata(reader) | ({"remark": remark} if remark else {})


@dataclass(frozen=True, slots=True)
class _Page:
    text: str
    is_scan: bool = False  # a picture in place of text
    is_damaged: bool = False


def _pages(reader: Any) -> Iterator[_Page]:
    length = 0
    for page in reader.pages:
        try:
            text = clean(_SOFT_BREAK.sub("\\1\n", page.extract_text()).translate(_LIGATURES)).strip("\n")
        except MemoryError:
            raise
        except Exception:  # one bad font or stream must not cost the other pages
            yield _Page("", is_damaged=True)
            continue
        length += len(text)
        if length > MOST_CHARACTERS:
            raise UnreadableFile(f"unpacks to more than {MOST_CHARACTERS:,} characters of text")
        yield _Page(text, is_scan=not text.strip() and _has_picture(page))


def _has_picture(page: Any) -> bool:
    with suppress(Exception):  # damaged resources: nothing is told about them
        objects = page["/Resources"]["/XObject"].get_object()
        return any(entry.get_object().get("/Subtype") == "/Image" for entry in objects.values())
    return False


def _remark(scanned: Sequence[int], damaged: Sequence[int], count: int) -> str:
    """Return what to tell of pages whose text is missing, "" where there are none."""
    told = []
    if scanned:
        told.append(
            f"has {len(scanned)} of {count} pages without text ({_ranges(scanned)}): "
            "they may be scans, which need OCR first"
        )
    if damaged:
        told.append(f"has {len(damaged)} of {count} pages that are damaged ({_ranges(damaged)})")
    return "; ".join([*told, "the others were added"]) if told else ""


def _ranges(numbers: Sequence[int]) -> str:
    """Return "2-4, 7" for 2, 3, 4 and 7."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:_MOST_RANGES]]
    return ", ".join([*shown, "..."] if len(ranges) > _MOST_RANGES else shown)


def _without_running_lines(pages: Sequence[str]) -> list[str]:
    """Return the pages without the first and last lines that many of them share but for the page number.

    The first page that has such a line keeps it, so that no words are lost with it.
    """
    kept = [page.split("\n") for page in pages]
    least = max(_LEAST_PAGES, sum(bool(page.strip()) for page in pages) * _LEAST_SHARE)
    for end in (0, -1):
        for _ in range(_MOST_RUNNING_LINES):
            shapes = [_shapes(lines[end], number) if len(lines) > 1 else set() for number, lines in enumerate(kept)]
            shape, times = max(Counter(chain(*shapes)).items(), key=itemgetter(1, 0), default=("", 0))
            if times < least:
                break
            first = next(number for number, found in enumerate(shapes) if shape in found)
            for number, lines in enumerate(kept):
                if shape in shapes[number] and number != first:
                    del lines[end]
    return ["\n".join(lines).strip("\n") for lines in kept]


def _shapes(line: str, page: int) -> set[str]:
    """Return the line, also with its first and its last number counted from the page that it is on.

    Only page numbers stay the same then; rows of a table, which differ in their numbers too, do not.
    """
    line = " ".join(line.split())
    numbers = list(_NUMBER.finditer(line))
    from_page = (f"{line[: n.start()]}\0{int(n[0]) - page}{line[n.end() :]}" for n in (*numbers[:1], *numbers[-1:]))
    return {line, *from_page}


def _mended(pages: Sequence[str]) -> list[str]:
    """Return the pages with words put together that were broken at the end of a line.

    "well-" and "known" keep their hyphen: together they are elsewhere in the text with one, or each stands by itself.
    "infor-" and "mazione" do neither.
    """
    known = {word.casefold() for page in pages for word in _WORD.findall(_BROKEN_WORD.sub(" ", page))}

    def mend(match: re.Match[str]) -> str:
        first, second, rest = match.groups()
        whole, compound = f"{first}{second}", f"{first}-{second}"
        parts_known = {first.casefold(), second.casefold()} <= known
        keeps_hyphen = not second[0].islower() or compound.casefold() in known or parts_known
        word = compound if keeps_hyphen and whole.casefold() not in known else whole
        return match[0] if len(whole) > _MOST_WORD else f"{word}{rest}\n"

    return [_BROKEN_WORD.sub(mend, page).strip("\n") for page in pages]


def _metadata(reader: Any) -> Parsed:
    """Return what the file tells. Its day of creation is often that of a copy, but there is no other."""
    fields: Parsed = {}
    with suppress(Exception):  # damaged metadata must not cost the text
        fields["language"] = str(reader.root_object.get("/Lang", ""))
    with suppress(Exception):
        told = reader.metadata
        title = str(told.title or "")
        fields |= {"title": "" if _NO_TITLE.match(title) else title, "author": told.author}
        fields["date"] = told.creation_date.date().isoformat()
    return fields
