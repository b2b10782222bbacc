"""When the documents do not hold the answer: signs of it before, while and after the model writes. Pure."""

import math
import re
from collections.abc import Mapping, Sequence

from rag.types import Evidence

REFUSALS = ("NOT FOUND", "NON TROVATO")  # what the prompts ask for where no source answers
_BEGINNINGS = ("NOT", "NON")
_REFUSAL = re.compile(r"^\W*(NOT FOUND|NON TROVAT[OAIE])\b", re.IGNORECASE)


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


def best_cosine(evidence: Sequence[Evidence]) -> float:
    """Return the cosine of the sentence nearest to the question; 0 without evidence."""
    return max((e.score for e in evidence), default=0.0)
