"""Bytes to clean text: encodings recognised, nothing dropped silently, nothing invisible left; pure."""

import codecs
import re
import unicodedata
from functools import partial

from index.errors import UnreadableFile

_SIGNATURES = {
    b"\x7fELF": "a program (ELF)",
    b"MZ": "a program (Windows)",
    b"\xcf\xfa\xed\xfe": "a program (Mach-O)",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"RIFF": "a media file (RIFF)",
    b"ID3": "an MP3 file",
    b"OggS": "an Ogg file",
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a ZIP archive or office document",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"GGUF": "model weights (GGUF)",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old office document (OLE)",
}
# What browsers read in place of an encoding that a page names: the same letters, and the curly quotes it uses too.
_READ_AS = {"iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x00-\x1f(}\]c\x8c\x95]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))
_ACCENTED = "[À-ÖØ-öø-ÿŒœŠšŽžŸ]"
# What Western European text never has: three accented letters in a row, or a sign in the middle of a word.
_NOT_WESTERN = re.compile(rf"{_ACCENTED}{{3}}|[^\W\d_][¡-¦¨-¶¸-¿×÷ˆ˜†‡‰ƒ„…‹›•¤][^\W\d_]")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Controls, soft hyphen, zero-width and bidirectional marks, fillers, tags, selectors no font knows, surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Joiners and emoji selectors stay where they have work to do: after a letter of a script that needs them, or a sign.
_IDLE_JOINER = re.compile("(?<![\u0590-\u1fff\u2190-\u3300\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]")
_IDLE_SELECTOR = re.compile("(?<![#*0-9\u00a9\u00ae\u203c-\u3300\U0001f000-\U0001faff])[\ufe00-\ufe0f]")


def decode(data: bytes, *, declared: str = "") -> str:
    """Return the text of `data`, every byte accounted for. `declared` is an encoding that the file itself names.

    Raises UnreadableFile where it is not text, or in an encoding that cannot be told.
    """
    if looks_like := signature(data):
        raise UnreadableFile(f"is not text: it looks like {looks_like}")
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            text = _strictly(data, encoding)
            return _unknown_encoding() if text is None else text
    if data.count(0) > len(data) // 5:
        return _wide(data)
    if sum(map(data[:65536].count, _CONTROLS)) > len(data[:65536]) // 50:
        raise UnreadableFile("is not text: it is full of control characters, like a program or an archive")
    for attempt in (
        partial(_strictly, encoding="utf-8"),
        _nearly_utf8,
        partial(_strictly, encoding=_read_as(declared)),
    ):
        text = attempt(data)
        if text is not None:
            return text
    return _legacy(data)


def clean(text: str) -> str:
    """Return `text` in NFC with \\n for newlines, without terminal escapes, controls and invisible characters."""
    if text.isascii() and text.isprintable():
        return text
    text = _INVISIBLE.sub("", _ANSI.sub("", _NEWLINE.sub("\n", text)))
    return unicodedata.normalize("NFC", _IDLE_SELECTOR.sub("", _IDLE_JOINER.sub("", text)))


def signature(data: bytes) -> str:
    """Return what the first bytes say that `data` is, such as "a PDF", "" where they say nothing."""
    if _PICKLE.match(data):
        return "Python's pickle format"
    return next((name for start, name in _SIGNATURES.items() if data.startswith(start)), "")


def _read_as(declared: str) -> str:
    try:
        return _READ_AS.get(codecs.lookup(declared).name, declared)
    except (LookupError, ValueError):  # a name that there is not, or cannot be
        return ""


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding) if encoding else None
    except (UnicodeError, LookupError):
        return None


def _wide(data: bytes) -> str:
    """Return UTF-16 without a byte order mark: every other byte of Western text is NUL."""
    little = data[1::2].count(0) >= data[0::2].count(0)
    text = _strictly(data, "utf-16-le" if little else "utf-16-be")
    if text is None or "\0" in text:
        raise UnreadableFile("is not text: it is full of NUL bytes")
    return text


def _nearly_utf8(data: bytes) -> str | None:
    """Return UTF-8 with a few foreign bytes, which are read as Windows-1252; None where most are foreign."""
    text = data.decode("utf-8", errors="surrogateescape")
    foreign = sum("\udc80" <= c <= "\udcff" for c in text)
    if foreign * 3 > sum(c > "\x7f" for c in text):
        return None
    return re.sub("[\udc80-\udcff]", lambda c: bytes([ord(c[0]) & 255]).decode("cp1252", "replace"), text)


def _legacy(data: bytes) -> str:
    text = _strictly(data, "cp1252")
    # Asked first: on short Western texts charset-normalizer answers with code pages of Central Europe or Vietnam.
    if text is not None and not _NOT_WESTERN.search(text):
        return text
    from charset_normalizer import from_bytes

    best = from_bytes(data, cp_isolation=_LEGACY_ENCODINGS).best()
    return str(best) if best else _unknown_encoding()


_LEGACY_ENCODINGS = ["cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "iso8859_7", "shift_jis", "euc_jp", "gb18030",
                     "big5", "euc_kr", "cp1255", "cp1256", "cp1252"]  # fmt: skip


def _unknown_encoding() -> str:
    raise UnreadableFile("is in an encoding that cannot be told: save it as UTF-8")
