"""Exact match: the answer is an accepted answer and nothing else, after normalisation.

SQuAD's definition (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250), with the normalisation of normalise.py.
A generated answer is a sentence, not a span, so this is near 0 for a chatty system that is right; see containment.py.
"""

from collections.abc import Sequence

from eval.measures.normalise import words


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """Return 1 where the words of `answer` are those of one of `accepted`, else 0; an empty answer has 0."""
    given = words(answer)
    return float(bool(given) and any(given == words(text) for text in accepted))
