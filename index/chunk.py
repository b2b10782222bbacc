"""A Document to its Chunks: whole sentences up to a number of tokens, with exact offsets; pure."""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from index.sentences import sentence_spans
from index.types import Chunk, Document

Tokenize = Callable[[str], Sequence[int]]
Heading = tuple[int, str]

CHUNK_TOKENS = 180
CHUNKER = "sentences-2"  # changes whenever this module would cut the same text differently

_MOST_CHARACTERS_PER_TOKEN = 32
_LINE = re.compile(r"^(#{1,6}[^\S\n]+)?([^\n]{1,100})$", re.MULTILINE)
_NOT_A_HEADING = re.compile(r"[-*+•‣◦▪–—>|]|.*[.!?…。！？।,;:]$|[^A-Za-z]*$", re.DOTALL)


def split_document(document: Document, tokenize: Tokenize, *, chunk_tokens: int = CHUNK_TOKENS) -> list[Chunk]:
    """Return the chunks of `document`; joined, their texts are the document's text.

    A chunk holds whole sentences of at most `chunk_tokens` tokens together; only a longer sentence is cut.
    `tokenize` is the embedder's: what it counts is what the embedder will read. Raises ValueError under 32 tokens.
    """
    if chunk_tokens < 32:
        raise ValueError(f"chunk_tokens must be at least 32, not {chunk_tokens}")
    headings = find_headings(document.text)
    splitter = _splitter_class()(
        chunk_size=chunk_tokens,
        chunk_overlap=0,
        tokenizer=lambda text: _tokens_of(text, tokenize, chunk_tokens),
        chunking_tokenizer_fn=lambda text: (
            _sentence_pieces(document, headings) if len(text) == len(document.text) else [text]
        ),
    )
    return _with_offsets(document, splitter.split_text(document.text), headings)


def find_headings(text: str) -> list[Heading]:
    """Return `(start, heading)` of Markdown headings and of short lines between blank lines, in order."""
    return [
        (match.start(), match[2].strip("# "))
        for match in _LINE.finditer(text)
        if match[1] or (_stands_alone(text, *match.span()) and not _NOT_A_HEADING.match(match[2].strip()))
    ]


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a line has a blank line (or the text's beginning) before it and a blank line and more text after it."""
    return text[max(0, start - 2) : start] in ("", "\n\n") and text[end : end + 2] == "\n\n" and end + 2 < len(text)


def _with_offsets(document: Document, texts: Sequence[str], headings: Sequence[Heading]) -> list[Chunk]:
    starts = [start for start, _ in headings]
    chunks: list[Chunk] = []
    end = 0
    for text in texts:
        start, end = end, end + len(text)
        first = start + len(text) - len(text.lstrip())
        above = bisect_right(starts, first)
        chunks.append(
            Chunk(
                id=f"{document.id}#{start}-{end}",
                document_id=document.id,
                text=document.text[start:end],
                start=start,
                end=end,
                page=document.page_at(first),
                heading=headings[above - 1][1] if above else "",
            )
        )
    return chunks


def _tokens_of(text: str, tokenize: Tokenize, chunk_tokens: int) -> Sequence[int]:
    """Return the tokens of `text`; of a text that is far too long anyway only some more than a chunk may have.

    The splitter asks for the whole text first, and then for ever smaller pieces of it: megabytes would be read thrice.
    """
    text = text.strip()
    if len(text) > chunk_tokens * _MOST_CHARACTERS_PER_TOKEN:
        return range(chunk_tokens + 1)
    return tokenize(text)


def _sentence_pieces(document: Document, headings: Sequence[Heading]) -> list[str]:
    """Return the sentences with the white space that follows them; a heading stays with the sentence after it."""
    starts = [start for start, _ in sentence_spans(document.text, document.language)]
    alone = {start for start, _ in headings}
    cuts = [start for before, start in pairwise(starts) if before not in alone]
    return [document.text[a:b] for a, b in pairwise([0, *cuts, len(document.text)])]


def _clauses(text: str) -> list[str]:
    return re.findall(r"[^,.;:。、，；]*[,.;:。、，；]+\s*|[^,.;:。、，；]+$", text)


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*", text)


def _halves(text: str) -> list[str]:
    """Return two halves; not cut before a mark that belongs to the character on its left."""
    middle = len(text) // 2
    while 0 < middle < len(text) and (text[middle] in "\u200d\ufe0f" or text[middle - 1] == "\u200d"):
        middle += 1
    return [half for half in (text[:middle], text[middle:]) if half]


@cache
def _splitter_class() -> Any:
    """Return llama-index's SentenceSplitter made lossless, and safe on a sentence of a million characters.

    Its own drops white space around chunks, so offsets would have to be searched for; and it ends by cutting into
    single characters, each of which it counts as a token.
    """
    from llama_index.core.node_parser import SentenceSplitter

    class LosslessSplitter(SentenceSplitter):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._split_fns = [settings["chunking_tokenizer_fn"]]
            self._sub_sentence_split_fns = [_clauses, _words, _halves]

        def _postprocess_chunks(self, chunks: list[str]) -> list[str]:
            return chunks

    return LosslessSplitter
