"""SQuAD 1.1 and 2.0, and the sets that share their JSON (SQuAD-it) or the rows of the Hub. One document a paragraph.

Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250; Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822.
"""

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, NotRequired
from urllib.parse import unquote

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from eval.importers.gather import Gathering, library_id
from eval.importers.read import first_keys, json_records, parse_json, read_text


class _Span(TypedDict):
    text: str


class _Question(TypedDict):
    id: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
    question: str
    answers: NotRequired[list[_Span] | None]
    is_impossible: NotRequired[bool | None]


class _Paragraph(TypedDict):
    context: str
    qas: list[_Question]


class _Article(TypedDict):
    title: NotRequired[str | None]
    paragraphs: list[_Paragraph]


class _File(TypedDict):
    data: list[_Article]


class _Texts(TypedDict):
    text: list[str]


class _Row(TypedDict):
    id: NotRequired[Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]]
    title: NotRequired[str | None]
    context: str
    question: str
    answers: _Texts


_FILE, _ROW = TypeAdapter(_File), TypeAdapter(_Row)
_ROW_NAMES = {"context", "question", "answers"}


def recognises(names: Collection[str]) -> bool:
    """Whether these are the keys of a SQuAD file, or of one of its questions as the Hugging Face Hub has them."""
    return "data" in names or set(names) >= _ROW_NAMES


def gather(path: Path, into: Gathering) -> None:
    """Gather a SQuAD file, or JSON of its rows. Texts stay as they are; equal paragraphs are one document."""
    text, paragraphs = read_text(path), _Paragraphs(path.name, into)
    if set(first_keys(path, text)) >= _ROW_NAMES:
        _gather_rows(path, text, paragraphs, into)
        return
    file = into.check(_FILE, parse_json(path, text), "")
    for a, article in enumerate(file["data"] if file else ()):
        for p, paragraph in enumerate(article["paragraphs"]):
            place, context = f"data.{a}.paragraphs.{p}", paragraph["context"]
            if document := paragraphs.document(place, article.get("title"), context):
                for q, question in enumerate(paragraph["qas"]):
                    _gather_question(f"{place}.qas.{q}", question, context, document, into)


def _gather_rows(path: Path, text: str, paragraphs: "_Paragraphs", into: Gathering) -> None:
    for number, (place, value) in enumerate(json_records(path, text, into, one_a_row=("question",)), start=1):
        row = into.check(_ROW, value, place)
        document = row and paragraphs.document(place, row.get("title"), row["context"])
        if row and document:
            question: _Question = {
                "id": row.get("id", f"row-{number}"),
                "question": row["question"],
                "answers": [{"text": answer} for answer in row["answers"]["text"]],
                "is_impossible": not row["answers"]["text"],  # the rows have no other mark
            }
            _gather_question(place, question, row["context"], document, into)


class _Paragraphs:
    """The documents by their texts, numbered within their article."""

    def __init__(self, source: str, into: Gathering) -> None:
        self._source, self._into = source, into
        self._counts = Counter[str]()
        self._ids: dict[str, str] = {}

    def document(self, place: str, title: str | None, text: str) -> str:
        """Return the id of the paragraph's document, "" where it has no text."""
        if text not in self._ids:
            title = unquote(title or "").replace("_", " ")
            name = _name(title)
            self._counts[name] += 1
            id = f"{name}-{self._counts[name]:03}"
            self._ids[text] = self._into.document(place, id, text, title=title, source=self._source)
        return self._ids[text]


def _gather_question(place: str, question: _Question, text: str, document: str, into: Gathering) -> None:
    id, asked = question["id"], question["question"]
    if question.get("is_impossible"):  # the paragraph is a near miss, and `plausible_answers` are wrong ones
        meta: dict[str, object] = {"paragraph": document}
        into.pair(place, id, asked, (), (), answerable=False, kind="unanswerable", meta=meta)
        return
    answers = list(dict.fromkeys(span["text"] for span in question.get("answers") or () if span["text"].strip()))
    if not answers:
        into.skip(place, "the question has no answer and is not marked impossible")
        return
    # Translated sets have wrong offsets, so a quote is an answer that stands in the paragraph, wherever that is.
    quotes = [answer for answer in answers if answer in text]
    into.pair(place, id, asked, answers, [document], kind="factoid", meta={"quotes": quotes})


def _name(title: str) -> str:
    return re.sub(r"\W+", "-", library_id(title)).strip("-") or "article"
