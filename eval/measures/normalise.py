"""Texts folded so that what a reader takes for the same answer compares equal. Pure.

SQuAD's normalisation (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250: lower case, no punctuation, no English
articles) carried to more languages, as in MLQA (Lewis et al. 2020, https://arxiv.org/abs/1910.07475): Italian articles
too, accents folded, scripts without spaces cut into characters. Unlike both, numbers keep their value: 3.5 is not 35,
and 1.500 (Italian) is 1,500 (English).
"""

import re
import unicodedata

_MARKER = re.compile(r"\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")
_NUMBER = re.compile(r"\d+(?:[.,'’]\d+)+")
_ACRONYM = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_ELIDED = re.compile(r"\b[lL] ?['’]")
_LOOSE_POINT = re.compile(r"(?<!\d)\.|\.(?!\d)")
_ACCENT = re.compile("[\u0300-\u036f]")  # not the vowel signs of Indic scripts, which are letters to their readers
_UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")
_ARTICLES = frozenset(("a", "an", "the", "il", "lo", "la", "i", "gli", "le", "l", "un", "uno", "una"))


def without_markers(text: str) -> str:
    """Return `text` without citation markers such as [1] or [2, 3]."""
    return _MARKER.sub("", text)


def normalise(text: str) -> str:
    """Return the words of `text`, folded, single spaces between them; articles stay where there is nothing else."""
    text = _NUMBER.sub(_canonical_number, unicodedata.normalize("NFKC", text))
    text = _ACRONYM.sub(lambda match: match.group().replace(".", ""), text)
    text = _LOOSE_POINT.sub(" ", _ELIDED.sub(" ", text))
    words = _UNSPACED.sub(r" \1 ", "".join(map(_without_punctuation, text))).split()
    kept = [word for place, word in enumerate(words) if not _is_article(word, place)]
    return _fold(" ".join(kept or words))


def _canonical_number(match: re.Match[str]) -> str:
    """Return the number with a decimal point and no separators of thousands; a date or a version in its parts."""
    first, *rest = re.split(r"[.,'’]", match.group())
    separators = re.findall(r"[.,'’]", match.group())
    decimal = len(rest[-1]) != 3 or separators[-1] != separators[0] or first.startswith("0")
    thousands, fraction = (rest[:-1], rest[-1]) if decimal else (rest, "")
    if any(len(group) != 3 for group in thousands) or (thousands and len(first) > 3):
        return " ".join([first, *rest])
    return first + "".join(thousands) + (f".{fraction}" if fraction else "")


def _without_punctuation(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # soft hyphens and joiners: inside a word
        return ""
    return " " if category[0] in "PSZC" and character != "." else character


def _is_article(word: str, place: int) -> bool:
    """Tell whether `word` is an article. A lone capital inside a text is a name: World War I, vitamin A."""
    return word.casefold() in _ARTICLES and not (len(word) == 1 and word.isupper() and place > 0)


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENT.sub("", decomposed))
