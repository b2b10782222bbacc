"""`fonte eval check` and `fonte eval draft`: gold files held against the documents, and proposed from them."""

from contextlib import ExitStack, closing
from itertools import count as counting
from pathlib import Path
from typing import TYPE_CHECKING

from eval.data import read_gold_lines, write_gold
from index.errors import BadGold
from rag.settings import Settings
from ui import app
from ui.progress import counted_progress

if TYPE_CHECKING:
    from eval.check import Finding
    from ui.evaluate import Documents


def check_file(documents: "Documents", gold: Path, *, ask: bool) -> "tuple[list[Finding], int]":
    """Return what is wrong with a gold file, in the order of its lines, and how many pairs could be read.

    Raises FonteError.
    """
    from eval.check import Finding, check_gold

    pairs, faults = read_gold_lines(gold)
    if not pairs and not faults:
        raise BadGold(f"{gold} holds no question: write one JSON object a line, as in docs/evaluation.md.")
    found = [Finding(fault.line, "", fault.problem, serious=True) for fault in faults]
    with ExitStack() as opened:
        library = opened.enter_context(documents.library())
        needed = ask and any(not pair.answerable for _, pair in pairs)
        answerer = opened.enter_context(app.open_answerer(documents.settings, library)) if needed else None
        draw = opened.enter_context(counted_progress())
        found += check_gold(pairs, library, answerer, on_progress=lambda done, total: draw(done, total, "pairs"))
    return sorted(found, key=lambda finding: finding.line), len(pairs)


def draft_file(settings: Settings, out: Path, count: int, *, seed: int) -> int:
    """Write `count` drafts, or as many as there were, and return their number. Raises FonteError."""
    from eval.draft import draft_gold

    if out.exists():
        raise BadGold(f"{out} is there already: name a file that is not.")
    drafts = []
    with (
        app.open_library(settings) as library,
        closing(app.load_generator(settings)) as generator,
        counted_progress() as draw,
    ):
        for number, draft in zip(counting(1), draft_gold(library, generator, count, seed=seed), strict=False):
            drafts.append(draft)
            draw(number, count, "drafts")
    if not drafts:
        raise BadGold("No sentence of the library made a good pair: add longer documents, or write pairs by hand.")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_gold(out, drafts)
    return len(drafts)
