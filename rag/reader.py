"""The reader: a small model that reads question and passage together, in any languages, and claim and quote.

It says whether the passage answers the question, where, which of its sentences bear on it, and whether the quote
supports the claim. It is the default embedder's encoder, taught further (train/, docs/reader.md); its vocabulary is the
embedder's own, so beside the embedder it takes 22 MB on disk.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.embed import Embedder, fastest_dtype, open_tokenizer
from index.errors import ModelUnavailable
from index.types import Passage
from rag.reader_input import Pair, Row, RowMaker

WEIGHTS = Path(__file__).with_name("reader.safetensors")  # beside a .json that tells their SHA-256 and their encoder
EMBEDDER = "multilingual-e5-small"  # whose encoder it is

# Logits for one standard deviation of the passages' scores by search: of the weights that bench/fit_reader.py tries,
# the one that puts a right passage first most often over its four sets (logistic regression of each passage says 2.4).
RETRIEVAL_WEIGHT = 1.0
_BATCH_TOKENS = 1_000  # read at once: more of them leave the processor's cache
_LONGEST_ANSWER = 40  # tokens
_KEPT = 200  # readings of the last questions

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader says of a question and one passage. Places are of the passage's text; logits, 0 is undecided."""

    answers: float  # whether the passage answers
    start: int  # of the likeliest answer in it
    end: int
    margin: float  # how much likelier that answer is than none, in natural logarithms
    offsets: NDArray[np.int64]  # (t, 2) of the tokens
    bearing: Floats  # (t,): whether they bear on the question

    def bears(self, start: int, end: int) -> float:
        """Return how far the text from `start` to `end` bears on the question; a logit, very low where it is unread."""
        inside = (self.offsets[:, 0] < end) & (start < self.offsets[:, 1])
        return float(self.bearing[inside].mean()) if inside.any() else -10.0


class Reads(Protocol):
    """What answering asks of a reader. Implementations: Reader, and a fake in tests."""

    name: str

    @property
    def fingerprint(self) -> str:
        """A hash of the weights' content."""
        ...

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """Return a reading of each passage."""
        ...

    def support(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return for each `(quote, claim)` the probability that the quote supports the claim, 0..1."""
        ...


class Reader:
    """The encoder in `folder`, whose fingerprint is `encoder`, moved by `weights`.

    Loaded when it is first asked; safe to call from several threads. Raises ModelUnavailable where either cannot be
    read, or the weights are not what the file beside them says, or belong to another encoder.
    """

    name = "fonte-reader"

    def __init__(self, folder: Path, *, encoder: str, weights: Path = WEIGHTS, threads: int | None = None) -> None:
        self._folder, self._weights, self._threads = folder, weights, threads
        self._encoder = encoder
        self._embedder: Embedder | None = None
        self._lock = threading.RLock()
        self._kept: OrderedDict[tuple[str, str, str], Reading] = OrderedDict()

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the weights and the encoder they belong to. Raises ModelUnavailable where they are not as told."""
        told = self._weights.with_suffix(".json")
        try:
            notes = json.loads(told.read_text(encoding="utf-8"))
            found = hashlib.sha256(self._weights.read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"The reader's weights cannot be read: {error}") from error
        if notes.get("sha256") != found:
            raise ModelUnavailable(f"{self._weights} is damaged: its SHA-256 is not the one in {told.name}")
        if notes.get("encoder") != self._encoder:
            raise ModelUnavailable(f"{self._weights} belongs to another encoder than {self._folder}")
        return hashlib.sha256(f"{self._encoder}\n{found}".encode()).hexdigest()

    def share(self, embedder: Embedder) -> None:
        """Take the vocabulary from `embedder`, if it has the same: 192 MB of memory less. Before the first reading."""
        if embedder.fingerprint == self._encoder and hasattr(embedder, "vocabulary"):
            self._embedder = embedder

    def scores(self, question: str, passages: Sequence[Passage]) -> Floats:
        """Return how well each passage answers `(n,)`, what search found of it included. Makes it a Reranker."""
        found = np.array([reading.answers for reading in self.read(question, passages)], dtype=np.float32)
        return np.asarray(found + RETRIEVAL_WEIGHT * standard_scores(passages), dtype=np.float32)

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """Return a reading of each passage; those of the last questions are kept."""
        keys = [(question, passage.document.title, passage.chunk.text) for passage in passages]
        with self._lock:
            new = list(dict.fromkeys(key for key in keys if key not in self._kept))
            rows, found = self._forward([Pair("read", question, text, title) for _, title, text in new])
            for key, row, (answers, _, tokens) in zip(new, rows, found, strict=True):
                self._kept[key] = _reading(row, key[2], answers, tokens)
            readings = [self._kept[key] for key in keys]
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return readings

    def support(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return for each `(quote, claim)` the probability that the quote supports the claim, 0..1."""
        with self._lock:
            _, found = self._forward([Pair("support", claim, quote) for quote, claim in pairs])
        return [float(1 / (1 + np.exp(-supports))) for _, supports, _ in found]

    def _forward(self, pairs: Sequence[Pair]) -> tuple[list[Row], list[tuple[float, float, Floats]]]:
        """Return the row of each pair, and what the heads say of each: answers, supports, `(t, 3)` of its tokens."""
        if not pairs:
            return [], []
        import torch

        from rag.reader_model import padded

        rows = self._maker.rows(pairs)
        found: dict[int, tuple[float, float, Floats]] = {}
        with torch.inference_mode():
            for batch in _batches(rows):
                scores = self._model(*padded([rows[i] for i in batch]))
                tokens = torch.stack([scores.starts, scores.ends, scores.bears], dim=-1).numpy()
                answers, supports = scores.answers.tolist(), scores.supports.tolist()
                found |= {i: (answers[n], supports[n], tokens[n][: len(rows[i].ids)]) for n, i in enumerate(batch)}
        return rows, [found[i] for i in range(len(rows))]

    @cached_property
    def _maker(self) -> RowMaker:
        return RowMaker(open_tokenizer(self._folder))

    @cached_property
    def _model(self) -> Any:
        import torch

        from rag.reader_model import ReaderModel, open_encoder
        from rag.reader_weights import load_weights

        assert self.fingerprint  # the weights are what they should be
        if self._threads:
            torch.set_num_threads(self._threads)
        model = ReaderModel(open_encoder(self._folder))
        load_weights(self._weights, model)
        if self._embedder is not None:
            model.encoder.set_input_embeddings(torch.nn.Embedding.from_pretrained(self._embedder.vocabulary))  # type: ignore[attr-defined,no-untyped-call]
        return model.to(fastest_dtype()).eval()


def standard_scores(passages: Sequence[Passage]) -> Floats:
    """Return the scores that search gave `passages` `(n,)`, in standard deviations from their mean."""
    scores = np.array([passage.score for passage in passages], dtype=np.float32)
    return np.asarray((scores - scores.mean()) / max(float(scores.std()), 1e-6), dtype=np.float32)


def _batches(rows: Sequence[Row]) -> list[list[int]]:
    """Return the places of `rows` in batches, alike in length, of about `_BATCH_TOKENS` tokens."""
    batches: list[list[int]] = []
    for i in sorted(range(len(rows)), key=lambda i: (len(rows[i].ids), i)):
        if not batches or (len(batches[-1]) + 1) * len(rows[i].ids) > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(i)
    return batches


def _reading(row: Row, text: str, answers: float, tokens: Floats) -> Reading:
    offsets = np.array(row.offsets, dtype=np.int64).reshape(-1, 2)
    own = slice(row.start, row.start + len(offsets))
    if not len(offsets):
        return Reading(answers, 0, 0, -10.0, offsets, tokens[own, 2])
    starts, ends = (_log_probabilities(np.append(tokens[0, i], tokens[own, i])) for i in (0, 1))
    first, last = best_span(starts[1:], ends[1:])
    start, end = _stripped(text, int(offsets[first, 0]), int(offsets[last, 1]))
    margin = float(starts[1 + first] + ends[1 + last] - starts[0] - ends[0])
    return Reading(answers, start, end, margin, offsets, tokens[own, 2])


def best_span(starts: Floats, ends: Floats) -> tuple[int, int]:
    """Return the first and the last token of the likeliest answer, from what each token scores `(t,)` as either."""
    best, span = -np.inf, (0, 0)
    for longer in range(min(_LONGEST_ANSWER, len(starts))):
        scores = starts[: len(starts) - longer] + ends[longer:]
        first = int(np.argmax(scores))
        if scores[first] > best:
            best, span = float(scores[first]), (first, first + longer)
    return span


def _log_probabilities(logits: Floats) -> Floats:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), dtype=np.float32)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
