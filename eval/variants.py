"""Gold pairs -> the same questions put otherwise: mistyped, in other case, among other words, paraphrased.

The same pairs and seed give the same variants on every machine.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import prompts
from eval.data import Gold, Meta
from eval.measures.language import language_right
from eval.measures.normalise import normalise
from index.errors import BadGold
from index.terms import terms
from rag.generate import Generator, Message
from rag.messages import neutral
from rag.words import names, numbers, sentence_opens

VARIANTS = ("typos", "case", "noise", "paraphrase")
Paraphrase = Callable[[str, str], str]  # question, language -> the question otherwise; "" where there is none

LETTERS_AN_EDIT = 12
MOST_EDITS = 4
_WORD = re.compile(r"[^\W_]+")
_SHORTEST_WORDS = (4, 3, 2)  # longer words first: "who" with a typo may be another word
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {key: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in _ROWS for i, key in enumerate(row)}
_NOISE = {
    "en": (
        "Hi there, one thing I was wondering about: {} Thanks a lot!!",
        "hello, sorry to bother you... {}  I need it for tomorrow, thank you :)",
        "ok so, quick one - {} (asking for a colleague)",
    ),
    "it": (
        "Ciao, mi chiedevo una cosa: {} Grazie mille!!",
        "salve, scusate il disturbo... {}  mi serve per domani, grazie :)",
        "allora, domanda veloce - {} (me lo chiede una collega)",
    ),
    "": (" ...  {} ??", "- {} !!  ?", "  {}  ...?!"),
}
_QUESTION_MARKS = ("?", "？", "؟")
_QUOTES = " \t\"'“”«»‘’*"


def vary(golds: Sequence[Gold], kinds: Sequence[str], *, seed: int, paraphrase: Paraphrase | None = None) -> list[Gold]:
    """Return one further pair for each pair and kind of `VARIANTS`, with id "<id>~<kind>" and the changed question.

    Its meta says besides `variant_of` and `variant`. A question that a kind cannot change has no such variant: one
    without letters, without a second case, without a paraphrase; nor has a pair that is a variant itself. Raises
    ValueError for an unknown kind, BadGold for `meta.paraphrases` that are not texts and for ids that are taken.
    """
    if unknown := [kind for kind in kinds if kind not in VARIANTS]:
        raise ValueError(f"no variants {unknown}; there are {VARIANTS}")
    made = [
        replace(gold, id=f"{gold.id}~{kind}", question=question, meta=_meta(gold, kind))
        for gold in golds
        if "variant_of" not in gold.meta
        for kind in dict.fromkeys(kinds)
        if (question := _varied(gold, kind, seed, paraphrase)) and question != gold.question
    ]
    if taken := {gold.id for gold in golds} & {gold.id for gold in made}:
        raise BadGold(f"The id {min(taken)!r} is needed for a variant: give that question another id.")
    return made


def paraphraser(generator: Generator) -> Paraphrase:
    """Return a function that lets a model put a question otherwise; it returns "" where the model does not manage.

    What the model wrote is kept only where it is a question in the same language, with the same numbers and names, in
    other words. Whether it asks the same can only be read: look through some. Raises GenerationFailed when called.
    """

    def paraphrase(question: str, language: str) -> str:
        message = Message("user", prompts.render("paraphrase", language, question=neutral(question)))
        reply = "".join(generator.generate([message], max_tokens=32 + 2 * generator.count_tokens(question)))
        first_line = next((line for line in map(_bare, reply.splitlines()) if line), "")
        return first_line if _asks_likewise(question, first_line, language) else ""

    return paraphrase


def _bare(line: str) -> str:
    return re.sub(r"^(?:question|domanda)\s*:\s*", "", line.strip(_QUOTES), flags=re.IGNORECASE).strip(_QUOTES)


def _asks_likewise(question: str, other: str, language: str) -> bool:
    return (
        other.endswith(_QUESTION_MARKS)
        and normalise(other) != normalise(question)
        and numbers(other) == numbers(question)
        and names(question) <= set(terms(other))
        and language_right(other, language) != 0.0
    )


def _meta(gold: Gold, kind: str) -> Meta:
    return cast(Meta, {**gold.meta, "variant_of": gold.id, "variant": kind})


def _varied(gold: Gold, kind: str, seed: int, paraphrase: Paraphrase | None) -> str:
    # Seeded by a text, as hashes of other things differ between processes.
    rng = random.Random(f"{seed} {kind} {gold.id}")
    if kind == "typos":
        return mistyped(gold.question, rng)
    if kind == "case":
        return other_case(gold.question)
    if kind == "noise":
        return rng.choice(_NOISE.get(gold.language, _NOISE[""])).format(gold.question)
    if known := _known_paraphrases(gold):
        return rng.choice(known)
    return paraphrase(gold.question, gold.language) if paraphrase else ""


def _known_paraphrases(gold: Gold) -> list[str]:
    known = gold.meta.get("paraphrases", [])
    if not isinstance(known, list) or not all(isinstance(text, str) and text.strip() for text in known):
        raise BadGold(f'meta.paraphrases of question {gold.id!r} is not a list of texts: write ["...", "..."].')
    return known


def other_case(question: str) -> str:
    """Return `question` in lower case, in capitals where it is in lower case already; the same without a case."""
    lower = question.lower()
    return lower if lower != question else question.upper()


def mistyped(question: str, rng: random.Random) -> str:
    """Return `question` with one slip of the fingers in about 12 letters, at least one and at most four.

    A slip swaps two letters, drops or doubles one, hits the key beside it or leaves an accent away. No word has two, no
    first letter any. Spared are numbers and what has a capital that does not open a sentence: a mistyped name may
    be another name. Where a question is all capitals these say nothing.
    """
    words = _common_words(question)
    letters = sum(len(word.group()) for word in words)
    edits = min(max(1, round(letters / LETTERS_AN_EDIT)), MOST_EDITS, len(words))
    for word in sorted(rng.sample(words, edits), key=lambda word: word.start(), reverse=True):
        question = question[: word.start()] + _slip(word.group(), rng) + question[word.end() :]
    return question


def _common_words(question: str) -> list[re.Match[str]]:
    """Return the words that may be mistyped: the longer ones, shorter ones only where there are no others."""
    shouted = question.isupper()
    common = [word for word in _WORD.finditer(question) if _is_common(word, question, shouted=shouted)]
    for shortest in _SHORTEST_WORDS:
        if long := [word for word in common if len(word.group()) >= shortest]:
            return long
    return []


def _is_common(word: re.Match[str], question: str, *, shouted: bool) -> bool:
    text = word.group()
    if not text.isalpha():
        return False
    if shouted or not any(map(str.isupper, text)):
        return True
    return not any(map(str.isupper, text[1:])) and sentence_opens(question, word.start())


def _slip(word: str, rng: random.Random) -> str:
    return rng.choice(sorted(set(_slips(word))))


def _slips(word: str) -> Iterator[str]:
    """Yield each way to mistype `word`, its first letter kept."""
    for i in range(1, len(word)):
        before, letter, after = word[:i], word[i], word[i + 1 :]
        yield before + after
        yield before + letter + letter + after
        if after and after[0] != letter:
            yield before + after[0] + letter + after[1:]
        for key in _NEIGHBOURS.get(letter.lower(), ""):
            yield before + (key if letter.islower() else key.upper()) + after
        if (plain := unicodedata.normalize("NFD", letter)[0]) != letter:
            yield before + plain + after
