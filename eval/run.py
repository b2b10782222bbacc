"""Ask every question of a gold file, row by row on the disk, and go on where an interrupted run stopped."""

import json
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from eval.cache import Cache, key_of
from eval.corpus import TextOf
from eval.data import (
    Gold,
    Row,
    append_row,
    fingerprint,
    parse_row,
    read_gold,
    read_run,
    row_json,
    write_gold,
    write_run,
)
from eval.judged import Models
from eval.measures.interval import SEED
from eval.results import (
    GOLD,
    MEASURES,
    REPORTS,
    RUN,
    SCORES,
    Scored,
    Scores,
    read_settings,
    write_scored,
    write_scores,
    write_settings,
)
from eval.scores import measure, summarise
from eval.systems import System
from index.errors import BadQuestion, BadRun, FonteError

OnProgress = Callable[[int, int], None]  # questions done, of how many

# A server that went away or a model that does not load fails every question: better to stop than to fill the run.
_MOST_FAILURES_IN_A_ROW = 5
# No row depends on these: pairs may be corrected and more added, and answers measured in other ways.
_NOT_COMPARED = {"gold", "sample", "seed", "variants", "bootstrap_seed", "measured_with"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: its figures, its questions, and how many of these were not asked anew."""

    scores: Scores
    scored: Sequence[Scored]
    reused: int


def evaluate(
    golds: Sequence[Gold],
    system: System,
    out: Path,
    *,
    text_of: TextOf | None,
    settings: Mapping[str, object] | None = None,
    models: Models | None = None,
    retrieval_only: bool = False,
    cache: Cache | None = None,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Ask `system` every question of `golds` and return how it went.

    `out` then holds gold.jsonl, run.jsonl, run.json (what the run depends on), measures.jsonl and scores.json. Quotes
    are held against the documents that `text_of` knows. `settings` is written beside those of the system. A question
    that `out` already answers is not asked again, one that failed is; nor is one that `cache` answers, where the system
    says all that its answers depend on. `fresh` asks all.
    Raises BadRun where `out` holds a run with other settings or is in use, and the last error where five questions in a
    row failed.
    """
    depends_on = {
        "gold": fingerprint(golds),
        "bootstrap_seed": SEED,
        "measured_with": models.settings if models else {},
        "retrieval_only": retrieval_only,
        **system.settings,
        **(settings or {}),
    }
    with held(out):
        before = {} if fresh else _rows_so_far(golds, out, depends_on, may_drop=system.all_known and cache is not None)
        rows = {id: row for id, row in before.items() if not row.error}
        _begin(out, golds, rows, depends_on)
        ask = _Asking(system, cache, fresh)
        reused = len(rows)
        for row in _ask_rest(golds, rows, ask, {*before} - {*rows}, on_progress):
            append_row(out / RUN, row)
            rows[row.id] = row
        rows = {gold.id: rows[gold.id] for gold in golds}
        write_run(out / RUN, rows.values())
        scored = measure(golds, rows.values(), text_of, models=models, retrieval_only=retrieval_only)
        scores = summarise(scored, settings=depends_on)
        write_scored(out, scored)
        write_scores(scores, out / SCORES)
    return Outcome(scores, scored, reused + ask.remembered)


class _Asking:
    """Asks one question, or finds its answer in the cache."""

    def __init__(self, system: System, cache: Cache | None, fresh: bool) -> None:
        self._system, self._fresh = system, fresh
        self.at_once = system.at_once
        self._cache = cache if system.all_known else None
        self.remembered = 0

    def known(self, gold: Gold) -> Row | None:
        """Return the row of an earlier run, None where there is none."""
        if self._fresh or self._cache is None or (found := self._cache.get(self._key(gold))) is None:
            return None
        try:
            row = parse_row(found, id=gold.id)
        except BadRun:  # of another version: asked again
            return None
        self.remembered += 1
        return row

    def __call__(self, gold: Gold) -> Row:
        """Return the row of a question. Raises FonteError."""
        return self._system.ask(gold)

    def keep(self, gold: Gold, row: Row) -> None:
        """Keep a row for later runs."""
        if self._cache and not row.error:
            self._cache.put(self._key(gold), json.loads(row_json(replace(row, id="-"))))

    def _key(self, gold: Gold) -> str:
        return key_of("row", dict(self._system.settings), *_asked(gold))


def _asked(gold: Gold) -> tuple[object, ...]:
    """Return all of a pair that its answer depends on."""
    return gold.question, [asdict(turn) for turn in gold.meta.get("history", [])]


def _ask_rest(
    golds: Sequence[Gold],
    rows: Mapping[str, Row],
    ask: _Asking,
    failed_before: Collection[str],
    on_progress: OnProgress | None,
) -> Iterator[Row]:
    """Yield the row of each question that has none yet. What failed before may fail again without stopping the run."""
    draw = on_progress or (lambda done, total: None)
    rest = []
    for gold in golds:
        if gold.id in rows:
            continue
        if row := ask.known(gold):
            yield row
        else:
            rest.append(gold)
    done, failures = len(golds) - len(rest), 0
    draw(done, len(golds))
    for gold, outcome in _in_turn(rest, ask) if ask.at_once == 1 else _in_parallel(rest, ask, ask.at_once):
        if isinstance(outcome, Row):
            row, failures = outcome, 0
            ask.keep(gold, row)
        else:
            row = Row(gold.id, error=str(outcome))
            failures += gold.id not in failed_before and not isinstance(outcome, BadQuestion)
            if failures == _MOST_FAILURES_IN_A_ROW:
                raise outcome
        yield row
        done += 1
        draw(done, len(golds))


def _in_turn(golds: Sequence[Gold], ask: Callable[[Gold], Row]) -> Iterator[tuple[Gold, Row | FonteError]]:
    for gold in golds:
        yield gold, _outcome(ask, gold)


def _in_parallel(
    golds: Sequence[Gold], ask: Callable[[Gold], Row], at_once: int
) -> Iterator[tuple[Gold, Row | FonteError]]:
    """Yield each pair as it is answered; none is asked any more once the caller stops.

    The threads are daemons: a question that hangs in another system must not keep an interrupted program alive.
    """
    waiting: queue.SimpleQueue[Gold] = queue.SimpleQueue()
    answered: queue.SimpleQueue[tuple[Gold, Row | FonteError | BaseException]] = queue.SimpleQueue()
    for gold in golds:
        waiting.put(gold)

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                gold = waiting.get_nowait()
                try:
                    answered.put((gold, _outcome(ask, gold)))
                except BaseException as error:  # a bug of ours: told where it can be seen
                    answered.put((gold, error))

    for _ in range(min(at_once, len(golds))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for _ in golds:
            gold, outcome = answered.get()
            if not isinstance(outcome, Row | FonteError):
                raise outcome
            yield gold, outcome
    finally:
        with suppress(queue.Empty):
            while True:
                waiting.get_nowait()


def _outcome(ask: Callable[[Gold], Row], gold: Gold) -> Row | FonteError:
    try:
        return ask(gold)
    except FonteError as error:
        return error


def _rows_so_far(
    golds: Sequence[Gold], out: Path, depends_on: Mapping[str, object], *, may_drop: bool
) -> dict[str, Row]:
    """Return the rows that were made before, of the questions that are asked now.

    Raises BadRun where they were made with other settings, or would be lost because they are no longer asked for.
    """
    rows = read_run(out / RUN) if (out / RUN).exists() else []
    if not rows:
        return {}
    before = read_settings(out)
    names = {*before, *depends_on} - _NOT_COMPARED
    if differ := sorted(name for name in names if before.get(name) != depends_on.get(name)):
        raise BadRun(
            f"{out} holds a run that differs in: {', '.join(differ)}. "
            "Choose another folder with --out, or start over with --fresh."
        )
    asked = {gold.id: _asked(gold) for gold in read_gold(out / GOLD)} if (out / GOLD).exists() else {}
    wanted = {gold.id: _asked(gold) for gold in golds}
    if (lost := [row.id for row in rows if row.id not in wanted and not row.error]) and not may_drop:
        raise BadRun(
            f"{out} holds answers to {len(lost)} questions that are not asked now, such as {lost[0]!r}, "
            "and they would be lost: choose another folder with --out, or start over with --fresh."
        )
    return {row.id: row for row in rows if row.id in wanted and asked.get(row.id) == wanted[row.id]}


def _begin(out: Path, golds: Sequence[Gold], rows: Mapping[str, Row], depends_on: Mapping[str, object]) -> None:
    """Write what the rest of the run is added to; no figures may lie beside a run that they do not belong to."""
    for name in (SCORES, MEASURES, *REPORTS):
        (out / name).unlink(missing_ok=True)
    write_run(out / RUN, rows.values())
    write_gold(out / GOLD, golds)
    write_settings(out, depends_on)


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold the folder `out`, made where it is missing, against a second evaluation. Raises BadRun."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout:
        raise BadRun(f"Another evaluation is writing to {out}: wait for it, or choose another --out.") from None
    except (FileExistsError, NotADirectoryError):
        raise BadRun(f"{out} is a file: choose a folder with --out.") from None
    except OSError as error:
        raise BadRun(f"{out} cannot be written ({error.strerror or error}): choose another --out.") from None
