"""Conditions on documents, as the user writes them (`language=it`, `published>=2024-03-01`), and as SQL; pure.

A text is compared without regard to case, and `*` in it stands for anything: `source=*.pdf`. A date may be a year or a
month, and then means all of it. A document without a date fits no comparison of dates; `published=` finds those.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from index.errors import FonteError
from index.load import printable

FIELDS = ("id", "title", "source", "language", "published", "outlet", "author")
OPERATORS = ("=", "!=", ">=", "<=", ">", "<")

_DATE = "published"
_MOST_CHARACTERS = 1_000  # of a value; a pattern for LIKE has a limit, too
_CONDITION = re.compile(r"(\w+)\s*(==|!=|>=|<=|=|>|<)\s*(.*)", re.DOTALL)
_WHOLE_OR_PART = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)
_LANGUAGE = re.compile(r"([a-z]{2,3})([-_][a-z0-9]+)*", re.ASCII | re.IGNORECASE)
_HELP = (
    f"write a field ({', '.join(FIELDS)}), an operator ({' '.join(OPERATORS)}) and a value, "
    'such as --where language=it or --where "published>=2024-03-01"'
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a field of a document. Made by `parse_condition`; as a string it is what the user writes."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"


def parse_condition(text: str) -> Condition:
    """Return the condition that `text` says. Raises FonteError where it says none."""
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise FonteError(f"{text!r} is no condition: {_HELP}")
    # As the fields of documents have it: what cannot be printed is escaped, such as a zero byte, which ends a pattern.
    field, operator, value = match[1].lower(), match[2].replace("==", "="), printable(match[3])
    if field not in FIELDS:
        raise FonteError(f"Documents have no field {match[1]!r} to filter by: {_HELP}")
    if len(value) > _MOST_CHARACTERS:
        raise FonteError(f"The value for {field} is too long: {len(value):,} characters, at most {_MOST_CHARACTERS:,}")
    if field == _DATE:
        _check_date(operator, value)
    elif operator not in ("=", "!="):
        raise FonteError(f"{field} is compared with = or !=, not with {operator}: only {_DATE} has an order")
    if field == "language" and value:
        value = _language_code(value)
    return Condition(field, operator, value)


def sql_of(conditions: Sequence[Condition]) -> tuple[str, list[str]]:
    """Return an SQL expression over the columns of `documents` that says all of `conditions`, and its values.

    It needs the function `folded` on the connection. Values never become part of the SQL; fields and operators do, and
    raise ValueError where they are none of ours.
    """
    parts = [_sql(condition) for condition in conditions]
    return " AND ".join(f"({sql})" for sql, _ in parts) or "1", [value for _, value in parts]


def folded(text: str) -> str:
    """Return `text` as it is compared: without regard to case, also of accented letters, however they are encoded."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def said(conditions: Sequence[Condition]) -> str:
    """Return the conditions as part of a sentence."""
    return " and ".join(map(str, conditions))


def _sql(condition: Condition) -> tuple[str, str]:
    field, operator, value = condition.field, condition.operator, condition.value
    if field not in FIELDS or operator not in OPERATORS:
        raise ValueError(f"no condition: {condition!r}")
    column = f"documents.{field}"
    if field == _DATE and value:
        if not _WHOLE_OR_PART.fullmatch(value):
            raise ValueError(f"no condition: {condition!r}")
        # As much of the date as the value gives: 2024-03-31 begins with 2024-03, and is not after it.
        return f"{column} != '' AND substr({column}, 1, {len(value)}) {operator} ?", value
    if operator not in ("=", "!="):
        raise ValueError(f"no condition: {condition!r}")
    if field == _DATE:
        return f"{column} {operator} ?", value
    if field == "language" and "*" not in value:  # is a code, in small letters; asked of every document in each search
        return f"{column} {operator} ?", value.lower()
    if "*" not in value:
        return f"folded({column}) {operator} ?", folded(value)
    like = "LIKE" if operator == "=" else "NOT LIKE"
    return f"folded({column}) {like} ? ESCAPE '\\'", _pattern(folded(value))


def _pattern(value: str) -> str:
    """Return the pattern for LIKE in which only `*` stands for something else."""
    return re.sub(r"\*+", "%", re.sub(r"[\\%_]", r"\\\g<0>", value))


def _check_date(operator: str, value: str) -> None:
    if not value and operator in ("=", "!="):
        return
    whole = value + "0000-01-01"[len(value) :]
    try:
        if not _WHOLE_OR_PART.fullmatch(value):
            raise ValueError(value)
        date.fromisoformat(whole)
    except ValueError:
        raise FonteError(
            f"{_DATE} is compared with a date, not with {value!r}: write 2024, 2024-03 or 2024-03-15"
        ) from None


def _language_code(value: str) -> str:
    """Return the two or three letters of a language, of `it-IT` as well. Raises FonteError."""
    match = _LANGUAGE.fullmatch(value)
    if match is None:
        raise FonteError(f"{value!r} is no code of a language: write two letters, as in language=it or language=en")
    return match[1].lower()
