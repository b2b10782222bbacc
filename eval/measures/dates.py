"""Dates in English and Italian as day, month, year, in words that still match singly. Pure.

"marzo 2024" is in "March 5th, 2024" and in 2024-03-05. 05/03/2024 stays as it is, for nobody can tell which is the
month. Months stay in their language here: number_words.py, which looks at single words, puts them into English.
"""

import re

_ENGLISH = "january february march april may june july august september october november december"
_ITALIAN = "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
MONTHS = dict(zip(_ITALIAN.split(), _ENGLISH.split(), strict=True))

_NUMBERED = dict(enumerate(_ENGLISH.split(), start=1))
_SHORT = {name[:3]: name for name in (*MONTHS, *MONTHS.values())} | {"sept": "september", "sett": "settembre"}
_MONTH_WORDS = frozenset((*MONTHS, *MONTHS.values(), *_SHORT))
_LETTERS = re.compile(r"[^\W\d_]+")

_month = "|".join((*MONTHS, *MONTHS.values()))
_short = "|".join(sorted(_SHORT, key=len, reverse=True))
_day = r"(?:[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?"
_days = rf"0?({_day}(?:\s?[-–]\s?{_day})?)"
_more = r"[\w%°]|[-–.,:/'’]\d|\s+(?:%|hundred|thousand|mil(?:a\b|lion|ion)|[bt]illion|miliard)"  # a number, but no day
_ISO_DATE = re.compile(r"(?<![\w-])(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?!\d|-\d)")
# "set" is an Italian abbreviation and a word: a short name wants both a day and a year beside it.
_SHORT_MONTH = re.compile(
    rf"\b({_short})\.?(?=\s+{_days},?\s+\d{{4}}\b)|(?<=\d\s)({_short})\.?(?=,?\s+\d{{4}}\b)", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"\b(?P<month>{_month})\s+(?P<days>{_days})(?!{_more})", re.IGNORECASE)
_DAY_MONTH = re.compile(rf"(?<![\w.,])(?P<days>{_days})\s+(?:(?:of|di)\s+)?(?P<month>{_month})\b", re.IGNORECASE)
_MONTH_YEAR = re.compile(rf"\b({_month})\s+(?:of|del)\s+(?=\d{{4}}\b)", re.IGNORECASE)
_NOT_OF_THE_DAY = re.compile(r"^0|(?<=\d)[a-z]+", re.IGNORECASE)  # 05, 5th


def fold_dates(text: str) -> str:
    """Return `text` with its dates as day, month, year."""
    text = _ISO_DATE.sub(lambda date: f" {int(date[3])} {_NUMBERED[int(date[2])]} {date[1]} ", text)
    if _MONTH_WORDS.isdisjoint(_LETTERS.findall(text.lower())):  # most texts: the rest is ten times as slow
        return text
    text = _SHORT_MONTH.sub(lambda month: _SHORT[month[0].rstrip(".").lower()], text)
    return _MONTH_YEAR.sub(r"\1 ", _DAY_MONTH.sub(_day_month, _MONTH_DAY.sub(_day_month, text)))


def _day_month(date: re.Match[str]) -> str:
    return f"{_NOT_OF_THE_DAY.sub('', date['days'])} {date['month']}"
