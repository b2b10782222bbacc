"""Stretches of a text: cut out, and without the spaces that a machine translation leaves after apostrophes. Pure."""

import random
import re

from index.sentences import Span, sentence_spans

_SPACE_AFTER_APOSTROPHE = re.compile(r"(?<=\w['’]) (?=\w)")
_CHARACTERS_OF = {"zh": 0.35, "ar": 0.8, "ru": 0.9}  # that say as much as one of a language in Latin letters


def tidied(text: str, span: Span | None = None) -> tuple[str, Span | None]:
    """Return `text` without spaces after apostrophes ("l' anno"), and where `span` of it is now."""
    places = [match.start() for match in _SPACE_AFTER_APOSTROPHE.finditer(text)]
    tidy = _SPACE_AFTER_APOSTROPHE.sub("", text)
    if span is None:
        return tidy, None
    start, end = (edge - sum(place < edge for place in places) for edge in span)
    return tidy, (start, end)


def cropped(text: str, language: str, span: Span | None, most: int, rng: random.Random) -> tuple[str, Span | None]:
    """Return whole sentences in a row of `text`, of about `most` characters (as in Latin letters), around `span`.

    Without a span they are any. Returns where `span` is in them.
    """
    spans = sentence_spans(text, language)
    most = int(most * _CHARACTERS_OF.get(language, 1.0))
    if not spans or len(text) <= most:
        return text, span
    inside = [i for i, (a, b) in enumerate(spans) if span and a < span[1] and span[0] < b]
    first = inside[0] if inside else rng.randrange(len(spans))
    last = inside[-1] if inside else first
    while True:
        wider = [(a, b) for a, b in ((first - 1, last), (first, last + 1)) if a >= 0 and b < len(spans)]
        wider = [(a, b) for a, b in wider if spans[b][1] - spans[a][0] <= most]
        if not wider:
            break
        first, last = rng.choice(wider)
    start, end = spans[first][0], spans[last][1]
    if span:
        start, end = min(start, span[0]), max(end, span[1])
        return text[start:end], (span[0] - start, span[1] - start)
    return text[start:end], None
