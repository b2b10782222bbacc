"""Does evidence support a claim? The Checker protocol, and the one that needs no language model.

EmbedderChecker reads signs a person would look for: are the claim's words, names and numbers there, do they stand
together, does a sentence mean about the same. A logistic regression weighs them. It cannot follow an argument: what is
said of another person in the same sentence, or needs two steps, is beyond it (figures: bench/checker.py).
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eval.measures.normalise import without_markers
from index.embed import Embedder, Vectors
from index.language import detect_language
from index.sentences import sentence_spans
from index.terms import telling_terms
from rag.words import content_words, names, numbers, overlap

SUPPORTED = 0.5  # the weights are fitted with both outcomes weighed alike, so here they are equally likely

Pair = tuple[str, str]
Floats = NDArray[np.float64]

# Logistic regression over 1,307 pairs made from public questions and answers (bench/checker.py): claim and evidence in
# one language, and in two. Across languages words agree less and the vectors count for more.
_WITHIN = {
    "constant": -2.78,
    "sentence": 1.24,
    "window": 1.46,
    "together": 1.03,
    "near": 1.27,
    "displaced": -1.5,
    "names_lacking": -0.34,
    "numbers_lacking": -0.74,
    "negated": -2.17,
}
_ACROSS = {
    "constant": -2.0,
    "sentence": 1.04,
    "window": 0.38,
    "together": 0.38,
    "near": 2.84,
    "displaced": -0.25,
    "names_lacking": -0.26,
    "numbers_lacking": -1.15,
    "negated": -1.83,
}

_WINDOW = 3  # sentences that may support a claim together
# Reading with the embedder is what takes time. Within a language the sentences that share most words are enough; across
# languages shared names and numbers are a poorer guide.
_READ_WITHIN, _READ_ACROSS = 2, 6
_UNRELATED_COSINE, _COSINE_RANGE = 0.78, 0.14  # of the default embedder: paraphrases are near 0.92
_PRESENT = 0.5  # of rag.words.overlap: the word or one of its family
_SAME_LANGUAGE_SHARE = 0.6  # of a claim's words in the evidence: then it is no other language, whatever is detected
_LIST_MARK = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|[-*•–])\s+")
_NEGATION_LIST = {
    "en": "not no never none nobody nothing without cannot neither nor",
    "it": "non mai senza nessun nessuno nessuna niente nulla né",
    "de": "nicht kein keine keinen keiner nie niemals ohne",
    "es": "no nunca jamás sin ningún ninguno ninguna",
    "fr": "ne pas jamais sans aucun aucune",
    "ro": "nu niciodată fără",
}
_NEGATIONS = {
    language: re.compile(rf"\b(?:{'|'.join(words.split())})\b|n['’]t\b", re.IGNORECASE)
    for language, words in _NEGATION_LIST.items()
}


class Checker(Protocol):
    """Tells how far evidence supports a claim."""

    name: str
    fingerprint: str  # two figures can be compared only where this is the same

    def support(self, pairs: Sequence[Pair]) -> list[float]:
        """Return for each `(evidence, claim)` how far the evidence supports the claim, 0..1; see SUPPORTED."""
        ...


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for and against support. All but `near` are 0..1."""

    across: bool  # claim and evidence are in different languages
    sentence: float = 0.0  # share of the claim's words in the sentence that holds most of them
    window: float = 0.0  # the same over sentences in a row
    together: float = 0.0  # share of the claim's neighbouring words that share a sentence of the evidence
    near: float = 0.0  # cosine with the nearest sentence, 0 for unrelated ones and 1 for paraphrases
    displaced: float = 0.0  # how many words fewer the sentence holds where the claim's least fitting name or number is
    names_lacking: float = 0.0  # share of the claim's names outside the best window
    numbers_lacking: bool = False  # whether a number of the claim is outside the best window
    negated: bool = False  # the claim has a negation, the nearest sentence none


class EmbedderChecker:
    """Support by words, names, numbers, negations and nearness of sentences; claim and evidence in any languages.

    The weights belong to the default embedder's cosines: with another family, fit them anew (bench/checker.py).
    """

    def __init__(self, embedder: Embedder) -> None:
        self.name = f"words and {embedder.name}"
        recipe = json.dumps([embedder.fingerprint, _WITHIN, _ACROSS, _READ_WITHIN, _READ_ACROSS])
        self.fingerprint = hashlib.sha256(recipe.encode()).hexdigest()
        self._embedder = embedder

    def support(self, pairs: Sequence[Pair]) -> list[float]:
        """Return for each `(evidence, claim)` how far the evidence supports the claim, 0..1; 0 where one is empty."""
        return [0.0 if found is None else _probability(found) for found in self.signs(pairs)]

    def signs(self, pairs: Sequence[Pair]) -> list[Signs | None]:
        """Return the signs of each `(evidence, claim)`, None where one of them holds no word."""
        readings = [_read(evidence, _bare(claim)) for evidence, claim in pairs]
        texts = list(dict.fromkeys(text for reading in readings if reading for text in reading.to_embed))
        # As queries on both sides: a claim and a sentence are of one kind, which E5's "passage" is not.
        vectors = dict(zip(texts, self._embedder.embed_queries(texts), strict=True)) if texts else {}
        return [_with_nearness(reading, vectors) if reading else None for reading in readings]


@dataclass(frozen=True, slots=True)
class _Text:
    """Evidence, sentence by sentence."""

    language: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The signs that need no vectors, and the sentences that may be near the claim."""

    signs: Signs
    claim: str
    claim_language: str
    evidence_language: str
    candidates: tuple[str, ...]

    @property
    def to_embed(self) -> tuple[str, ...]:
        return (self.claim, *self.candidates)


def _probability(signs: Signs) -> float:
    weights: Mapping[str, float] = _ACROSS if signs.across else _WITHIN
    values = asdict(signs)
    total = weights["constant"] + sum(weight * values[name] for name, weight in weights.items() if name in values)
    return 1 / (1 + math.exp(-total))


def _bare(claim: str) -> str:
    """Return the claim without citation markers and list number, whose figures are no numbers of the claim."""
    return _LIST_MARK.sub("", without_markers(claim)).strip()


def _read(evidence: str, claim: str) -> _Reading | None:
    text = _split(evidence)
    language = _language_of(claim, text)
    across = language != text.language
    words = _stems(claim, language)
    if not words or not any(_stems(sentence, text.language) for sentence in text.sentences):
        return None
    held = np.array([[overlap(word, _stem_set(s, text.language)) for s in text.sentences] for word in words])
    covered = held.mean(axis=0)
    start, end, best = _best_window(held)
    window = " ".join(text.sentences[start:end])
    claimed = names(claim)
    found = content_words(window, text.language)
    signs = Signs(
        across=across,
        sentence=float(covered.max()),
        window=best,
        together=_together(held),
        displaced=_displaced(claim, text, covered),
        names_lacking=sum(1 - overlap(name, found) for name in claimed) / len(claimed) if claimed else 0.0,
        numbers_lacking=not numbers(claim) <= numbers(window),
    )
    order = np.argsort(-covered, kind="stable")[: _READ_ACROSS if across else _READ_WITHIN]
    return _Reading(signs, claim, language, text.language, tuple(text.sentences[i] for i in order))


def _with_nearness(reading: _Reading, vectors: Mapping[str, Vectors]) -> Signs:
    claim = vectors[reading.claim]
    cosines = [float(vectors[sentence] @ claim) for sentence in reading.candidates]
    best = int(np.argmax(cosines))
    negated = _negations(reading.claim, reading.claim_language) > 0
    return replace(
        reading.signs,
        near=(cosines[best] - _UNRELATED_COSINE) / _COSINE_RANGE,
        negated=negated and not _negations(reading.candidates[best], reading.evidence_language),
    )


@lru_cache(maxsize=1024)
def _split(evidence: str) -> _Text:
    language = detect_language(evidence) or "en"
    return _Text(language, tuple(evidence[start:end] for start, end in sentence_spans(evidence, language)))


def _language_of(claim: str, text: _Text) -> str:
    """Return the claim's language; the evidence's where a detector cannot tell or the words say so."""
    detected = detect_language(claim)
    if not detected or detected == text.language:
        return text.language
    words = _stems(claim, text.language)
    held = frozenset().union(*(_stem_set(sentence, text.language) for sentence in text.sentences))
    return text.language if sum(word in held for word in words) > _SAME_LANGUAGE_SHARE * len(words) else detected


@lru_cache(maxsize=8192)
def _stems(text: str, language: str) -> tuple[str, ...]:
    """Return the words that carry meaning, stemmed, in order, each once; unstemmed where there are no rules."""
    words, stems = telling_terms(text, language, most=10_000)
    return tuple(dict.fromkeys(word for word in stems or words if len(word) > 1 or word.isdigit()))


@lru_cache(maxsize=8192)
def _stem_set(text: str, language: str) -> frozenset[str]:
    return frozenset(_stems(text, language))


def _best_window(held: Floats) -> tuple[int, int, float]:
    """Return start, end and share of words of the shortest run of sentences that holds most; `held` (words, n)."""
    count = held.shape[1]
    runs = [(i, i + size) for size in range(1, _WINDOW + 1) for i in range(count - size + 1)]
    shares = [float(held[:, start:end].max(axis=1).mean()) for start, end in runs]
    best = int(np.argmax(shares))
    return *runs[best], shares[best]


def _together(held: Floats) -> float:
    present = held > _PRESENT
    if len(present) < 2:
        return float(present.any())
    return float((present[:-1] & present[1:]).any(axis=1).mean())


def _displaced(claim: str, text: _Text, covered: Floats) -> float:
    """Return how far the claim's name or number that fits least is from the rest of it; 1 at most, 0 without any.

    A name that the evidence holds, but of which it says something else, is found this way.
    """
    figures = [[number in numbers(s) for s in text.sentences] for number in numbers(claim)]
    named = [
        [overlap(name, content_words(s, text.language)) > _PRESENT for s in text.sentences] for name in names(claim)
    ]
    if not figures and not named:
        return 0.0
    least = min(float(covered[where].max(initial=0.0)) for where in map(np.array, [*figures, *named]))
    return float(covered.max()) - least


def _negations(text: str, language: str) -> int:
    return len(_NEGATIONS[language].findall(text)) if language in _NEGATIONS else 0
