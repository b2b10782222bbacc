"""The model's text and the evidence to claims with quotes. Pure: similarity is handed in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.sentences import sentence_spans
from rag.evidence import Sentence
from rag.types import Citation, Claim, Evidence
from rag.verify import PARTLY, support_label, support_score, weighed_support

_NUMBERS = r"\d{1,3}(?:\s*[,;]\s*\d{1,3})*"
_BRACKETED = rf"\s*(?:[\[【]\s*({_NUMBERS})\s*[\]】]|\((\d{{1,2}})\)(?=\W*$))"  # at the end, small models write (1)
_MARKER = re.compile(_BRACKETED)
_LATE_MARKERS = re.compile(rf"([.!?…])((?:\s*[\[【(]\s*{_NUMBERS}\s*[\]】)])+)(?=\s|$)")
_MARKER_BONUS = 0.1  # the model's own marker decides between quotes that support about equally well
_LEAST_GAIN = 0.15  # what a further quote must add
_MOST_QUOTES = 3
_WEIGHED = 3  # of the best quotes by the rules, the reader has a say

Similarity = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences of the answer to their cosines with each sentence of the evidence, `(texts, sentences)`."""

ReadSupport = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""Pairs of quote and claim to the reader's probability of support, 0..1."""


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
        markers = [int(number) for match in _MARKER.finditer(piece) for number in re.findall(r"\d+", match.group())]
        bare = re.sub(r"\s+([.,;:!?])", r"\1", _MARKER.sub("", piece)).strip()
        if re.search(r"\w", bare):
            claims.append(RawClaim(bare, tuple(dict.fromkeys(markers))))
    return claims


def cite(
    claims: Sequence[RawClaim],
    evidence: Sequence[Evidence],
    sentences: Sequence[Sentence],
    similarity: Similarity,
    *,
    question: str,
    language: str,
    read_support: ReadSupport | None = None,
) -> tuple[list[Claim], list[Citation]]:
    """Return the claims with renumbered markers, and the citations they name, in order of first use.

    Quotes are whole `sentences` of the evidence, chosen by how well they support the claim; the model's markers only
    break ties, and one that names no evidence counts for nothing. A claim that no quote supports carries none.
    """
    if not claims or not sentences:
        return [Claim(claim.text, (), "unsupported") for claim in claims], []
    cosines = similarity([claim.text for claim in claims])
    citations: dict[tuple[str, int, int], Citation] = {}
    cited = []
    for claim, row in zip(claims, cosines, strict=True):
        quotes, score = _Quoting(claim, evidence, sentences, row, question, language, read_support).quotes()
        markers = []
        for sentence in quotes:
            known = citations.get(sentence.place)
            marker = known.marker if known else len(citations) + 1
            support = max(score, known.support) if known else score
            citations[sentence.place] = Citation(marker, *sentence.place, sentence.text, round(support, 4))
            markers.append(marker)
        cited.append(Claim(claim.text, tuple(sorted(markers)), support_label(score)))
    return cited, list(citations.values())


@dataclass(frozen=True, slots=True)
class _Quoting:
    """The choice of quotes for one claim; `cosines` are the claim's with each sentence."""

    claim: RawClaim
    evidence: Sequence[Evidence]
    sentences: Sequence[Sentence]
    cosines: NDArray[np.float32]
    question: str
    language: str
    read_support: ReadSupport | None

    def quotes(self) -> tuple[list[Sentence], float]:
        """Return the quotes and how far they support the claim together; none where that is too little."""
        chosen, score = self._first()
        while len(chosen) < _MOST_QUOTES:
            further = {i: self._by_rules([*chosen, i]) for i in range(len(self.sentences)) if i not in chosen}
            best = max(further, key=lambda i: (further[i], self.cosines[i], -i), default=None)
            if best is None or further[best] < max(score + _LEAST_GAIN, PARTLY):
                break
            chosen.append(best)
            score = further[best]
        score = self._weighed([(chosen, score)])[0]
        return ([self.sentences[i] for i in chosen], score) if score >= PARTLY else ([], score)

    def _first(self) -> tuple[list[int], float]:
        """Return the one quote that supports the claim best, and its score by the rules."""
        marked = [self.evidence[n - 1] for n in self.claim.markers if 1 <= n <= len(self.evidence)]
        alone = [self._by_rules([i]) for i in range(len(self.sentences))]
        bonus = [_MARKER_BONUS * any(e.holds(*sentence.place) for e in marked) for sentence in self.sentences]
        order = sorted(range(len(alone)), key=lambda i: (-alone[i] - bonus[i], -self.cosines[i], i))
        best = order[:_WEIGHED] if self.read_support else order[:1]
        weighed = self._weighed([([i], alone[i]) for i in best])
        first, _ = max(zip(best, weighed, strict=True), key=lambda found: found[1] + bonus[found[0]])
        return [first], alone[first]

    def _by_rules(self, quotes: Sequence[int]) -> float:
        return support_score(
            self.claim.text,
            self._text(quotes),
            question=self.question,
            language=self.language,
            quote_language=self.sentences[quotes[0]].passage.document.language,
            cosine=float(max(self.cosines[i] for i in quotes)),
        )

    def _weighed(self, scored: Sequence[tuple[Sequence[int], float]]) -> list[float]:
        """Return the scores of quotes by rules and reader together; by the rules alone without a reader."""
        if not self.read_support:
            return [score for _, score in scored]
        read = self.read_support([(self._text(quotes), self.claim.text) for quotes, _ in scored])
        return [weighed_support(score, found) for (_, score), found in zip(scored, read, strict=True)]

    def _text(self, quotes: Sequence[int]) -> str:
        return " ".join(self.sentences[i].text for i in quotes)


def write_answer(claims: Sequence[Claim]) -> str:
    """Return the text of an answer: its claims in order, each with its markers before the full stop."""
    return " ".join(_with_markers(claim) for claim in claims)


def _with_markers(claim: Claim) -> str:
    if not claim.markers:
        return claim.text
    marks = "".join(f"[{n}]" for n in claim.markers)
    stop = re.search(r"[.!?…]+[\"'”»)]*$", claim.text)
    cut = stop.start() if stop else len(claim.text)
    return f"{claim.text[:cut]} {marks}{claim.text[cut:]}"
