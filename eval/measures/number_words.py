"""Numbers that are spelled, in English and Italian, as figures; months in English; units of money in one form. Pure.

"venti milioni", "20 million" and 20000000 are one, and so are "third", "terzo" and "3rd". An ordinal is not its number,
or an accepted "1" would be found wherever a text says "first". Left as they are: a lone "one", "uno", "sei" (you are)
and "due" before "to", which mostly count nothing; years, as in "in 2008 millions of people"; "secondo" (according to)
and "prima" (before).

The package text2num was tried: it must be told the language, reads "sei" as 6 and "20 million" as two numbers, and
leaves "two" alone or not as its neighbours are.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

from eval.measures.dates import MONTHS

_UNITS = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITA = "uno due tre quattro cinque sei sette otto nove"
_DIECI = "dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove"
_DECINE = "venti trenta quaranta cinquanta sessanta settanta ottanta novanta"
_FIRST_TO_NINTH = "first second third fourth fifth sixth seventh eighth ninth"
_TENTH_TO = "tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
_TERZO_TO = "terzo quarto quinto sesto settimo ottavo nono decimo"


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


def _italian_ordinals() -> dict[str, int]:
    """Return the ordinals from terzo to novantanovesimo, of both genders, and primo."""
    ordinals = _count(_TERZO_TO, 3)
    for word, value in _ITALIAN.items():
        if 10 < value < 100:
            ordinals[(word if word.endswith(("tre", "sei")) else word[:-1]) + "esimo"] = value
    return ordinals | {f"{word[:-1]}a": value for word, value in ordinals.items()} | {"primo": 1}


def _count(words: str, start: int = 1, step: int = 1) -> dict[str, int]:
    return {word: start + step * place for place, word in enumerate(words.split())}


def _ordinal(number: int) -> str:
    """Return the number in figures as English writes it: 1st, 12th, 22nd."""
    return f"{number}{'th' if number // 10 == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


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
_PLAIN = re.compile(r"-?\d{1,12}(?:\.\d{1,9})?")
_LARGEST = 10**12  # nothing greater is multiplied: a model that loops writes "million million million"

_UNIT_ORDINALS = _count(_FIRST_TO_NINTH)
_ORDINALS = _UNIT_ORDINALS | _count(_TENTH_TO, 10) | _italian_ordinals()
_ORDINALS |= {f"{ten[:-1]}ieth": value for ten, value in _ENGLISH_TENS.items()}

MONEY_SIGNS = {"€": "euro", "$": "dollar", "£": "pound", "¥": "yen"}
_CURRENCIES = MONEY_SIGNS | {"eur": "euro", "usd": "dollar", "gbp": "pound", "jpy": "yen"}
_MONEY = {"euros": "euro", "dollars": "dollar", "dollaro": "dollar", "dollari": "dollar"}
_MONEY |= {"pounds": "pound", "sterlina": "pound", "sterline": "pound"}
_RENAMED = MONTHS | _MONEY | {word: _ordinal(value) for word, value in _ORDINALS.items()}
_RENAMED |= {"percento": "percent", "%": "percent"}


def fold_numbers(words: Sequence[str]) -> list[str]:
    """Return `words` with what is spelled in figures, months in English, and the unit of money behind its number.

    Of signs a word may be "%", or one of money, alone or glued to a number, as in "$5", "million".
    """
    units = {at: MONEY_SIGNS[word[0]] for at, word in enumerate(words) if len(word) > 1 and word[0] in MONEY_SIGNS}
    words = [word[1:] if place in units else word for place, word in enumerate(words)]
    lower = [word.casefold().replace("é", "e") for word in words]  # ventitré
    lower += [""] * 4  # so that the last word can be asked for its neighbours
    folded: list[str] = []
    place = 0
    while place < len(words):
        start, after_number = place, bool(folded) and is_number(folded[-1])
        if lower[place] in _CURRENCIES:
            more, place = _amount_at(words, lower, place, after_number)
        elif lower[place] == "per" and lower[place + 1] in (("cent", "cento") if after_number else ("cent",)):
            more, place = ["percent"], place + 2
        else:
            more, place = _word_at(words, lower, place)
        folded += [*more, units[start]] if start in units else more
    return folded


def is_number(word: str) -> bool:
    """Tell whether a folded word is a number in figures, such as 5, -5, 2.5 or 10^6, or begins with one."""
    return word.removeprefix("-")[:1].isdigit()


def _amount_at(words: Sequence[str], lower: Sequence[str], place: int, after_number: bool) -> tuple[list[str], int]:
    """Return what the sign or code of a currency at `place` says, with the number that follows, and the place after."""
    currency = _CURRENCIES[lower[place]]
    if not after_number and is_number(lower[place + 1]):
        number, end = _word_at(words, lower, place + 1)
        return [*number, currency], end
    return ([] if lower[place] in MONEY_SIGNS and not after_number else [currency]), place + 1


def _word_at(words: Sequence[str], lower: Sequence[str], place: int) -> tuple[list[str], int]:
    """Return the number or else the one word at `place`, folded, and the place after it."""
    word, following = lower[place], lower[place + 1]
    if word in _ENGLISH_TENS and following in _UNIT_ORDINALS:
        return [_ordinal(_ENGLISH_TENS[word] + _UNIT_ORDINALS[following])], place + 2
    if word == "primo" and following in MONTHS:
        return ["1"], place + 1
    counts = word in _FIRST or is_number(word) or "mil" in word
    number, end = _number_at(lower, place) if counts else (None, place + 1)
    return [_RENAMED.get(word, words[place]) if number is None else f"{number.normalize():f}"], end


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
