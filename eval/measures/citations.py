"""Citations: quotes that are verbatim, and cited documents that are relevant.

The mechanical part of citation quality; whether what is cited supports the sentence is for alce.py. Both return `(how
many hold, out of how many)`.
"""

from collections.abc import Callable, Sequence

from eval.data import Quote


def verbatim(quotes: Sequence[Quote], text_of: Callable[[str], str | None]) -> tuple[int, int]:
    """Count the quotes that equal `document.text[start:end]`; one without offsets must occur in the document.

    `text_of` gives a document's text, None if unknown.
    """
    return sum(_is_verbatim(quote, text_of(quote.document)) for quote in quotes), len(quotes)


def _is_verbatim(quote: Quote, text: str | None) -> bool:
    if text is None or not quote.text:
        return False
    if quote.start is None or quote.end is None:  # systems other than fonte tell the words only
        return quote.text in text
    # A negative offset would count from the text's end.
    return 0 <= quote.start < quote.end and text[quote.start : quote.end] == quote.text


def cited_relevant(cited: Sequence[str], relevant: Sequence[str]) -> tuple[int, int]:
    """Count the cited documents, each once, that are relevant."""
    once = set(cited)
    return len(once & set(relevant)), len(once)
