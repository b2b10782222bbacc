"""A share or mean with its n and its 95 % interval.

Percentile bootstrap (Efron & Tibshirani 1993, chapter 13), 1,000 resamples, fixed seed. What is resampled is the
question: five quotes of one answer are not five independent trials. Where every question scored 0 or every one 1, a
resample can only repeat that, so the exact binomial bound (Clopper & Pearson 1934) is given: 0 of 40 is not proof of 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
SEED = 20160515
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its n (questions, quotes or documents) and the bounds of its interval; None where n is 0."""

    value: float | None
    n: int
    low: float | None
    high: float | None


def estimate(parts: Sequence[tuple[float, int]]) -> Figure:
    """Return sum / count over the questions' `(sum, count)`; for a plain mean each count is 1."""
    pairs = [pair for pair in parts if pair[1] > 0]
    if not pairs:
        return Figure(None, 0, None, None)
    sums, counts = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    value = float(sums.sum() / counts.sum())
    low, high = _exact(value, len(pairs)) if value in (0.0, 1.0) else _bootstrap(sums, counts)
    return Figure(round(value, 6), int(counts.sum()), round(low, 6), round(high, 6))


def _exact(value: float, questions: int) -> tuple[float, float]:
    bound = _TAIL ** (1 / questions)
    return (bound, 1.0) if value else (0.0, 1 - bound)


def _bootstrap(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    drawn = np.random.default_rng(SEED).integers(len(sums), size=(RESAMPLES, len(sums)), dtype=np.int32)
    shares = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(shares, [100 * _TAIL, 100 * (1 - _TAIL)])
    return float(low), float(high)
