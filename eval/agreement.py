"""How far a measure agrees with people: their ratings read, and held against its values question by question."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from eval.data import Fault, cannot_be_used, describe
from eval.measures.interval import RESAMPLES, SEED
from eval.measures.registry import MEASURES
from index.errors import BadGold

if TYPE_CHECKING:
    from rich.console import RenderableType

FEWEST = 3


class _Rating(TypedDict):
    id: Annotated[str, Field(min_length=1)]
    rating: Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement over `n` questions that have both a value and a rating; None where it cannot be told.

    `spearman` and `kendall` (tau-b) are rank correlations, -1..1, and `low`, `high` the bounds of the former's 95 %
    interval. `auc` is the probability that a question rated above the middle has a higher value than one that is not,
    0..1, 0.5 by chance. `kappa` is Cohen's, where values and ratings are both of two kinds.
    """

    spearman: float | None
    kendall: float | None
    auc: float | None
    n: int
    low: float | None
    high: float | None
    kappa: float | None = None


def read_ratings(path: Path) -> dict[str, list[float]]:
    """Return the ratings of each question id, in the order of the file: lines of `{"id": ..., "rating": number}`.

    Any scale, higher is better; a line a rater. Other keys are left aside. Raises BadGold naming every line that
    cannot be used.
    """
    ratings: dict[str, list[float]] = defaultdict(list)
    adapter = TypeAdapter(_Rating)
    faults = []
    for number, line in _lines(path):
        try:
            row = adapter.validate_json(line, strict=True)
        except ValidationError as error:
            faults.append(Fault(number, describe(error)))
        else:
            ratings[row["id"]].append(row["rating"])
    if faults:
        raise BadGold(cannot_be_used(path, faults))
    if not ratings:
        raise BadGold(f'{path} holds no rating: write one {{"id": "...", "rating": 4}} a line.')
    return dict(ratings)


def agreement(values: Mapping[str, float], ratings: Mapping[str, Sequence[float]]) -> Agreement:
    """Return how far a measure's values agree with the mean ratings of the questions that have both.

    Nothing can be told of fewer than three questions, or where all values or all mean ratings are the same. The middle
    lies halfway between the lowest and the highest rating that was given. The interval is a percentile bootstrap over
    the questions, seeded as in measures/interval.py; a perfect correlation has none, as resamples can only repeat it.
    """
    shared = [id for id in values if ratings.get(id)]
    measured = np.array([values[id] for id in shared], dtype=np.float64)
    rated = np.array([np.mean(ratings[id]) for id in shared], dtype=np.float64)
    if len(shared) < FEWEST or np.ptp(measured) == 0 or np.ptp(rated) == 0:
        return Agreement(None, None, None, len(shared), None, None)
    from scipy.stats import kendalltau, spearmanr

    spearman = float(spearmanr(measured, rated).statistic)
    low, high = _interval(measured, rated) if abs(spearman) < 1 - 1e-9 else (None, None)
    given = [rating for id in shared for rating in ratings[id]]
    return Agreement(
        spearman=round(spearman, 6),
        kendall=round(float(kendalltau(measured, rated).statistic), 6),
        auc=_auc(measured, rated > (min(given) + max(given)) / 2),
        n=len(shared),
        low=low,
        high=high,
        kappa=cohen_kappa(measured.tolist(), rated.tolist()),
    )


def cohen_kappa(values: Sequence[float], ratings: Sequence[float]) -> float | None:
    """Return Cohen's kappa, -1..1, of two columns of two kinds each, the higher of one matched with that of the other.

    Cohen 1960. None where a column has more or fewer than two kinds.
    """
    if len(set(values)) != 2 or len(set(ratings)) != 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    high, high_rating = max(values), max(ratings)
    return round(float(cohen_kappa_score([v == high for v in values], [r == high_rating for r in ratings])), 6)


def agreement_table(found: Mapping[str, Agreement]) -> "RenderableType":
    """Return the agreement of each measure, by its name, for `rich` to print; "-" where it cannot be told."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title=" ")
    for column in ("agreement with people", "Spearman", "95 % interval", "Kendall", "AUC", "kappa", "n"):
        table.add_column(column, justify="right" if table.columns else "left")
    for name, a in found.items():
        bounds = "-" if a.low is None else f"{_number(a.low)} to {_number(a.high)}"
        label = MEASURES[name].label if name in MEASURES else name
        table.add_row(label, _number(a.spearman), bounds, *map(_number, (a.kendall, a.auc, a.kappa)), str(a.n))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _auc(values: np.ndarray, good: np.ndarray) -> float | None:
    from sklearn.metrics import roc_auc_score

    return None if good.all() or not good.any() else round(float(roc_auc_score(good, values)), 6)


def _interval(values: np.ndarray, ratings: np.ndarray) -> tuple[float | None, float | None]:
    """Return the bounds of Spearman's correlation; a resample in which one side is all the same says nothing."""
    from scipy.stats import rankdata

    drawn = np.random.default_rng(SEED).integers(len(values), size=(RESAMPLES, len(values)), dtype=np.int32)
    first, second = (rankdata(column[drawn], axis=1) for column in (values, ratings))
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    known = spread > 0
    if not known.any():
        return None, None
    low, high = np.percentile((first * second).sum(axis=1)[known] / spread[known], [2.5, 97.5])
    return round(float(low), 6), round(float(high), 6)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not blank, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadGold(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except OSError as error:
        raise BadGold(f"{path} cannot be read: {error.strerror or error}.") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line
