"""A seal on a folder: what its files were when they were known to be good.

The vector store cannot be trusted as it lies on the disk: Chroma reads a damaged index without complaint, or crashes.
So a store that has been checked gets a seal (seal.json), and a store is only used while its seal holds.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

SEAL_FORMAT = 1

_SEAL = "seal.json"
_PIECE_BYTES = 1 << 20


class SealBroken(Exception):
    """The folder is not what was sealed. The message completes "the vector store is"."""


class Stopped(Exception):
    """Nobody needs it any more."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What was sealed: how many vectors of which generation of the catalog; of each file its size and SHA-256.

    `lost` tells how many of a sample of the vectors were not found by themselves.
    """

    generation: int
    count: int
    lost: int
    chromadb: str
    format: int
    files: dict[str, tuple[int, str]]


def write_seal(folder: Path, *, generation: int, count: int, lost: int = 0) -> None:
    """Seal `folder` as it lies there. Nothing may have it open for writing."""
    files = {path.relative_to(folder).as_posix(): _measure(path) for path in _files(folder)}
    told = asdict(Seal(generation, count, lost, version("chromadb"), SEAL_FORMAT, files))
    part = folder / "seal.part"
    part.write_text(json.dumps(told | {"sha256": _hash(told)}), encoding="ascii")
    part.replace(folder / _SEAL)


def read_seal(folder: Path) -> Seal:
    """Return the seal of `folder`, which says nothing of the files yet. Raises SealBroken where none can be used."""
    try:
        told = json.loads((folder / _SEAL).read_bytes())
        sha256 = told.pop("sha256")
        seal = Seal(**told)
    except FileNotFoundError as error:
        raise SealBroken("missing or unfinished" if folder.exists() else "missing") from error
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise SealBroken("damaged (its seal)") from error
    if sha256 != _hash(told):
        raise SealBroken("damaged (its seal)")
    if (seal.chromadb, seal.format) != (version("chromadb"), SEAL_FORMAT):
        raise SealBroken("made by another version of Chroma or fonte")
    return seal


def check_seal(folder: Path, *, stopped: Callable[[], bool] = lambda: False) -> Seal:
    """Return the seal of `folder` after comparing every file with it. Raises SealBroken, Stopped.

    Reads the files as bytes only, which no damage makes dangerous.
    """
    seal = read_seal(folder)
    found = {path.relative_to(folder).as_posix() for path in _files(folder)} - {_SEAL}
    if found != set(seal.files):
        raise SealBroken("damaged (files are missing or added)")
    for name in seal.files:
        _compare(seal, name, _pieces(folder / name, stopped))
    return seal


def copy_sealed(folder: Path, target: Path, *, stopped: Callable[[], bool] = lambda: False) -> Seal:
    """Copy the sealed files of `folder` to the new folder `target`, comparing them with the seal on the way.

    Returns the seal, which is not copied. Raises SealBroken, Stopped, and OSError where `target` cannot be
    written; what is in it is then of no use.
    """
    seal = read_seal(folder)
    target.mkdir()
    for name in seal.files:
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("wb") as file:
            _compare(seal, name, _written(file.write, _pieces(folder / name, stopped)))
    return seal


def _compare(seal: Seal, name: str, pieces: Iterator[bytes]) -> None:
    if _measure_pieces(pieces) != tuple(seal.files[name]):
        raise SealBroken(f"damaged ({name})")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def _measure(path: Path) -> tuple[int, str]:
    return _measure_pieces(_pieces(path, lambda: False))


def _measure_pieces(pieces: Iterator[bytes]) -> tuple[int, str]:
    size, sha256 = 0, hashlib.sha256()
    for piece in pieces:
        size += len(piece)
        sha256.update(piece)
    return size, sha256.hexdigest()


def _pieces(path: Path, stopped: Callable[[], bool]) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                if stopped():
                    raise Stopped
                yield piece
    except OSError as error:
        raise SealBroken(f"damaged ({path.name} cannot be read)") from error


def _written(write: Callable[[bytes], object], pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        write(piece)
        yield piece


def _hash(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
