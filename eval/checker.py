"""Does evidence support a claim? The Checker protocol, and the one that needs no language model.

EmbedderChecker reads signs a person would look for: are the claim's words, names and numbers there, do they stand
together, does a sentence mean about the same. A logistic regression weighs them. It cannot follow an argument: what is
said of another person in the same sentence, or needs two steps, is beyond it (figures: bench/checker.py).
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import rag.words
from eval.measures.normalise import without_markers
from index.embed import Embedder, Vectors
from index.language import detect_language
from index.sentences import sentence_spans
from index.terms import telling_terms
from rag.words import content_words, names, overlap

SUPPORTED = 0.5  # the weights are fitted with both outcomes weighed alike, so here they are equally likely

Pair = tuple[str, str]
Floats = NDArray[np.float64]

# Logistic regression over 1,458 pairs made from public questions and answers (bench/checker.py): claim and evidence in
# one language, and in two. Across languages words agree less and the vectors count for more.
_WITHIN = {
    "constant": -2.43,
    "sentence": 1.33,
    "window": 1.62,
    "together": 0.84,
    "near": 0.91,
    "displaced": -1.66,
    "names_lacking": -0.19,
    "numbers_lacking": -1.53,
    "negated": -3.52,
}
_ACROSS = {
    "constant": -1.54,
    "sentence": 0.83,
    "window": 0.35,
    "together": 0.21,
    "near": 2.45,
    "displaced": -0.34,
    "names_lacking": -0.07,
    "numbers_lacking": -1.95,
    "negated": -2.15,
}

_WINDOW = 3  # sentences that may support a claim together
# Reading with the embedder is what takes time. Within a language the sentences that share most words are enough; across
# languages shared names and numbers are a poorer guide.
_READ_WITHIN, _READ_ACROSS = 2, 6
_UNRELATED_COSINE, _COSINE_RANGE = 0.78, 0.14  # of the default embedder: paraphrases are near 0.92
_PRESENT = 0.5  # of rag.words.overlap: the word or one of its family
_SAME_LANGUAGE_SHARE = 0.6  # of a claim's words in the evidence: then it is no other language, whatever is detected
_LIST_MARK = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|[-*•–])\s+")
_GAP_IN_NUMBER = re.compile(r"(?<=\d)[\u00a0\u202f’'](?=\d{3}(?!\d))")  # 1 500 and 1’500
# A minus stands before a number and after none: not in 1939-1945, 1939 -45, GPT-4, 10%-20%.
_MINUS = r"(?<![\w.,)%°])(?<!\d\s)[-−–]|\b(?:minus|meno|menos|moins)\s"
_NUMBER = re.compile(rf"(?P<minus>{_MINUS})?[$€£]?(?P<figures>\d+(?:[.,]\d+)*)", re.IGNORECASE)
_THOUSANDS_BY_COMMA = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_THOUSANDS_BY_POINT = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?")
_ONE_MARK = re.compile(r"\d+[.,]\d+")
# "Not only" denies nothing, nor does "No, there is".
_NEGATION_LIST = {
    "en": r"not(?!\s(?:only|just|merely)) no(?!\s?[,.!]) never none nobody nothing without cannot neither nor",
    "it": r"non(?!\s(?:solo|soltanto)) mai senza nessun[oa]? niente nulla né",
    "de": r"nicht(?!\snur) kein(?:e[mnrs]?)? nie niemals niemand nichts ohne weder",
    "es": r"no(?!,|\s(?:solo|sólo|solamente)) nunca jamás sin ning[uú]n[oa]? nada nadie tampoco",
    "fr": r"ne pas(?!\sseulement) jamais sans aucune? rien",
    "pt": r"não(?!,|\s(?:só|apenas)) nunca jamais sem nenhuma? nada",
    "ro": r"nu(?!,|\s(?:numai|doar)) niciodată fără niciun nicio",
}
_NEGATIONS = {
    language: re.compile(rf"\b(?:{'|'.join(words.split())})\b|n['’]t\b", re.IGNORECASE)
    for language, words in _NEGATION_LIST.items()
}
_CLAUSE_ENDS = re.compile(r"[,;:()]")
_DENIED_WORDS = 2  # after a negation; with one, "not even sure" denies nothing, with three, too much
# Across languages the words after a negation can seldom be matched. There a sentence hardly longer than the claim is
# taken to say the same and nothing else, so that its negation concerns the claim.
_LITTLE_ELSE = 1.5


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
    numbers_lacking: float = 0.0  # 1 if a number of the claim is nowhere, 0.5 if outside the best window only
    negated: bool = False  # what they both speak of is negated in one of claim and evidence, not in the other


class EmbedderChecker:
    """Support by words, names, numbers, negations and nearness of sentences; claim and evidence in any languages.

    The weights belong to the default embedder's cosines: with another family, fit them anew (bench/checker.py).
    """

    def __init__(self, embedder: Embedder) -> None:
        self.name = f"words and {embedder.name}"
        rules = "".join(Path(file).read_text(encoding="utf-8") for file in (__file__, rag.words.__file__))
        self.fingerprint = hashlib.sha256(f"{embedder.fingerprint}\n{rules}".encode()).hexdigest()
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
    window: tuple[str, ...]
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
    window = text.sentences[start:end]
    claimed = names(claim)
    found = content_words(" ".join(window), text.language)
    signs = Signs(
        across=across,
        sentence=float(covered.max()),
        window=best,
        together=_together(held),
        displaced=_displaced(claim, text, covered),
        names_lacking=sum(1 - overlap(name, found) for name in claimed) / len(claimed) if claimed else 0.0,
        numbers_lacking=_numbers_lacking(claim, window, text),
    )
    order = np.argsort(-covered, kind="stable")[: _READ_ACROSS if across else _READ_WITHIN]
    return _Reading(signs, claim, language, text.language, window, tuple(text.sentences[i] for i in order))


def _with_nearness(reading: _Reading, vectors: Mapping[str, Vectors]) -> Signs:
    claim = vectors[reading.claim]
    cosines = [float(vectors[sentence] @ claim) for sentence in reading.candidates]
    best = int(np.argmax(cosines))
    near = (cosines[best] - _UNRELATED_COSINE) / _COSINE_RANGE
    return replace(reading.signs, near=near, negated=_contradicts(reading, reading.candidates[best]))


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
    figures = [[number in _numbers(s) for s in text.sentences] for number in _numbers(claim)]
    named = [
        [overlap(name, content_words(s, text.language)) > _PRESENT for s in text.sentences] for name in names(claim)
    ]
    if not figures and not named:
        return 0.0
    least = min(float(covered[where].max(initial=0.0)) for where in map(np.array, [*figures, *named]))
    return float(covered.max()) - least


def _numbers_lacking(claim: str, window: Sequence[str], text: _Text) -> float:
    claimed = _numbers(claim)
    nowhere, outside = (bool(claimed.difference(*map(_numbers, where))) for where in (text.sentences, window))
    return (nowhere + outside) / 2


@lru_cache(maxsize=8192)
def _numbers(text: str) -> frozenset[Decimal]:
    """Return the numbers in figures with sign and decimals, however written: 3.5 = 3,5 and 1.500 = 1,500 = 1500."""
    return frozenset(
        value.copy_negate() if match["minus"] else value
        for match in _NUMBER.finditer(_GAP_IN_NUMBER.sub("", text))
        for value in _values(match["figures"])
    )


def _values(figures: str) -> list[Decimal]:
    """Return one number, or the parts of a date, a version or a list (12.5.2016)."""
    if _THOUSANDS_BY_COMMA.fullmatch(figures):
        return [Decimal(figures.replace(",", ""))]
    if _THOUSANDS_BY_POINT.fullmatch(figures):
        return [Decimal(figures.replace(".", "").replace(",", "."))]
    if _ONE_MARK.fullmatch(figures):
        return [Decimal(figures.replace(",", "."))]
    return [Decimal(part) for part in re.split("[.,]", figures)]


def _contradicts(reading: _Reading, nearest: str) -> bool:
    """Tell whether one of claim and evidence negates what the other says; the same negation in both is none."""
    language = reading.evidence_language
    sentences = dict.fromkeys((*reading.window, nearest))
    if _negations(reading.claim, reading.claim_language):
        return not any(_negations(sentence, language) for sentence in sentences)
    words = _stems(reading.claim, reading.claim_language)
    short = len(_stems(nearest, language)) < _LITTLE_ELSE * len(words)
    if reading.signs.across and short and _negations(nearest, language):
        return True
    return any(
        _denied(word, [s for s in sentences if _holds(_stem_set(s, language), word)], language) for word in words
    )


def _denied(word: str, holding: Sequence[str], language: str) -> bool:
    return bool(holding) and all(_holds(_negated_stems(sentence, language), word) for sentence in holding)


def _holds(words: frozenset[str], word: str) -> bool:
    return overlap(word, words) > _PRESENT


@lru_cache(maxsize=8192)
def _negated_stems(sentence: str, language: str) -> frozenset[str]:
    """Return the words that follow a negation in its clause; the last before it where none does (er kam nicht)."""
    found: set[str] = set()
    for start, end in _negations(sentence, language):
        clause = _CLAUSE_ENDS.split(sentence[end:], maxsplit=1)[0]
        found.update(_stems(clause, language)[:_DENIED_WORDS] or _stems(sentence[:start], language)[-1:])
    return frozenset(found)


@lru_cache(maxsize=8192)
def _negations(text: str, language: str) -> tuple[tuple[int, int], ...]:
    return tuple(match.span() for match in _NEGATIONS[language].finditer(text)) if language in _NEGATIONS else ()
