"""The exercises that were written for fonte, one line a passage, in files beside this one.

`{"passage": id, "questions": [{"language", "question", "answer", "near_miss"}], "claims": [{"language", "claim",
"altered", "kind"}]}`: what the passage answers and, much like it, does not; what it supports and does not. `passage` is
the id of a paragraph (`train.material.paragraph_id`), `answer` stands in it. None of its other words are here.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "written"


@dataclass(frozen=True, slots=True)
class Question:
    """A question that the passage answers, and one that it seems to answer and does not."""

    language: str
    question: str
    answer: str
    near_miss: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that the passage supports, and one that it does not; `kind` is what differs."""

    language: str
    claim: str
    altered: str
    kind: str


@dataclass(frozen=True, slots=True)
class Written:
    """What was written about one passage."""

    passage: str
    questions: tuple[Question, ...]
    claims: tuple[Claim, ...]


def read_written(files: Iterable[Path]) -> Iterator[Written]:
    """Yield what the files hold. Raises OSError, ValueError, KeyError, TypeError where they are not as said above."""
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            questions = tuple(Question(**question) for question in row["questions"])
            yield Written(row["passage"], questions, tuple(Claim(**claim) for claim in row["claims"]))
