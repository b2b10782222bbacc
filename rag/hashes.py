"""SHA-256 of large files, remembered while the file stays as it was.

Hashing the default generator takes one to three seconds, too much for every start. A stamp therefore keeps the hash
with the file's size, inode and times of change. Writing to a file moves its ctime, which no program can set back, so a
stamp never covers bytes written after it was made. What it cannot see is a disk that rots in silence: for that,
`fonte models check` reads everything anew.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rag.catalogue import Content

READ_BYTES = 1 << 20
STAMPS = "verified.json"  # in the models folder


def sha256_of(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of the file; `on_bytes` is called with the number of bytes of each part read."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while part := file.read(READ_BYTES):
            digest.update(part)
            if on_bytes:
                on_bytes(len(part))
    return digest.hexdigest()


def holds(path: Path, content: Content) -> bool:
    """Tell whether the file is there with exactly this content."""
    return path.is_file() and path.stat().st_size == content.bytes and sha256_of(path) == content.sha256


def remembered_sha256(path: Path, models_folder: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Return the file's SHA-256, out of the stamps in `models_folder` where the file has not changed since."""
    key, state = str(path.resolve()), _state(path)
    stamp = _read_stamps(models_folder).get(key)
    if isinstance(stamp, dict) and stamp.get("state") == state and isinstance(stamp.get("sha256"), str):
        return str(stamp["sha256"])
    sha256 = sha256_of(path, on_bytes)
    if _state(path) == state:  # else someone is writing to it
        remember_sha256(path, sha256, models_folder)
    return sha256


def remember_sha256(path: Path, sha256: str, models_folder: Path) -> None:
    """Stamp the file as it is now with a hash that was just computed. A folder that cannot be written is left alone."""
    with suppress(OSError):
        stamps = {key: stamp for key, stamp in _read_stamps(models_folder).items() if Path(key).exists()}
        stamps[str(path.resolve())] = {"state": _state(path), "sha256": sha256}
        models_folder.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed: a reader never sees half of it. Of two writers the last wins, and the other's file
        # is merely hashed again.
        handle, aside = tempfile.mkstemp(prefix=".verified-", dir=models_folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(stamps, file, indent=1, sort_keys=True)
        Path(aside).replace(models_folder / STAMPS)


def list_hash(hashes: Mapping[str, str]) -> str:
    """Return one SHA-256 for many files, given theirs by path; independent of where they lie."""
    lines = (f"{sha256}  {path}\n" for path, sha256 in sorted(hashes.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _read_stamps(models_folder: Path) -> Mapping[str, object]:
    try:
        stamps = json.loads((models_folder / STAMPS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}
