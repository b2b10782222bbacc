"""Options that several commands share, and the settings that they make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rag.settings import Settings

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the library (default: ./.fonte).")]
_MODELS = "default, PATH.gguf, a folder, hf:OWNER/REPO[/file] or openai:URL."
Model = Annotated[str | None, typer.Option("--model", help=_MODELS)]
Embedder = Annotated[str | None, typer.Option("--embedder", help=_MODELS)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def settings_of(**flags: object) -> "Settings":
    """Return the settings in force: flags, environment, fonte.toml. Raises FonteError."""
    from rag.settings import load_settings

    return load_settings(**flags)
