"""The command line: parse, call, print. Every verb is a few lines; the work is done below."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import FonteError
from ui.console import note, print_table, say
from ui.eval_cli import compare, eval_cli
from ui.keep_cli import backup, doctor, rebuild, restore
from ui.library_cli import USER_MISTAKE, add, collections_cli, list_documents, remove
from ui.options import Collection, Data, Embedder, Json, Model, Reranker, Where, conditions_of, settings_of

if TYPE_CHECKING:
    from index.library import Library
    from index.where import Condition
    from rag.answer import Answerer
    from rag.settings import Settings
    from rag.types import Answer, Turn

ABSTAINED, INTERRUPTED = 3, 130

cli = typer.Typer(
    help="Answers from your own documents, with the exact words each sentence rests on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_cli = typer.Typer(help="The models on this computer.", no_args_is_help=True)
cli.add_typer(models_cli, name="models")
cli.add_typer(eval_cli, name="eval")
cli.add_typer(collections_cli, name="collections")


cli.command()(add)
cli.command("list")(list_documents)
cli.command()(remove)


@cli.command()
def search(
    query: str,
    data: Data = None,
    collection: Collection = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
    where: Where = None,
    most: Annotated[int, typer.Option("-n", min=1, max=100, help="How many passages.")] = 8,
    as_json: Json = False,
) -> None:
    """Find passages; the language model is not asked."""
    from rag.answer import check_question
    from ui.app import open_library
    from ui.format import passages_json, passages_text

    settings = settings_of(data=data, collection=collection, embedder=embedder, reranker=reranker)
    conditions = conditions_of(where)
    query = check_question(query, most_chars=settings.question_chars)
    with open_library(settings, where=conditions) as library:
        passages = library.search(query, k=most, where=conditions)
    if not passages:
        note("The library holds no documents yet. Add some: fonte add docs/")
    say(json.dumps(passages_json(query, passages), ensure_ascii=False) if as_json else passages_text(passages))


@cli.command()
def ask(
    question: str,
    data: Data = None,
    collection: Collection = None,
    model: Model = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
    where: Where = None,
    as_json: Json = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when the documents hold no answer.")] = False,
) -> None:
    """Answer one question, then show the quotes it rests on."""
    from rag.answer import check_question
    from ui.format import answer_json, quotes_text

    settings = settings_of(data=data, collection=collection, model=model, embedder=embedder, reranker=reranker)
    check_question(question, most_chars=settings.question_chars)
    with _answerer(settings, conditions_of(where)) as answerer:
        answer = answerer.answer(question) if as_json else _stream(answerer, question)
    if as_json:
        say(json.dumps(answer_json(answer), ensure_ascii=False))
    else:
        say("")
        say(quotes_text(answer))
    if strict and answer.abstained:
        raise typer.Exit(ABSTAINED)


@cli.command()
def replay(
    file: Annotated[Path, typer.Argument(help="What fonte ask --json printed, or its receipt; - for standard input.")],
    data: Data = None,
    collection: Collection = None,
    model: Model = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
) -> None:
    """Ask again as a receipt tells, and say whether the answer is the same. Ends with 1 where it is another."""
    from rag.replay import changes, read_receipt, same_answer

    receipt, asked = read_receipt(_read_file(file))
    kept = ("passages", "evidence_tokens", "answer_tokens", "least_answerable")
    settings = settings_of(
        data=data,
        collection=collection,
        model=model,
        embedder=embedder,
        reranker=reranker,
        remember=False,
        reader=",".join(receipt.settings.get("reader_uses") or ["off"]),
        **{name: receipt.settings.get(name) for name in kept},
    )
    with _answerer(settings, conditions_of(receipt.where)) as answerer:
        answer = _stream(answerer, receipt.question, receipt.history)
    changed = changes(receipt, answer.receipt)
    if changed:
        note(f"Changed since: {', '.join(changed)}.")
    if asked and not same_answer(asked, answer):
        raise FonteError("This is another answer than before.")
    note("The same answer, with the same quotes." if asked else "The receipt tells no answer to compare with.")


@cli.command()
def chat(
    data: Data = None,
    collection: Collection = None,
    model: Model = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
    where: Where = None,
) -> None:
    """Ask question after question; follow-ups may point back. An empty line or Ctrl-D ends."""
    from rag.types import Turn
    from ui.format import quotes_text

    history: list[Turn] = []
    settings = settings_of(data=data, collection=collection, model=model, embedder=embedder, reranker=reranker)
    with _answerer(settings, conditions_of(where)) as answerer:
        while question := _prompt():
            try:
                answer = _stream(answerer, question, history)
            except FonteError as error:
                note(str(error))
                continue
            except KeyboardInterrupt:
                note("\nStopped.")
                continue
            say("")
            say(quotes_text(answer))
            history += [Turn("user", question), Turn("agent", answer.text)]


@cli.command()
def serve(
    data: Data = None,
    collection: Collection = None,
    model: Model = None,
    embedder: Embedder = None,
    reranker: Reranker = None,
    where: Where = None,
    port: Annotated[int, typer.Option("--port")] = 7860,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Open the page on this computer, at 127.0.0.1."""
    from ui.page import App
    from ui.serve import serve as serve_page

    settings = settings_of(data=data, collection=collection, model=model, embedder=embedder, reranker=reranker)
    conditions = conditions_of(where)
    with _answerer(settings, conditions) as answerer:
        library = answerer.library
        serve_page(
            App(answerer, lambda: len(library.documents(conditions)), _examples(library, conditions)),
            port=port,
            open_browser=open_browser,
            ready=lambda url: note(f"fonte is at {url} - Ctrl-C ends it."),
        )


for verb in (compare, doctor, rebuild, backup, restore):
    cli.command()(verb)


@models_cli.command("list")
def models_list() -> None:
    """List the models that can be had by name, and whether they are here."""
    from rag.weights import list_models

    rows = list_models(models_folder=settings_of().models)
    print_table(
        ("model", "kind", "size", "licence", "state"),
        [(row.name, row.kind, f"{row.bytes / 1e6:,.0f} MB", row.licence, row.state) for row in rows],
    )


@models_cli.command("pull")
def models_pull(
    names: Annotated[list[str] | None, typer.Argument(help="Names or hf:OWNER/REPO; none: the default pair.")] = None,
) -> None:
    """Fetch models. One that is here and whole costs nothing; a fetch that was cut off goes on."""
    from ui.app import pull_models

    for path in pull_models(settings_of(), names or []):
        say(str(path))


@models_cli.command("check")
def models_check(
    names: Annotated[list[str] | None, typer.Argument(help="Names; none: every model that is here.")] = None,
) -> None:
    """Read every byte of the models anew and compare with the published hashes."""
    from ui.app import check_models

    damaged = False
    for row in check_models(settings_of(), names or []):
        damaged |= row.state != "present"
        say(f"{row.name}: {'whole' if row.state == 'present' else row.state}")
    if damaged:
        raise FonteError("Fetch what is damaged or absent again: fonte models pull NAME")


def _read_file(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FonteError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None


@contextmanager
def _answerer(settings: "Settings", where: "Sequence[Condition]") -> "Iterator[Answerer]":
    from ui.app import open_answerer, open_library

    with (
        open_library(settings, where=where) as library,
        open_answerer(settings, library, where=where, remember=settings.remember) as answerer,
    ):
        yield answerer


def _stream(answerer: "Answerer", question: str, history: "Sequence[Turn]" = ()) -> "Answer":
    """Print the pieces as they come, then the verified answer in their place; return it."""
    from ui.terminal import print_events

    return print_events(answerer.events(question, history))


def _examples(library: "Library", where: "Sequence[Condition]") -> list[str]:
    from ui.app import example_questions

    return example_questions(library, where)


def _prompt() -> str:
    try:
        return input("\n› ").strip() if sys.stdin.isatty() else sys.stdin.readline().strip()
    except EOFError:
        return ""


def main() -> None:
    """Run the command line; what a user can do something about is one sentence on standard error, never a traceback."""
    try:
        code = cli(standalone_mode=False) or 0
        if code == INTERRUPTED:
            note("\nfonte: stopped; what was added before stays added.")
        sys.exit(code)
    except typer.TyperException as error:  # wrong usage
        context = getattr(error, "ctx", None)
        note(f"fonte: {error.format_message().rstrip('.')}. See {context.command_path if context else 'fonte'} --help")
        sys.exit(error.exit_code)
    except FonteError as error:
        note(f"fonte: {error}")
        sys.exit(USER_MISTAKE)
    except (KeyboardInterrupt, typer.Abort):
        note("\nfonte: stopped.")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
