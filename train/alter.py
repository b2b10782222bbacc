"""Texts with one thing changed, so that they say something else: names, numbers, negations. Pure but for the `rng`."""

import random
import re
import unicodedata
from collections.abc import Iterable

from rag.words import sentence_opens

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NAME = re.compile(r"[A-ZÀ-Þ][\w’'-]*[a-zà-ÿ][\w’'-]*(?: [A-ZÀ-Þ][\w’'-]*[a-zà-ÿ][\w’'-]*)*")
_NEGATABLE = {
    "en": (r"\b(is|are|was|were|can|could|will|would|has|have|had|may|should|did|does|do)\b(?! not|n't)", r"\1 not"),
    "it": (r"\b(è|era|sono|furono|fu|ha|hanno|aveva|può|possono|viene|venne)\b", r"non \1"),
    "de": (r"\b(ist|sind|war|waren|wurde|wurden|hat|hatte|kann|wird)\b", r"\1 nicht"),
    "es": (r"\b(es|era|son|fue|fueron|ha|han|había|puede|está)\b", r"no \1"),
    "ro": (r"\b(este|era|sunt|au|fost|poate)\b", r"nu \1"),
}
_YEAR_DIGITS = 4
_SHORTEST_NAME = 4


def swapped(text: str, other: str, rng: random.Random) -> str:
    """Return `text` with one of its numbers or names exchanged for another of `other`, "" where there is none."""
    own = figures(text)
    rng.shuffle(own)
    for kind, old in own:
        alike = {new for found, new in figures(other) if found == kind and (kind == "name" or len(new) == len(old))}
        others = sorted(new for new in alike if new not in text and not set(new.split()) & set(old.split()))
        if others:
            return text.replace(old, rng.choice(others))
    return ""


def renumbered(text: str, other: str, rng: random.Random) -> str:
    """Return `text` with one number changed to one that `other` lacks, "" where it has none.

    Decimals lose their point, other numbers a digit, are tenfold or a tenth, or somewhat more.
    """
    if not (own := NUMBER.findall(text)):
        return ""
    old = rng.choice(own)
    digits = re.sub(r"[.,]", "", old)
    near = str(int(digits) + rng.randint(1, 9))
    if digits != old:
        new = rng.choice([digits, near])
    elif len(digits) == _YEAR_DIGITS:
        new = near
    else:
        new = rng.choice([near, f"{digits}0", f"{digits}.{rng.randint(1, 9)}", *([digits[:-1]] if digits[1:] else [])])
    if new in NUMBER.findall(f"{text} {other}"):
        return ""
    return re.sub(rf"(?<![\d.,]){re.escape(old)}(?![.,]?\d)", new, text)


def negated(text: str, language: str) -> str:
    """Return `text` with a negation more or less, "" where no rule fits."""
    if language == "en" and re.search(r"\b(not|n't)\b", text):
        return re.sub(r"\s*\b(not|n't)\b", "", text, count=1)
    pattern, negation = _NEGATABLE.get(language, (r"\A\Z", ""))
    changed = re.sub(pattern, negation, text, count=1)
    return changed if changed != text else ""


def figures(text: str) -> list[tuple[str, str]]:
    """Return the numbers of `text`, and its names of some length that do not open a sentence, each with its kind."""
    named = (match for match in NAME.finditer(text) if not sentence_opens(text, match.start()))
    return [("number", number) for number in NUMBER.findall(text)] + [
        ("name", match.group()) for match in named if len(match.group()) >= _SHORTEST_NAME
    ]


def without(text: str, sentences: Iterable[str]) -> str:
    """Return `text` with a space in place of each of `sentences`."""
    for sentence in sorted(set(sentences) - {""}):
        text = text.replace(sentence, " ")
    return text


def typed(text: str, rng: random.Random) -> str:
    """Return `text` as a hurried person types it: without accents or capitals or question mark, or with a typo."""
    way = rng.randrange(4)
    if way == 0:
        return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    if way == 1:
        return text.lower()
    if way == 2:
        return text.rstrip(" ?？؟")
    if len(text) < 3 or not (places := [i for i in range(1, len(text) - 1) if text[i : i + 2].isalpha()]):
        return text
    place = rng.choice(places)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
