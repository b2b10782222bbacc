"""Workbooks: a section a sheet, a line a row, each cell after the name of its column."""

import datetime
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from index.errors import UnreadableFile
from index.formats import Parsed
from index.formats.archive import Archive
from index.formats.layout import heading, join, records
from index.formats.office import open_office, properties

_MOST_ROWS = 1 << 20  # that a sheet can have; a damaged or hostile one claims any number
# The name that programs give to a sheet. Alone, it would be the title of many a workbook.
_NO_NAME = re.compile(r"(sheet|foglio|tabelle|feuil|feuille|hoja|planilha|folha|blad|arkusz|лист)[ _]?\d*", re.I)
_PERCENT = re.compile(r"0(?:\.(0+))?%")


def read_sheet(data: bytes) -> Parsed:
    """Return the text of the sheets in their order. A hidden sheet says so in its heading.

    Cells with a formula have the value that the program which saved the file gave them; nothing is calculated.
    """
    archive = open_office(data, "xlsx")
    return {"text": join(_blocks(archive))} | properties(archive)


def _blocks(archive: Archive) -> Iterator[str]:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    book = load_workbook(archive.repacked(), read_only=True, data_only=True, keep_links=False)
    for number, sheet in enumerate(book.worksheets):
        sheet.reset_dimensions()  # what the sheet claims as its size would be filled with empty cells
        lines = records(_rows(sheet))
        if first := next(lines, ""):
            name = sheet.title if sheet.sheet_state == "visible" else f"{sheet.title} (hidden sheet)"
            yield "" if number == 0 and _NO_NAME.fullmatch(name) else heading(name)
            yield join(chain([first], lines), "\n")


def _rows(sheet: Any) -> Iterator[list[str]]:
    for number, row in enumerate(sheet.iter_rows()):
        if number > _MOST_ROWS:
            raise UnreadableFile(f"is damaged: its sheet {sheet.title} claims more rows than a sheet can have")
        if row:
            yield [_shown(cell) for cell in row]


def _shown(cell: Any) -> str:
    """Return the cell's value as a reader of the sheet would see it, dates in ISO 8601."""
    value = cell.value
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case datetime.datetime():
            return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ", "minutes")
        case int() | float():
            if match := _PERCENT.search(cell.number_format or ""):
                return f"{value * 100:.{len(match[1] or '')}f}%"
            return f"{value:.15g}" if isinstance(value, float) else str(value)
    return str(value)
