"""What structured documents look like as text: headings, tables and lists that `index.chunk` recognises; pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import Any

from index.decode import clean
from index.errors import UnreadableFile
from index.formats import MOST_CHARACTERS

_ROWS_LOOKED_AT = 20
_LONGEST_HEADER = 60  # characters
_FIGURE = re.compile(r"[-+(]?[€$£]?\s?\d[\d.,'’\s:/-]*\s?[%€$£)]?")


def heading(text: str, level: int = 1) -> str:
    """Return `text` as a heading of `level` 1 to 6 in Markdown, "" where it is blank."""
    text = _on_one_line(text)
    return f"{'#' * min(max(level, 1), 6)} {text}" if text else ""


def item(text: str) -> str:
    """Return `text` as an item of a list, "" where it is blank."""
    text = _on_one_line(text)
    return f"- {text}" if text else ""


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return a line a row, its cells parted by bars; rows without text are left out.

    A bar also begins each line, by which sentences and headings know that it stands alone.
    """
    return "\n".join(filter(None, map(_row, rows)))


def records(rows: Iterable[Sequence[str]], *, has_header: bool = False) -> Iterator[str]:
    """Yield a line a row as `table` has them, each cell after its column's name: a row says by itself what it means.

    Without `has_header` the names are taken from the first row with two cells, if those beneath it have figures where
    it has words. Where no row names the columns, the cells stand alone.
    """
    remaining = iter(rows)
    first = [[_on_one_line(cell) for cell in row] for row in islice(remaining, _ROWS_LOOKED_AT)]
    at = next((i for i, row in enumerate(first) if sum(map(bool, row)) > 1), len(first))
    if at == len(first) or not _may_name(first[at]) or not (has_header or _has_figures_beneath(first[at], first, at)):
        yield from filter(None, map(_row, chain(first, remaining)))
        return
    yield from filter(None, map(_row, first[: at + 1]))
    for row in chain(first[at + 1 :], remaining):
        yield _row(_named(first[at], row))


def join(blocks: Iterable[str], between: str = "\n\n") -> str:
    """Return the blocks that are not blank, clean, with a blank line (or what is asked for) between them.

    Raises UnreadableFile as soon as they are too long together: a small file may repeat one long text a million times.
    """
    kept, length = [], 0
    for block in blocks:
        if not block.strip():
            continue
        kept.append(clean(block))
        length += len(kept[-1]) + len(between)
        if length > MOST_CHARACTERS:
            raise UnreadableFile(f"unpacks to more than {MOST_CHARACTERS:,} characters of text")
    return between.join(kept)


def ancestors(element: Any, within: Any) -> Iterator[Any]:
    """Yield the ancestors of an XML element, nearest first, up to `within`, which is not among them."""
    return takewhile(lambda ancestor: ancestor is not within, element.iterancestors())


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _row(cells: Sequence[str]) -> str:
    shown = [_on_one_line(cell) for cell in cells]
    while shown and not shown[-1]:
        shown.pop()
    return f"| {' | '.join(shown)} |" if shown else ""


def _named(names: Sequence[str], cells: Sequence[str]) -> list[str]:
    named = []
    for i, cell in enumerate(cells):
        name = names[i] if i < len(names) else ""
        if cell := _on_one_line(cell):
            named.append(f"{name}: {cell}" if name else cell)
    return named


def _may_name(row: Sequence[str]) -> bool:
    names = [cell for cell in row if cell]
    alike = len({name.casefold() for name in names}) < len(names)
    return not alike and all(len(name) <= _LONGEST_HEADER and not _FIGURE.fullmatch(name) for name in names)


def _has_figures_beneath(names: Sequence[str], rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a column that `names` names holds nothing but figures and dates below."""
    for column in (i for i, name in enumerate(names) if name):
        cells = [row[column] for row in rows[at + 1 :] if column < len(row) and row[column]]
        if cells and all(map(_FIGURE.fullmatch, cells)):
            return True
    return False
