"""Does a quote support a sentence? Names and numbers must agree; the rest is a matter of degree. Pure."""

from rag.types import Support
from rag.words import content_words, names, numbers, overlap

# The default embedder's cosines lie close together: unrelated sentences near 0.78, paraphrases near 0.92.
_UNRELATED_COSINE, _PARAPHRASE_COSINE = 0.78, 0.92
SUPPORTED, PARTLY = 0.55, 0.40


def support_score(
    sentence: str, quote: str, *, question: str, language: str, quote_language: str, cosine: float
) -> float:
    """Return how far `quote` supports `sentence`, 0..1.

    A number that the quote lacks makes it 0. What the question itself says needs no support. `cosine` compares the
    vectors of sentence and quote, so that a quote in another language counts.
    """
    given = content_words(question, language)
    held = content_words(quote, quote_language)
    if not numbers(sentence) <= numbers(quote) | numbers(question):
        return 0.0
    claimed = names(sentence) - given
    named = sum(overlap(name, held) for name in claimed) / len(claimed) if claimed else 1.0
    words = content_words(sentence, language) - given
    shared = sum(overlap(word, held) for word in words) / len(words) if words else 0.0
    near = min(max((cosine - _UNRELATED_COSINE) / (_PARAPHRASE_COSINE - _UNRELATED_COSINE), 0.0), 1.0)
    return named * (0.4 + 0.6 * max(shared, near)) if claimed else max(shared, near)


def support_label(score: float) -> Support:
    """Return the label of a support score."""
    if score >= SUPPORTED:
        return "supported"
    return "partly" if score >= PARTLY else "unsupported"
