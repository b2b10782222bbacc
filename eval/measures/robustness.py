"""Robustness: does the same question, put otherwise, get the same answer?

Consistency as Elazar et al. 2021 define it (https://arxiv.org/abs/2102.01017): the share of pairs of paraphrases with
the same prediction, right or wrong, kept apart from accuracy. Their predictions are single words; ours are sentences,
so what counts as the same is decided by the accepted answers where it can be, and by shared words where it cannot.
"""

from collections.abc import Sequence

from eval.measures.containment import is_right
from eval.measures.normalise import without_markers, words
from eval.measures.number_words import is_number
from eval.measures.token_f1 import token_f1
from index.terms import terms
from rag.words import names

# Of two answers that say the same in a sentence each, about half the words are the answer's: a choice, not a finding.
SAME_F1 = 0.5


def same_answer(
    first: str,
    second: str,
    first_abstained: bool,
    second_abstained: bool,
    accepted: Sequence[str] = (),
    all_of: Sequence[str] = (),
) -> float:
    """Return 1 where two answers to one question come to the same, else 0.

    Two refusals do, a refusal and an answer do not. Where accepted answers are known, two right ones do however they
    are worded, and a right and a wrong one do not. Otherwise, as for two wrong ones, they do where their token F1 is
    `SAME_F1` or more and they do not name different things. An empty answer is the same as none.
    """
    if first_abstained or second_abstained:
        return float(first_abstained and second_abstained)
    first, second = without_markers(first), without_markers(second)
    if accepted or all_of:
        right, other_right = is_right(first, accepted, all_of), is_right(second, accepted, all_of)
        if right or other_right:
            return float(right and other_right)
    return float(token_f1(first, [second]) >= SAME_F1 and not _clash(first, second))


def _clash(first: str, second: str) -> bool:
    """Tell whether each answer has a name, or each a number, that the other lacks; one alone may just say more."""
    numbers, other_numbers = _numbers(first), _numbers(second)
    if numbers - other_numbers and other_numbers - numbers:
        return True
    return bool(names(first).difference(terms(second)) and names(second).difference(terms(first)))


def _numbers(text: str) -> set[str]:
    return set(filter(is_number, words(text)))
