"""`fonte eval`: settings and files to an evaluated run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eval.data import read_gold, sample
from eval.report import table
from eval.run import evaluate, library_for
from index.library import Library
from rag.settings import Settings
from ui.app import load_embedder, open_answerer, open_library
from ui.progress import counted_progress

if TYPE_CHECKING:
    from rich.console import RenderableType

CORPORA = "corpora"  # in the cache folder, beside the models


def run_evaluation(
    settings: Settings,
    gold: Path,
    out: Path,
    *,
    corpus: Path | None,
    count: int | None,
    seed: int,
    retrieval_only: bool,
    fresh: bool,
) -> "RenderableType":
    """Ask the questions of `gold`, write the run to `out`, return its table. Raises FonteError."""
    golds = read_gold(gold)
    if count is not None:
        golds = sample(golds, count, seed)
    with _library(settings, corpus) as library, counted_progress() as draw:

        def on_progress(done: int, total: int) -> None:
            draw(done, total, "questions")

        if retrieval_only:
            return table(evaluate(golds, None, library, out, retrieval_only=True, fresh=fresh, on_progress=on_progress))
        with open_answerer(settings, library) as answerer:
            scores = evaluate(
                golds, answerer, library, out, settings=answerer.settings, fresh=fresh, on_progress=on_progress
            )
    return table(scores)


@contextmanager
def _library(settings: Settings, corpus: Path | None) -> Iterator[Library]:
    if corpus is None:
        with open_library(settings) as library:
            yield library
        return
    with counted_progress() as draw:
        library = library_for(
            corpus,
            settings.models.parent / CORPORA,
            load_embedder(settings),
            on_progress=lambda p: draw(p.done, p.total, f"{p.unit}: {p.label}"),
        )
    with library:
        yield library
