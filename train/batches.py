"""Groups to batches of rows of about one length, with what the network should say of each token."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from index.sentences import Span
from rag.reader_input import Row, RowMaker
from rag.reader_model import padded
from train.exercises import Exercise, Group

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Lesson:
    """A group as rows. Of each row: is it a claim's, does it hold, where the answer is, what bears on it."""

    rows: list[Row]
    claims: list[bool]
    holds: list[bool]
    answers: list[Span]  # first and last token; the first token of the row for none, UNKNOWN where it may be anywhere
    sentences: list[list[tuple[int, int, bool]]]  # first token, the one after the last, and whether it bears on it

    @property
    def tokens(self) -> int:
        """Tokens of the longest row, for each row."""
        return len(self.rows) * max(len(row.ids) for row in self.rows)


def lessons(groups: Sequence[Group], maker: RowMaker, *, most_tokens: int) -> list[Lesson]:
    """Return `groups` as rows of at most `most_tokens`; without those whose answer lies beyond."""
    exercises = [exercise for group in groups for exercise in group.exercises]
    rows = iter(maker.rows([exercise.pair for exercise in exercises], most_tokens=most_tokens))
    made = [_lesson(group.exercises, [next(rows) for _ in group.exercises]) for group in groups]
    return [lesson for lesson in made if lesson]


def _lesson(exercises: Sequence[Exercise], rows: list[Row]) -> Lesson | None:
    answers, sentences = [], []
    for exercise, row in zip(exercises, rows, strict=True):
        if exercise.answer:
            found = _tokens(row, exercise.answer)
            if not found or row.offsets[-1][1] < exercise.answer[1]:
                return None
            answers.append((found[0], found[1] - 1))
        else:
            answers.append((UNKNOWN, UNKNOWN) if exercise.holds else (0, 0))
        held = [(_tokens(row, (start, end)), bears) for start, end, bears in exercise.sentences]
        sentences.append([(*span, bears) for span, bears in held if span])
    return Lesson(rows, [e.pair.task == "support" for e in exercises], [e.holds for e in exercises], answers, sentences)


def _tokens(row: Row, span: Span) -> Span | None:
    """Return the first token of `span` of the text and the one after its last, None where it lies beyond the row."""
    inside = [i for i, (start, end) in enumerate(row.offsets) if start < span[1] and span[0] < end]
    return (row.start + inside[0], row.start + inside[-1] + 1) if inside else None


def batched(lessons: Sequence[Lesson], tokens: int, rng: random.Random) -> list[list[Lesson]]:
    """Return `lessons` in batches of at most about `tokens`, padding included; alike in length, in random order."""
    ordered = sorted(lessons, key=lambda lesson: lesson.tokens / len(lesson.rows) + rng.random() * 24)
    batches: list[list[Lesson]] = [[]]
    rows = 0
    for lesson in ordered:
        longest = max(max(len(row.ids) for row in each.rows) for each in (*batches[-1], lesson))
        if batches[-1] and (rows + len(lesson.rows)) * longest > tokens:
            batches.append([])
            rows = 0
        batches[-1].append(lesson)
        rows += len(lesson.rows)
    rng.shuffle(batches)
    return batches


def collate(lessons: Sequence[Lesson]) -> dict[str, Tensor]:
    """Return one batch of n rows of t tokens, as tensors."""
    rows = [row for lesson in lessons for row in lesson.rows]
    ids, types = padded(rows)
    of_row = [(i, *span) for i, spans in enumerate(s for lesson in lessons for s in lesson.sentences) for span in spans]
    bears = torch.full((max(1, len(of_row)), 4), UNKNOWN)
    for place, sentence in enumerate(of_row):
        bears[place] = torch.tensor(sentence)
    allowed = torch.zeros_like(ids, dtype=torch.bool)
    allowed[:, 0] = True
    for i, row in enumerate(rows):
        allowed[i, row.start : row.start + len(row.offsets)] = True
    return {
        "ids": ids,
        "types": types,
        "claims": torch.tensor([claim for lesson in lessons for claim in lesson.claims]),
        "holds": torch.tensor([holds for lesson in lessons for holds in lesson.holds]),
        "groups": torch.tensor([i for i, lesson in enumerate(lessons) for _ in lesson.rows]),
        "answers": torch.tensor([answer for lesson in lessons for answer in lesson.answers]),
        "allowed": allowed,  # (n, t): where an answer may be
        "sentences": bears,  # row, first token, the one after the last, whether it bears on the question
    }
