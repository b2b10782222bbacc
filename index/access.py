"""Who may use a library: its settings must match, one process at a time writes, and what goes wrong is a sentence."""

import errno
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from index.catalog import SCHEMA_VERSION, Catalog, DocumentRow
from index.embed import Embedder
from index.errors import FonteError, LibraryBusy, LibraryMismatch, LibraryMissing
from index.load import printable
from index.where import Condition, said
from index.windows import CUTTING

DEFAULT = "default"  # the collection that is the data folder itself

_LOCK_TIMEOUT_S = 0.5
_COLLECTIONS = "collections"  # the folder of the others


def open_catalog(folder: Path, embedder: Embedder, *, create: bool) -> Catalog:
    """Return the catalog in `folder`, whose settings match `embedder`; with `create`, a new one where there is none.

    Raises LibraryMissing, LibraryMismatch, LibraryBusy.
    """
    file = folder / "catalog.sqlite"
    if create and not file.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # whoever can read it reads all documents
        with locked(folder):
            if not file.exists():
                Catalog.create(file, settings_for(embedder))
    check_present(folder)
    catalog = Catalog(file)
    try:
        _check_settings(folder, catalog.settings, embedder)
        _purge_when_free(folder, catalog)
    except BaseException:
        catalog.close()
        raise
    return catalog


def library_folder(data: Path, collection: str) -> Path:
    """Return the folder of a collection in the data folder `data`, whether there is one or not."""
    return data if collection == DEFAULT else data / _COLLECTIONS / collection


def libraries_in(data: Path) -> dict[str, Path]:
    """Return the folders of the collections that there are in `data`, by name; the default one first."""
    others = sorted(path.parent for path in (data / _COLLECTIONS).glob("*/catalog.sqlite"))
    found = {DEFAULT: data} if (data / "catalog.sqlite").exists() else {}
    return found | {folder.name: folder for folder in others}


def check_present(folder: Path) -> None:
    """Raise LibraryMissing where `folder` holds no library."""
    if not (folder / "catalog.sqlite").exists():
        shown = folder if folder.is_absolute() else f"./{folder}"
        raise LibraryMissing(f"No library at {shown} yet. Make one: fonte add docs/")


def list_documents(folder: Path, where: Sequence[Condition] = ()) -> list[DocumentRow]:
    """Return the documents of the library in `folder` that fit `where`, by id; needs no embedder.

    Raises LibraryMissing, and FonteError where a library that holds documents has none that fits.
    """
    check_present(folder)
    with told_plainly(folder), closing(Catalog(folder / "catalog.sqlite")) as catalog:
        rows = catalog.rows(where)
        if where and not rows and catalog.document_count():
            raise FonteError(f"No document fits {said(where)}: see what there is with fonte list")
        return rows


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
        "chunker": CUTTING,
    }


def check_dimension(folder: Path, settings: Mapping[str, str], embedder: Embedder, dimension: int) -> None:
    """Raise LibraryMismatch where vectors of `dimension` numbers do not fit those that the library has.

    Also where it was rebuilt with another embedder since it was opened.
    """
    has = int(settings.get("dimension", dimension))
    if has != dimension:
        raise LibraryMismatch(
            f"The library at {folder} holds vectors of {has} numbers and {embedder.name} makes {dimension}: "
            "build it anew with fonte rebuild"
        )
    _check_embedder(folder, settings, embedder)


def check_not_newer(folder: Path, settings: Mapping[str, str]) -> None:
    """Raise LibraryMismatch where a newer fonte made the library."""
    if int(settings["schema"]) > SCHEMA_VERSION:
        raise LibraryMismatch(f"The library at {folder} was made by a newer fonte: upgrade this one")


def _check_settings(folder: Path, has: Mapping[str, str], embedder: Embedder) -> None:
    check_not_newer(folder, has)
    if int(has["schema"]) < SCHEMA_VERSION:
        raise LibraryMismatch(
            f"The library at {folder} was made by an earlier fonte: bring it up to date with fonte rebuild"
        )
    if not settings_for(embedder).keys() <= has.keys():
        raise sqlite3.DatabaseError("its settings are not readable")
    _check_embedder(folder, has, embedder)
    if has["chunker"] != settings_for(embedder)["chunker"]:
        raise LibraryMismatch(
            f"The library at {folder} was cut into passages in another way ({has['chunker']}): "
            "bring it up to date with fonte rebuild"
        )


def _purge_when_free(folder: Path, catalog: Catalog) -> None:
    """Take out what a removal left in the file because it was cut off, or because others were reading."""
    if "unpurged" in catalog.settings:
        with suppress(LibraryBusy, OSError, sqlite3.Error), locked(folder):
            catalog.purge()


def _check_embedder(folder: Path, has: Mapping[str, str], embedder: Embedder) -> None:
    if has["embedder"] == embedder.fingerprint:
        return
    was, now = has["embedder_name"], embedder.name
    if was == now:
        raise LibraryMismatch(
            f"The library at {folder} was built with other weights of the embedder {now}: "
            "build it anew with fonte rebuild"
        )
    raise LibraryMismatch(
        f"The library at {folder} was built with the embedder {was}, not {now}: use --embedder {was}, "
        f"or build it anew with fonte rebuild --embedder {now}"
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
        raise FonteError(about_sqlite(folder, error)) from error
    except UnicodeDecodeError as error:  # SQLite's message quotes damaged bytes
        raise FonteError(about_sqlite(folder, sqlite3.DatabaseError(str(error)))) from error
    except PermissionError as error:
        raise FonteError(f"No permission for {error.filename or folder}: choose another folder with --data") from error
    except OSError as error:
        raise FonteError(_about_system(folder, error)) from error


def about_sqlite(folder: Path, error: sqlite3.Error) -> str:
    """Return the sentence for what SQLite reports of the library in `folder`."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits only say more exactly
    if code == sqlite3.SQLITE_FULL:
        return _disk_full(folder)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"The library at {folder} is being changed by another process: try again later"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return f"The library at {folder} cannot be opened or written: check the folder's permissions"
    if code == sqlite3.SQLITE_IOERR:
        return (
            f"The disk does not read or write the library at {folder} ({error}): "
            "check it and its free space, then run the command again; what was added stays"
        )
    told = printable(" ".join(str(error).split()))[:200]  # it may quote what is damaged
    return f"The library at {folder} is damaged ({told}): see what can be saved with fonte doctor --repair"


def _about_system(folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _disk_full(folder)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "Too many files are open: close other programs, or raise the limit with ulimit -n 4096"
    return f"The library at {folder} cannot be used: {error.strerror or error}"


def _disk_full(folder: Path) -> str:
    return f"The disk is full: free some space for {folder}, then run the command again; what was added stays"
