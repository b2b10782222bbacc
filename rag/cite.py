"""The model's text and the evidence to claims with quotes. Pure: vectors are handed in as a similarity function."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from index.sentences import sentence_spans
from rag.evidence import Sentence
from rag.types import Citation, Claim, Evidence
from rag.verify import PARTLY, support_label, support_score

_MARKER = re.compile(r"\s*[\[【(]\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*[\]】)](?!\w)")
_LATE_MARKERS = re.compile(r"([.!?…])((?:\s*[\[【]\s*\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*[\]】])+)")
_MARKER_BONUS = 0.15  # the model's own marker decides between quotes that support equally well
_SECOND_QUOTE_GAIN = 0.15

Similarity = Callable[[Sequence[str], Sequence[str]], "list[list[float]]"]
"""Cosines of each of the first texts with each of the second."""


@dataclass(frozen=True, slots=True)
class RawClaim:
    """A sentence as the model wrote it, and the numbers of the evidence that its markers name."""

    text: str
    markers: tuple[int, ...]


def parse_claims(text: str, language: str) -> list[RawClaim]:
    """Return the sentences of `text` without markers; a marker after the full stop belongs to the sentence before."""
    text = _LATE_MARKERS.sub(r"\2\1", text.strip())
    claims = []
    for start, end in sentence_spans(text, language):
        piece = text[start:end]
        markers = tuple(int(n) for group in _MARKER.findall(piece) for n in re.findall(r"\d+", group))
        bare = re.sub(r"\s+([.,;:!?])", r"\1", _MARKER.sub("", piece)).strip()
        if re.search(r"\w", bare):
            claims.append(RawClaim(bare, tuple(dict.fromkeys(markers))))
    return claims
