"""What commands print: results on standard output, remarks on standard error."""

import sys
from collections.abc import Sequence
from typing import Any


def say(text: Any) -> None:
    """Print a result on standard output; JSON and paths are strings, which are never wrapped."""
    if isinstance(text, str):
        print(text)
        return
    from rich.console import Console

    Console(soft_wrap=not sys.stdout.isatty(), highlight=False).print(text, markup=False)


def note(text: str) -> None:
    """Print a remark on standard error."""
    from ui.format import visible

    print(visible(text), file=sys.stderr)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows for people, or tab-separated when they go to another program."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from ui.format import visible

    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(visible(cell) for cell in row))
        return
    table = Table(*head, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    say(table)
