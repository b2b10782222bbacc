"""Plain tables of questions and answers, with commas, semicolons or tabs between the cells."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from eval.importers.gather import Gathering, is_language, library_id
from eval.importers.read import columns, read_text, table_records
from index.errors import BadGold

_NAMES = {  # letters and digits alone are compared
    "question": ("question", "questions", "q", "query", "userinput", "domanda", "domande", "d"),
    "answer": (
        *("answer", "answers", "a", "reference", "expected", "expectedanswer", "groundtruth"),
        *("risposta", "risposte", "rispostaattesa", "r"),
    ),
    "id": ("id", "questionid"),
    "relevant": ("relevant", "document", "documents", "documentid", "documentids", "documento", "documenti"),
    "language": ("language", "lang", "lingua"),
    "kind": ("kind", "type", "category", "tipo", "categoria"),
    "unanswerable": ("unanswerable", "isimpossible", "senzarisposta"),
}
_NO_ANSWER = ("n/a", "n.a", "none", "-", "–", "—", "unanswerable", "no answer", "nessuna", "nessuna risposta")
_YES, _NO = ("true", "yes", "y", "1", "x", "vero", "sì", "si"), ("false", "no", "n", "0", "", "falso")


def recognises(names: Collection[str]) -> bool:
    """Whether columns of these names hold questions and answers."""
    return {"question", "answer"} <= _places(names).keys()


def gather(path: Path, into: Gathering) -> None:
    """Gather a table with the columns question and answer, or their synonyms in English and Italian.

    Several answers, or several documents, are parted by "|". Without an answer, or with one such as "n/a" that only
    says so, the question is unanswerable; a no in the column unanswerable makes "none" an answer like any other.
    """
    text = read_text(path)
    header = columns(path, text)
    places = _places(header)
    if missing := [name for name in ("question", "answer") if name not in places]:
        raise BadGold(f"{path} has no column named {' or '.join(missing)}; it has {', '.join(map(repr, header))}.")
    if twice := [names for names in places.values() if len(names) > 1]:
        raise BadGold(f"{path} has several columns of one meaning: {'; '.join(' and '.join(n) for n in twice)}.")
    for number, (place, cells) in enumerate(table_records(text, into), start=1):
        _gather_row(place, number, {ours: cells[names[0]] for ours, names in places.items()}, into)


def _places(header: Collection[str]) -> dict[str, list[str]]:
    """Return the columns of each meaning that occurs."""
    found = defaultdict(list)
    for column in header:
        plain = "".join(filter(str.isalnum, column.casefold()))
        for ours, theirs in _NAMES.items():
            if plain in theirs:
                found[ours].append(column)
    return dict(found)


def _gather_row(place: str, number: int, row: Mapping[str, str], into: Gathering) -> None:
    answers, relevant = _parts(row["answer"]), [library_id(part) for part in _parts(row.get("relevant", ""))]
    said = row.get("unanswerable", "").casefold()
    if said not in (*_YES, *_NO):
        into.fault(place, f"unanswerable: {row['unanswerable']!r} is neither yes nor no")
    language = row.get("language", "").casefold()
    if language and not is_language(language):
        into.fault(place, f"language: {language!r} is no code of two letters such as it or en (ISO 639-1)")
    unanswerable = said in _YES or not answers or (not said and row["answer"].casefold().rstrip(".") in _NO_ANSWER)
    into.pair(
        place,
        row.get("id") or f"row-{number}",
        row["question"],
        () if unanswerable else answers,
        () if unanswerable else relevant,
        answerable=not unanswerable,
        language=language,
        kind=row.get("kind") or ("unanswerable" if unanswerable else ""),
    )


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in cell.split("|") if part.strip()]
