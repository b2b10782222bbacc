"""A share, a mean or a figure of a whole set with its n and its 95 % interval.

Percentile bootstrap (Efron & Tibshirani 1993, chapter 13), fixed seed. What is resampled is the question: five quotes
of one answer are not five independent trials. Where every question scored 0 or every one 1, a resample can only repeat
that, so the exact binomial bound (Clopper & Pearson 1934) is given: 0 of 40 is not proof of 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SET_RESAMPLES = 400  # each calculates the statistic anew: 1 ms of it is 0.4 s; ten resamples still lie in each tail
SEED = 20160515
_TAIL = 0.025
_BLOCK = 100  # resamples that are in memory as wide numbers at a time


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its n (questions, quotes or documents) and the bounds of its interval.

    The value is None where n is 0; the bounds are where resampling says nothing of them: a single question, or several
    that are all the same.
    """

    value: float | None
    n: int
    low: float | None
    high: float | None


def estimate(parts: Sequence[tuple[float, int]]) -> Figure:
    """Return sum / count over the questions' `(sum, count)`; for a plain mean each count is 1."""
    pairs = np.array([pair for pair in parts if pair[1] > 0], dtype=np.float64)
    if not len(pairs):
        return Figure(None, 0, None, None)
    total, count = pairs.sum(axis=0)
    value = float(total / count)
    if value in (0.0, 1.0):
        low, high = _exact(value, len(pairs))
    elif np.ptp(pairs[:, 0] / pairs[:, 1]) == 0:
        return Figure(round(value, 6), int(count), None, None)
    else:
        low, high = _bootstrap(pairs)
    return Figure(round(value, 6), int(count), round(low, 6), round(high, 6))


def estimate_of(statistic: Callable[[NDArray[np.intp]], float], questions: int) -> Figure:
    """Return a figure that only a set of questions has, such as an area under a curve; `n` is `questions`.

    `statistic` is called with the places of the questions, 0..questions-1: of all once, then of each resample, where
    places repeat; its range is 0..1. It returns NaN where it is undefined (one class alone, say): such resamples are
    left out, and where it is undefined over all questions the value and its bounds are None. A statistic such as the
    calibration error is on the average higher on resamples than on the set itself: the interval is moved by as much.
    """
    value = float(statistic(np.arange(questions))) if questions else float("nan")
    if not np.isfinite(value):
        return Figure(None, questions, None, None)
    drawn = np.random.default_rng(SEED)
    resampled = [float(statistic(drawn.integers(questions, size=questions))) for _ in range(SET_RESAMPLES)]
    found = np.array([one for one in resampled if np.isfinite(one)] or [value])
    if np.ptp(found) == 0:
        return Figure(round(value, 6), questions, None, None)
    low, high = (bound - (found.mean() - value) for bound in _tails(found))
    return Figure(round(value, 6), questions, round(max(low, 0.0), 6), round(min(high, 1.0), 6))


def _exact(value: float, questions: int) -> tuple[float, float]:
    bound = _TAIL ** (1 / questions)
    return (bound, 1.0) if value else (0.0, 1 - bound)


def _bootstrap(pairs: NDArray[np.float64]) -> tuple[float, float]:
    times = _times_drawn(len(pairs))
    sums = np.concatenate([times[at : at + _BLOCK].astype(np.float64) @ pairs for at in range(0, RESAMPLES, _BLOCK)])
    return _tails(sums[:, 0] / sums[:, 1])


@lru_cache(maxsize=8)  # a report asks for few n, each many times; 1,000 questions take 1 MB
def _times_drawn(questions: int) -> NDArray[np.uint8]:
    """Return `(RESAMPLES, questions)`: how often a resample holds each question.

    A byte is enough: no question of hundreds is drawn 256 times in as many trials.
    """
    drawn = np.random.default_rng(SEED)
    rows = np.arange(_BLOCK)[:, None] * questions
    times = np.empty((RESAMPLES, questions), dtype=np.uint8)
    for at in range(0, RESAMPLES, _BLOCK):
        places = rows + drawn.integers(questions, size=(_BLOCK, questions), dtype=np.int32)
        times[at : at + _BLOCK] = np.bincount(places.ravel(), minlength=_BLOCK * questions).reshape(_BLOCK, questions)
    times.setflags(write=False)
    return times


def _tails(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, [100 * _TAIL, 100 * (1 - _TAIL)])
    return float(low), float(high)
