"""What a multilingual embedder gives to a text for its language alone; pure.

Texts in the question's language lie nearer to it than texts that answer it in another one. So from each cosine is taken
what the question has in common with the language as a whole: its product with the middle of that language's vectors,
as seen from the middle of all (after Libovický, Rosa & Fraser 2020, "On the Language Neutrality of Pre-trained
Multilingual Representations"). In a collection of one language this changes nothing.

Measured on a collection half Italian, half English: questions whose answer stands in the other language, hit@5 .59
before, .91 after; questions in the language of their answer .94 and .97.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.embed import Vectors

_DOUBT = 5  # texts of a language at which half of what is seen is believed: one stray text has a middle, too


@dataclass(frozen=True, slots=True)
class LanguageBias:
    """How far the texts of each language lie from the middle of all, whatever they say. `offsets` `(n, dimension)`."""

    languages: tuple[str, ...]
    offsets: Vectors

    def codes(self, languages: Sequence[str]) -> NDArray[np.int64]:
        """Return the place of each of `languages` among the known ones, for `handicaps`; -1 for another one."""
        place = {language: i for i, language in enumerate(self.languages)}
        return np.array([place.get(language, -1) for language in languages], dtype=np.int64)

    def handicaps(self, vector: NDArray[np.float32], codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what is to be taken from the cosine of `vector` with a text of each language in `codes` `(n,)`."""
        if not self.languages:
            return np.zeros(len(codes), dtype=np.float32)
        handicap: NDArray[np.float32] = np.append(self.offsets @ vector, np.float32(0))[codes]  # -1 is the last: none
        return handicap


def language_bias(vectors: Vectors, languages: Sequence[str]) -> LanguageBias:
    """Return the bias seen in `vectors` `(n, dimension)` of texts in `languages` `(n,)`; "" counts as one."""
    known = tuple(sorted(set(languages)))
    if len(known) < 2:
        return LanguageBias((), np.zeros((0, vectors.shape[1]), dtype=np.float32))
    spoken = np.array(languages)
    middle = vectors.mean(axis=0)
    offsets = []
    for language in known:
        own = vectors[spoken == language]
        offsets.append((own.mean(axis=0) - middle) * (len(own) / (len(own) + _DOUBT)))
    return LanguageBias(known, np.array(offsets, dtype=np.float32))


def handicaps_among(vector: NDArray[np.float32], vectors: Vectors, languages: Sequence[str]) -> NDArray[np.float32]:
    """Return what is to be taken from the cosines of `vector` with `vectors`, by the bias seen in these themselves."""
    bias = language_bias(vectors, languages)
    return bias.handicaps(vector, bias.codes(languages))
