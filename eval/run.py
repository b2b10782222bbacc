"""Ask every question of a gold file, row by row on the disk, and go on where an interrupted run stopped."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

import prompts
from eval.data import Gold, Quote, Row, append_row, fingerprint, read_run, write_run, write_text
from eval.report import write_scores
from eval.scores import Scores, TextOf, score
from index.embed import Embedder
from index.errors import BadGold, BadRun, FonteError
from index.library import Library
from rag.types import Answer, Turn

RUN, SCORES, SETTINGS = "run.jsonl", "scores.json", "run.json"
OnProgress = Callable[[int, int], None]  # questions done, of how many

# A server that went away or a model that does not load fails every question: better to stop than to fill the run.
_MOST_FAILURES_IN_A_ROW = 5
# Several of the best chunks may come from one document, so more are fetched than documents are scored.
_CHUNKS_PER_DOCUMENT = 4


class Answerer(Protocol):
    """Whatever answers a question: the system that is evaluated."""

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """Return the answer. Raises FonteError."""
        ...


def evaluate(
    golds: Sequence[Gold],
    answerer: Answerer | None,
    library: Library,
    out: Path,
    *,
    settings: Mapping[str, object] | None = None,
    k: int = 10,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
) -> Scores:
    """Return the scores of all of `golds`; `out` then holds run.jsonl, run.json (its settings) and scores.json.

    `settings` names whatever else the answers depend on (model and its hash, token budgets), as JSON values. Without an
    `answerer` retrieval alone is scored, over `k` documents, each question taken without its history. Questions that
    `out` already answers are not asked again, those that failed are; `fresh` starts over.
    Raises BadRun where `out` holds a run with other settings or is in use, BadGold where the pairs do not belong to
    this library, and the last error where five questions in a row failed.
    """
    _check_relevant(golds, library)
    identity = _identity(golds, library, retrieval_only=answerer is None, k=k) | dict(settings or {})
    with _held(out):
        rows = {} if fresh else {row.id: row for row in _rows_so_far(out, identity)}
        write_text(out / SETTINGS, json.dumps(identity, indent=2, ensure_ascii=False) + "\n")
        write_run(out / RUN, rows.values())
        for row in _ask_rest(golds, rows, _asking(answerer, library, k), on_progress):
            append_row(out / RUN, row)
            rows[row.id] = row
        scores = score(
            golds, rows.values(), _text_of(library), retrieval_only=answerer is None, settings=identity
        )
        write_scores(scores, out / SCORES)
    return scores
