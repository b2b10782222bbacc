"""Texts folded so that what a reader takes for the same answer compares equal, and nothing else. Pure.

SQuAD's normalisation (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250: lower case, no punctuation, no English
articles) carried to more languages, as in MLQA (Lewis et al. 2020, https://arxiv.org/abs/1910.07475): Italian articles
too, accents folded, scripts without spaces cut into characters. Unlike both:

- A number keeps its value: 3.5 is not 35, -5 not 5, 10⁶ not 106; 1.500 (Italian) is 1,500 (English), 3.50 is 3.5.
- Numbers that are spelled are figures (number_words.py), dates are day, month, year (dates.py).
- % and the signs of money are words behind their number: "50%" is "50 per cento" and holds 50, but is not 50 euros.
- A sign that is part of a name stays: C++, C#, the blood groups A+ and A-. So does an Italian article in capitals that
  is none, unless the next word is in capitals too: UN, LA, IL-6.

Each fold looks at a word and its neighbours alone, so that a short accepted answer and a long given one fold alike.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from eval.measures.dates import fold_dates
from eval.measures.number_words import MONEY_SIGNS, fold_numbers

_MARKER = re.compile(r"\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")

# Before NFKC, which makes of each of these a digit or a space like any other.
# A plain space separates thousands where 000 follows alone: "120 130 145" may as well be a row of a table.
_THOUSANDS = re.compile(r"(?<![\d.,+])[1-9]\d{0,2}(?:(?:[\u00a0\u2009\u202f]\d{3})+|(?: \d{3})* 000)(?!\d)")
_EXPONENT = re.compile(r"(?<![\d.,])(\d{1,2})(⁻?[⁰¹²³⁴-⁹]+)")  # not 1974², a footnote
_RAISED = re.compile(r"(?<=\d)[⁰¹²³⁴-⁹]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_FRACTION = re.compile(r"(?<=\d)\s?([¼½¾⅕⅖⅗⅘])|[¼-¾⅐-⅞]")
_ORDINAL_SIGN = re.compile(r"(?<=\d)[°ºª]")

_NUMBER = re.compile(r"(?<!\d)\d+(?:[.,'’]\d+)+")
_BARE_FRACTION = re.compile(r"(?<![^\s(\[\"'“‘«*_`|$€£-])\.(?=\d)")
_UNITS = r"[kcmnµμ]?m[23]?|[km]?g|m?l|ha|[kMG]?Wh?|[kMG]?Hz|[kKMGT]B|km/h|kmh|mph|ft|lbs?|oz|min|[ap]m|mila"
_GLUED_UNIT = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?)(?=(?:{_UNITS})\b)")
_ACRONYM = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_ELIDED = re.compile(r"\b[lL] ?['’]")
_LOOSE_POINT = re.compile(r"(?<!\d)\.|\.(?!\d)")
_SIGNED = re.compile(
    r"(?:^|(?<=[ \t(\[\"'“‘«*_`|=:<>]))(?<!\d )[-–]\d+(?:\.\d+)?(?!\w|\.\d)"  # -5, but not 1914-1918 nor 1914 -1918
    r"|(?<!\d)\d+\^-?\d+"
    r"|(?<=\d)\s?%"
    r"|(?<!\w)(?:[A-Za-z]\+\+|[A-Za-z]#(?!\w)|[A-Z]{1,2}[+-](?![\w+-]))"
    rf"|[{''.join(MONEY_SIGNS)}](?:-?\d+(?:\.\d+)?(?!\w|\.\d))?"
)
_ACCENT = re.compile("[\u0300-\u036f]")  # not the vowel signs of Indic scripts, which are letters to their readers
_UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")
_ENGLISH_ARTICLES = frozenset(("a", "an", "the"))
_ARTICLES = _ENGLISH_ARTICLES | frozenset(("il", "lo", "la", "i", "gli", "le", "l", "un", "uno", "una"))
_AFTER_UNO = re.compile(r"s[^\W\d_aeiouàèéìòù]|z|gn|p[sn]|x|y|i[aeou]", re.IGNORECASE)  # uno studente; not "uno solo"


def without_markers(text: str) -> str:
    """Return `text` without citation markers such as [1] or [2, 3]."""
    return _MARKER.sub("", text)


def words(text: str) -> list[str]:
    """Return the normalised words of `text`; where it is nothing but signs, such as "%", the signs."""
    return normalise(text).split() or text.split()


@lru_cache(maxsize=64)  # several measures ask for the words of one answer; few, as whole documents come here too
def normalise(text: str) -> str:
    """Return the words of `text`, folded, single spaces between them; articles stay where there is nothing else."""
    return _folded(fold_numbers(_split(text)))


@lru_cache(maxsize=64)
def as_spelled(text: str) -> str:
    """Return the words of `text` as `normalise` does, but without what number_words.py does to them.

    What a stem such as "trent" or "marz" is looked for in: trenta and marzo are 30 and march in the other form.
    """
    return _folded(_split(text))


def _split(text: str) -> list[str]:
    """Return the words of `text` without punctuation, in their case; numbers and dates in one form."""
    text = fold_dates(unicodedata.normalize("NFKC", _plain_digits(text)).replace("−", "-"))
    text = _NUMBER.sub(_canonical_number, _BARE_FRACTION.sub("0.", text))
    text = _GLUED_UNIT.sub(r"\1 ", text)
    text = _ACRONYM.sub(lambda match: match.group().replace(".", ""), text)
    text = _LOOSE_POINT.sub(" ", _ELIDED.sub(" ", text))
    found: list[str] = []
    place = 0
    for signed in _SIGNED.finditer(text):
        found += _unsigned(text[place : signed.start()])
        found.append(signed.group().strip().replace("–", "-"))
        place = signed.end()
    return found + _unsigned(text[place:])


def _plain_digits(text: str) -> str:
    """Return `text` with thousands together, and raised digits and fractions such as ½ kept apart from numbers."""
    text = _THOUSANDS.sub(lambda number: re.sub(r"\s", "", number[0]), text)
    text = _EXPONENT.sub(lambda power: f"{power[1]}^{power[2].translate(_LOWERED)}", text)
    text = _RAISED.sub(lambda digits: f" {digits[0].translate(_LOWERED)}", text)
    return _ORDINAL_SIGN.sub(" ", _FRACTION.sub(_fraction, text))


def _fraction(match: re.Match[str]) -> str:
    """Return what stands for ½: .5 behind a number, else 1/2, as it is typed. No eighths: 2.125 reads as thousands."""
    return f"{unicodedata.numeric(match[1]):g}"[1:] if match[1] else f" {match[0]} "


def _canonical_number(match: re.Match[str]) -> str:
    """Return the number with a decimal point and no separators of thousands; a date or a version in its parts."""
    first, *rest = re.split(r"[.,'’]", match.group())
    separators = re.findall(r"[.,'’]", match.group())
    decimal = len(rest[-1]) != 3 or separators[-1] != separators[0] or first.startswith("0")
    thousands, fraction = (rest[:-1], rest[-1].rstrip("0")) if decimal else (rest, "")
    if any(len(group) != 3 for group in thousands) or (thousands and len(first) > 3):
        return " ".join([first, *rest])
    return first + "".join(thousands) + (f".{fraction}" if fraction else "")


def _unsigned(text: str) -> list[str]:
    """Return the words of `text`, all punctuation taken for spaces."""
    return _UNSPACED.sub(r" \1 ", "".join(map(_without_punctuation, text))).split()


@lru_cache(maxsize=4096)
def _without_punctuation(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # soft hyphens and joiners: inside a word
        return ""
    return " " if category[0] in "PSZC" and character != "." else character


def _folded(words: Sequence[str]) -> str:
    """Return `words` without articles, cases and accents, single spaces between them."""
    following = [*words[1:], ""]
    kept = [
        word
        for place, word in enumerate(words)
        if word.casefold() not in _ARTICLES or not _is_article(word, place, following[place])
    ]
    decomposed = unicodedata.normalize("NFD", " ".join(kept or words).casefold())
    return unicodedata.normalize("NFC", _ACCENT.sub("", decomposed))


def _is_article(word: str, place: int, following: str) -> bool:
    """Tell whether `word`, which reads like an article, is one.

    A lone capital inside a text is a name: World War I, vitamin A. Capitals before small letters or a number are one
    too: LA Lakers, IL-6. "Uno" is an article only before the sounds that want it.
    """
    folded = word.casefold()
    if word.isupper():
        if len(word) == 1:
            return place == 0
        return folded in _ENGLISH_ARTICLES or (len(following) > 1 and following.isupper())
    return folded != "uno" or bool(_AFTER_UNO.match(following))
