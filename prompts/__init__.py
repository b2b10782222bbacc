"""Prompt templates, one text file for each name and language."""

import hashlib
from functools import cache
from importlib.resources import files
from string import Template


@cache
def _template(name: str, language: str) -> Template:
    folder = files(__name__)
    for candidate in (f"{name}.{language}.txt", f"{name}.en.txt"):
        file = folder / candidate
        if file.is_file():
            return Template(file.read_text(encoding="utf-8").strip())
    raise ValueError(f"no prompt named {name!r}")


def render(name: str, language: str, **values: str) -> str:
    """Return the prompt `name` in `language` (English where there is none) with `$values` filled in.

    Raises ValueError for an unknown prompt, a value that the template lacks or a name it needs.
    """
    template = _template(name, language)
    wanted, given = set(template.get_identifiers()), set(values)
    if wanted != given:
        raise ValueError(f"prompt {name!r} ({language}) wants {sorted(wanted)}, was given {sorted(given)}")
    return template.substitute(values)


@cache
def fingerprint(*names: str) -> str:
    """Return a SHA-256 over the templates of these names, in all languages, for receipts."""
    parts = sorted(
        (file.name, file.read_text(encoding="utf-8"))
        for file in files(__name__).iterdir()
        if file.name.endswith(".txt") and file.name.split(".")[0] in names
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
