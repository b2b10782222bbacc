"""Files in UTF-8 to records, each with the place that a message can name it by."""

import csv
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic_core import from_json

from index.errors import BadGold

if TYPE_CHECKING:
    from eval.importers.gather import Gathering

Record = tuple[str, object]  # a place such as "line 3", and the JSON value there
Cells = tuple[str, dict[str, str]]  # a place, and the cells of a row by the names of their columns

_DELIMITERS = ",;\t"


def read_text(path: Path) -> str:
    """Return a file's text. Raises BadGold where it cannot be read, is not UTF-8 or is empty."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadGold(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except OSError as error:
        raise BadGold(f"{path} cannot be read: {error.strerror or error}.") from None
    if not text.strip():
        raise BadGold(f"{path} is empty.")
    return text


def is_json(text: str) -> bool:
    """Whether a text sets out to be JSON or JSON lines."""
    return text.lstrip().startswith(("{", "["))


def parse_json(path: Path, text: str) -> object:
    """Return the value of a text that is one JSON value. Raises BadGold."""
    try:
        return from_json(text)
    except ValueError as error:
        raise BadGold(f"{path} is not JSON: {error}.") from None


def first_keys(path: Path, text: str) -> Collection[str]:
    """Return the keys of a JSON file's first object: of the file, of its list's first item or of its first line.

    Raises BadGold where the file does not begin with JSON.
    """
    text = text.strip()
    try:
        value, _ = json.JSONDecoder().raw_decode(text[1:].lstrip() if text.startswith("[") else text)
    except (ValueError, RecursionError):
        value = parse_json(path, text)
    return list(value) if isinstance(value, dict) else []


def json_records(
    path: Path, text: str, into: "Gathering", *, name: str = "", one_a_row: Collection[str] = ()
) -> Iterator[Record]:
    """Yield the items of a JSON list, or the values of JSON lines; lines that are not JSON become faults.

    An object of columns gives its rows: where it has several values under one of `one_a_row`, as pandas and datasets
    write tables. `name` stands before every place, where there are several files.
    """
    if (table := _table_of_columns(text, one_a_row)) is not None:
        yield from _rows_of(table, into)
        return
    if text.lstrip().startswith("["):
        items = parse_json(path, text)
        assert isinstance(items, list)
        yield from ((f"{name} record {number}".strip(), item) for number, item in enumerate(items, start=1))
        return
    # Split at "\n" alone: str.splitlines would cut at the U+2028 that JSON strings may hold.
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{name} line {number}".strip()
        if line.strip():
            try:
                yield place, from_json(line)
            except ValueError as error:
                into.fault(place, f"is not JSON ({str(error).replace(' at line 1 column', ' at column')})")


def _table_of_columns(text: str, one_a_row: Collection[str]) -> dict[str, object] | None:
    """Return the JSON object that a text is, where it holds a table by its columns."""
    try:
        value = from_json(text) if one_a_row and text.lstrip().startswith("{") else None
    except ValueError:  # JSON lines
        return None
    told = [value[name] for name in one_a_row if name in value] if isinstance(value, dict) else []
    # A list of objects is not a column of questions: it is one conversation, in one row.
    by_columns = any(
        isinstance(c, dict) or (isinstance(c, list) and not any(isinstance(i, dict) for i in c)) for c in told
    )
    return value if by_columns else None


def _rows_of(table: Mapping[str, object], into: "Gathering") -> Iterator[Record]:
    cells = {name: list(c.values()) if isinstance(c, dict) else c for name, c in table.items()}
    if wrong := [name for name, column in cells.items() if not isinstance(column, list)]:
        into.fault("", f"{' and '.join(map(repr, wrong))} must be columns like the others: lists, or objects by row")
        return
    columns = cast(dict[str, list[object]], cells)
    if len(set(map(len, columns.values()))) > 1:
        sizes = ", ".join(f"{name!r} {len(column):,}" for name, column in columns.items())
        into.fault("", f"its columns differ in length: {sizes}")
        return
    for number, row in enumerate(zip(*columns.values(), strict=True), start=1):
        yield f"record {number}", dict(zip(columns, row, strict=True))


def columns(path: Path, text: str) -> list[str]:
    """Return the names of a table's columns: the cells of its first line that is not blank. Raises BadGold."""
    try:
        return next(_rows(text))[1]
    except csv.Error as error:
        raise BadGold(f"{path} is not a table: {error}.") from None


def table_records(text: str, into: "Gathering") -> Iterator[Cells]:
    """Yield the rows of a table under its first line; missing cells at a row's end are empty."""
    rows = _rows(text)
    try:
        _, names = next(rows)
        for line, cells in rows:
            if len(cells) > len(names):
                into.fault(f"line {line}", f"has {len(cells)} cells and the first line has {len(names)}")
            elif any(map(str.strip, cells)):
                yield f"line {line}", dict.fromkeys(names, "") | dict(zip(names, cells, strict=False))
    except csv.Error as error:
        into.fault("", f"it is not a table: {error}")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row with the number of its first line.

    The delimiter is the one that the header has most of; csv.Sniffer is led astray by the commas of the texts.
    """
    lines = text.split("\n")
    header = next(line for line in lines if line.strip())
    delimiter = max(_DELIMITERS, key=header.count)
    limit = csv.field_size_limit(sys.maxsize)  # retrieved passages in one cell exceed the usual 128 KiB
    try:
        reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
        start = 1
        for cells in reader:
            if cells:
                yield start, [cell.strip() for cell in cells]
            start = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)
