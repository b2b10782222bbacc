"""Files to Documents. User files are opened by a child process with limited memory and time, never by this one."""

import json
import math
import os
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from index import parse
from index.child import killed_after, start_child
from index.errors import UnreadableFile
from index.formats import MOST_CHARACTERS
from index.language import choose_language
from index.types import Document

MAX_FILE_MB = 32.0
PARSE_TIMEOUT_S = 20.0
PARSE_TIMEOUT_S_PER_MB = 10.0  # more for larger files: a PDF of a thousand pages is no attack

_LONGEST_GOLD_LINE = 100_000  # characters
_MOST_REPLY_BYTES = 4 * MOST_CHARACTERS + (16 << 20)  # UTF-8 takes up to four for a character
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
    is_named: bool = False  # by the user, so that it may be a symbolic link

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
            found = _in_folder(path, skipped) if _is_folder(path) else [_named(path)]
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
    on_remark: Callable[[Failure], None] = lambda _: None,
) -> Iterator[tuple[SourceFile, Document | None]]:
    """Yield the documents of `files` with the file each came from; None for a file that has not changed.

    `held` gives, by a file's id, the SHA-256 of the content that is known already. What cannot be read is told to
    `on_failure`, and the others go on; what was left out of a document, such as scanned pages, to `on_remark`.
    """
    with _Reader(timeout_s) as reader:
        for file in files:
            name = printable(str(file.path))
            is_empty = True
            try:
                for entry in reader.read(file, max_file_mb, (held or {}).get(file.id, "")):
                    is_empty = False
                    if "error" in entry:
                        on_failure(Failure(f"{name}, line {entry['line']}", entry["error"]))
                        continue
                    if "remark" in entry:
                        on_remark(Failure(name, entry["remark"]))
                    yield file, _document(file, entry)
            except UnreadableFile as error:
                on_failure(Failure(name, str(error)))
            else:
                if is_empty:
                    yield file, None


def printable(text: str) -> str:
    """Return `text` with everything that a terminal or a reader could stumble over written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _is_folder(path: Path) -> bool:
    """Whether `path` is a folder, as far as can be seen; pathlib raises where it may not look."""
    return os.path.isdir(path)  # noqa: PTH112


def _is_link(path: Path) -> bool:
    """Whether `path` is a symbolic link, as far as can be seen; pathlib raises where it may not look."""
    return os.path.islink(path)  # noqa: PTH114


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
    return SourceFile(path, printable(path.name), is_named=True)


def _in_folder(root: Path, skipped: list[Failure]) -> list[SourceFile]:
    found = []

    def skip_folder(error: OSError) -> None:
        skipped.append(Failure(printable(str(error.filename)), f"cannot be opened: {error.strerror}"))

    for folder, subfolders, names in os.walk(root, onerror=skip_folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        links = [name for name in subfolders if _is_link(Path(folder, name))]
        for name in sorted([name for name in names if not name.startswith(".")] + links):
            path = Path(folder, name)
            try:
                if _is_link(path):
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
        language=(file.is_corpus and entry["language"]) or choose_language(text, declared=entry["language"]),
        published=entry["published"],
        outlet=printable(entry["outlet"]),
        author=printable(entry["author"]),
        pages=tuple(entry.get("pages", ())),
        sha256=entry["sha256"],
    )


def _first_line(text: str) -> str:
    """Return the first line where it is short enough to be a title, "" otherwise and where it is a row or an item."""
    line = text.lstrip()[: 2 * _NO_SHORTER_TITLE].split("\n", 1)[0].strip("#* \t")
    return "" if len(line) > _NO_SHORTER_TITLE or line.startswith(("|", "- ")) else line


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

    def read(self, file: SourceFile, max_file_mb: float, held_sha256: str = "") -> Iterator[dict[str, Any]]:
        """Yield what `parse.parse_file` yields. Raises UnreadableFile, also when the child dies or takes too long."""
        try:
            size_mb = file.path.stat().st_size / 1e6
        except OSError as error:
            raise UnreadableFile(f"cannot be read: {error.strerror}") from error
        if size_mb > max_file_mb:
            raise UnreadableFile(
                f"is {size_mb:.0f} MB, over the limit of {max_file_mb:g} MB: raise it with --max-mb {size_mb + 1:.0f}"
            )
        limit_s = self._timeout_s + int(size_mb) * PARSE_TIMEOUT_S_PER_MB
        request = {
            "path": str(file.path.absolute()),
            "follow": file.is_named,
            "most_bytes": int(max_file_mb * 1e6),
            "held_sha256": held_sha256,
            "seconds": math.ceil(limit_s),
        }
        finished = False
        try:
            reply = self._ask(limit_s, request)
            while reply.get("more"):
                yield from reply["documents"]
                reply = self._ask(limit_s)
            finished = True
        finally:
            if not finished:  # also when the caller wants no more: the next reply would be to this request
                self._stop()
        if "error" in reply:
            raise UnreadableFile(reply["error"])
        yield from reply["documents"]

    def _ask(self, limit_s: float, request: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the next reply, to `request` or to the one before, within `limit_s` seconds."""
        child = self._child = self._child or start_child("index.parse")
        assert child.stdin and child.stdout
        with killed_after(limit_s, child) as expired:
            try:
                if request is not None:
                    parse.write_message(child.stdin, request)
                reply: dict[str, Any] = parse.read_message(child.stdout, most_bytes=_MOST_REPLY_BYTES)
                if not isinstance(reply, dict) or reply.keys().isdisjoint(("documents", "error")):
                    raise ValueError("not a reply")
            except (EOFError, ValueError, OSError) as error:
                slow = f"takes longer than {limit_s:g} seconds to read"
                reason = slow if expired.is_set() else "makes its reader crash, so it was left out"
                raise UnreadableFile(reason) from error
        return reply

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()
