"""What the importers gather from a file: pairs, documents, records left out and faults."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from eval.data import Gold, Meta, cannot_be_used
from index.decode import clean
from index.errors import BadGold
from index.language import detect_language
from index.load import printable

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A line of corpus.jsonl. `fonte add` finds out the language where it is ""."""

    id: str
    title: str
    text: str
    language: str = ""  # ISO 639-1
    source: str = ""
    date: str | None = None  # ISO 8601


@dataclass(frozen=True, slots=True)
class Imported:
    """The pairs and documents of another format; `skipped` has a sentence for each record that was left out."""

    golds: tuple[Gold, ...]
    documents: tuple[CorpusDocument, ...]
    skipped: tuple[str, ...]


class Gathering:
    """Collects what an importer finds. Faults make the whole file unusable; skipped records do not."""

    def __init__(self, path: Path, language: str = "") -> None:
        self.documents: dict[str, CorpusDocument] = {}
        self._path, self._language = path, language
        self._golds: dict[str, Gold] = {}
        self._skipped: list[str] = []
        self._faults: list[str] = []

    def fault(self, place: str, problem: str) -> None:
        """Note what makes the file unusable."""
        self._faults.append(f"{place}: {problem}" if place else problem)

    def skip(self, place: str, reason: str) -> None:
        """Note a record that is left out."""
        self._skipped.append(f"{place}: {reason}.")

    def check(self, adapter: TypeAdapter[_T], value: object, place: str) -> _T | None:
        """Return `value` in the adapter's shape; None, with its faults noted, where it has another."""
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                where = ".".join(map(str, fault["loc"]))
                self.fault(place, f"{where}: {fault['msg']}" if where else fault["msg"])
            return None

    def document(self, place: str, id: str, text: str, *, title: str = "", source: str = "") -> str:
        """Keep a document and return its id, "" where it has no text and is left out.

        A title alone becomes the text. A text under an id that is taken is left out too, unless it is the same.
        """
        id, text = library_id(id), text if _has_text(text) else title
        if not id or not _has_text(text):
            self.skip(place, f"the document {id!r} has no text" if id else "a document has no id")
            return ""
        known = self.documents.setdefault(id, CorpusDocument(id, title, text, self._language, source))
        if known.text != text:
            self.skip(place, f"the document {id!r} has another text than before; the first is kept")
        return id

    def pair(
        self,
        place: str,
        id: str,
        question: str,
        answers: Iterable[str],
        relevant: Iterable[str],
        *,
        answerable: bool = True,
        language: str = "",
        kind: str = "",
        meta: Mapping[str, object] | None = None,
    ) -> None:
        """Keep a pair, repeated and blank answers left out; empty values of `meta` are left out too."""
        if not question.strip():
            self.skip(place, "the question is empty")
            return
        if id in self._golds:
            self.fault(place, f"the id {id!r} occurs twice")
        self._golds[id] = Gold(
            id,
            question,
            tuple(dict.fromkeys(answer for answer in answers if answer.strip())),
            tuple(dict.fromkeys(relevant)),
            answerable,
            language or self._language or detect_language(question),
            kind,
            cast(Meta, {name: value for name, value in (meta or {}).items() if value}),
        )

    def finish(self) -> Imported:
        """Return what was gathered. Raises BadGold with all faults, or where no question is left."""
        if self._faults:
            raise BadGold(cannot_be_used(self._path, self._faults))
        if not self._golds:
            why = f" {' '.join(self._skipped[:3])}" if self._skipped else ""
            raise BadGold(f"{self._path} holds no question that can be used.{why}")
        return Imported(tuple(self._golds.values()), tuple(self.documents.values()), tuple(self._skipped))


def library_id(id: str) -> str:
    """Return the id under which a library keeps the corpus line with this id."""
    return printable(clean(id).strip())


def is_language(code: str) -> bool:
    """Whether `code` has the form of ISO 639-1."""
    return bool(re.fullmatch("[a-z]{2}", code))


def _has_text(text: str) -> bool:
    """Whether `fonte add` would take the text."""
    return any(map(str.isalnum, text))
