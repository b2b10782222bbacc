"""One file's content to texts with their metadata. Runs in a limited child process (see `index.load`).

The child is a loop: a request in, a reply out, each a length of 8 bytes and that much JSON.
"""

import hashlib
import io
import json
import os
import re
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any

from index.decode import clean, decode
from index.errors import UnreadableFile

Parsed = dict[str, Any]  # the fields of a Document, and "error" with "line" for a corpus line that is none

MEMORY_BYTES = 2 << 30
MOST_CHARACTERS = 200_000_000
_UNZIPPED_BYTES = 500 << 20
_UNZIPPED_ENTRIES = 20_000
_LENGTH = struct.Struct("<Q")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FRONT_MATTER = re.compile(r"\A---[^\S\n]*\n(.*?\n)(?:---|\.\.\.)[^\S\n]*(?:\n|\Z)", re.DOTALL)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{3,30})|encoding=[\"']([\w-]{3,30})", re.I)


def parse_file(path: str, *, most_bytes: int, held_sha256: str = "") -> list[Parsed]:
    """Return what is in the file, one entry a document; [] where its bytes still have the hash `held_sha256`.

    Raises UnreadableFile with a reason that completes a sentence beginning with the file's name.
    """
    data = _read(path, most_bytes)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 == held_sha256:
        return []
    if not data.strip():
        raise UnreadableFile("is empty")
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - a path may hold bytes that no text can
    if suffix == ".jsonl":
        return list(_corpus(data))
    return [_checked(_PARSERS[suffix](data)) | {"sha256": sha256}]


def _read(path: str, most_bytes: int) -> bytes:
    """Return the file's bytes; never waits for a pipe, reads no device, and no more than it may."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
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
        raise UnreadableFile(f"unpacks to more than {MOST_CHARACTERS:,} characters of text")
    for name in ("title", "source", "outlet", "author"):
        parsed[name] = " ".join(clean(str(parsed.get(name) or "")).split())[:300]
    date = _ISO_DATE.match(str(parsed.pop("date", None) or ""))
    language = re.match(r"[a-zA-Z]{2}(?=$|[-_])", str(parsed.get("language") or ""))
    return parsed | {"published": date[0] if date else "", "language": language[0].lower() if language else ""}


def _text(data: bytes) -> Parsed:
    return {"text": clean(decode(data))}


def _markdown(data: bytes) -> Parsed:
    """Return the text after the front matter, and what the front matter tells."""
    text = clean(decode(data))
    match = _FRONT_MATTER.match(text)
    told = _yaml(match[1]) if match else None
    if match is None or told is None:
        return {"text": text}
    names = {"language": "lang", "source": "url", "author": "authors", "outlet": "publisher", "date": "published"}
    fields = {name: told.get(name) or told.get(other) for name, other in names.items()}
    return {"text": text[match.end() :], "title": told.get("title")} | fields


def _yaml(text: str) -> dict[str, str] | None:
    import yaml  # type: ignore[import-untyped]

    try:
        told = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    return {str(k): ", ".join(map(str, v)) if isinstance(v, list) else str(v or "") for k, v in told.items()}


def _html(data: bytes) -> Parsed:
    import trafilatura

    declared = _CHARSET.search(data[:4096])
    html = decode(data, declared=(declared[1] or declared[2]).decode() if declared else "")
    found = trafilatura.bare_extraction(html, with_metadata=True, include_comments=False)
    text = clean((found and found.text) or "") if found is not None else ""
    if not text.strip():
        return {"text": clean(_all_text(html))}
    names = {"title": "title", "author": "author", "date": "date", "source": "url", "outlet": "sitename"}
    return {"text": text} | {name: getattr(found, theirs) for name, theirs in names.items()}


def _all_text(html: str) -> str:
    """Return what a browser would show, for a page in which trafilatura finds no article."""
    import lxml.etree  # type: ignore[import-untyped]
    import lxml.html  # type: ignore[import-untyped]

    try:
        tree = lxml.html.document_fromstring(html.encode(), parser=lxml.html.HTMLParser(encoding="utf-8"))
    except (lxml.etree.LxmlError, ValueError):
        return ""
    lxml.etree.strip_elements(tree, "script", "style", "noscript", "template", "head", with_tail=False)
    return "\n".join(" ".join(piece.split()) for piece in tree.itertext() if piece.strip())


def _pdf(data: bytes) -> Parsed:
    import pypdf

    if b"%PDF-" not in data[:1024]:
        raise UnreadableFile("is not a PDF, whatever its name says")
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableFile("is encrypted: save a copy without the password and add that")
    text, starts = "", []
    pages = []
    length = 0
    for page in reader.pages:
        starts.append(length)
        pages.append(clean(page.extract_text()).strip("\n") + "\n\n")
        length += len(pages[-1])
        if length > MOST_CHARACTERS:
            break
    text = "".join(pages)
    if not text.strip():
        raise UnreadableFile("holds no text: it may be a scan, which needs OCR first")
    return {"text": text, "pages": starts} | _pdf_metadata(reader)


def _pdf_metadata(reader: Any) -> Parsed:
    told = reader.metadata
    if told is None:
        return {}
    with suppress(ValueError, AttributeError, TypeError):  # dates in no known form
        created = told.creation_date
        return {"title": told.title, "author": told.author, "date": created.date().isoformat() if created else ""}
    return {"title": told.title, "author": told.author}


def _docx(data: bytes) -> Parsed:
    import zipfile

    import docx

    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise UnreadableFile("is not a Word document, whatever its name says") from error
    if len(entries) > _UNZIPPED_ENTRIES or sum(entry.file_size for entry in entries) > _UNZIPPED_BYTES:
        raise UnreadableFile("unpacks to far more than a document would")
    if all(entry.filename != "word/document.xml" for entry in entries):
        raise UnreadableFile("is not a Word document, whatever its name says")
    document = docx.Document(io.BytesIO(data))
    text = clean("\n\n".join(_docx_blocks(document)))
    told = document.core_properties
    return {
        "text": text,
        "title": told.title,
        "author": told.author,
        "language": told.language,
        "date": told.created.date().isoformat() if told.created else "",
    }


def _docx_blocks(document: Any) -> Iterator[str]:
    """Yield paragraphs and tables in their order; a table's rows are lines, its cells are parted by bars."""
    from docx.table import Table

    for block in document.iter_inner_content():
        if isinstance(block, Table):
            yield "\n".join(" | ".join(" ".join(cell.text.split()) for cell in row.cells) for row in block.rows)
        elif block.text.strip():
            yield block.text


def _corpus(data: bytes) -> Iterator[Parsed]:
    seen: dict[str, int] = {}
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = _corpus_line(line)
            if entry["id"] in seen:
                raise UnreadableFile(f"repeats the id {entry['id']!r} of line {seen[entry['id']]}")
            seen[entry["id"]] = number
            yield entry
        except UnreadableFile as error:
            yield {"error": str(error), "line": number}


def _corpus_line(line: str) -> Parsed:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile("is not JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("id"), str | int) or not str(told["id"]).strip():
        raise UnreadableFile('is not a document: it needs an "id"')
    if not isinstance(told.get("text"), str):
        raise UnreadableFile('is not a document: it needs a "text"')
    names = ("title", "source", "language", "date", "outlet", "author")
    fields = {name: told[name] for name in names if isinstance(told.get(name), str)}
    sha256 = hashlib.sha256(line.strip().encode("utf-8", "surrogatepass")).hexdigest()
    entry = _checked({"text": clean(told["text"])} | fields)
    return entry | {"id": clean(str(told["id"])).strip(), "sha256": sha256}


_PARSERS: dict[str, Callable[[bytes], Parsed]] = {
    ".txt": _text,
    ".md": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _docx,
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
        write_message(replies, _reply(request))


def _reply(request: Any) -> dict[str, object]:
    _limit_processor_seconds(request.pop("seconds"))
    try:
        return {"documents": parse_file(**request)}
    except UnreadableFile as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"cannot be read: {error.strerror or error}"}
    except MemoryError:
        return {"error": "needs more memory to be read than a document should"}
    except Exception as error:
        kind = os.path.splitext(request["path"])[1].lstrip(".").upper()  # noqa: PTH122
        return {"error": f"is damaged, or not a {kind} file ({type(error).__name__}: {clean(str(error))[:200]})"}


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
