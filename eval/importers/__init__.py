"""Questions and documents in the formats of others -> gold.jsonl and corpus.jsonl."""

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from eval.data import Gold, write_text
from eval.importers import beir, mtrag, ragas, squad, table
from eval.importers.gather import CorpusDocument, Gathering, Imported, is_language
from eval.importers.read import columns, first_keys, is_json, read_text
from index.errors import BadGold

__all__ = ["FORMATS", "CorpusDocument", "Imported", "import_gold", "recognise", "write_imported"]

_MODULES = {"squad": squad, "beir": beir, "ragas": ragas, "mtrag": mtrag, "csv": table}
FORMATS: tuple[str, ...] = tuple(_MODULES)


def import_gold(path: Path, format: str | None = None, *, language: str = "") -> Imported:
    """Return the pairs and documents of a file, or of a BEIR folder, in one of FORMATS; None recognises it.

    `language` (ISO 639-1) is that of questions and documents; "" finds out each question's own.
    Raises BadGold with all that is wrong, each with its place.
    """
    if language and not is_language(language):
        raise BadGold(f"{language!r} is no language code of two letters (ISO 639-1): give one such as it or en.")
    if format is not None and format not in _MODULES:
        raise BadGold(f"There is no format {format!r}: give one of {', '.join(FORMATS)}.")
    into = Gathering(path, language)
    _MODULES[format or recognise(path)].gather(path, into)
    return into.finish()


def recognise(path: Path) -> str:
    """Return which of FORMATS a file or folder is in. Raises BadGold where it is none of them."""
    if path.is_dir():
        if beir.recognises_folder(path):
            return "beir"
        raise BadGold(f"{path} is a folder, and not one of BEIR's with corpus.jsonl, queries.jsonl and qrels/.")
    text = read_text(path)
    names = first_keys(path, text) if is_json(text) else columns(path, text)
    kinds = ("squad", "mtrag", "ragas") if is_json(text) else ("ragas", "csv")
    for kind in kinds:
        if _MODULES[kind].recognises(names):
            return kind
    raise BadGold(
        f"{path} is in none of the formats {', '.join(FORMATS)}: it begins with the fields {_shown(names)}. "
        "Name its format if it is one of these."
    )


def write_imported(imported: Imported, out: Path) -> None:
    """Write gold.jsonl and, where there are documents, corpus.jsonl into the folder `out`: both or none.

    Raises BadGold where one of them is there already or cannot be written.
    """
    texts = {"corpus.jsonl": _lines(imported.documents), "gold.jsonl": _lines(imported.golds)}
    paths = {out / name: text for name, text in texts.items() if text}
    if there := [str(path) for path in paths if path.exists()]:
        raise BadGold(f"{' and '.join(there)} would be overwritten: name another folder, or move what is there.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            write_text(path, text)
    except OSError as error:
        with suppress(OSError):
            for path in paths:
                path.unlink(missing_ok=True)
        raise BadGold(f"{out} cannot be written: {error.strerror or error}.") from None


def _lines(values: Sequence[Gold] | Sequence[CorpusDocument]) -> str:
    return "".join(json.dumps(asdict(value), ensure_ascii=False) + "\n" for value in values)


def _shown(names: Collection[str]) -> str:
    return ", ".join(map(repr, list(names)[:5])) or "none"
