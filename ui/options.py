"""Options that several commands share, and the settings and conditions that they make."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from index.where import Condition
    from rag.settings import Settings

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the library (default: ./.fonte).")]
Collection = Annotated[
    str | None, typer.Option("--collection", metavar="NAME", help="One of several libraries in that folder.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help='Only documents that fit: language=it, "published>=2024-03-01", "source=*.pdf". May be given again.',
    ),
]
_MODELS = "default, PATH.gguf, a folder, hf:OWNER/REPO, hf:OWNER/REPO/FILE or openai:URL."
Model = Annotated[str | None, typer.Option("--model", help=_MODELS)]
Embedder = Annotated[str | None, typer.Option("--embedder", help=_MODELS)]
Reranker = Annotated[
    str | None,
    typer.Option("--reranker", help="A cross-encoder that orders the best passages: a folder or hf:OWNER/REPO."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def settings_of(**flags: object) -> "Settings":
    """Return the settings in force: flags, environment, fonte.toml. Raises FonteError."""
    from rag.settings import load_settings

    return load_settings(**flags)


def conditions_of(where: Sequence[str] | None) -> "list[Condition]":
    """Return the conditions that the options --where say. Raises FonteError."""
    from index.where import parse_condition

    return [parse_condition(text) for text in where or ()]


def refuse_options(context: typer.Context) -> None:
    """Raise where options stand before a verb: it would not see them."""
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name and context.get_parameter_source(option.name).name == "COMMANDLINE"  # type: ignore[union-attr]
    ]
    if given:
        raise typer.BadParameter(f"write {given[0]} after {context.invoked_subcommand!r}")
