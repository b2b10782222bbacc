"""RTF files."""

import re

from index.decode import clean
from index.errors import UnreadableFile
from index.formats import Parsed

_CREATED = re.compile(rb"\\creatim\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")
_INFO = r"{\\%s\s([^{}]{1,1000})}"
_ROW = re.compile(r"^(?!\|)(.*)\|$", re.M)  # as striprtf writes it
_CODE_PAGE = re.compile(r"\\ansicpg\d{1,5}|\Z")


def read_rtf(data: bytes) -> Parsed:
    """Return the paragraphs, footnotes where they are called, and what the file's information block tells."""
    if not data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{\\rtf"):
        raise UnreadableFile("is not an RTF file, whatever its name says")
    rtf = data.decode("latin-1")  # RTF is ASCII; other letters are written as escapes
    created = _CREATED.search(data)
    return {
        "text": _text_of(rtf),
        "title": _told(rtf, "title"),
        "author": _told(rtf, "author"),
        "date": "{:0>4}-{:0>2}-{:0>2}".format(*(part.decode() for part in created.groups())) if created else "",
    }


def _told(rtf: str, name: str) -> str:
    match = re.search(_INFO % name, rtf)
    return _text_of("{\\rtf1" + _CODE_PAGE.findall(rtf)[0] + " " + match[1] + "}") if match else ""


def _text_of(rtf: str) -> str:
    from striprtf.striprtf import rtf_to_text

    rtf = re.sub(r"\\footnote\b ?", r"\\plain  ", rtf)  # else they would be left out
    # The addresses of links are not wanted, and the search for them takes minutes on a file made for it.
    rtf = re.sub(r"\\fldinst\b", r"\\datafield", rtf)
    text: str = rtf_to_text(rtf)  # type: ignore[no-untyped-call]
    # RTF writes an emoji as the two halves that UTF-16 has for it.
    text = clean(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")).strip()
    text = re.sub(r"(?<!\|)\n+", "\n\n", text)  # a line is a paragraph, unless it is a table's row
    return _ROW.sub(lambda row: f"| {' | '.join(map(str.strip, row[1].split('|')))} |", text)
