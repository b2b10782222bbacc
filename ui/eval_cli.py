"""`fonte eval` with its verbs, and `fonte compare`: parse, call, print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.console import note, say
from ui.options import (
    Collection,
    Data,
    Embedder,
    Json,
    Model,
    Reranker,
    Where,
    conditions_of,
    refuse_options,
    settings_of,
)

if TYPE_CHECKING:
    from rag.settings import Settings
    from ui.evaluate import Documents, Judging, Report

GATE_NOT_MET = 100
VARIANTS = ("typos", "case", "noise", "paraphrase")

eval_cli = typer.Typer(invoke_without_command=True)

Corpus = Annotated[
    Path | None, typer.Option("--corpus", help="File or folder of documents to build a library from, instead.")
]
Gold = Annotated[Path, typer.Argument(help="gold.jsonl")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the run and its reports.")]
Fast = Annotated[
    bool, typer.Option("--models/--no-models", help="Measure what takes a model: similarity, citation recall.")
]
JudgeModel = Annotated[
    str | None, typer.Option("--judge", help="A language model that judges too: default, PATH.gguf, openai:URL.")
]
Ratings = Annotated[
    Path | None, typer.Option("--ratings", help="People's ratings, to hold the measures against: ratings.jsonl")
]
GateFile = Annotated[Path | None, typer.Option("--gate", help="gate.toml: exit with 100 where it is not met.")]
Baseline = Annotated[Path | None, typer.Option("--baseline", help="Folder of an earlier run to compare with.")]


@eval_cli.callback()
def evaluate(
    context: typer.Context,
    gold: Annotated[Path | None, typer.Option("--gold", help="gold.jsonl")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the run and its reports.")] = None,
    corpus: Corpus = None,
    data: Data = None,
    collection: Collection = None,
    model: Model = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
    system: Annotated[
        str | None, typer.Option("--system", help="A program to ask instead of fonte; {question} stands for it.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="A server to ask instead of fonte, OpenAI's protocol at .../v1.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=64, help="Questions that a server or command is asked at once.")
    ] = 1,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that it has for one.")] = 600.0,
    sample: Annotated[int | None, typer.Option("--sample", min=1, help="Ask only so many questions.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which ones.")] = 0,
    robust: Annotated[
        str | None,
        typer.Option("--robust", help=f"Ask each again otherwise: {','.join(VARIANTS)}, or all."),
    ] = None,
    where: Where = None,
    retrieval_only: Annotated[bool, typer.Option("--retrieval-only", help="Only search; no language model.")] = False,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Make follow-ups whole before searching for them.")
    ] = True,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask everything anew.")] = False,
    models: Fast = True,
    judge: JudgeModel = None,
    ratings: Ratings = None,
    gate: GateFile = None,
    baseline: Baseline = None,
) -> None:
    """Ask every question of a gold file and print how well it went. Goes on where an interrupted run stopped."""
    if context.invoked_subcommand:
        refuse_options(context)
        return
    from ui.evaluate import Asking, run_evaluation

    if gold is None or out is None:
        raise typer.BadParameter("give --gold gold.jsonl and --out FOLDER")
    if system is not None and url is not None:
        raise typer.BadParameter("give --system or --url, not both")
    if retrieval_only and (system is not None or url is not None):
        raise typer.BadParameter("--retrieval-only is about fonte's own search")
    if retrieval_only and (robust or judge):
        raise typer.BadParameter("--retrieval-only has no answers to judge, or to compare with others")
    if where and (system is not None or url is not None):
        raise typer.BadParameter("--where is about fonte's own search")
    if not history and not retrieval_only:
        raise typer.BadParameter("--no-history goes with --retrieval-only")
    asking = Asking(
        count=sample,
        seed=seed,
        retrieval_only=retrieval_only,
        history=history,
        where=conditions_of(where),
        fresh=fresh,
        command=system,
        url=url,
        at_once=jobs,
        timeout_s=timeout,
        variants=_variants(robust),
    )
    documents = _documents(
        settings_of(data=data, collection=collection, model=model, embedder=embedder, reranker=reranker),
        corpus,
        data,
        collection,
    )
    _print(run_evaluation(documents, gold, out, asking, _judging(models, judge, ratings, gate, baseline)))


@eval_cli.command()
def score(
    run: Annotated[Path, typer.Argument(help="run.jsonl: a row for each question.")],
    gold: Annotated[Path, typer.Option("--gold", help="gold.jsonl")],
    out: Out,
    corpus: Corpus = None,
    data: Data = None,
    collection: Collection = None,
    embedder: Embedder = None,
    models: Fast = True,
    judge: JudgeModel = None,
    ratings: Ratings = None,
    gate: GateFile = None,
    baseline: Baseline = None,
) -> None:
    """Measure answers that are there already, of fonte or of any other system."""
    from ui.evaluate import score_run

    documents = _documents(settings_of(data=data, collection=collection, embedder=embedder), corpus, data, collection)
    _print(score_run(documents, gold, run, out, _judging(models, judge, ratings, gate, baseline)))


@eval_cli.command()
def check(
    gold: Gold,
    corpus: Corpus = None,
    data: Data = None,
    collection: Collection = None,
    model: Model = None,
    embedder: Embedder = None,
    ask: Annotated[bool, typer.Option("--ask/--no-ask", help="Ask whether the documents answer unanswerables.")] = True,
) -> None:
    """Find bad pairs before they waste time. Exits with 1 where there are any."""
    from ui.gold import check_file

    documents = _documents(
        settings_of(data=data, collection=collection, model=model, embedder=embedder), corpus, data, collection
    )
    findings, pairs = check_file(documents, gold, ask=ask)
    serious = sum(finding.serious for finding in findings)
    for finding in findings:
        say(f"{gold}:{finding.line}: {'' if finding.serious else 'look: '}{finding.problem}")
    note(f"{pairs} pairs: {serious} problems, {len(findings) - serious} remarks.")
    if serious:
        raise typer.Exit(1)


@eval_cli.command()
def draft(
    count: Annotated[int, typer.Option("-n", min=1, help="How many pairs.")] = 50,
    out: Annotated[Path | None, typer.Option("--out", help="A new file for them; else they are printed.")] = None,
    data: Data = None,
    collection: Collection = None,
    model: Model = None,
    embedder: Embedder = None,
    seed: Annotated[int, typer.Option("--seed", help="Which sentences.")] = 0,
) -> None:
    """Propose gold pairs from the library's documents, for a person to accept."""
    from eval.data import gold_json, write_gold
    from ui.gold import check_new, drafts

    settings = settings_of(data=data, collection=collection, model=model, embedder=embedder)
    if out:
        check_new(out)
    made = []
    for gold in drafts(settings, count, seed=seed):
        made.append(gold)
        if out:
            write_gold(out, made)  # those that are there, should it be stopped
        else:
            say(gold_json(gold))
    note(f'{len(made)} drafts. Read each: correct it, delete it, or accept it by taking out "draft": true.')


@eval_cli.command("import")
def import_gold(
    source: Annotated[Path, typer.Argument(help="File or folder of another format.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for gold.jsonl and corpus.jsonl.")],
    format: Annotated[
        str | None, typer.Option("--format", help="squad, beir, ragas, mtrag or csv; else what it looks like.")
    ] = None,
    language: Annotated[str, typer.Option("--language", help="ISO 639-1; else detected.")] = "",
) -> None:
    """Turn another format (SQuAD, BEIR, ragas, MTRAG, CSV) into gold.jsonl and corpus.jsonl."""
    from eval.importers import import_gold as read
    from eval.importers import write_imported

    imported = read(source, format, language=language)
    write_imported(imported, out)
    for skipped in imported.skipped:
        note(f"skipped {skipped}")
    note(f"{len(imported.golds)} pairs, {len(imported.documents)} documents in {out}.")


def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a run.")],
    b: Annotated[Path, typer.Argument(help="Folder of another run of the same questions.")],
    as_json: Json = False,
) -> None:
    """Show what changed from run A to run B, and whether it is more than chance."""
    from eval.report import compare_table, comparison_json
    from ui.evaluate import compare_runs

    comparison, settings = compare_runs(a, b)
    if as_json:
        say(json.dumps(comparison_json(comparison), ensure_ascii=False))
    else:
        say(compare_table(comparison, str(a), settings))


def _documents(settings: "Settings", corpus: Path | None, *library: Path | str | None) -> "Documents":
    from ui.evaluate import Documents

    named = any(library)
    if corpus and named:
        raise typer.BadParameter("give --corpus, or --data and --collection, not both")
    return Documents(settings, corpus, named=named or corpus is not None)


def _judging(
    models: bool, judge: str | None, ratings: Path | None, gate: Path | None, baseline: Path | None
) -> "Judging":
    from ui.evaluate import Judging

    return Judging(models=models, judge=judge, ratings=ratings, gate=gate, baseline=baseline)


def _variants(named: str | None) -> tuple[str, ...]:
    if not named:
        return ()
    kinds = VARIANTS if named == "all" else tuple(dict.fromkeys(kind.strip() for kind in named.split(",")))
    if unknown := [kind for kind in kinds if kind not in VARIANTS]:
        raise typer.BadParameter(f"--robust knows no {unknown[0]!r}: {', '.join(VARIANTS)} or all")
    return kinds


def _print(report: "Report") -> None:
    for table in report.tables:
        say(table)
    for line in report.notes:
        note(line)
    if report.reasons:
        for reason in report.reasons:
            note(f"gate: {reason}")
        raise typer.Exit(GATE_NOT_MET)
