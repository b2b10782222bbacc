"""The words, names and numbers of a text, in a form that can be compared across languages. Pure."""

import re
from functools import lru_cache

from index.terms import telling_terms, terms

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_CAPITALISED = re.compile(r"(?:(?<=['’])|\b)[^\W\d_]\w*(?:[-'’]\w+)*")
FULL_NAME = re.compile(r"[A-ZÀ-Þ][\w’'-]+(?:[ ][A-ZÀ-Þ][\w’'-]+)+")
_SENTENCE_OPENS = re.compile(r"(?:^|[.!?:;\n]|[.!?] ?[\"'”»)])[\s\"'«“‘(\[-]*$")
_ALIKE_LETTERS = 5  # words that share this many first letters are taken for cognates: decentral-ised, decentral-izzata


@lru_cache(maxsize=4096)
def content_words(text: str, language: str) -> frozenset[str]:
    """Return the folded words of `text` that carry meaning: no stop words of `language`, no elided articles."""
    words, _ = telling_terms(text, language, most=10_000)
    return frozenset(word for word in words if len(word) > 1 or word.isdigit())


def overlap(word: str, words: frozenset[str]) -> float:
    """Return 1 where `words` hold `word`, 0.7 for one alike in its first letters (inflection, cognate), else 0."""
    if word in words:
        return 1.0
    if len(word) < _ALIKE_LETTERS or word[0].isdigit():
        return 0.0
    beginning = word[: max(_ALIKE_LETTERS, len(word) // 2)]
    return 0.7 if any(other.startswith(beginning) for other in words) else 0.0


def numbers(text: str) -> frozenset[str]:
    """Return the numbers in figures of `text`, without separators of thousands and decimals (1.500 = 1,500)."""
    return frozenset(re.sub(r"[.,]", "", number) for number in _NUMBER.findall(text))


def names(text: str) -> frozenset[str]:
    """Return the folded capitalised words of `text` that do not open a sentence, and acronyms anywhere."""
    found: set[str] = set()
    for match in _CAPITALISED.finditer(text):
        word = match.group()
        acronym = len(word) > 1 and word.isupper()
        if acronym or (word[0].isupper() and not sentence_opens(text, match.start())):
            found.update(term for term in terms(word) if len(term) > 1)
    return frozenset(found)


def with_full_names(words: frozenset[str], text: str) -> frozenset[str]:
    """Return `words` and, where one is part of a name of several words in `text` (Mostaque), the others too (Emad)."""
    found = set(words)
    for name in FULL_NAME.findall(text):
        parts = terms(name)
        if words.intersection(parts):
            found.update(parts)
    return frozenset(found)


def sentence_opens(text: str, place: int) -> bool:
    """Whether the word at `place` of `text` is the first of a sentence, where a capital says nothing."""
    return bool(_SENTENCE_OPENS.search(text[max(0, place - 20) : place]))
