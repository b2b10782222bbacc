"""One file's content to texts with their metadata. Runs in a limited child process (see `index.load`).

The child is a loop: a request in, one or more replies out, each a length of 8 bytes and that much JSON.
"""

import errno
import hashlib
import json
import os
import re
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from typing import IO, Any

from index.decode import clean
from index.errors import UnreadableFile
from index.formats import MOST_CHARACTERS, Parsed
from index.formats.book import read_book
from index.formats.corpus import read_corpus
from index.formats.mail import read_mail, read_web_archive
from index.formats.open_document import read_open_document
from index.formats.pdf import read_pdf
from index.formats.plain import read_markdown, read_text
from index.formats.rtf import read_rtf
from index.formats.sheet import read_sheet
from index.formats.slides import read_slides
from index.formats.table import read_csv
from index.formats.web import read_html
from index.formats.word import read_word

MEMORY_BYTES = 2 << 30
_LENGTH = struct.Struct("<Q")
_BATCH_CHARACTERS = 1_000_000  # of text in one reply; a longer document has a reply of its own
_DATE = re.compile(r"(\d{4})([-/.]?)(\d{2})\2(\d{2})(?!\d)")
_LONGEST = {"title": 300, "source": 2_000, "outlet": 300, "author": 300}  # characters


def parse_file(path: str, *, most_bytes: int, held_sha256: str = "", follow: bool = False) -> Iterator[Parsed]:
    """Yield what is in the file, one entry a document; nothing where its bytes still have the hash `held_sha256`.

    A symbolic link is read only where `follow` says so: one may have taken the file's place since it was found.
    Raises UnreadableFile with a reason that completes a sentence beginning with the file's name.
    """
    data = _read(path, most_bytes, follow)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 == held_sha256:
        return
    if not data.strip():
        raise UnreadableFile("is empty")
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - a path may hold bytes that no text can
    if suffix == ".jsonl":
        yield from map(_checked_line, read_corpus(data))
    else:
        yield _checked(_PARSERS[suffix](data)) | {"sha256": sha256}


def _checked_line(entry: Parsed) -> Parsed:
    try:
        return entry if "error" in entry else _checked(entry)
    except UnreadableFile as error:
        return {"error": str(error), "line": entry["line"]}


def _read(path: str, most_bytes: int, follow: bool) -> bytes:
    """Return the file's bytes; never waits for a pipe, reads no device, and no more than it may."""
    names = ("O_NONBLOCK", "O_BINARY") if follow else ("O_NONBLOCK", "O_BINARY", "O_NOFOLLOW")
    try:
        descriptor = os.open(path, sum((getattr(os, name, 0) for name in names), os.O_RDONLY))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnreadableFile("is a symbolic link") from error
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableFile("is not a regular file")
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise UnreadableFile("grew over the size limit while it was read")
    return data


def _checked(parsed: Parsed) -> Parsed:
    """Return `parsed` with clean single-line metadata; its text must already be clean."""
    text = parsed["text"]
    if not any(c.isalnum() for c in text):
        raise UnreadableFile("holds no text")
    if len(text) > MOST_CHARACTERS:
        raise UnreadableFile(f"holds more than {MOST_CHARACTERS:,} characters of text: split it")
    for name, longest in _LONGEST.items():
        parsed[name] = " ".join(clean(str(parsed.get(name) or "")).split())[:longest]
    language = re.match(r"[a-zA-Z]{2}(?=$|[-_])", str(parsed.get("language") or ""))
    return parsed | {
        "published": _iso_date(str(parsed.pop("date", None) or "")),
        "language": language[0].lower() if language else "",
    }


def _iso_date(told: str) -> str:
    """Return the day that `told` begins with, year first, as YYYY-MM-DD; "" for one that no calendar has."""
    match = _DATE.match(told.strip())
    try:
        day = date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        return ""
    # Fixed bounds: what is read must not depend on this computer's clock.
    return day.isoformat() if day and 1000 <= day.year <= 2100 else ""


_PARSERS: dict[str, Callable[[bytes], Parsed]] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".mhtml": read_web_archive,
    ".mht": read_web_archive,
    ".pdf": read_pdf,
    ".rtf": read_rtf,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".eml": read_mail,
    ".docx": read_word,
    ".pptx": read_slides,
    ".xlsx": read_sheet,
    ".odt": read_open_document,
    ".epub": read_book,
}
SUFFIXES = (*_PARSERS, ".jsonl")


def write_message(stream: IO[bytes], message: object) -> None:
    """Write one message of the protocol between `index.load` and its child."""
    data = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogateescape")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_message(stream: IO[bytes], *, most_bytes: int) -> Any:
    """Return the next message. Raises EOFError at the end, ValueError on one that is too long or not whole."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    if length > most_bytes:
        raise ValueError(f"a message of {length} bytes")
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return json.loads(data.decode("utf-8", "surrogateescape"))


def main() -> None:
    """Answer requests on standard input until it ends."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a parser prints must not end up among the replies
    _limit_process()
    while True:
        try:
            request = read_message(requests, most_bytes=1 << 20)
        except EOFError:
            return
        for reply in _replies(request):
            write_message(replies, reply)


def _replies(request: Any) -> Iterator[dict[str, object]]:
    """Yield the documents in batches, "more" with all but the last, or an "error"."""
    seconds = request.pop("seconds")
    _limit_processor_seconds(seconds)
    batch: list[Parsed] = []
    characters = 0
    try:
        for document in parse_file(**request):
            if batch and characters + len(document.get("text", "")) > _BATCH_CHARACTERS:
                yield {"documents": batch, "more": True}
                _limit_processor_seconds(seconds)
                batch, characters = [], 0
            batch.append(document)
            characters += len(document.get("text", ""))
        yield {"documents": batch}
    except UnreadableFile as error:
        yield {"error": clean(str(error))}
    except OSError as error:
        yield {"error": f"cannot be read: {error.strerror or error}"}
    except MemoryError:
        yield {"error": "needs more memory to be read than a document should"}
    except Exception as error:
        kind = os.path.splitext(request["path"])[1].lstrip(".").upper()  # noqa: PTH122
        yield {"error": f"is damaged, or not a {kind} file ({type(error).__name__}: {clean(str(error))[:200]})"}


def _limit_process() -> None:
    """Let a hostile file cost this process its life and nothing else. Windows has no such limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write


def _limit_processor_seconds(seconds: int) -> None:
    with suppress(ImportError):
        import resource

        spent = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(spent.ru_utime + spent.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
