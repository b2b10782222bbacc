"""Text and Markdown files: as they are; what their first lines tell becomes metadata."""

import re
from datetime import date

from index.decode import clean, decode
from index.formats import Parsed

_FRONT_MATTER = re.compile(r"\A---[^\S\n]*\n(.*?\n)(?:---|\.\.\.)[^\S\n]*(?:\n|\Z)", re.DOTALL)
_NAMES = {
    "title": "title titolo titre titel título subject",
    "date": "date data datum fecha published pubblicato",
    "author": "author authors autore autori auteur autor by",
    "outlet": "outlet publisher testata editore site_name",
    "source": "source url link fonte",
    "language": "language lang lingua",
}
_FIELD_OF = {name: field for field, names in _NAMES.items() for name in names.split()}
_MOST_VALUES = 50
_HEADER = re.compile(r"([A-Za-zÀ-ÿ_]{2,12}):[^\S\n]+(\S[^\n]{0,300})\n")


def read_text(data: bytes) -> Parsed:
    """Return the text with nothing taken away, and what lines such as "Date: 2024-03-25" at its beginning tell."""
    text = clean(decode(data))
    return _headers(text) | {"text": text}


def read_markdown(data: bytes) -> Parsed:
    """Return the text after the front matter, and what the front matter tells."""
    text = clean(decode(data))
    match = _FRONT_MATTER.match(text)
    told = _yaml(match[1]) if match else None
    if match is None or told is None:
        return _headers(text) | {"text": text}
    return _fields(told) | {"text": text[match.end() :]}


def _headers(text: str) -> Parsed:
    """Return what a block of header lines tells; nothing unless each of its lines has a name that is known.

    A first line "Roma: piove" is text, so two lines are asked for, and an empty one after them. They stay in the text.
    """
    told: dict[str, str] = {}
    end = len(text) - len(text.lstrip())
    while (match := _HEADER.match(text, end)) and match[1].lower() in _FIELD_OF:
        told.setdefault(match[1].lower(), match[2].strip())
        end = match.end()
    return _fields(told) if len(told) > 1 and text[end : end + 1] == "\n" else {}


def _fields(told: dict[str, str]) -> Parsed:
    fields: Parsed = {}
    for name, value in told.items():
        field = _FIELD_OF.get(name.lower())
        if field and value:
            fields.setdefault(field, value)
    return fields


def _yaml(text: str) -> dict[str, str] | None:
    import yaml  # type: ignore[import-untyped]

    try:
        told = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    return {str(name): ", ".join(filter(None, map(_scalar, _as_list(value)))) for name, value in told.items()}


def _as_list(value: object) -> list[object]:
    return value[:_MOST_VALUES] if isinstance(value, list) else [value]


def _scalar(value: object) -> str:
    """Return a value as text, "" for one with parts: a few lines of YAML can hold billions of those."""
    return str(value) if isinstance(value, str | int | float | date) else ""
