"""Corpus files: each line is a document, written as JSON."""

import hashlib
import json
from collections.abc import Iterator

from index.decode import clean, decode
from index.errors import UnreadableFile
from index.formats import Parsed

_NAMES = ("title", "source", "language", "date", "outlet", "author")


def read_corpus(data: bytes) -> Iterator[Parsed]:
    """Yield a document a line with its "id", "sha256" and "line"; "error" in its place for a line that is none."""
    seen: dict[str, int] = {}
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = _document(line)
            if entry["id"] in seen:
                raise UnreadableFile(f"repeats the id {entry['id']!r} of line {seen[entry['id']]}")
            seen[entry["id"]] = number
            yield entry | {"line": number}
        except UnreadableFile as error:
            yield {"error": str(error), "line": number}


def _document(line: str) -> Parsed:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile("is not JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("id"), str | int) or not str(told["id"]).strip():
        raise UnreadableFile('is not a document: it needs an "id"')
    if not isinstance(told.get("text"), str):
        raise UnreadableFile('is not a document: it needs a "text"')
    return {
        **{name: told[name] for name in _NAMES if isinstance(told.get(name), str)},
        "id": clean(str(told["id"])).strip(),
        "text": clean(told["text"]),
        "sha256": hashlib.sha256(line.strip().encode("utf-8", "surrogatepass")).hexdigest(),
    }
