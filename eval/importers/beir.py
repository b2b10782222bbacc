"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/<split>.tsv, or TREC qrels in their place.

Thakur et al. 2021, https://arxiv.org/abs/2104.08663.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from eval.importers.gather import Gathering, library_id
from eval.importers.read import json_records, read_text
from index.errors import BadGold

_SPLITS = ("test", "dev", "train")
_MOST_NAMED = 5
_GRADES_END = 2**31

_Id = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class _Document(TypedDict):
    _id: _Id
    text: str
    title: NotRequired[str | None]


class _Query(TypedDict):
    _id: _Id
    text: str


_DOCUMENT, _QUERY = TypeAdapter(_Document), TypeAdapter(_Query)


def recognises_folder(folder: Path) -> bool:
    """Whether a folder has at least two of the three things that make it one of BEIR's."""
    return sum((folder / name).exists() for name in ("corpus.jsonl", "queries.jsonl", "qrels")) > 1


def gather(path: Path, into: Gathering) -> None:
    """Gather a BEIR folder: the split test, else dev, else train, else the only one.

    There are no answers, so only retrieval and citations can be scored.
    """
    if not path.is_dir():
        raise BadGold(f"{path} is not a folder: name the one that holds corpus.jsonl, queries.jsonl and qrels/.")
    judged = _qrels_file(path)
    _gather_documents(path, into)
    queries = _queries(path, into)
    grades = _grades(judged, queries, into)
    for id, question in queries.items():
        if relevant := [document for document, grade in grades[id].items() if grade > 0]:
            into.pair("queries.jsonl", id, question, (), relevant, meta={"grades": grades[id]})
    if without := [id for id in queries if not any(grade > 0 for grade in grades[id].values())]:
        named = ", ".join(without[:_MOST_NAMED]) + (", ..." if len(without) > _MOST_NAMED else "")
        have = "query has" if len(without) == 1 else "queries have"
        into.skip("queries.jsonl", f"{len(without):,} {have} no relevant document in {judged.name}: {named}")


def _qrels_file(folder: Path) -> Path:
    files = {file.stem: file for file in sorted((folder / "qrels").glob("*")) if file.suffix in (".tsv", ".txt")}
    for split in _SPLITS:
        if split in files:
            return files[split]
    if len(files) != 1:
        found = f"only {', '.join(file.name for file in files.values())}" if files else "none"
        raise BadGold(f"{folder / 'qrels'} must hold test.tsv, dev.tsv, train.tsv or a single file; there is {found}.")
    return next(iter(files.values()))


def _gather_documents(folder: Path, into: Gathering) -> None:
    path = folder / "corpus.jsonl"
    for place, value in json_records(path, read_text(path), into, name=path.name):
        document = into.check(_DOCUMENT, value, place)
        if document and library_id(document["_id"]) in into.documents:
            into.fault(place, f"the _id {document['_id']!r} occurs twice")
        elif document:
            title = document.get("title") or ""
            into.document(place, document["_id"], document["text"], title=title, source=folder.resolve().name)


def _queries(folder: Path, into: Gathering) -> dict[str, str]:
    path = folder / "queries.jsonl"
    queries: dict[str, str] = {}
    for place, value in json_records(path, read_text(path), into, name=path.name):
        query = into.check(_QUERY, value, place)
        if query and query["_id"] in queries:
            into.fault(place, f"the _id {query['_id']!r} occurs twice")
        elif query:
            queries[query["_id"]] = query["text"]
    return queries


def _grades(path: Path, queries: dict[str, str], into: Gathering) -> defaultdict[str, dict[str, int]]:
    """Return the grades of the documents by query. Of a repeated judgment the last counts, as in BEIR's own loader."""
    grades: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for line, query, document, grade in _judgments(path, into):
        place, id = f"{path.name} line {line}", library_id(document)
        if query not in queries:
            into.skip(place, f"the query {query!r} is not in queries.jsonl")
        elif id not in into.documents:
            into.skip(place, f"the document {document!r} is not in corpus.jsonl")
        else:
            grades[query][id] = grade
    return grades


def _judgments(path: Path, into: Gathering) -> Iterator[tuple[int, str, str, int]]:
    """Yield line, query, document and grade: of three columns under a header, or of TREC's four without one."""
    header_may_come = True
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        cells = line.rstrip("\r").split("\t") if "\t" in line else line.split()
        if not line.strip():
            continue
        grade, is_header = _grade(cells[-1]), header_may_come and not _is_number(cells[-1])
        if len(cells) not in (3, 4):
            into.fault(f"{path.name} line {number}", f"needs query, document and score, and has {len(cells)} of them")
        elif grade is not None:
            yield number, cells[0], cells[-2], grade
        elif not is_header:
            into.fault(f"{path.name} line {number}", f"the score {cells[-1]!r} is not a whole number")
        header_may_come = False


def _grade(cell: str) -> int | None:
    """Return a whole number, also one written 1.0; None for what trec_eval's measures cannot take."""
    grade = float(cell) if _is_number(cell) else math.nan
    return int(grade) if grade.is_integer() and abs(grade) < _GRADES_END else None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
