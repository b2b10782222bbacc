"""Collections: several libraries in one data folder, each a folder of its own; nothing of one is found in another.

DATA/                     the collection "default"
DATA/collections/NAME/    every other one
"""

import re
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from index.access import DEFAULT, check_present, libraries_in, library_folder, locked, told_plainly
from index.catalog import Catalog
from index.errors import FonteError, LibraryMissing

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection: how much is in it, and what its vectors come from. `problem` says why that cannot be told."""

    name: str
    documents: int = 0
    passages: int = 0
    embedder: str = ""
    problem: str = ""


def folder_of(data: Path, name: str) -> Path:
    """Return the folder of the collection, which need not exist. Raises FonteError where `name` cannot be one."""
    if not _NAME.fullmatch(name):
        raise FonteError(
            f"{name!r} cannot name a collection: use lowercase letters, digits, - and _, at most 60 of them, "
            "a letter or digit first"
        )
    return library_folder(data, name)


def check_collection(data: Path, name: str) -> None:
    """Raise LibraryMissing, with the names there are, where `data` has no such collection."""
    there = libraries_in(data)
    if name in there:
        return
    if name == DEFAULT and not there:
        check_present(data)
    make = "fonte add docs/" if name == DEFAULT else f"fonte add docs/ --collection {name}"
    others = f"; there are: {', '.join(there)}" if there else " yet"
    raise LibraryMissing(f"No collection {name!r} in {data}{others}. Make it: {make}")


def list_collections(data: Path) -> list[CollectionRow]:
    """Return every collection in the folder `data`, the default one first; needs no embedder."""
    return [_row(name, folder) for name, folder in libraries_in(data).items()]


def check_removable(data: Path, name: str) -> None:
    """Raise FonteError where `name` is the default collection or can be none, LibraryMissing where there is none."""
    if name == DEFAULT:
        raise FonteError(
            f"The default collection is {data} itself: take documents out with fonte remove, or delete that folder "
            "with every collection in it"
        )
    folder_of(data, name)
    check_collection(data, name)


def remove_collection(data: Path, name: str) -> None:
    """Delete a collection with all that it holds; the files that were added to it stay.

    Raises as `check_removable` does, and LibraryBusy while another process writes to it.
    """
    check_removable(data, name)
    folder = folder_of(data, name)
    away = data / f".removed-{name}"  # no collection any more, also where deleting is cut off
    with told_plainly(folder), locked(folder):
        for left in data.glob(".removed-*"):
            shutil.rmtree(left)
        folder.rename(away)
        shutil.rmtree(away)


def _row(name: str, folder: Path) -> CollectionRow:
    try:
        with told_plainly(folder), closing(Catalog(folder / "catalog.sqlite")) as catalog:
            embedder = catalog.settings.get("embedder_name", "")
            return CollectionRow(name, catalog.document_count(), catalog.chunk_count(), embedder)
    except FonteError as error:
        return CollectionRow(name, problem=str(error))
