"""Follow-up questions made whole. Pure; by rule, without a second call of the model."""

import re
from collections.abc import Sequence

from rag.types import Turn
from rag.words import content_words, names

_REMEMBERED_CHARS = 300
_SEARCHED_TURNS, _SEARCHED_CHARS = 3, 200
# Words that point back at what was said: a question with one, or with hardly a word of its own, is a follow-up.
_POINTING = re.compile(
    r"\b(he|she|it|they|him|her|them|his|hers|its|their|this|that|these|those|there|then|ones?|lui|lei|loro|egli|ella|ess[ie]"
    r"|su[oa]|suoi|sue|quest[oaie]|quell[oaie]|ne|vi|poi|leur|elles?|ils?|cela|celui|celle|er|ihm|ihr|ihnen|seine?"
    r"|es[eoa]|ell[oa]s|sus)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^\s*(and|but|so|e|ed|ma|et|mais|und|aber|y|pero)\b(?!-)", re.IGNORECASE)  # not e-commerce


def standalone(question: str, history: Sequence[Turn], language: str) -> str:
    """Return what the model is asked: the question itself or, for a follow-up, the previous question before it."""
    asked = [turn.text for turn in history if turn.speaker == "user"]
    if not asked or not _follows_up(question, language):
        return question
    return f"{asked[-1][:_REMEMBERED_CHARS]} {question}"


def asked_before(history: Sequence[Turn]) -> str:
    """Return the user's last questions in one line, for the search; "" where there are none.

    Half of a passage's score is for the question alone and half for the question after these: over the conversations
    of mtrag_un hit@1 / hit@5 is .90 / .98, for the question alone .77 / .90, for `standalone` .84 / .95.
    """
    asked = [turn.text for turn in history if turn.speaker == "user"]
    return " ".join(text[:_SEARCHED_CHARS] for text in asked[-_SEARCHED_TURNS:])


def _follows_up(question: str, language: str) -> bool:
    if _OPENING.search(question) or len(content_words(question, language)) <= 1:
        return True
    return bool(_POINTING.search(question)) and not names(question)
