"""Text to the terms that lexical search compares: casefolded, without accents and elisions, and stemmed; pure."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from index.sentences import nltk_data

# ISO 639-1 codes to the names that Snowball and the stop word lists of llama-index-core share.
_NAMES = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
# The second range are the scripts of India, whose vowel signs \w does not take for letters.
_TERM = re.compile(r"(?:[^\W_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff])+")
# Parts of one name or word (GPT-4, co-CEO, U.S.), also where a line ends inside it: the whole is a term as well.
_JOINED = re.compile(r"[^\W_]{1,20}(?:[-\u2010\u2011_.]\n?[^\W_]{1,20}){1,4}")
# Written without spaces: pairs of neighbouring characters stand in for words.
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)")

_LETTERS_ONLY = re.compile(r"[\W_]")
_DOUBLED = re.compile(r"(.)\1")
_SPELLINGS = (
    ("ph", "f"), ("th", "t"), ("y", "i"), ("k", "c"), ("x", "s"), ("qu", "cu"), ("ch", "c"), ("j", "g"), ("w", "v"),
    ("ae", "e"), ("oe", "e"),
)  # fmt: skip
_ROOT_LETTERS = 5


def terms(text: str) -> list[str]:
    """Return the terms of `text` in order: casefolded, accents taken off, cut at apostrophes (dell'azienda).

    After them come names and words of several parts whole: co-CEO gives co, ceo and coceo.
    """
    return [_fold(word) for word in _words(text)]


def stems(text: str, language: str) -> list[str]:
    """Return the terms of `text` stemmed by the rules of `language` (ISO 639-1); no rules, no stems."""
    stemmer = _stemmer(language)
    return [_fold(stem) for stem in stemmer.stemWords(_words(text))] if stemmer else []


def roots(text: str) -> list[str]:
    """Return what the words of `text` share with their relatives in other languages; what has digits as it is.

    The first five letters in a common spelling: filosofia and philosophy, Normanni and Normans. After Simard, Foster &
    Isabelle 1992, who take words for cognates by their first four.
    """
    return [_root(word) for word in _words(text) if len(word) > 1 or word.isdigit()]


def telling_roots(text: str, language: str, *, most: int = 64) -> list[str]:
    """Return the roots of a question that are worth searching for: of no stop words, none twice."""
    telling = (word for word in _words(text) if _fold(word) not in _stopwords(language))
    return list(dict.fromkeys(roots(" ".join(telling))))[:most]


def telling_terms(text: str, language: str, *, most: int = 64) -> tuple[list[str], list[str]]:
    """Return the terms and the stems of a question that are worth searching for: no stop words, none twice."""
    words = list(dict.fromkeys(word for word in _words(text) if _fold(word) not in _stopwords(language)))[:most]
    return terms(" ".join(words)), stems(" ".join(words), language)


def _words(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", text).casefold()
    found: list[str] = []
    for run in _TERM.findall(text):
        if run.isascii() or not _UNSPACED.search(run):
            found.append(run)
        else:
            for part in _UNSPACED.split(run):
                found.extend(_pairs(part) if _UNSPACED.fullmatch(part) else [part] if part else [])
    return found + [_LETTERS_ONLY.sub("", whole) for whole in _JOINED.findall(text)]


def _pairs(run: str) -> Sequence[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def _fold(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not "\u0300" <= c <= "\u036f")


def _root(word: str) -> str:
    word = _fold(word)
    if any(map(str.isdigit, word)):
        return word
    for spelling, common in _SPELLINGS:
        word = word.replace(spelling, common)
    return _DOUBLED.sub(r"\1", word)[:_ROOT_LETTERS]


def _stemmer(language: str) -> Any:
    import Stemmer

    # Made anew for each text, in a few microseconds: one stemmer must not work in two threads at once.
    return Stemmer.Stemmer(_NAMES[language]) if language in _NAMES else None


@cache
def _stopwords(language: str) -> frozenset[str]:
    if language not in _NAMES:
        return frozenset()
    file = nltk_data() / "corpora" / "stopwords" / _NAMES[language]
    return frozenset(terms(file.read_text(encoding="utf-8")))
