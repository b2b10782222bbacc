"""`fonte eval check` and `fonte eval draft`: gold files held against the documents, and proposed from them."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from eval.data import Gold, read_gold_lines
from index.errors import BadGold
from rag.settings import Settings
from ui import app
from ui.progress import counted_progress

if TYPE_CHECKING:
    from eval.check import Finding
    from ui.evaluate import Documents


def check_file(documents: "Documents", path: Path, *, ask: bool) -> "tuple[list[Finding], int]":
    """Return what is wrong with a gold file, in the order of its lines, and how many pairs could be read.

    Raises FonteError.
    """
    from eval.check import Finding, check_gold

    pairs, faults = read_gold_lines(path)
    if not pairs and not faults:
        raise BadGold(f"{path} holds no question: write one JSON object a line, as in docs/evaluation.md.")
    found = [Finding(fault.line, "", fault.problem, serious=True) for fault in faults]
    with ExitStack() as opened:
        library = opened.enter_context(documents.library())
        needed = ask and any(not pair.answerable for _, pair in pairs)
        answerer = opened.enter_context(app.open_answerer(documents.settings, library)) if needed else None
        draw = opened.enter_context(counted_progress())
        found += check_gold(pairs, library, answerer, on_progress=lambda done, total: draw(done, total, "pairs"))
    return sorted(found, key=lambda finding: finding.line), len(pairs)


def drafts(settings: Settings, count: int, *, seed: int) -> Iterator[Gold]:
    """Yield `count` drafts, or as many as there are. Raises FonteError, also where there is none."""
    from eval.draft import draft_gold

    made = 0
    with (
        app.open_library(settings) as library,
        closing(app.load_generator(settings)) as generator,
        counted_progress() as draw,
    ):
        for made, draft in enumerate(draft_gold(library, generator, count, seed=seed), start=1):
            yield draft
            draw(made, count, "drafts")
    if not made:
        raise BadGold("No sentence of the library made a good pair: add longer documents, or write pairs by hand.")


def check_new(out: Path) -> None:
    """Raise BadGold where `out` is there already, as nobody's pairs are overwritten, or cannot be written."""
    if out.exists():
        raise BadGold(f"{out} is there already: name a file that is not.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadGold(f"{out} cannot be written ({error.strerror or error}): name another file.") from None
