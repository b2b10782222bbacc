"""Token F1: the harmonic mean of precision and recall over the words shared with an accepted answer; the best counts.

SQuAD's definition (Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250), with the normalisation of normalise.py.
"""

from collections import Counter
from collections.abc import Sequence

from eval.measures.normalise import words


def token_f1(answer: str, accepted: Sequence[str]) -> float:
    """Return the F1 of `answer` with the nearest of `accepted`, 0..1; an empty answer has 0."""
    given = words(answer)
    return max((_f1(given, words(text)) for text in accepted), default=0.0)


def _f1(given: list[str], wanted: list[str]) -> float:
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0
