"""Follow-up questions made whole before searching. Pure; by rule, without a second call of the model."""

import re
from collections.abc import Sequence

from rag.types import Turn
from rag.words import content_words, names

_REMEMBERED_CHARS = 300
# Words that point back at what was said: a question with one, or with hardly a word of its own, is a follow-up.
_POINTING = frozenset(
    """he she it they him her them his hers its their this that these those there then one ones lui lei loro egli ella
    essi esse suo sua suoi sue questo questa questi queste quello quella quelli quelle ne ci vi poi il la leur lui elle
    elles ils ce cela celui celle er sie es ihm ihr ihnen sein seine eso ese esa ellos ellas su sus""".split()
)
_OPENING = re.compile(r"^\s*(and|but|so|e|ed|ma|et|mais|und|aber|y|pero)\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")


def standalone(question: str, history: Sequence[Turn], language: str) -> str:
    """Return what to search for: the question itself or, for a follow-up, the user's previous question before it."""
    asked = [turn.text for turn in history if turn.speaker == "user"]
    if not asked or not _follows_up(question, language):
        return question
    return f"{asked[-1][:_REMEMBERED_CHARS]} {question}"


def _follows_up(question: str, language: str) -> bool:
    if _OPENING.search(question) or len(content_words(question, language)) <= 1:
        return True
    points_back = {word.lower() for word in _WORD.findall(question)} & (
        _POINTING - {"il", "la", "es", "su", "ci", "sie"}
    )
    return bool(points_back) and not names(question)
