"""Containment: an answer is right when it holds an accepted answer, word for word after normalisation.

The usual measure for generated answers, which are longer than the gold span (e.g. Mallen et al. 2023,
https://arxiv.org/abs/2212.10511). It rewards length, so a second figure looks at the first 60 words alone. A pair with
`all_of` asks for several things at once: all must occur, in any order, and the accepted answers are not looked at.
"""

import re
from collections.abc import Sequence

from eval.measures.normalise import as_spelled, normalise

WORDS = 60
LONGEST_HELD_WORDS = 12  # of an accepted answer: nobody repeats a longer one word for word


def is_right(answer: str, accepted: Sequence[str], all_of: Sequence[str] = ()) -> bool:
    """Tell whether `answer` holds all of `all_of` or, where that is empty, one of `accepted`."""
    if all_of:
        return all(holds_stem(answer, stem) for stem in all_of)
    return any(holds(answer, text) for text in accepted)


def holds(answer: str, accepted: str) -> bool:
    """Tell whether the words of `accepted` occur in `answer`, whole and in a row."""
    wanted = normalise(accepted)
    if not wanted:  # nothing but signs, such as "%"
        return bool(accepted.strip()) and accepted.strip() in answer
    return f" {wanted} " in f" {normalise(answer)} "


def holds_stem(answer: str, stem: str) -> bool:
    """Tell whether `stem` occurs in `answer` at a word's beginning; a number must match whole.

    It may begin a number or a month that is spelled: "trent" is in "trenta giorni", but "trenta" not in "trentuno".
    """
    wanted = normalise(stem)
    if not wanted:
        return holds(answer, stem)
    if wanted[-1].isdigit():
        return re.search(rf"(?<!\S){re.escape(wanted)}(?![\d.])", normalise(answer)) is not None
    return f" {wanted}" in f" {normalise(answer)}" or f" {as_spelled(stem)}" in f" {as_spelled(answer)}"


def first_words(text: str, count: int = WORDS) -> str:
    """Return the first `count` words of `text`."""
    return " ".join(text.split()[:count])
