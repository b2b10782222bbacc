"""Abstention, in both directions: refusals where the answer was there, and refusals where it was not.

Two rates and no mean of them: SQuAD 2.0 (Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822) folds both into one
F1, which a system that always refuses or never does can look good on.
"""


def needless_refusal(answerable: bool, abstained: bool) -> float | None:
    """Return 1 for a refusal of an answerable question, 0 for an answer, None where the question has no answer."""
    return float(abstained) if answerable else None


def due_refusal(answerable: bool, abstained: bool) -> float | None:
    """Return 1 for a refusal of an unanswerable question, 0 for an invented answer, None where there is an answer."""
    return None if answerable else float(abstained)
