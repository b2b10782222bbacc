"""Where sentences begin and end, in any language; pure.

Punkt (nltk) does the work, with the parameters that llama-index-core carries in its wheel: nothing is downloaded.
Its known errors are repaired here: it cuts after "art." and "fig.", and leaves a closing quote as a sentence.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

Span = tuple[int, int]

PUNKT_LANGUAGES = {
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "fi": "finnish",
    "fr": "french",
    "it": "italian",
    "ml": "malayalam",
    "nb": "norwegian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ru": "russian",
    "sl": "slovene",
    "sv": "swedish",
    "tr": "turkish",
}

# Never the last word of a sentence, in the languages of Europe; Punkt's own lists miss them.
_ABBREVIATION_LIST = """
    art artt fig figg cap capp par tab e.g i.e cf cfr p pp pag pagg n nn nr num vol mln mld mio bn ca approx
    dott dr sig sigg prof ing avv on mr mrs ms vs p.es ad.es z.b bzw abs str
"""
_ABBREVIATIONS = frozenset(_ABBREVIATION_LIST.split())
# Full stops that Punkt does not know, with the closing marks that belong to them.
_OTHER_STOP = re.compile(r"[。！？؟।۔]+[”’」』）》〉\"')\]]*")
_TERMINAL = re.compile(r"[.!?…。！？؟।:;][\"'”’»)\]]*$")
_OWN_LINE = re.compile(r"#{1,6}\s|[-*+•‣◦▪–—]\s|\(?(\d{1,3}|[a-zA-Z])[.)]\s|[>|]")
_ONLY_MARKER = re.compile(r"[\W_]*((\d{1,3}|[a-zA-Z])[.)])?")
_LAST_WORD = re.compile(r"([^\W\d_][\w.]*)\.$")
# Punkt's time grows faster than its input (1 MB of "a. a. a." takes minutes), and no sentence is as long as this.
_LONGEST_BLOCK = 10_000
_LONGEST_ROW = 300  # characters of a table's row that is quoted whole: half a row has lost its columns


def sentence_spans(text: str, language: str = "") -> list[Span]:
    """Return `(start, end)` of each sentence: in order, stripped, never overlapping, covering all non-blank text.

    A blank line ends a sentence. A single newline does too, unless the text is wrapped at a fixed width. The row of a
    table (a line that begins with a bar) is a sentence; only in a long one are those in its cells told apart.
    `language` is ISO 639-1; one that Punkt has no parameters for is cut by the English ones.
    """
    punkt = _punkt(PUNKT_LANGUAGES.get(language, "english"))
    return [span for start, end in _blocks(text) for span in _spans_of_block(text, start, end, punkt)]


def nltk_data() -> Path:
    """Return the folder of sentence parameters and stop words that llama-index-core carries."""
    spec = find_spec("llama_index.core")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("llama-index-core is not installed")
    return Path(spec.submodule_search_locations[0]) / "_static" / "nltk_cache"


@cache
def _punkt(name: str) -> Any:
    import nltk.data
    from nltk.tokenize.punkt import PunktTokenizer

    folder = str(nltk_data())
    if folder not in nltk.data.path:
        nltk.data.path.insert(0, folder)
    return PunktTokenizer(name)


def _blocks(text: str) -> Iterator[Span]:
    """Yield what a sentence cannot reach beyond: a line, or a paragraph where the text is wrapped."""
    lines = [match.span() for match in re.finditer(r"[^\n]+", text)]
    width = _wrapped_width(text, lines)
    begin = 0
    for i, (_, end) in enumerate(lines):
        if i + 1 < len(lines) and width and _runs_on(text, lines[i], lines[i + 1], width):
            continue
        yield from _bounded(text, lines[begin][0], end)
        begin = i + 1


def _wrapped_width(text: str, lines: list[Span]) -> int:
    """Return the width at which lines were broken, 0 where each line is a paragraph.

    Looks at the lines that another follows at once: in wrapped text most are nearly as long as the longest, and few
    end with a full stop.
    """
    inner = [(a, b) for (a, b), (c, _) in pairwise(lines) if c == b + 1 and text[a] != "|"]
    if len(inner) < 4:
        return 0
    lengths = sorted(b - a for a, b in inner)
    width = lengths[int(len(lengths) * 0.9)]
    long = sum(length >= 0.75 * width for length in lengths)
    ended = sum(bool(_TERMINAL.search(text, max(a, b - 8), b)) for a, b in inner)
    wrapped = 30 <= width <= 160 and long >= 0.7 * len(inner) and ended <= 0.35 * len(inner)
    return width if wrapped else 0


def _runs_on(text: str, line: Span, after: Span, width: int) -> bool:
    """Whether, in wrapped text, the sentence of `line` may go on in the line `after` it."""
    start, end = line
    if after[0] != end + 1 or not text[start:end].strip() or not text[slice(*after)].strip():
        return False
    following = text[slice(*after)].lstrip()
    if text.startswith(("#", "|"), start) or _OWN_LINE.match(following):
        return False
    return following[0].islower() or end - start >= 0.75 * width


def _bounded(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield `start, end` in pieces that Punkt can handle, cut after a full stop or at a space where there is one."""
    while end - start > _LONGEST_BLOCK:
        limit = start + _LONGEST_BLOCK
        cut = max(text.rfind(". ", start, limit) + 1, start)
        if cut == start:
            cut = max(text.rfind(" ", start, limit), start)
        cut = limit if cut == start else cut
        yield start, cut
        start = cut
    yield start, end


def _spans_of_block(text: str, start: int, end: int, punkt: Any) -> Iterator[Span]:
    block = text[start:end]
    if block.startswith("|") and len(block) <= _LONGEST_ROW:
        yield start, start + len(block.rstrip())
        return
    cuts = {start + b for _, b in punkt.span_tokenize(block)} | {start + m.end() for m in _OTHER_STOP.finditer(block)}
    edges = [start, *sorted(cuts), end]
    current: Span | None = None
    for a, b in pairwise(edges):
        piece = _stripped(text, a, b)
        if piece is None:
            continue
        if current and _belongs_together(text[slice(*current)], text[slice(*piece)]):
            current = current[0], piece[1]
            continue
        if current:
            yield current
        current = piece
    if current:
        yield current


def _belongs_together(before: str, piece: str) -> bool:
    """Whether Punkt was wrong to cut between these two."""
    first = next(filter(str.isalnum, piece), "")
    if not first or (len(before) < 10 and _ONLY_MARKER.fullmatch(before)):
        return True
    if _OTHER_STOP.search(before, max(0, len(before) - 4)):
        return False
    word = _LAST_WORD.search(before[-12:])
    return first.islower() or first.isdigit() or bool(word and word[1].lower() in _ABBREVIATIONS)


def _stripped(text: str, start: int, end: int) -> Span | None:
    body = text[start:end]
    left = len(body) - len(body.lstrip())
    return (start + left, start + len(body.rstrip())) if left < len(body) else None
