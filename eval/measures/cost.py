"""Cost: median and 95th percentile of seconds and tokens a question, percentiles linear between neighbours (numpy)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Cost:
    """What `n` questions cost; None where n is 0."""

    median: float | None
    p95: float | None
    n: int


def cost(values: Iterable[float | None]) -> Cost:
    """Return the cost over the values that are known."""
    known = [value for value in values if value is not None]
    if not known:
        return Cost(None, None, 0)
    median, p95 = np.percentile(known, [50, 95])
    return Cost(round(float(median), 3), round(float(p95), 3), len(known))
