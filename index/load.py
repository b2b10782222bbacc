"""Files to Documents. User files are opened by a child process with limited memory and time, never by this one."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from index import parse
from index.errors import UnreadableFile
from index.language import detect_language
from index.types import Document

MAX_FILE_MB = 32.0
PARSE_TIMEOUT_S = 60.0

_LONGEST_GOLD_LINE = 100_000  # characters
_MOST_REPLY_BYTES = 1 << 30
_NO_SHORTER_TITLE = 120  # characters of a first line that may serve as a title


@dataclass(frozen=True, slots=True)
class Failure:
    """A file (or "file, line 3") that did not become a document, and why: a sentence that begins with the path."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. `id` is its path relative to the folder that was named, its name when named alone."""

    path: Path
    id: str

    @property
    def is_corpus(self) -> bool:
        """Whether each of its lines is a document."""
        return self.path.suffix.lower() == ".jsonl"


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under the paths that the user named."""

    files: tuple[SourceFile, ...]
    failed: tuple[Failure, ...]  # named by the user and cannot be read
    skipped: tuple[Failure, ...]  # met in a folder and not meant for reading


def find_files(paths: Sequence[Path]) -> Found:
    """Return the readable files among `paths` and in their folders, in the order of their names, none twice.

    Hidden files are passed over; in a folder no symbolic link is followed.
    """
    files: dict[Path, SourceFile] = {}
    failed: list[Failure] = []
    skipped: list[Failure] = []
    for path in paths:
        try:
            found = _in_folder(path, skipped) if path.is_dir() else [_named(path)]
            for file in found:
                files.setdefault(file.path.resolve(), file)
        except UnreadableFile as error:
            failed.append(Failure(printable(str(path)), str(error)))
    return Found(tuple(files.values()), tuple(failed), tuple(skipped))


def load_documents(
    files: Iterable[SourceFile],
    *,
    on_failure: Callable[[Failure], None],
    max_file_mb: float = MAX_FILE_MB,
    timeout_s: float = PARSE_TIMEOUT_S,
    held: Mapping[str, str] | None = None,
) -> Iterator[tuple[SourceFile, Document | None]]:
    """Yield the documents of `files` with the file each came from; None for a file that has not changed.

    `held` gives, by a file's id, the SHA-256 of the content that is known already. What cannot be read is told to
    `on_failure`, and the others go on.
    """
    with _Reader(timeout_s) as reader:
        for file in files:
            try:
                entries = reader.read(file.path, max_file_mb, (held or {}).get(file.id, ""))
            except UnreadableFile as error:
                on_failure(Failure(printable(str(file.path)), str(error)))
                continue
            if not entries:
                yield file, None
            for entry in entries:
                if "error" in entry:
                    on_failure(Failure(f"{printable(str(file.path))}, line {entry['line']}", entry["error"]))
                else:
                    yield file, _document(file, entry)


def printable(text: str) -> str:
    """Return `text` with everything that a terminal or a reader could stumble over written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _named(path: Path) -> SourceFile:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise UnreadableFile("does not exist") from error
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode):
        raise UnreadableFile("is not a regular file")
    if path.suffix.lower() not in parse.SUFFIXES:
        raise UnreadableFile(f"is of no kind that fonte reads ({' '.join(parse.SUFFIXES)})")
    return SourceFile(path, printable(path.name))


def _in_folder(root: Path, skipped: list[Failure]) -> list[SourceFile]:
    found = []

    def skip_folder(error: OSError) -> None:
        skipped.append(Failure(printable(str(error.filename)), f"cannot be opened: {error.strerror}"))

    for folder, subfolders, names in os.walk(root, onerror=skip_folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        for name in sorted([name for name in names if not name.startswith(".")] + links):
            path = Path(folder, name)
            try:
                if path.is_symlink():
                    raise UnreadableFile("is a symbolic link")
                _named(path)
                if path.suffix.lower() == ".jsonl" and _holds_questions(path):
                    raise UnreadableFile("holds questions, not documents")
            except UnreadableFile as error:
                skipped.append(Failure(printable(str(path)), str(error)))
            else:
                found.append(SourceFile(path, printable(path.relative_to(root).as_posix())))
    if not found:
        raise UnreadableFile(f"holds no file of a kind that fonte reads ({' '.join(parse.SUFFIXES)})")
    return found


def _holds_questions(path: Path) -> bool:
    """Whether a .jsonl file is a gold file, as may lie beside the documents it asks about."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            first = json.loads(lines.readline(_LONGEST_GOLD_LINE))
    except (OSError, ValueError, RecursionError):  # to be told when it is read
        return False
    return isinstance(first, dict) and "question" in first and "text" not in first


def _document(file: SourceFile, entry: Mapping[str, Any]) -> Document:
    text = entry["text"]
    title = entry["title"] or ("" if file.is_corpus else _first_line(text) or file.path.stem)
    return Document(
        id=printable(entry.get("id") or file.id),
        text=text,
        title=printable(title),
        source=printable(entry["source"] or str(file.path)),
        language=entry["language"] or detect_language(text),
        published=entry["published"],
        outlet=printable(entry["outlet"]),
        author=printable(entry["author"]),
        pages=tuple(entry.get("pages", ())),
        sha256=entry["sha256"],
    )


def _first_line(text: str) -> str:
    """Return the first line where it is short enough to be a title, "" otherwise."""
    line = text.lstrip()[: _NO_SHORTER_TITLE + 1].split("\n", 1)[0].strip("#* \t")
    return line if len(line) <= _NO_SHORTER_TITLE else ""


class _Reader:
    """A child process that reads one file after another; replaced by a new one when a file kills it."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def read(self, path: Path, max_file_mb: float, held_sha256: str) -> list[dict[str, Any]]:
        """Return what `parse.parse_file` returns. Raises UnreadableFile, also when the child dies or takes too long."""
        try:
            size_mb = path.stat().st_size / 1e6
        except OSError as error:
            raise UnreadableFile(f"cannot be read: {error.strerror}") from error
        if size_mb > max_file_mb:
            raise UnreadableFile(
                f"is {size_mb:.0f} MB, over the limit of {max_file_mb:g} MB: raise it with --max-mb {size_mb + 1:.0f}"
            )
        request = {
            "path": str(path.absolute()),
            "most_bytes": int(max_file_mb * 1e6),
            "held_sha256": held_sha256,
            "seconds": int(self._timeout_s),
        }
        reply = self._ask(request)
        if "error" in reply:
            raise UnreadableFile(reply["error"])
        documents: list[dict[str, Any]] = reply["documents"]
        return documents

    def _ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        child = self._child = self._child or _start()
        assert child.stdin and child.stdout
        expired = threading.Event()

        def give_up() -> None:
            expired.set()
            child.kill()

        timer = threading.Timer(self._timeout_s, give_up)
        timer.start()
        try:
            parse.write_message(child.stdin, request)
            reply: dict[str, Any] = parse.read_message(child.stdout, most_bytes=_MOST_REPLY_BYTES)
        except (EOFError, ValueError, OSError) as error:
            self._stop()
            slow = f"takes longer than {self._timeout_s:g} seconds to read"
            raise UnreadableFile(slow if expired.is_set() else "makes its reader crash, so it was left out") from error
        except BaseException:  # Ctrl-C: the next reply would be to this request
            self._stop()
            raise
        finally:
            timer.cancel()
        return reply

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


def _start() -> "subprocess.Popen[bytes]":
    """Start the child. -P keeps the folder that the user is in off its import path."""
    packages = str(Path(__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "index.parse"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": packages},
        start_new_session=True,  # Ctrl-C is for the parent to handle
    )
