"""Questions to begin with, made from the names that the documents speak of most. Pure."""

from collections import Counter
from collections.abc import Iterable

from index.types import Document
from rag.words import FULL_NAME, sentence_opens

_ASKED = {"en": "What is said about {}?", "it": "Che cosa si dice di {}?", "fr": "Que dit-on de {} ?"}
_CHARS_READ = 5_000


def example_questions(documents: Iterable[Document], *, count: int = 3) -> list[str]:
    """Return up to `count` questions about the commonest names of several words, in the documents' languages."""
    found: Counter[str] = Counter()
    languages: dict[str, Counter[str]] = {}
    for document in documents:
        text = document.text[:_CHARS_READ]
        held = {m.group() for m in FULL_NAME.finditer(text) if not sentence_opens(text, m.start())}
        found.update(held)
        for name in held:
            languages.setdefault(name, Counter())[document.language] += 1
    best = sorted(found, key=lambda name: (-found[name], name))[:count]
    return [_ASKED.get(_turn(languages[name], i), _ASKED["en"]).format(name) for i, name in enumerate(best)]


def _turn(languages: Counter[str], i: int) -> str:
    known = sorted(language for language in languages if language in _ASKED) or ["en"]
    return known[i % len(known)]
