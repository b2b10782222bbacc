"""Exercises: a pair of texts and what the reader should say of it. They come in groups that differ in one thing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from index.sentences import Span, sentence_spans
from rag.reader_input import Pair


@dataclass(frozen=True, slots=True)
class Exercise:
    """`holds`: the passage answers, or the quote supports. Spans are of `pair.text`."""

    pair: Pair
    holds: bool
    answer: Span | None = None  # where the answer is, where that is known
    sentences: tuple[tuple[int, int, bool], ...] = field(default=())  # and whether they bear on it, where known


@dataclass(frozen=True, slots=True)
class Group:
    """Exercises of one question, one passage or one claim, of which some hold and others do not."""

    kind: str
    exercises: tuple[Exercise, ...]


def bearing(text: str, language: str, spans: Sequence[Span]) -> tuple[tuple[int, int, bool], ...]:
    """Return the sentences of `text`, and whether one of `spans` lies in them."""
    return tuple(
        (start, end, any(a < end and start < b for a, b in spans)) for start, end in sentence_spans(text, language)
    )
