"""What became of a question, in one word, and which questions deserve the first look. Pure."""

from collections.abc import Sequence
from typing import Literal

from eval.results import Scored

Outcome = Literal["failed", "wrong", "invented", "needless", "unjudged", "right", "due"]

# In the order in which they deserve a look.
OUTCOMES: dict[Outcome, str] = {
    "failed": "failed",
    "wrong": "wrong",
    "invented": "invented answer",
    "needless": "needless refusal",
    "unjudged": "not judged",
    "right": "right",
    "due": "due refusal",
}
GOOD: frozenset[Outcome] = frozenset({"right", "due"})
_ORDER = {name: place for place, name in enumerate(OUTCOMES)}
_THEN_BY = ("token_f1", "mrr")  # both 0..1


def outcome(question: Scored) -> Outcome:
    """Return what became of a question; "unjudged" where no answer was asked for, or none is known to hold it against.

    An answer that was refused although the documents hold it is needless, not wrong, though it also counts as not
    right; "invented" is an answer to what they do not hold, whose refusal is "due".
    """
    if question.row.error:
        return "failed"
    if (due := question.value("refused_unanswerable")) is not None:
        return "due" if due else "invented"
    if question.value("needless_refusals"):
        return "needless"
    right = question.value("right")
    if right is None:
        return "unjudged"
    return "right" if right == 1 else "wrong"


def worst_first(scored: Sequence[Scored]) -> list[Scored]:
    """Return the questions by outcome, then by token F1 and by the rank of a relevant document, lowest first.

    Those without a value come last of their outcome; ties stay in the order given.
    """
    return sorted(scored, key=_badness)


def _badness(question: Scored) -> tuple[float, ...]:
    values = map(question.value, _THEN_BY)
    return (_ORDER[outcome(question)], *(2.0 if value is None else value for value in values))
