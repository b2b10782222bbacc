"""Calibration: of the answers given with confidence 0.8, are 8 in 10 right? Over the answered questions alone.

Bins as in Guo et al. 2017 (https://arxiv.org/abs/1706.04599): ten of equal width, closed on the right, 0 in the first.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

BINS = 10
_UPPER = [(place + 1) / BINS for place in range(BINS)]


@dataclass(frozen=True, slots=True)
class Bin:
    """The `n` answers whose confidence lies above `low` and up to `high`: their mean confidence, the share right."""

    low: float
    high: float
    mean_confidence: float
    accuracy: float
    n: int


def reliability(confidence: Sequence[float], correct: Sequence[bool]) -> list[Bin]:
    """Return the bins that hold an answer, by rising confidence.

    Raises ValueError for lengths that differ and for a confidence outside 0..1.
    """
    members: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for value, right in _pairs(confidence, correct):
        members[bisect_left(_UPPER, value)].append((value, right))
    return [_bin(place, members[place]) for place in sorted(members)]


def calibration_error(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """Return the expected calibration error, 0..1, lower is better: the bins' |accuracy - confidence|, weighed by n.

    Naeini et al. 2015 (https://ojs.aaai.org/index.php/AAAI/article/view/9602). It is biased upwards where the answers
    are few: look at n. Raises ValueError as `reliability`, and where there is no answer.
    """
    bins = reliability(confidence, correct)
    if not bins:
        raise ValueError("no answer")
    return sum(b.n * abs(b.accuracy - b.mean_confidence) for b in bins) / len(confidence)


def brier_score(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """Return the mean squared distance of confidence and outcome, 0..1, lower is better (Brier 1950).

    Unlike the calibration error it also asks that right and wrong answers be told apart. Raises ValueError as
    `calibration_error`.
    """
    pairs = _pairs(confidence, correct)
    if not pairs:
        raise ValueError("no answer")
    return sum((value - right) ** 2 for value, right in pairs) / len(pairs)


def _pairs(confidence: Sequence[float], correct: Sequence[bool]) -> list[tuple[float, bool]]:
    if len(confidence) != len(correct):
        raise ValueError(f"{len(confidence)} confidences for {len(correct)} answers")
    if outside := [value for value in confidence if not 0 <= value <= 1]:
        raise ValueError(f"confidence {outside[0]} is outside 0..1")
    return list(zip(confidence, correct, strict=True))


def _bin(place: int, members: Sequence[tuple[float, bool]]) -> Bin:
    n = len(members)
    mean = sum(value for value, _ in members) / n
    return Bin(place / BINS, (place + 1) / BINS, mean, sum(right for _, right in members) / n, n)
