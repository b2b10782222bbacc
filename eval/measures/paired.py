"""Two runs' sums and counts of the same questions -> the interval of their difference, and its p-value.

Everywhere `sides` is an array (4, questions): sum and count in A, sum and count in B, zeros where a run has no part.
What is resampled and swapped is the question with both its answers.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
PERMUTATIONS = 9999
_ENUMERATED = 16  # differing questions whose 65,536 swaps are all tried
_CELLS = 4_000_000  # of a matrix of draws held in memory at once

_NO_SPREAD = 1e-9  # of resamples that differ by rounding alone

Floats: TypeAlias = NDArray[np.float64]
Bounds: TypeAlias = tuple[float, float] | None  # of a 95 % interval; None where resampling says nothing of them


def taking_part(sides: Floats) -> Floats:
    """Return the questions in which either run has a part."""
    return sides[:, (sides[1] > 0) | (sides[3] > 0)]


def intervals(sides: Sequence[Floats], seed: int) -> list[Bounds]:
    """Return the bounds of each measure's 95 % interval; measures of equally many questions share their resamples.

    None for a single question, and where all gain or lose equally much: a resample can only repeat that. Where none
    differs, or all change from 0 to 1 (or back), it is known how many others could still say otherwise.
    """
    own = list(map(taking_part, sides))
    bounds: dict[int, Bounds] = {}
    for n in {one.shape[1] for one in own}:
        places = [place for place, one in enumerate(own) if one.shape[1] == n]
        bounds |= zip(places, _bootstrap(np.stack([own[place] for place in places]), seed), strict=True)
    return [bounds[place] for place in range(len(own))]


def _bootstrap(sides: Floats, seed: int) -> list[Bounds]:
    """Return 2.5th and 97.5th percentile of the difference over resampled questions, for (measures, 4, questions).

    Resamples in which one run measured nothing say nothing, and are left out.
    """
    measures, _, n = sides.shape
    if n == 1:
        return [None] * measures
    draw = np.random.default_rng(seed)
    totals = []
    for rows in _blocks(RESAMPLES, n):
        drawn = draw.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        totals.append((times @ sides.reshape(-1, n).T).reshape(rows, measures, 4))
    resampled = np.nanpercentile(_apart(np.concatenate(totals)), [2.5, 97.5], axis=0).T
    seen = _apart(sides.sum(axis=2))
    settled = (sides[:, :2] == sides[:, 2:]).all(axis=(1, 2)) | (np.abs(seen) == 1)
    return [
        _exact(float(d), n) if one_way else _with_spread(float(low), float(high))
        for d, one_way, (low, high) in zip(seen, settled, resampled, strict=True)
    ]


def _with_spread(low: float, high: float) -> Bounds:
    return (low, high) if high - low > _NO_SPREAD else None


def _exact(difference: float, n: int) -> tuple[float, float]:
    """Return bounds where every question says the same, so that a resample can only repeat it.

    With 97.5 % confidence no more than 1 - 0.025^(1/n) of all questions would say otherwise (Clopper & Pearson 1934).
    """
    bound: float = 1 - 0.025 ** (1 / n)
    return max(-1.0, difference - bound), min(1.0, difference + bound)


def p_values(sides: Sequence[Floats], seed: int) -> list[float]:
    """Return the p-value of each measure: exact where it can be had, else by 9,999 random swaps, the same for all."""
    exact = [_exact_p(own) for own in sides]
    rest = [own for own, p in zip(sides, exact, strict=True) if p is None]
    drawn = iter(_drawn_p(np.stack(rest), seed) if rest else ())
    return [next(drawn) if p is None else p for p in exact]


def _exact_p(sides: Floats) -> float | None:
    """Return the share of all swaps that bring at least the difference seen; None where they are too many to try."""
    differing = sides[:, (sides[:2] != sides[2:]).any(axis=0)]
    gained, more = differing[2] - differing[0], differing[3] - differing[1]
    if not more.any() and len(set(abs(gained))) <= 1:  # right or wrong: McNemar's exact test
        return _sign_test(int((gained > 0).sum()), len(gained))
    m = differing.shape[1]
    if m > _ENUMERATED:
        return None
    swaps = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
    return float(_as_far(sides[None], differing[None], swaps).mean())


def _sign_test(wins: int, differing: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(wins, differing).pvalue) if differing else 1.0


def _drawn_p(sides: Floats, seed: int) -> list[float]:
    """Return p-values by random swaps, for (measures, 4, questions); the swap seen counts as one more of them.

    Without that 1 a p-value could be 0 (Phipson & Smyth 2010, https://doi.org/10.2202/1544-6115.1585).
    """
    draw = np.random.default_rng(seed)
    questions = sides.shape[2]
    hits = np.zeros(len(sides))
    for rows in _blocks(PERMUTATIONS, questions):
        swaps = draw.integers(2, size=(rows, questions), dtype=np.uint8)
        hits += _as_far(sides, sides, swaps).sum(axis=0)
    return [float(p) for p in (hits + 1) / (PERMUTATIONS + 1)]


def _as_far(sides: Floats, swapped: Floats, swaps: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell of each swap and measure, (swaps, measures), whether the difference is at least the one seen.

    `sides` (measures, 4, questions) holds all questions, `swapped` those that `swaps` (swaps, questions) may swap.
    A swap that leaves a run without anything measured has no difference, and counts against a finding.
    """
    step = (swapped[:, 2:] - swapped[:, :2]).reshape(-1, swapped.shape[2])
    moved = (swaps.astype(np.float64) @ step.T).reshape(len(swaps), -1, 2)
    totals = sides.sum(axis=2)
    apart = _apart(totals + np.concatenate([moved, -moved], axis=2))
    return np.asarray(~(np.abs(apart) < np.abs(_apart(totals)) - 1e-9))


def _apart(totals: Floats) -> Floats:
    """Return B - A of totals (..., 4); NaN where a run measured nothing."""
    sum_a, count_a, sum_b, count_b = np.moveaxis(totals, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where((count_a > 0) & (count_b > 0), sum_b / count_b - sum_a / count_a, np.nan))


def _blocks(rows: int, columns: int) -> Iterator[int]:
    """Yield numbers of rows that sum to `rows`, each with its columns small enough to hold."""
    most = max(1, _CELLS // columns)
    for start in range(0, rows, most):
        yield min(most, rows - start)


def significant(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Tell of each p-value whether it stands at a false discovery rate of `alpha` (Benjamini & Hochberg 1995)."""
    held = [p for place, p in enumerate(sorted(p_values), start=1) if p <= alpha * place / len(p_values)]
    return [bool(held) and p <= held[-1] for p in p_values]
