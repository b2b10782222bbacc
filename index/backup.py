"""A data folder in one file and back: every collection's catalog, with its SHA-256. The vector stores are made again.

FILE is a zip archive: `manifest.json`, and `<collection>/catalog.sqlite` of each collection. Nothing in it decides
where a file is written: names are checked, and sizes and hashes are those of the manifest or nothing is restored.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, BinaryIO

from index.access import libraries_in, told_plainly
from index.catalog import SCHEMA_VERSION
from index.collections import folder_of
from index.errors import BadBackup, FonteError, LibraryMissing
from index.purge import delete_catalog
from index.rebuild import connect, sync_folder

FORMAT = 1

_MANIFEST = "manifest.json"
_MOST_MANIFEST_BYTES = 1 << 20
_BLOCK = 1 << 20
_HARMLESS = {"write.lock"}  # may lie in a folder that is restored into


@dataclass(frozen=True, slots=True)
class Saved:
    """One collection in a backup."""

    name: str
    bytes: int
    sha256: str
    documents: int
    chunks: int
    embedder: str
    schema: int


def backup(data: Path, file: Path, *, force: bool = False) -> list[Saved]:
    """Write every collection of the data folder `data` into `file`, and return what was saved.

    Other processes may read and write meanwhile; each collection is saved as of one moment. `file` is whole or not
    there. Raises LibraryMissing, and FonteError where `file` exists and not `force`, or cannot be written.
    """
    libraries = libraries_in(data)
    if not libraries:
        raise LibraryMissing(f"No library at {data} yet. Make one: fonte add docs/")
    if file.is_dir() or (file.exists() and not force):
        hint = "give the name of a file" if file.is_dir() else "choose another name, or write over it with --force"
        raise FonteError(f"{file} is there already: {hint}")
    part, copy = file.with_name(file.name + ".part"), file.with_name(file.name + ".sqlite.part")
    try:
        part.unlink(missing_ok=True)
        with told_plainly(data), _told_of(file), _created(part) as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                saved = [_save(archive, name, folder, copy) for name, folder in libraries.items()]
                manifest = {"format": FORMAT, "collections": [asdict(one) for one in saved]}
                archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
            stream.flush()
            os.fsync(stream.fileno())
        with _told_of(file):
            part.replace(file)
            sync_folder(file.parent)
    finally:
        part.unlink(missing_ok=True)
        delete_catalog(copy)
    return saved


def restore(file: Path, data: Path) -> list[Saved]:
    """Put the collections of the backup `file` into the data folder `data`, all or none, and return them.

    Hashes and integrity are checked before. Raises BadBackup where `file` is no whole backup or made by a newer fonte,
    and FonteError where `data` holds anything already.
    """
    _check_free(data)
    data = data.absolute()
    stage = data.with_name(data.name + ".restoring")
    shutil.rmtree(stage, ignore_errors=True)
    try:
        with told_plainly(data), _opened(file) as archive:
            saved = _manifest(file, archive)
            _check_room(stage.parent, saved)
            for one in saved:
                _unpack(file, archive, one, folder_of(stage, one.name) / "catalog.sqlite")
        with told_plainly(data):
            _put_in_place(stage, data)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return saved


@contextmanager
def _told_of(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FonteError(f"The backup {file} cannot be written: {error.strerror or error}") from error


def _save(archive: zipfile.ZipFile, name: str, folder: Path, copy: Path) -> Saved:
    delete_catalog(copy)
    copy.touch(mode=0o600)
    with closing(connect(folder / "catalog.sqlite")) as live, closing(connect(copy)) as target:
        live.backup(target)  # in one step, so of one moment
        target.execute("PRAGMA journal_mode = DELETE")
        settings = dict(target.execute("SELECT name, value FROM settings"))
        documents, chunks = (
            int(target.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in ("documents", "chunks")
        )
    with copy.open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as target_file:
        digest, size = _copied(source, target_file)
    copy.unlink()
    return Saved(name, size, digest, documents, chunks, settings.get("embedder_name", ""), int(settings["schema"]))


def _check_free(data: Path) -> None:
    if libraries_in(data):
        raise FonteError(f"There is a library at {data} already: restore into another folder with --data")
    if data.exists() and (not data.is_dir() or {path.name for path in data.iterdir()} - _HARMLESS):
        raise FonteError(f"{data} is not empty: restore into another folder with --data")


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except FileNotFoundError as error:
        if error.filename in (str(file), file):
            raise BadBackup(f"{file} does not exist: give the file that fonte backup wrote") from error
        raise
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BadBackup(f"{file} is not a whole backup ({error}): take another one") from error


def _manifest(file: Path, archive: zipfile.ZipFile) -> list[Saved]:
    """Return what the backup says it holds. Raises BadBackup where that cannot be trusted."""
    try:
        with archive.open(_MANIFEST) as stream:
            told = json.loads(stream.read(_MOST_MANIFEST_BYTES))
        if told["format"] > FORMAT:
            raise BadBackup(f"{file} was made by a newer fonte: upgrade this one")
        saved = [_saved(entry) for entry in told["collections"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadBackup(f"{file} is not a backup of fonte, or its list of contents is damaged") from error
    names = [one.name for one in saved]
    if not saved or len(set(names)) < len(names):
        raise BadBackup(f"{file} is not a backup of fonte: it holds no collections, or one of them twice")
    for name in names:
        folder_of(file, name)  # raises FonteError where it could lead elsewhere
    if any(one.schema > SCHEMA_VERSION for one in saved):
        raise BadBackup(f"{file} was made by a newer fonte: upgrade this one")
    return saved


def _saved(entry: Mapping[str, object]) -> Saved:
    kinds = {field.name: field.type for field in fields(Saved)}
    values = {name: entry[name] for name in kinds}
    if any(type(value) is not kinds[name] for name, value in values.items()):
        raise TypeError(f"a collection of another shape: {entry}")
    return Saved(**values)  # type: ignore[arg-type]


def _check_room(folder: Path, saved: list[Saved]) -> None:
    while not folder.exists():
        folder = folder.parent
    needed, free = sum(one.bytes for one in saved), shutil.disk_usage(folder).free
    if needed > free:
        raise FonteError(f"The disk is full: the backup needs {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free")


def _unpack(file: Path, archive: zipfile.ZipFile, saved: Saved, target: Path) -> None:
    """Write one catalog to `target`. Raises BadBackup where a byte of it is not as it was saved."""
    target.parent.mkdir(parents=True, mode=0o700)
    try:
        source = archive.open(_entry(saved.name))
    except KeyError as error:
        raise BadBackup(f"{file} lacks the collection {saved.name}: take another backup") from error
    with source, _created(target) as stream:
        digest, _ = _copied(source, stream, most=saved.bytes)
        stream.flush()
        os.fsync(stream.fileno())
    if digest != saved.sha256:
        raise BadBackup(f"The collection {saved.name} in {file} is damaged, so nothing was restored: take another one")
    problem = _problem_of(target)
    if problem:
        raise BadBackup(f"The collection {saved.name} in {file} cannot be used ({problem}): take another backup")
    sync_folder(target.parent)


def _problem_of(catalog: Path) -> str:
    """Return what is wrong with a catalog that came from elsewhere, "" for nothing."""
    try:
        with closing(connect(catalog)) as database:
            for kind, name in database.execute("SELECT type, name FROM sqlite_master"):
                if kind not in ("table", "index"):  # such run SQL of their own
                    return f"it has a {kind}, {name}"
            (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            database.execute("SELECT value FROM settings WHERE name = 'generation'").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if verdict == "ok" else str(verdict)


def _put_in_place(stage: Path, data: Path) -> None:
    """Give the staged folder its name in one step. `data` is absent or holds nothing but a lock."""
    if data.exists():
        for name in _HARMLESS:
            (data / name).unlink(missing_ok=True)
        if data.is_mount():
            raise FonteError(f"{data} is the root of a disk: restore into a folder on it with --data")
    stage.rename(data)  # over an empty folder or none; fails where another process was faster
    sync_folder(data.parent)


def _copied(source: IO[bytes], target: IO[bytes], *, most: int | None = None) -> tuple[str, int]:
    """Copy `source` to `target`; return the SHA-256 and the length. Raises ValueError beyond `most` bytes."""
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        size += len(block)
        if most is not None and size > most:
            raise ValueError("it holds more than it says")
        digest.update(block)
        target.write(block)
    return digest.hexdigest(), size


def _entry(name: str) -> str:
    return f"{name}/catalog.sqlite"


def _created(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
