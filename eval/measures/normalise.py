"""Texts folded so that what a reader takes for the same answer compares equal. Pure.

SQuAD's normalisation (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250: lower case, no punctuation, no English
articles) carried to more languages, as in MLQA (Lewis et al. 2020, https://arxiv.org/abs/1910.07475): Italian articles
too, accents folded, scripts without spaces cut into characters. Unlike both, English and Italian numbers and dates:

- A number keeps its value: 3.5 is not 35, and 1.500 (Italian) is 1,500 (English). Ordinals are numbers: 5th, 5°.
- Number words are digits: "venti milioni", "20 million" and 20,000,000 are one. Not a lone "one", "uno", "sei" (you
  are) or "second", which mostly count nothing, not "due" before "to", and not years: "in 2008 millions of people".
- A date is day, month, year in words that still match singly: "marzo 2024" is in "March 5th, 2024" and in 2024-03-05.
  05/03/2024 stays as it is, for nobody can tell which is the month.

Each fold looks at a word and its neighbours alone, so that a short accepted answer and a long given one fold alike.
The package text2num was tried for number words: it must be told the language, reads "sei" as 6 and "20 million" as
two numbers, and leaves "two" alone or not as its neighbours are.
"""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

_MARKER = re.compile(r"\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")
_NUMBER = re.compile(r"\d+(?:[.,'’]\d+)+")
_ORDINAL_SIGN = re.compile(r"(?<=\d)[°ºª]")
_ORDINAL = re.compile(r"(?<![\w.])(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_ACRONYM = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_ELIDED = re.compile(r"\b[lL] ?['’]")
_LOOSE_POINT = re.compile(r"(?<!\d)\.|\.(?!\d)")
_ACCENT = re.compile("[\u0300-\u036f]")  # not the vowel signs of Indic scripts, which are letters to their readers
_UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")
_ARTICLES = frozenset(("a", "an", "the", "il", "lo", "la", "i", "gli", "le", "l", "un", "uno", "una"))

_ENGLISH_MONTHS = "january february march april may june july august september october november december"
_ITALIAN_MONTHS = "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
_MONTH_NUMBERS = dict(enumerate(_ENGLISH_MONTHS.split(), start=1))
_MONTHS = dict(zip(_ITALIAN_MONTHS.split(), _ENGLISH_MONTHS.split(), strict=True))
_SHORT = {name[:3]: english for italian, english in _MONTHS.items() for name in (italian, english)}
_SHORT |= {"sept": "september", "sett": "september"}
_MONTH_WORDS = frozenset((*_MONTHS, *_MONTHS.values(), *_SHORT))

_month = "|".join((*_MONTHS, *_MONTHS.values()))
_short = "|".join(sorted(_SHORT, key=len, reverse=True))
_day = r"(?:[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?"
_days = rf"0?({_day}(?:\s?[-–]\s?{_day})?)"
_more = r"[\w%°]|[-–.,:/'’]\d|\s+(?:%|hundred|thousand|mil(?:a\b|lion|ion)|[bt]illion|miliard)"  # a number, but no day
_ISO_DATE = re.compile(r"(?<![\w-])(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?!\d|-\d)")
# "set" is an Italian abbreviation and a word: a short name wants both a day and a year beside it.
_SHORT_MONTH = re.compile(
    rf"\b({_short})\.?(?=\s+{_days},?\s+\d{{4}}\b)|(?<=\d\s)({_short})\.?(?=,?\s+\d{{4}}\b)", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"\b({_month})\s+{_days}(?!{_more})", re.IGNORECASE)
_DAY_MONTH = re.compile(rf"(?<![\w.,]){_days}\s+(?:(?:of|di)\s+)?({_month})\b", re.IGNORECASE)
_MONTH_YEAR = re.compile(rf"\b({_month})\s+(?:of|del)\s+(?=\d{{4}}\b)", re.IGNORECASE)


_UNITS = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITA = "uno due tre quattro cinque sei sette otto nove"
_DIECI = "dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove"
_DECINE = "venti trenta quaranta cinquanta sessanta settanta ottanta novanta"


def _italian_numbers() -> dict[str, int]:
    """Return the words from uno to novecentonovantanove; also those that count only inside a longer word."""
    units = _count(_UNITA)
    numbers = units | _count(_DIECI, 10)
    for ten, value in _count(_DECINE, 20, 10).items():
        numbers[ten] = value
        for unit, more in units.items():
            numbers[(ten[:-1] if unit[0] in "uo" else ten) + unit] = value + more  # ventuno, ventotto
    below_hundred = list(numbers.items())
    for unit, hundreds in units.items():
        word = "cento" if hundreds == 1 else f"{unit}cento"
        numbers[word] = 100 * hundreds
        for rest, value in below_hundred:
            numbers[word + rest] = 100 * hundreds + value
            if rest[0] == "o":
                numbers[word[:-1] + rest] = 100 * hundreds + value  # centotto beside centootto
    return numbers


def _count(words: str, start: int = 1, step: int = 1) -> dict[str, int]:
    return {word: start + step * place for place, word in enumerate(words.split())}


_ITALIAN = _italian_numbers()
_ENGLISH_UNITS, _ENGLISH_TENS = _count(_UNITS), _count(_TENS, 20, 10)
_VALUES = _ITALIAN | _ENGLISH_UNITS | _count(_TEENS, 10) | _ENGLISH_TENS | {"zero": 0}
for _unclear in ("one", "uno", "sei"):
    del _VALUES[_unclear]
_SCALES = {"hundred": 100, "thousand": 1000, "mila": 1000, "trillion": 10**12}
_SCALES |= dict.fromkeys(("million", "millions", "milione", "milioni"), 10**6)
_SCALES |= dict.fromkeys(("billion", "billions", "miliardo", "miliardi"), 10**9)
_SINGULAR = frozenset(("hundred", "thousand", "million", "billion", "trillion", "milione", "miliardo"))
_FIRST = frozenset((*_VALUES, *_SINGULAR, "one"))
_THOUSANDS = re.compile(r"(\w*?)(mille|mila)(\w*)")
_GLUED_MILA = re.compile(r"(?<=\d)(?=mila\b)", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_PLAIN = re.compile(r"\d{1,12}(?:\.\d{1,9})?")
_LARGEST = 10**12  # nothing greater is multiplied: a model that loops writes "million million million"


def without_markers(text: str) -> str:
    """Return `text` without citation markers such as [1] or [2, 3]."""
    return _MARKER.sub("", text)


def words(text: str) -> list[str]:
    """Return the normalised words of `text`; where it is nothing but signs, such as "%", the signs."""
    return normalise(text).split() or text.split()


@lru_cache(maxsize=64)  # several measures ask for the words of one answer; few, as whole documents come here too
def normalise(text: str) -> str:
    """Return the words of `text`, folded, single spaces between them; articles stay where there is nothing else."""
    text = _fold_dates(unicodedata.normalize("NFKC", _ORDINAL_SIGN.sub(" ", text)))
    text = _GLUED_MILA.sub(" ", _ORDINAL.sub(r"\1", _NUMBER.sub(_canonical_number, text)))
    text = _ACRONYM.sub(lambda match: match.group().replace(".", ""), text)
    text = _LOOSE_POINT.sub(" ", _ELIDED.sub(" ", text))
    words = _fold_numbers(_UNSPACED.sub(r" \1 ", "".join(map(_without_punctuation, text))).split())
    kept = [word for place, word in enumerate(words) if not _is_article(word, place)]
    return _fold(" ".join(kept or words))


def _fold_dates(text: str) -> str:
    """Return `text` with its dates as day, month, year."""
    text = _ISO_DATE.sub(lambda date: f" {int(date[3])} {_MONTH_NUMBERS[int(date[2])]} {date[1]} ", text)
    if _MONTH_WORDS.isdisjoint(_LETTERS.findall(text.lower())):  # most texts: the rest is ten times as slow
        return text
    text = _SHORT_MONTH.sub(lambda month: _SHORT[month[0].rstrip(".").lower()], text)
    return _MONTH_YEAR.sub(r"\1 ", _DAY_MONTH.sub(r"\1 \2", _MONTH_DAY.sub(r"\2 \1", text)))


def _canonical_number(match: re.Match[str]) -> str:
    """Return the number with a decimal point and no separators of thousands; a date or a version in its parts."""
    first, *rest = re.split(r"[.,'’]", match.group())
    separators = re.findall(r"[.,'’]", match.group())
    decimal = len(rest[-1]) != 3 or separators[-1] != separators[0] or first.startswith("0")
    thousands, fraction = (rest[:-1], rest[-1]) if decimal else (rest, "")
    if any(len(group) != 3 for group in thousands) or (thousands and len(first) > 3):
        return " ".join([first, *rest])
    return first + "".join(thousands) + (f".{fraction}" if fraction else "")


@lru_cache(maxsize=4096)
def _without_punctuation(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # soft hyphens and joiners: inside a word
        return ""
    return " " if category[0] in "PSZC" and character != "." else character


def _fold_numbers(words: Sequence[str]) -> list[str]:
    """Return `words` with number words as digits and months in English."""
    lower = [word.casefold().replace("é", "e") for word in words]  # ventitré
    lower += [""] * 4  # so that the last word can be asked for its neighbours
    folded, place = [], 0
    while place < len(words):
        counts = lower[place] in _FIRST or lower[place][0].isdigit() or "mil" in lower[place]
        number, end = _number_at(lower, place) if counts else (None, place + 1)
        folded.append(_MONTHS.get(lower[place], words[place]) if number is None else f"{number.normalize():f}")
        place = end
    return folded


def _number_at(words: Sequence[str], place: int) -> tuple[Decimal | None, int]:
    """Return the number that is spelled from `place` on, if any, and the place after it."""
    value, end = _counted_at(words, place)
    while value is not None and value < _LARGEST and (scale := _SCALES.get(words[end])):
        value, end = value * scale, end + 1
        if scale == 100:  # two hundred and fifty; but not "between two hundred and five hundred"
            more, after = _counted_at(words, end + (words[end] == "and"))
            if more is not None and more < 100 and words[after] != "hundred":
                value, end = value + more, after
    return value, end if value is not None else place + 1


def _counted_at(words: Sequence[str], place: int) -> tuple[Decimal | None, int]:
    """Return what a number begins with, such as twenty-one or the 2.5 of "2.5 million", and the place after it."""
    word, following = words[place], words[place + 1]
    if following in _SINGULAR and word == "one":
        return Decimal(1), place + 1
    if word in _SINGULAR:  # its article, if any, is dropped: a million, un milione
        return Decimal(_SCALES[word]), place + 1
    if word in _ENGLISH_TENS and following in _ENGLISH_UNITS:
        return Decimal(_ENGLISH_TENS[word] + _ENGLISH_UNITS[following]), place + 2
    if following in _SCALES and _PLAIN.fullmatch(word) and (following in _SINGULAR or not _is_year(word)):
        return Decimal(word), place + 1
    value = _value(word) if (word, following) != ("due", "to") else None
    return (None if value is None else Decimal(value)), place + 1


def _is_year(number: str) -> bool:
    return 1000 < Decimal(number) <= 2100


def _value(word: str) -> int | None:
    """Return the value of a number that is one word: two, cinquanta, duecento, millenovecentosettantaquattro."""
    if word in _VALUES or "mil" not in word:
        return _VALUES.get(word)
    parts = _THOUSANDS.fullmatch(word)
    if not parts or (parts[2] == "mille") != (not parts[1]):
        return None
    head, tail = _ITALIAN.get(parts[1] or "uno"), _ITALIAN.get(parts[3]) if parts[3] else 0
    return None if head is None or tail is None else 1000 * head + tail


def _is_article(word: str, place: int) -> bool:
    """Tell whether `word` is an article. A lone capital inside a text is a name: World War I, vitamin A."""
    return word.casefold() in _ARTICLES and not (len(word) == 1 and word.isupper() and place > 0)


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENT.sub("", decomposed))
