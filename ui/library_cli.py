"""What is in the library: `fonte add`, `list`, `remove` and `collections`: parse, call, print."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import FonteError
from ui.console import note, print_table, say
from ui.options import Collection, Data, Embedder, Json, Where, conditions_of, refuse_options, settings_of

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

    from index.catalog import DocumentRow

USER_MISTAKE = 1

_WIDE = 110  # columns of a terminal in which there is room for everything
_NAMED_AT_MOST = 5

collections_cli = typer.Typer(invoke_without_command=True)


def add(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders; .jsonl holds a document a line.")],
    data: Data = None,
    collection: Collection = None,
    embedder: Embedder = None,
    max_mb: Annotated[float | None, typer.Option("--max-mb", help="Largest file that is read.")] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove documents whose files in these folders are gone.")
    ] = False,
) -> None:
    """Add documents to the library. Unchanged files cost nothing, changed ones replace their old selves."""
    from ui.app import open_library
    from ui.progress import counted_progress

    settings = settings_of(data=data, collection=collection, embedder=embedder, max_mb=max_mb)
    with open_library(settings, create=True) as library, counted_progress() as draw:
        report = library.add(
            paths,
            on_progress=lambda p: draw(p.done, p.total, f"{p.unit}: {p.label}"),
            max_file_mb=settings.max_mb,
            prune=prune,
        )
    counts = (
        ("added", report.added),
        ("replaced", report.replaced),
        ("unchanged", report.unchanged),
        ("removed", report.pruned),
    )
    say(", ".join(f"{len(ids)} {label}" for label, ids in counts if ids) or "Nothing added.")
    for skipped in report.skipped:
        note(f"skipped {skipped.path}: {skipped.reason}")
    for remark in report.remarks:
        note(f"{remark.path}: {remark.reason}")
    if report.kept:
        note(f"kept {_named(report.kept)}: whether it is gone from its file could not be seen")
    for failure in report.failed:
        note(f"not added {failure.path}: {failure.reason}")
    if report.failed:
        raise typer.Exit(USER_MISTAKE)


def list_documents(
    data: Data = None, collection: Collection = None, where: Where = None, as_json: Json = False
) -> None:
    """List the documents of the library."""
    from ui.app import list_library

    rows = list_library(settings_of(data=data, collection=collection), conditions_of(where))
    if as_json:
        say(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    elif sys.stdout.isatty():
        say(documents_table(rows, width=shutil.get_terminal_size().columns))
    else:  # for another program: always the same columns
        fields = ("id", "title", "outlet", "published", "language", "chunks")
        print_table(fields, [[str(getattr(row, field)) for field in fields] for row in rows])


def documents_table(rows: "Sequence[DocumentRow]", *, width: int) -> "Table":
    """Return the documents as a table for a terminal of `width` columns.

    Ids are whole, titles and outlets cut off. What no document has gets no column, nor how many passages there are
    where the terminal is narrow.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from ui.format import visible

    wide = width >= _WIDE
    columns = {
        "document": [row.id for row in rows],
        "title": [row.title for row in rows],
        "outlet": [row.outlet for row in rows],
        "published": [row.published for row in rows],
        "lang": [row.language for row in rows],
        "passages": [str(row.chunks) if wide else "" for row in rows],
    }
    shown = {name: [visible(cell) for cell in cells] for name, cells in columns.items() if any(cells)}
    needed = {name: max(map(len, [name, *cells])) for name, cells in shown.items()}
    needed["outlet"] = min(needed.get("outlet", 0), 24 if wide else 14)
    free = width - sum(needed[name] + 3 for name in shown if name not in ("document", "title")) - 7
    needed["document"] = min(needed.get("document", 0), max(free // 2, 20))
    needed["title"] = max(free - needed["document"], 10)
    table = Table(box=SIMPLE_HEAD)
    for name in shown:
        if name == "document":
            table.add_column(name, overflow="fold", min_width=needed[name], max_width=needed[name])
        else:
            justify: JustifyMethod = "right" if name == "passages" else "left"
            table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=needed[name], justify=justify)
    for cells in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, cells))
    return table


def remove(
    documents: Annotated[list[str], typer.Argument(help="Document ids, as `fonte list` shows them.")],
    data: Data = None,
    collection: Collection = None,
    embedder: Embedder = None,
) -> None:
    """Remove documents from the library. Your files stay where they are."""
    from ui.app import open_library

    with open_library(settings_of(data=data, collection=collection, embedder=embedder)) as library:
        removed = library.remove(documents)
    say(f"{len(removed)} removed")


@collections_cli.callback()
def collections(context: typer.Context, data: Data = None, as_json: Json = False) -> None:
    """List the collections: libraries apart from each other in one folder. One is chosen with --collection."""
    from index.access import check_present
    from index.collections import list_collections

    if context.invoked_subcommand:
        refuse_options(context)
        return
    folder = settings_of(data=data).data
    rows = list_collections(folder)
    if not rows:
        check_present(folder)
    if as_json:
        say(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    else:
        print_table(
            ("collection", "documents", "passages", "embedder"),
            [(row.name, *_counts(row.problem, row.documents, row.passages), row.embedder) for row in rows],
        )
    for row in rows:
        if row.problem:
            note(f"{row.name}: {row.problem}")


@collections_cli.command("remove")
def remove_collection(
    name: Annotated[str, typer.Argument(help="A name that `fonte collections` shows.")],
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a collection with all that it holds. Your files stay where they are."""
    from index.collections import check_removable, list_collections
    from index.collections import remove_collection as remove_it

    folder = settings_of(data=data).data
    check_removable(folder, name)
    if not yes:
        (row,) = (row for row in list_collections(folder) if row.name == name)
        _confirm(f"Remove the collection {name} with its {row.documents} documents?")
    remove_it(folder, name)
    say(f"{name} removed")


def _confirm(question: str) -> None:
    """Raise FonteError unless the user says yes."""
    if not sys.stdin.isatty():
        raise FonteError(f"{question} Nobody is there to answer: say so with --yes")
    if not typer.confirm(question, err=True):
        raise FonteError("Nothing was removed.")


def _counts(problem: str, *counts: int) -> list[str]:
    return ["?" if problem else str(count) for count in counts]


def _named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMED_AT_MOST} more" if len(ids) > _NAMED_AT_MOST else ""
    return ", ".join(ids[:_NAMED_AT_MOST]) + more
