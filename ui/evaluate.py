"""`fonte eval`, `fonte eval score`, `fonte compare`: files and settings to a run, its reports, the gate's verdict."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.cache import Cache, key_of, remembered
from eval.corpus import TextOf, check_relevant, library_for, read_corpus, texts_of
from eval.data import Gold, Row, fingerprint, read_gold, sample, write_gold, write_run, write_text
from eval.measures.interval import SEED
from eval.reply import read_answers
from eval.results import (
    GOLD,
    HTML,
    JUNIT,
    MARKDOWN,
    RUN,
    SCORES,
    Scored,
    Scores,
    Stored,
    read_scored,
    read_settings,
    write_scored,
    write_scores,
    write_settings,
)
from index.access import list_documents, read_texts
from index.collections import check_collection
from index.errors import BadRun
from index.library import Library
from index.where import Condition
from rag.settings import Settings
from ui import app
from ui.progress import Draw, counted_progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eval.compare import Comparison
    from eval.gate import Gate
    from eval.judged import Models
    from eval.systems import System
    from rag.generate import Generator

CORPORA, CACHE = "corpora", "evaluations.sqlite"  # in the cache folder, beside the models
_K = 10  # documents found by the search alone


@dataclass(frozen=True, slots=True)
class Documents:
    """Which documents the pairs are about: those of the library, unless `corpus` names others."""

    settings: Settings
    corpus: Path | None = None
    named: bool = True  # by the user; other systems can be measured without

    @contextmanager
    def library(self) -> Iterator[Library]:
        """Open the library, made from `corpus` where that is named. Raises FonteError."""
        if self.corpus is None:
            with app.open_library(self.settings) as library:
                yield library
            return
        with counted_progress() as draw:
            library = library_for(
                self.corpus,
                _cache_folder(self.settings) / CORPORA,
                app.load_embedder(self.settings),
                on_progress=lambda p: draw(p.done, p.total, f"{p.unit}: {p.label}"),
            )
        with library:
            library.reranker = app.load_reranker(self.settings, library.embedder)
            yield library

    def texts(self) -> TextOf | None:
        """Return a look-up of their texts, None where none are named. Raises FonteError."""
        if not self.named:
            return None
        if self.corpus is not None:
            return {document.id: document.text for document in read_corpus(self.corpus)}.get
        check_collection(self.settings.data, self.settings.collection)
        return read_texts(self.settings.library).get


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, of whom."""

    count: int | None = None
    seed: int = 0
    retrieval_only: bool = False
    history: bool = True  # follow-ups are made whole; only where the search alone is measured
    where: Sequence[Condition] = ()  # only documents that fit are searched
    fresh: bool = False
    command: str | None = None  # another system
    url: str | None = None  # another system
    at_once: int = 1
    timeout_s: float = 600.0
    variants: Sequence[str] = ()

    @property
    def elsewhere(self) -> bool:
        """Whether another system is asked."""
        return self.command is not None or self.url is not None


@dataclass(frozen=True, slots=True)
class Judging:
    """How answers are measured beyond what needs no model, and what they are held against."""

    models: bool = True
    judge: str | None = None  # a language model
    ratings: Path | None = None
    gate: Path | None = None
    baseline: Path | None = None  # an earlier run


@dataclass(frozen=True, slots=True)
class Report:
    """What the command line prints; `reasons` say why the gate was not met."""

    tables: "Sequence[RenderableType]"
    notes: Sequence[str]
    reasons: Sequence[str]


def run_evaluation(documents: Documents, gold: Path, out: Path, asking: Asking, judging: Judging) -> Report:
    """Ask the questions of `gold` and write the run and its reports to `out`. Raises FonteError."""
    from eval.run import evaluate

    golds = read_gold(gold)
    if asking.count is not None:
        golds = sample(golds, asking.count, asking.seed)
    against = _read_against(judging)
    with ExitStack() as opened:
        wanted = documents.named or not asking.elsewhere
        library = opened.enter_context(documents.library()) if wanted else None
        if library:
            check_relevant(golds, [row.id for row in library.documents()])
            if asking.where:
                list_documents(library.folder, asking.where)  # raises where none fits
        text_of = texts_of(library) if library else None
        cache = opened.enter_context(Cache(_cache_folder(documents.settings) / CACHE))
        load = _Generators(documents.settings, opened)
        golds = [*golds, *_variants(golds, documents.settings, asking, load, cache)]
        draw = opened.enter_context(counted_progress())
        models = None if asking.retrieval_only else _models(documents.settings, judging, cache, load, draw)
        system = opened.enter_context(_system(documents.settings, library, asking, load))
        outcome = evaluate(
            golds,
            system,
            out,
            text_of=text_of,
            settings={"sample": asking.count, "seed": asking.seed, "variants": list(asking.variants)},
            models=models,
            retrieval_only=asking.retrieval_only,
            cache=cache,
            fresh=asking.fresh,
            on_progress=lambda done, total: draw(done, total, "questions"),
        )
        notes = [f"{outcome.reused} of {len(golds)} answers were there already."] if outcome.reused else []
        return _report(out, outcome.scores, outcome.scored, text_of, judging, against, notes)


def score_run(documents: Documents, gold: Path, run: Path, out: Path, judging: Judging) -> Report:
    """Measure answers that are there already; write them and the reports to `out`. Raises FonteError."""
    from eval.run import held
    from eval.scores import measure, summarise

    golds = read_gold(gold)
    rows = read_answers(run, golds)
    run_sha256 = hashlib.sha256(run.read_bytes()).hexdigest()
    against = _read_against(judging)
    _check_free(out)
    text_of = documents.texts()
    with ExitStack() as opened:
        opened.enter_context(held(out))
        cache = opened.enter_context(Cache(_cache_folder(documents.settings) / CACHE))
        draw = opened.enter_context(counted_progress())
        models = _models(documents.settings, judging, cache, _Generators(documents.settings, opened), draw)
        scored = measure(golds, rows, text_of, models=models)
        settings = {
            "gold": fingerprint(golds),
            "run": run_sha256,
            "bootstrap_seed": SEED,
            "measured_with": models.settings if models else {},
        }
        scores = summarise(scored, settings=settings)
        _write_run(out, golds, rows, scored, scores)
        return _report(out, scores, scored, text_of, judging, against, [])


def compare_runs(a: Path, b: Path) -> "tuple[Comparison, Mapping[str, tuple[object, object]]]":
    """Return how the run in the folder `b` differs from the one in `a`, and in which settings. Raises BadRun."""
    from eval.compare import compare, settings_that_differ

    first, second = read_scored(a), read_scored(b)
    return compare(first.scored, second.scored), settings_that_differ(first, second)


def _cache_folder(settings: Settings) -> Path:
    return settings.models.parent


@dataclass(frozen=True, slots=True)
class _Against:
    """What a run is held against, read before hours of asking: a mistake in it is told at once."""

    gate: "Gate | None"
    baseline: "Stored | None"
    ratings: Mapping[str, Sequence[float]] | None


def _read_against(judging: Judging) -> _Against:
    from eval.agreement import read_ratings
    from eval.gate import read_gate

    return _Against(
        gate=read_gate(judging.gate) if judging.gate else None,
        baseline=read_scored(judging.baseline) if judging.baseline else None,
        ratings=read_ratings(judging.ratings) if judging.ratings else None,
    )


class _Generators:
    """Language models, each loaded once: a second copy would take its memory again."""

    def __init__(self, settings: Settings, opened: ExitStack) -> None:
        self._settings, self._opened = settings, opened
        self._loaded: dict[str, Generator] = {}

    def __call__(self, name: str) -> "Generator":
        """Return the model called `name`. Raises ModelUnavailable."""
        if name not in self._loaded:
            generator = app.load_generator(self._settings.model_copy(update={"model": name}))
            self._loaded[name] = self._opened.enter_context(closing(generator))
        return self._loaded[name]


def _check_free(out: Path) -> None:
    """Raise BadRun where `out` holds answers that somebody waited for: scores of other answers go elsewhere."""
    if (out / RUN).exists() and "run" not in read_settings(out):
        raise BadRun(f"{out} holds answers of another run: choose another folder with --out.")


@contextmanager
def _system(settings: Settings, library: Library | None, asking: Asking, load: _Generators) -> "Iterator[System]":
    if asking.command is not None:
        from eval.command import CommandSystem

        with closing(CommandSystem(asking.command, at_once=asking.at_once, timeout_s=asking.timeout_s)) as command:
            yield command
    elif asking.url is not None:
        from eval.server import ServerSystem

        with closing(ServerSystem(asking.url, at_once=asking.at_once, timeout_s=asking.timeout_s)) as server:
            yield server
    else:
        assert library is not None
        yield _fonte(settings, library, asking, load)


def _fonte(settings: Settings, library: Library, asking: Asking, load: _Generators) -> "System":
    from eval.systems import FonteSystem, SearchSystem

    if asking.retrieval_only:
        return SearchSystem(library, _K, history=asking.history, where=asking.where)
    generator = load(settings.model)
    answerer = app.make_answerer(settings, library, generator, where=asking.where)
    at_once = 1 if generator.fingerprint else asking.at_once  # a model of this computer's answers one at a time
    return FonteSystem(answerer, library, answerer.settings, at_once=at_once)


def _variants(golds: Sequence[Gold], settings: Settings, asking: Asking, load: _Generators, cache: Cache) -> list[Gold]:
    """Return the questions asked once more in other letters or words; paraphrases are made once."""
    from eval.variants import paraphraser, vary

    def paraphrase(question: str, language: str) -> str:
        generator = load(settings.model)  # not before a pair needs it
        ask = paraphraser(generator)
        key = key_of("paraphrase", generator.name, generator.fingerprint, question, language)
        kept = cache if generator.fingerprint else None  # a model behind a server may change under its name
        return str(remembered(kept, [key], lambda _: [ask(question, language)])[0])

    return vary(golds, asking.variants, seed=asking.seed, paraphrase=paraphrase)


def _models(settings: Settings, judging: Judging, cache: Cache, load: _Generators, draw: Draw) -> "Models | None":
    from eval.checker import EmbedderChecker
    from eval.judge import Judge
    from eval.judged import Models

    if not judging.models and not judging.judge:
        return None
    embedder = app.load_embedder(settings) if judging.models else None
    return Models(
        embedder=embedder,
        checker=EmbedderChecker(embedder) if embedder else None,
        judge=Judge(load(judging.judge)) if judging.judge else None,
        cache=cache,
        on_judged=lambda done, total: draw(done, total, "judged"),
    )


def _write_run(out: Path, golds: Sequence[Gold], rows: Sequence[Row], scored: Sequence[Scored], scores: Scores) -> None:
    write_gold(out / GOLD, golds)
    write_run(out / RUN, rows)
    write_settings(out, scores.settings)
    write_scored(out, scored)
    write_scores(scores, out / SCORES)


def _report(
    out: Path,
    scores: Scores,
    scored: Sequence[Scored],
    text_of: TextOf | None,
    judging: Judging,
    against: _Against,
    notes: list[str],
) -> Report:
    """Write the reports beside the run and return what the terminal shows."""
    from eval.compare import compare, settings_that_differ
    from eval.gate import check_gate
    from eval.report import compare_table, html, junit, markdown, table

    name, before = out.resolve().name, against.baseline
    verdict = check_gate(against.gate, scores, scored) if against.gate else None
    comparison = compare(before.scored, scored) if before else None
    differ = settings_that_differ(before, Stored(name, scores.settings, scored)) if before else {}
    told: dict[str, Any] = {
        "name": name,
        "comparison": comparison,
        "against": str(judging.baseline),
        "settings": differ,
        "verdict": verdict,
    }
    write_text(out / HTML, html(scores, scored, text_of or (lambda id: None), **told, date=date.today()))
    write_text(out / MARKDOWN, markdown(scores, scored, **told))
    write_text(out / JUNIT, junit(scored, verdict, name=name))
    tables = [table(scores)]
    if comparison:
        tables.append(compare_table(comparison, str(judging.baseline), differ))
    if against.ratings is not None:
        tables.append(_agreement(against.ratings, scored))
    elif judging.judge:
        notes.append("Whether the judge agrees with people was not measured: give their ratings with --ratings.")
    warnings = _warnings(against.gate, scores, scored) if against.gate else []
    reasons = [result.reason for result in verdict.results if not result.met] if verdict else []
    return Report(tables, [*notes, *warnings, f"Report: {out / HTML}"], reasons)


_HELD_AGAINST_PEOPLE = ("right", "token_f1", "rouge_l", "similarity", "support", "citation_recall", "judge")


def _warnings(gate: "Gate", scores: Scores, scored: Sequence[Scored]) -> list[str]:
    from eval.probes import gate_warnings

    golds = [question.gold for question in scored]
    return gate_warnings(gate, golds, retrieval_only=bool(scores.settings.get("retrieval_only")))


def _agreement(ratings: Mapping[str, Sequence[float]], scored: Sequence[Scored]) -> "RenderableType":
    from eval.agreement import agreement, agreement_table

    found = {}
    for name in _HELD_AGAINST_PEOPLE:
        values = {q.gold.id: value for q in scored if (value := q.value(name)) is not None}
        if values:
            found[name] = agreement(values, ratings)
    return agreement_table(found)
