"""Passages that are near a text and do not answer it: what a retriever would find beside the right one."""

import random
from collections.abc import Sequence

import numpy as np

from index.embed import Embedder, Vectors
from train.material import Paragraph

_NEAREST = 8  # of which one is drawn


class Nearest:
    """The paragraphs by nearness, in each language and in all."""

    def __init__(self, paragraphs: Sequence[Paragraph], embedder: Embedder) -> None:
        self._paragraphs = paragraphs
        self._known: dict[str, Vectors] = {}
        self._vectors = embedder.embed_passages([paragraph.text for paragraph in paragraphs])
        self._embedder = embedder
        self._languages = np.array([paragraph.language for paragraph in paragraphs])
        self._numbers = np.array([paragraph.number for paragraph in paragraphs])

    def prepare(self, texts: Sequence[str]) -> None:
        """Embed `texts` at once, which is faster than one by one."""
        self._known = dict(zip(texts, self._embedder.embed_queries(texts), strict=True))

    def draw(self, text: str, answer: str, without: int, language: str, rng: random.Random) -> Paragraph:
        """Return one of the paragraphs nearest to `text`, in `language` unless that is "".

        Not the one numbered `without`, nor one that holds `answer`. `text` must have been prepared.
        """
        cosines = self._vectors @ self._known[text]
        cosines[self._numbers == without] = -1
        if language:
            cosines[self._languages != language] = -1
        best = np.argsort(-cosines, kind="stable")[: 4 * _NEAREST].tolist()
        others = [i for i in best if answer.casefold() not in self._paragraphs[i].text.casefold()] or best
        chosen: int = rng.choice(others[:_NEAREST])
        return self._paragraphs[chosen]
