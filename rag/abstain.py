"""When the documents do not hold the answer: signs of it before, while and after the model writes. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rag.types import Evidence
from rag.words import content_words, overlap

REFUSALS = ("NOT FOUND", "NON TROVATO")  # what the prompts ask for where no source answers, and its translation
_BEGINNINGS = ("NOT", "NON")
# No sentence is this near to 1 of 126 questions that the documents answer, and to 5 of the 8 off-topic of samples/.
_E5_LEAST_COSINE = 0.80
# Logistic regression over 130 answered gold pairs, both classes weighted alike (bench/fit_abstain.py, eval/LOG.md).
_CONSTANT = -3.73
_WEIGHTS = {"refusal": -3.75, "coverage": 0.51, "support": 2.45, "fits": 1.83}
# The same with what the reader says.
_READ_CONSTANT = -3.73
_READ_WEIGHTS = {
    "refusal": -3.75,
    "coverage": 0.51,
    "support": 2.45,
    "fits": 1.83,
    "answers": 0.0,
    "margin": 0.0,
    "bears": 0.0,
}
_REFUSAL = re.compile(r"^\W*(NOT FOUND|NON TROVAT[OAIE])\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for and against an answer in the documents. Zero where it is not known yet."""

    coverage: float = 0.0  # share of the question's content words that the evidence holds
    refusal: float = 0.0  # the model's probability of beginning with a refusal
    support: float = 0.0  # of the sentence that its quotes support best
    fits: bool = True  # whether there is a number, a year, where one was asked for
    answers: float | None = None  # the reader's logit of the passage that answers best; None without a reader
    margin: float = 0.0  # how much likelier that passage's likeliest answer is than none
    bears: float = 0.0  # the reader's logit of the quoted sentence that bears most on the question


def answerable(signs: Signs) -> float:
    """Return the probability that the documents hold the answer, 0..1, equal shares of both supposed beforehand."""
    read = signs.answers is not None
    constant, weights = (_READ_CONSTANT, _READ_WEIGHTS) if read else (_CONSTANT, _WEIGHTS)
    found = asdict(signs)
    return 1 / (1 + math.exp(-(constant + sum(weight * float(found[name]) for name, weight in weights.items()))))


def least_cosine(embedder: str) -> float:
    """Return the cosine under which no sentence has to do with a question, by the embedder's name; -1 where unknown."""
    return _E5_LEAST_COSINE if "e5" in embedder.lower() else -1.0


def is_refusal(text: str) -> bool:
    """Whether the model wrote that it found no answer, or wrote nothing."""
    return not re.search(r"\w", text) or bool(_REFUSAL.search(text))


def may_become_refusal(text: str) -> bool:
    """Whether `text` may be the beginning of a refusal: not yet to be shown."""
    begun = text.strip().upper()
    return any(refusal.startswith(begun) or begun.startswith(refusal) for refusal in REFUSALS)


def refusal_probability(first_token: Mapping[str, float]) -> float:
    """Return the model's probability of beginning a refusal, 0..1, from the log-probabilities of its first token."""
    return sum(math.exp(p) for token, p in first_token.items() if token.strip() in _BEGINNINGS)


def coverage(question: str, language: str, evidence: Sequence[Evidence]) -> float:
    """Return the share of the question's content words that the evidence or its titles hold, 0..1."""
    wanted = content_words(question, language)
    held: set[str] = set()
    for piece in evidence:
        document = piece.passage.document
        held |= content_words(f"{document.title} {piece.text}", document.language)
    words = frozenset(held)
    return sum(overlap(word, words) for word in wanted) / len(wanted) if wanted else 0.0


def best_cosine(evidence: Sequence[Evidence]) -> float:
    """Return the cosine of the sentence nearest to the question; 0 without evidence."""
    return max((e.score for e in evidence), default=0.0)
