"""The training material: rows of questions and passages, and which of them say the same in several languages.

read.jsonl, a row a line: `{"question", "passage", "title", "answer", "start", "language", "passage_language",
"article"}`, `passage[start:start+len(answer)] == answer`; `answer` null where the passage does not answer.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.embed import Embedder, unit

# Cosine of two questions that ask the same in two languages, less what is common to each language; others are near 0.
_LEAST_ALIKE = 0.45


@dataclass(frozen=True, slots=True)
class Answered:
    """A question in one language and its answer in a paragraph of the same: `text[start:start+len(answer)]`."""

    question: str
    answer: str
    start: int


@dataclass(slots=True)
class Paragraph:
    """A paragraph of one language, and its questions."""

    text: str
    title: str
    language: str
    article: int
    number: int  # parallel paragraphs share it
    questions: list[Answered] = field(default_factory=list)

    @property
    def id(self) -> str:
        """What the written exercises call it."""
        return paragraph_id(self.text)


@dataclass(slots=True)
class Material:
    """What can be read: paragraphs, what asks the same across languages, and questions that a paragraph misses."""

    paragraphs: list[Paragraph]
    parallel: list[dict[str, tuple[Paragraph, Answered]]]  # by language; at least two
    missed: list[tuple[str, Paragraph]]

    def by_number(self) -> Mapping[int, list[Paragraph]]:
        """Return the paragraphs that are parallel, by their number."""
        found: dict[int, list[Paragraph]] = defaultdict(list)
        for paragraph in self.paragraphs:
            found[paragraph.number].append(paragraph)
        return found


def paragraph_id(text: str) -> str:
    """Return a name for a paragraph's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_texts(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the text and the title of each document of `folder`/corpus.jsonl, by id."""
    rows = map(json.loads, (folder / "corpus.jsonl").open(encoding="utf-8"))
    return {row["id"]: (row["text"], row.get("title") or "") for row in rows}


def read_material(file: Path, embedder: Embedder) -> Material:
    """Return what read.jsonl holds, parallel paragraphs and questions found by the embedder's vectors.

    Raises OSError, and ValueError or KeyError where a row is not as said above.
    """
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    paragraphs: dict[str, Paragraph] = {}
    for row in rows:
        if row["passage"] not in paragraphs:
            number = len(paragraphs)
            paragraphs[row["passage"]] = Paragraph(
                row["passage"], row["title"], row["passage_language"], int(row["article"]), number
            )
        if row["answer"] is not None and row["passage"][row["start"] :][: len(row["answer"])] != row["answer"]:
            raise ValueError(f"{file}: the answer {row['answer']!r} is not at {row['start']} of its passage")
        if row["answer"] and row["language"] == row["passage_language"]:
            paragraphs[row["passage"]].questions.append(Answered(row["question"], row["answer"], row["start"]))
    missed = [(row["question"], paragraphs[row["passage"]]) for row in rows if row["answer"] is None]
    kept = list(paragraphs.values())
    return Material(kept, _parallel(kept, embedder), missed)


def _parallel(paragraphs: Sequence[Paragraph], embedder: Embedder) -> list[dict[str, tuple[Paragraph, Answered]]]:
    """Give parallel paragraphs one number, and return the questions that ask the same of them."""
    vectors = dict(
        zip((p.text for p in paragraphs), embedder.embed_passages([p.text for p in paragraphs]), strict=True)
    )
    asked = sorted({question.question for p in paragraphs for question in p.questions})
    of_question = dict(zip(asked, embedder.embed_queries(asked), strict=True))
    for language in {p.language for p in paragraphs if p.questions}:
        texts = sorted({q.question for p in paragraphs if p.language == language for q in p.questions})
        asking = np.array([of_question[text] for text in texts])
        of_question |= dict(zip(texts, unit(asking - asking.mean(axis=0)), strict=True))
    groups: dict[tuple[int, str], list[Paragraph]] = defaultdict(list)
    for paragraph in paragraphs:
        groups[paragraph.article, paragraph.language].append(paragraph)
    same: dict[tuple[int, int], dict[str, tuple[Paragraph, Answered]]] = {}
    for (article, language), own in sorted(groups.items()):
        english = groups.get((article, "en"), [])
        if language == "en" or not english:
            continue
        for one, other in _matched([vectors[p.text] for p in english], [vectors[p.text] for p in own], least=0.0):
            first, second = english[one], own[other]
            pairs = _matched(
                [of_question[q.question] for q in first.questions],
                [of_question[q.question] for q in second.questions],
                least=_LEAST_ALIKE,
            )
            # Of the paragraphs only those are parallel that ask the same for the most part.
            if 2 * len(pairs) < len(first.questions):
                continue
            second.number = first.number
            for i, j in pairs:
                versions = same.setdefault((first.number, i), {"en": (first, first.questions[i])})
                versions[language] = (second, second.questions[j])
    return [versions for _, versions in sorted(same.items())]


def _matched(
    ones: Sequence[NDArray[np.float32]], others: Sequence[NDArray[np.float32]], *, least: float
) -> list[tuple[int, int]]:
    """Return which of `ones` belongs to which of `others`, each at most once, so that the cosines' sum is largest."""
    from scipy.optimize import linear_sum_assignment

    if not ones or not others:
        return []
    cosines = np.array(ones) @ np.array(others).T
    rows, columns = linear_sum_assignment(-cosines)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if cosines[i, j] >= least]
