"""Passages to the few sentences worth their tokens. Pure: relevance is handed in."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.sentences import sentence_spans
from index.types import Passage
from rag.reader import Reading
from rag.types import Evidence
from rag.words import content_words, names, overlap

_BYTES_PER_TOKEN = 3.3  # measured on Italian with the default model's tokenizer; English needs fewer tokens
_LEXICAL_WEIGHT = 0.10
_RANK_WEIGHT = 0.02
# Logistic regression over the sentences of passages found for gold pairs (bench/fit_reader.py).
_SEARCHED_WEIGHT = 28.3
_READER_WEIGHTS = {"passage answers": 0.281, "sentence bears": 0.258, "answer is in it": 0.035}
BEARS = 1  # the column of `reader_signs` that tells whether a sentence bears on the question
_ELSEWHERE = -10.0  # the margin of a sentence without the likeliest answer of its passage


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage: `text == passage.document.text[start:end]`."""

    passage: Passage
    start: int
    end: int
    text: str

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it stands: document id, start and end."""
        return self.passage.document.id, self.start, self.end


def split_passages(passages: Sequence[Passage]) -> list[Sentence]:
    """Return the sentences of `passages`, best passage first, each stretch of text once."""
    sentences, seen = [], set()
    for passage in passages:
        chunk = passage.chunk
        for start, end in sentence_spans(chunk.text, passage.document.language):
            text = chunk.text[start:end]
            if text not in seen:
                seen.add(text)
                sentences.append(Sentence(passage, chunk.start + start, chunk.start + end, text))
    return sentences


def lexical_relevance(question: str, language: str, sentences: Sequence[Sentence]) -> NDArray[np.float64]:
    """Return for each sentence the share of the question's content words in it, rare words counting more. 0..1."""
    wanted = content_words(question, language)
    held = [content_words(f"{s.passage.document.title} {s.text}", s.passage.document.language) for s in sentences]
    counts = Counter(word for words in held for word in wanted if overlap(word, words))
    weight = {word: math.log(1 + len(sentences) / (1 + counts[word])) for word in wanted}
    total = sum(weight.values()) or 1.0
    return np.array([sum(weight[w] * overlap(w, words) for w in wanted) / total for words in held])


def score_sentences(
    question: str,
    language: str,
    sentences: Sequence[Sentence],
    cosines: NDArray[np.float32],
    readings: Mapping[str, Reading],
) -> NDArray[np.float64]:
    """Return how much each sentence is worth to `question`; higher is better, comparable within one question only.

    `readings` are the reader's, by chunk id; where there are none it is nearness, shared words and rank that count.
    """
    ranks = np.array([s.passage.rank for s in sentences], dtype=float)
    lexical = lexical_relevance(question, language, sentences)
    searched: NDArray[np.float64] = cosines + _LEXICAL_WEIGHT * lexical + _RANK_WEIGHT / ranks
    if not readings:
        return searched
    read = reader_signs(sentences, readings) @ np.array(list(_READER_WEIGHTS.values()))
    return np.asarray(_SEARCHED_WEIGHT * searched + read)


def reader_signs(sentences: Sequence[Sentence], readings: Mapping[str, Reading]) -> NDArray[np.float64]:
    """Return what the reader says of each sentence, `(n, 3)`, in the order of `_READER_WEIGHTS`."""
    rows = []
    for sentence in sentences:
        chunk = sentence.passage.chunk
        reading = readings[chunk.id]
        start, end = sentence.start - chunk.start, sentence.end - chunk.start
        place = reading.start < end and start < reading.end
        rows.append((reading.answers, reading.bears(start, end), reading.margin if place else _ELSEWHERE))
    return np.array(rows, dtype=np.float64).reshape(len(sentences), len(_READER_WEIGHTS))


def count_tokens(text: str) -> int:
    """Return about how many tokens `text` costs, from its bytes."""
    return math.ceil(len(text.encode()) / _BYTES_PER_TOKEN)


def choose_evidence(
    sentences: Sequence[Sentence], scores: NDArray[np.float64], cosines: NDArray[np.float32], *, budget_tokens: int
) -> list[Evidence]:
    """Return the best sentences that fit `budget_tokens`, neighbours joined, documents in order of their best one.

    A chosen sentence that names nobody ("Still, most shares are in his hands.") brings the one before it. Ties go to
    the better passage.
    """
    chosen: set[int] = set()
    left = budget_tokens
    for i in sorted(range(len(sentences)), key=lambda i: (-scores[i], i)):
        wanted = [j for j in _with_context(sentences, i) if j not in chosen]
        cost = sum(count_tokens(sentences[j].text) + 4 for j in wanted)
        if cost > left:
            wanted = [i] if i not in chosen else []
            cost = count_tokens(sentences[i].text) + 4
        if wanted and cost <= left:
            chosen.update(wanted)
            left -= cost
    return _join([(sentences[i], float(scores[i]), float(cosines[i])) for i in sorted(chosen)])


def _with_context(sentences: Sequence[Sentence], i: int) -> list[int]:
    previous = i - 1
    same_chunk = previous >= 0 and sentences[previous].passage.chunk.id == sentences[i].passage.chunk.id
    return [previous, i] if same_chunk and not names(sentences[i].text) else [i]


def _join(chosen: list[tuple[Sentence, float, float]]) -> list[Evidence]:
    best: dict[str, float] = {}
    for sentence, score, _ in chosen:
        document = sentence.passage.document.id
        best[document] = max(score, best.get(document, -math.inf))
    chosen.sort(key=lambda item: (-best[item[0].passage.document.id], item[0].passage.document.id, item[0].start))
    joined: list[Evidence] = []
    for sentence, _, cosine in chosen:
        last = joined[-1] if joined else None
        source = sentence.passage.document
        if last and last.passage.document.id == source.id and not source.text[last.end : sentence.start].strip():
            text = source.text[last.start : sentence.end]
            joined[-1] = Evidence(last.passage, last.start, sentence.end, text, max(last.score, cosine))
        else:
            joined.append(Evidence(sentence.passage, sentence.start, sentence.end, sentence.text, cosine))
    return joined
