"""Does a quote support a sentence? Names and numbers must agree; the rest is a matter of degree. Pure."""

import math

from rag.types import Support
from rag.words import content_words, names, numbers, overlap, with_full_names

# The default embedder's cosines lie close together: unrelated sentences near 0.78, paraphrases near 0.92.
_UNRELATED_COSINE, _PARAPHRASE_COSINE = 0.78, 0.92
_GIVEN_WEIGHT = 0.5  # of a word that the question has too
_NAMES_WEIGHT = 0.4
SUPPORTED, PARTLY = 0.55, 0.40
# Logistic regression over claims and quotes, true and not (bench/fit_support.py).
_CONSTANT, _RULES_WEIGHT, _READER_WEIGHT = -0.16, 0.69, 0.55
_LEAST_PROBABILITY = 1e-4


def support_score(
    sentence: str, quote: str, *, question: str, language: str, quote_language: str, cosine: float
) -> float:
    """Return how far `quote` supports `sentence`, 0..1.

    A number that the quote lacks makes it 0, names that it lacks lower it; those that the question itself gives need
    no support. `cosine` compares the vectors of sentence and quote, so that a quote in another language counts.
    """
    if not numbers(sentence) <= numbers(quote) | numbers(question):
        return 0.0
    given = content_words(question, language)
    held = content_words(quote, quote_language)
    claimed = names(sentence) - with_full_names(given, sentence)
    named = sum(overlap(name, held) for name in claimed) / len(claimed) if claimed else 1.0
    weights = {word: _GIVEN_WEIGHT if word in given else 1.0 for word in content_words(sentence, language)}
    shared = sum(w * overlap(word, held) for word, w in weights.items()) / (sum(weights.values()) or 1.0)
    near = min(max((cosine - _UNRELATED_COSINE) / (_PARAPHRASE_COSINE - _UNRELATED_COSINE), 0.0), 1.0)
    if language == quote_language:  # a paraphrase shares some words; near ones without any are only of one style
        near = (near + shared) / 2
    alike = max(shared, near)
    return named * (_NAMES_WEIGHT + (1 - _NAMES_WEIGHT) * alike) if claimed else alike


def weighed_support(rules: float, read: float) -> float:
    """Return how far a quote supports a sentence, 0..1, by `support_score` and by the reader's probability of it.

    What the rules rule out stays ruled out.
    """
    if not rules:
        return 0.0
    read = min(max(read, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)
    return 1 / (1 + math.exp(-(_CONSTANT + _RULES_WEIGHT * rules + _READER_WEIGHT * math.log(read / (1 - read)))))


def support_label(score: float) -> Support:
    """Return the label of a support score."""
    if score >= SUPPORTED:
        return "supported"
    return "partly" if score >= PARTLY else "unsupported"
