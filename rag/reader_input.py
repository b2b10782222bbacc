"""What the reader reads: two texts as one row of tokens, from which offsets lead back into the second text. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Task = Literal["read", "support"]

MOST_TOKENS = 512  # the encoder has positions for no more
_MOST_FIRST = 96  # tokens of a question or claim; of a longer one the last are read, as the question stands last
_MOST_TITLE = 24
_PREFIXES = {"read": ("query: ", "passage: "), "support": ("claim: ", "quote: ")}


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a passage to read for it, or a claim and a quote that may support it."""

    task: Task
    first: str
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of a pair. Token `start + i` of `ids` stands for `text[offsets[i][0]:offsets[i][1]]`."""

    ids: list[int]
    types: list[int]  # 0 for the first text, 1 for the second
    start: int
    offsets: list[tuple[int, int]]


class RowMaker:
    """Makes rows with a tokenizer of the `tokenizers` library whose special tokens are `<s>` and `</s>`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._begin, self._end = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
        self._prefix_tokens = {
            task: len(tokenizer.encode(before, add_special_tokens=False).ids) for task, (before, _) in _PREFIXES.items()
        }

    def rows(self, pairs: Sequence[Pair], *, most_tokens: int = MOST_TOKENS) -> list[Row]:
        """Return a row for each of `pairs`; what exceeds `most_tokens` of a text is left out."""
        wanted = list(dict.fromkeys(piece for pair in pairs for piece in (*_heads(pair), pair.text)))
        encodings = self._tokenizer.encode_batch(wanted, add_special_tokens=False)
        texts = dict(zip(wanted, encodings, strict=True))
        return [self._row(pair, texts, most_tokens) for pair in pairs]

    def _row(self, pair: Pair, texts: dict[str, Any], most_tokens: int) -> Row:
        first, title = (texts[head].ids for head in _heads(pair))
        prefix = self._prefix_tokens[pair.task]
        if len(first) > _MOST_FIRST:
            first = [*first[:prefix], *first[prefix - _MOST_FIRST :]]
        before = [self._begin, *first, self._end]
        title = title[:_MOST_TITLE]
        start = len(before) + len(title)
        room = most_tokens - start - 1
        text = texts[pair.text]
        ids = [*before, *title, *text.ids[:room], self._end]
        types = [0] * len(before) + [1] * (len(ids) - len(before))
        return Row(ids, types, start, text.offsets[:room])


def _heads(pair: Pair) -> tuple[str, str]:
    """Return the first text with its prefix, and what precedes the second."""
    before, between = _PREFIXES[pair.task]
    return before + pair.first, f"{between}{pair.title}\n" if pair.title else between
