"""Abstention: refusals where the answer was there and where it was not, and whether confidence knows which is right.

Two rates of refusal and no mean of them: SQuAD 2.0 (Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822) folds both
into one F1, which a system that always refuses or never does can look good on.
"""

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from eval.measures.normalise import without_markers
from eval.measures.refusals import TONGUES, Tongue
from index.terms import terms

_MOST_CLAUSES = 20  # looked at in one sentence: a reply may be a long list
_SENTENCE_END = re.compile(r"[.!?;:]+(?=\s|$)|\s[–—-]\s|\n")


def needless_refusal(answerable: bool, abstained: bool) -> float | None:
    """Return 1 for a refusal of an answerable question, 0 for an answer, None where the question has no answer."""
    return float(abstained) if answerable else None


def due_refusal(answerable: bool, abstained: bool) -> float | None:
    """Return 1 for a refusal of an unanswerable question, 0 for an invented answer, None where there is an answer."""
    return None if answerable else float(abstained)


def risk_coverage(confidence: Sequence[float | None], correct: Sequence[bool]) -> list[tuple[float, float]]:
    """Return `(coverage, risk)` for the surest 1, 2, ... n questions: their share of all, the share of them wrong.

    El-Yaniv & Wiener 2010 (https://www.jmlr.org/papers/v11/el-yaniv10a.html). A refused question (confidence None)
    comes last and is wrong, whatever `correct` says: to cover it, an answer would have had to be invented. Equal
    confidences leave the order open, so each such question bears the mean error of them all, which is what an order
    drawn by lot gives on average. Raises ValueError for lengths that differ and for a confidence that is not finite.
    """
    if len(confidence) != len(correct):
        raise ValueError(f"{len(confidence)} confidences for {len(correct)} answers")
    if not all(value is None or math.isfinite(value) for value in confidence):
        raise ValueError("a confidence is not a finite number")
    if not confidence:
        return []
    order = np.array([np.inf if value is None else -value for value in confidence])
    wrong = np.array([value is None or not right for value, right in zip(confidence, correct, strict=True)])
    _, group, sizes = np.unique(order, return_inverse=True, return_counts=True)
    errors = np.cumsum(np.repeat(np.bincount(group, weights=wrong) / sizes, sizes))
    covered = np.arange(1, len(order) + 1)
    return list(zip((covered / len(order)).tolist(), (errors / covered).tolist(), strict=True))


def aurc(confidence: Sequence[float | None], correct: Sequence[bool]) -> float:
    """Return the area under the risk-coverage curve, 0..1, lower is better: the mean of the risks at 1, 2, ... n.

    Geifman & El-Yaniv 2017 (https://arxiv.org/abs/1705.08500), with the ties and refusals of `risk_coverage`. Raises
    ValueError where there is no question.
    """
    points = risk_coverage(confidence, correct)
    if not points:
        raise ValueError("no question")
    return sum(risk for _, risk in points) / len(points)


def excess_aurc(confidence: Sequence[float | None], correct: Sequence[bool]) -> float:
    """Return `aurc` less the least that is possible with as many right answers: 0 where every right one comes first.

    Geifman, Uziel & El-Yaniv 2019 (https://arxiv.org/abs/1805.08206): the part that better confidences could save.
    """
    given = [right and value is not None for value, right in zip(confidence, correct, strict=True)]
    return aurc(confidence, correct) - aurc([float(right) for right in given], given)


def refuses(text: str) -> bool:
    """Tell whether the reply of another system says that it does not know, and nothing else.

    Every part of the reply must be a refusal, an apology or an offer of help, at least one a refusal: "I don't know,
    but it was after 1990" answers, and so does "I don't know who paid for the roof, which was of lead". Knows usual
    phrases in English, Italian, German, French, Spanish and Portuguese; a reply without a word refuses too. A sentence
    such as "The text does not mention a cause" counts as a refusal also where just that was asked: a system that says
    so itself (`abstained` in its run) needs no guess.
    """
    reply = without_markers(text).strip().strip("*_ \n")
    if not re.search(r"\w", reply):
        return True
    if reply[0] in "\"'“«‘" and reply[-1] in "\"'”»’":
        reply = reply[1:-1]
    if reply[0] in "\"'“«‘":  # a title: "I Don't Know" is a song
        return False
    return any(_all_refuse(reply, tongue) for tongue in TONGUES)


def _all_refuse(reply: str, tongue: Tongue) -> bool:
    parts = list(_parts(reply, tongue))
    refusing = [tongue.refusal.search(words) is not None for words in parts]
    idle = (tongue.nothing.search(words) is not None for words in parts)
    return any(refusing) and all(refused or empty for refused, empty in zip(refusing, idle, strict=True))


def _parts(reply: str, tongue: Tongue) -> Iterator[str]:
    """Yield the folded words of each sentence, of each clause after a "but", and of those that follow a refusal."""
    for sentence in _SENTENCE_END.split(reply):
        first, *rest = tongue.clause_end.split(sentence.casefold(), maxsplit=_MOST_CLAUSES)
        while rest and not any(map(tongue.refusal.search, _folded(first, tongue))):
            first = (
                f"{first} {rest.pop(0)}"  # before a refusal a comma ends nothing: "Sorry, it is not in the documents"
            )
        for clause in (first, *rest):
            yield from _folded(clause, tongue)


def _folded(clause: str, tongue: Tongue) -> Iterator[str]:
    """Yield the folded words between one "but" and the next."""
    yield from map(str.strip, tongue.part_end.split(" ".join(terms(clause))))
