"""The model's text and the evidence to claims with quotes. Pure: similarity is handed in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.sentences import sentence_spans
from rag.evidence import Sentence
from rag.types import Citation, Claim, Evidence
from rag.verify import PARTLY, support_label, support_score

_NUMBERS = r"\d{1,3}(?:\s*[,;]\s*\d{1,3})*"
_BRACKETED = rf"\s*(?:[\[【]\s*({_NUMBERS})\s*[\]】]|\((\d{{1,2}})\)(?=\W*$))"  # at the end, small models write (1)
_MARKER = re.compile(_BRACKETED)
_LATE_MARKERS = re.compile(rf"([.!?…])((?:\s*[\[【(]\s*{_NUMBERS}\s*[\]】)])+)(?=\s|$)")
_MARKER_BONUS = 0.1  # the model's own marker decides between quotes that support about equally well
_LEAST_GAIN = 0.15  # what a further quote must add
_MOST_QUOTES = 3

Similarity = Callable[[Sequence[str]], NDArray[np.float32]]
"""Sentences of the answer to their cosines with each sentence of the evidence, `(texts, sentences)`."""


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
        quotes, score = _quotes(claim, evidence, sentences, row, question=question, language=language)
        markers = []
        for sentence in quotes:
            known = citations.get(sentence.place)
            marker = known.marker if known else len(citations) + 1
            support = max(score, known.support) if known else score
            citations[sentence.place] = Citation(marker, *sentence.place, sentence.text, round(support, 4))
            markers.append(marker)
        cited.append(Claim(claim.text, tuple(sorted(markers)), support_label(score)))
    return cited, list(citations.values())


def _quotes(
    claim: RawClaim,
    evidence: Sequence[Evidence],
    sentences: Sequence[Sentence],
    cosines: NDArray[np.float32],
    *,
    question: str,
    language: str,
) -> tuple[list[Sentence], float]:
    marked = [evidence[n - 1] for n in claim.markers if 1 <= n <= len(evidence)]

    def support(quotes: Sequence[int]) -> float:
        return support_score(
            claim.text,
            " ".join(sentences[i].text for i in quotes),
            question=question,
            language=language,
            quote_language=sentences[quotes[0]].passage.document.language,
            cosine=float(max(cosines[i] for i in quotes)),
        )

    alone = {i: support([i]) for i in range(len(sentences))}
    bonus = {i: _MARKER_BONUS * any(e.holds(*sentences[i].place) for e in marked) for i in alone}
    chosen = [max(alone, key=lambda i: (alone[i] + bonus[i], cosines[i], -i))]
    score = alone[chosen[0]]
    while len(chosen) < _MOST_QUOTES:
        further = {i: support([*chosen, i]) for i in alone if i not in chosen}
        best = max(further, key=lambda i: (further[i], cosines[i], -i), default=None)
        if best is None or further[best] < max(score + _LEAST_GAIN, PARTLY):
            break
        chosen.append(best)
        score = further[best]
    return ([sentences[i] for i in chosen], score) if score >= PARTLY else ([], score)


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
