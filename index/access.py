"""Who may use a library: its settings must match, one process at a time writes, and what goes wrong is a sentence."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from index.catalog import SCHEMA_VERSION, Catalog, DocumentRow
from index.chunk import CHUNK_TOKENS, CHUNKER
from index.embed import Embedder
from index.errors import FonteError, LibraryBusy, LibraryMismatch, LibraryMissing

_LOCK_TIMEOUT_S = 0.5


def open_catalog(folder: Path, embedder: Embedder, *, create: bool) -> Catalog:
    """Return the catalog in `folder`, whose settings match `embedder`; with `create`, a new one where there is none.

    Raises LibraryMissing, LibraryMismatch, LibraryBusy.
    """
    file = folder / "catalog.sqlite"
    if create and not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if not file.exists():
                Catalog.create(file, settings_for(embedder))
    check_present(folder)
    catalog = Catalog(file)
    try:
        _check_settings(folder, catalog.settings, embedder)
    except BaseException:
        catalog.close()
        raise
    return catalog


def check_present(folder: Path) -> None:
    """Raise LibraryMissing where `folder` holds no library."""
    if not (folder / "catalog.sqlite").exists():
        shown = folder if folder.is_absolute() else f"./{folder}"
        raise LibraryMissing(f"No library at {shown} yet. Make one: fonte add docs/")


def list_documents(folder: Path) -> list[DocumentRow]:
    """Return the documents of the library in `folder`, by id; needs no embedder. Raises LibraryMissing, FonteError."""
    check_present(folder)
    with told_plainly(folder), closing(Catalog(folder / "catalog.sqlite")) as catalog:
        return catalog.rows()


def read_texts(folder: Path) -> dict[str, str]:
    """Return the text of each document in the library by its id; no embedder is needed. Raises LibraryMissing."""
    check_present(folder)
    with told_plainly(folder), closing(Catalog(folder / "catalog.sqlite")) as catalog:
        found = ((row.id, catalog.document(row.id)) for row in catalog.rows())
        return {id: document.text for id, document in found if document}


def settings_for(embedder: Embedder) -> dict[str, str]:
    """Return what decides how documents become vectors. A library's never change."""
    return {
        "embedder": embedder.fingerprint,
        "embedder_name": embedder.name,
        "chunker": f"{CHUNKER}/{CHUNK_TOKENS}",
    }


def check_dimension(folder: Path, settings: Mapping[str, str], embedder: Embedder, dimension: int) -> None:
    """Raise LibraryMismatch where vectors of `dimension` numbers do not fit those that the library has."""
    has = int(settings.get("dimension", dimension))
    if has != dimension:
        raise LibraryMismatch(
            f"The library at {folder} holds vectors of {has} numbers and {embedder.name} makes {dimension}: "
            "add your documents to another folder with --data"
        )


def _check_settings(folder: Path, has: Mapping[str, str], embedder: Embedder) -> None:
    wanted = settings_for(embedder)
    if int(has["schema"]) > SCHEMA_VERSION:
        raise LibraryMismatch(f"The library at {folder} was made by a newer fonte: upgrade this one")
    if int(has["schema"]) < SCHEMA_VERSION:
        raise LibraryMismatch(
            f"The library at {folder} was made by an earlier fonte: bring it up to date with fonte rebuild"
        )
    if has["embedder"] != wanted["embedder"]:
        raise LibraryMismatch(
            f"The library at {folder} was built with the embedder {has['embedder_name']}, not {embedder.name}: "
            f"use it with --embedder {has['embedder_name']}, or add your documents to another folder with --data"
        )
    if has["chunker"] != wanted["chunker"]:
        raise LibraryMismatch(
            f"The library at {folder} was cut into passages in another way ({has['chunker']}): "
            "delete that folder and add your documents again"
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the right to write. Raises LibraryBusy within a second where another has it."""
    lock = FileLock(folder / "write.lock", timeout=_LOCK_TIMEOUT_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise LibraryBusy(f"The library at {folder} is being changed by another process: try again later") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def told_plainly(folder: Path) -> Iterator[None]:
    """Turn what SQLite and the system report into sentences."""
    try:
        yield
    except sqlite3.Error as error:
        raise FonteError(_about_sqlite(folder, error)) from error
    except PermissionError as error:
        raise FonteError(f"No permission for {error.filename or folder}: choose another folder with --data") from error
    except OSError as error:
        raise FonteError(f"The library at {folder} cannot be used: {error.strerror or error}") from error


def _about_sqlite(folder: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text:
        return f"The disk is full: free some space for {folder}, then run the command again; what was added stays"
    if "locked" in text or "busy" in text:
        return f"The library at {folder} is being changed by another process: try again later"
    if "readonly" in text or "unable to open" in text:
        return f"The library at {folder} cannot be written: check the folder's permissions"
    return f"The library at {folder} is damaged ({text}): delete that folder and add your documents again"
