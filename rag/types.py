"""Evidence, Citation, Claim and Answer, and the events that stream while an answer is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from index.types import Passage

Support = Literal["supported", "partly", "unsupported"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier turn of a conversation."""

    speaker: Literal["user", "agent"]
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One or a few sentences shown to the model: `text == passage.document.text[start:end]`."""

    passage: Passage
    start: int
    end: int
    text: str
    score: float = 0.0  # of its sentence nearest to the question; cosine

    def holds(self, document_id: str, start: int, end: int) -> bool:
        """Whether `document_id`'s text from `start` to `end` is part of it."""
        return self.passage.document.id == document_id and self.start <= start and end <= self.end


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker resolved to a quote: `quote == document.text[start:end]`."""

    marker: int
    document_id: str
    start: int
    end: int
    quote: str
    support: float  # 0..1, how far the quote supports the sentences that cite it


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer, without its markers, and the markers of the citations it rests on."""

    text: str
    markers: tuple[int, ...]
    support: Support


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, and what it rests on. Every citation's document occurs in `passages`."""

    question: str
    text: str  # with markers such as [1], which number `citations`
    language: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    abstained: bool
    reason: str  # why it abstained; "" when it answered
    passages: tuple[Passage, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    receipt: Mapping[str, object] = field(default_factory=dict)

    def passage_of(self, citation: Citation) -> Passage:
        """Return the passage whose document `citation` quotes, the one around the quote where there is one."""
        same = [p for p in self.passages if p.document.id == citation.document_id]
        around = (p for p in same if p.chunk.start <= citation.start and citation.end <= p.chunk.end)
        return next(around, same[0])


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages are known; sent before the model has read a word."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the answer's text as the model writes it, unverified."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The verified answer; its text replaces the pieces."""

    answer: Answer


Event = Retrieved | Piece | Finished
