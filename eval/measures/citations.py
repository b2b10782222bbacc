"""Citations: quotes that are verbatim, and cited documents that are relevant.

The mechanical part of citation quality as in ALCE (Gao et al. 2023, https://arxiv.org/abs/2305.14627); whether a quote
supports its sentence is another question. Both return `(how many hold, out of how many)`.
"""

from collections.abc import Callable, Sequence

from eval.data import Quote


def verbatim(quotes: Sequence[Quote], text_of: Callable[[str], str | None]) -> tuple[int, int]:
    """Count the quotes that equal `document.text[start:end]`; `text_of` gives a document's text, None if unknown."""
    return sum(_is_verbatim(quote, text_of(quote.document)) for quote in quotes), len(quotes)


def _is_verbatim(quote: Quote, text: str | None) -> bool:
    if text is None or not 0 <= quote.start < quote.end:  # a negative offset would count from the text's end
        return False
    return text[quote.start : quote.end] == quote.text


def cited_relevant(cited: Sequence[str], relevant: Sequence[str]) -> tuple[int, int]:
    """Count the cited documents, each once, that are relevant."""
    once = set(cited)
    return len(once & set(relevant)), len(once)
