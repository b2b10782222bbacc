"""Document, Chunk and Passage: what the index is made of and what a search returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Document:
    """A source as the user knows it. `text` never changes after loading; all offsets point into it."""

    id: str
    text: str = field(repr=False)
    title: str = ""
    source: str = ""
    language: str = ""  # ISO 639-1, "" where unknown
    published: str = ""  # ISO 8601 date, "" where unknown
    outlet: str = ""
    author: str = ""
    pages: tuple[int, ...] = ()  # offset at which each page starts; empty where the format has no pages
    sha256: str = ""  # of the file's bytes (of the line's, for a corpus file)

    def page_at(self, offset: int) -> int | None:
        """Return the 1-based page that holds `offset`, or None where the document has no pages."""
        before = sum(1 for start in self.pages if start <= offset)
        return max(before, 1) if self.pages else None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored slice of a document: `text == document.text[start:end]`, always."""

    id: str
    document_id: str
    text: str = field(repr=False)
    start: int
    end: int
    page: int | None = None
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk found for a query. `score` is higher for better; `rank` starts at 1."""

    chunk: Chunk
    document: Document
    score: float
    rank: int
    scores: Mapping[str, float] = field(default_factory=dict)  # by retriever: "dense" (cosine), "lexical" (BM25)
