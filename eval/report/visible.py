"""Words of documents, models and gold files, made safe to show: no control or direction character acts. Pure."""

import re

# Controls but tab and line ends, direction marks and overrides, and what neither XML 1.0 nor UTF-8 can hold.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_PICTURES = 0x2400  # Unicode's pictures of control characters, in the order of these


def visible(text: str) -> str:
    """Return `text` with a sign for each character that would act unseen; the length, and so any offset, stays."""
    return _UNSEEN.sub(_sign, text)


def one_line(text: str, chars: int) -> str:
    """Return `text` on one line, visible, cut with an ellipsis where it is longer than `chars`."""
    line = " ".join(visible(text[: 20 * chars]).split())
    return line if len(line) <= chars else line[: chars - 1].rstrip() + "…"


def _sign(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(_PICTURES + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"
