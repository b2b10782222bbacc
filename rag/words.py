"""The words, names and numbers of a text, folded so that they can be compared across languages. Pure."""

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*", re.UNICODE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ELISION = re.compile(r"\b\w{1,6}['’](?=\w)", re.UNICODE)

# Function words of the commonest European languages, folded: without them every sentence resembles every question.
_FUNCTION_WORDS = frozenset(
    """a ad after al alla alle also am an and are as at au aux avec be been but by che chi ci co come con cosa cui da dal
    dalla das de degli dei del della delle den der des di did die do does dove du e ed ein eine el elle en er es est et
    fa fu for from gli ha had hanno has have he her his ho how i il im in is ist it its la las le lo los ma mit more ne
    nei nel nella no non not o of on or ou par per perche piu por pour qual quale quali quando quanti quanto que quel
    quelle quelli questa questo qui quien quelle s se si sia sind sont sono su sua sul sulla suo sur t than that the
    their there they this to tra un una und une uno von was were what when where which who whom whose why will with wo
    wer wie would you zu""".split()
)


def fold(text: str) -> str:
    """Return `text` without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@lru_cache(maxsize=4096)
def content_words(text: str) -> frozenset[str]:
    """Return the folded words of `text` that carry meaning, elided articles split off (dell'azienda: azienda)."""
    words = _WORD.findall(fold(_ELISION.sub(" ", text)))
    return frozenset(w for w in words if w not in _FUNCTION_WORDS and (len(w) > 1 or w.isdigit()))


def overlap(word: str, words: frozenset[str]) -> float:
    """Return 1 where `words` hold `word`, 0.7 for a word alike in its first letters (cognates, inflections), else 0."""
    if word in words:
        return 1.0
    if len(word) < 5 or word[0].isdigit():
        return 0.0
    stem = word[: max(4, (len(word) * 2) // 3)]
    return 0.7 if any(other.startswith(stem) for other in words) else 0.0


def numbers(text: str) -> frozenset[str]:
    """Return the numbers in figures of `text`, without separators of thousands and decimals (1.500 = 1,500)."""
    return frozenset(re.sub(r"[.,]", "", n) for n in _NUMBER.findall(text))


def names(text: str) -> frozenset[str]:
    """Return the folded capitalised words of `text` that do not open a sentence, and words in capitals anywhere."""
    found = set()
    for match in _WORD.finditer(_ELISION.sub(" ", text)):
        word = match.group()
        before = text[: match.start()].rstrip(" \"'«“‘(")
        opens = not before or before[-1] in ".!?:;\n"
        if word[0].isupper() and (not opens or word[1:].isupper()) and len(word) > 1:
            found.add(fold(word))
    return frozenset(found - _FUNCTION_WORDS)
