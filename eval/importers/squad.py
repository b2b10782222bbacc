"""SQuAD 1.1 and 2.0, and the sets that share their JSON (SQuAD-it). One document a paragraph.

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
from eval.importers.read import parse_json, read_text


class _Span(TypedDict):
    text: str


class _Question(TypedDict):
    id: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
    question: str
    answers: NotRequired[list[_Span]]
    is_impossible: NotRequired[bool]


class _Paragraph(TypedDict):
    context: str
    qas: list[_Question]


class _Article(TypedDict):
    title: NotRequired[str]
    paragraphs: list[_Paragraph]


class _File(TypedDict):
    data: list[_Article]


_FILE = TypeAdapter(_File)


def recognises(names: Collection[str]) -> bool:
    """Whether these are the keys of a SQuAD file."""
    return "data" in names


def gather(path: Path, into: Gathering) -> None:
    """Gather a SQuAD file. Texts stay as they are; equal paragraphs are one document."""
    file = into.check(_FILE, parse_json(path, read_text(path)), "")
    paragraphs = Counter[str]()
    ids: dict[str, str] = {}  # by text
    for a, article in enumerate(file["data"] if file else ()):
        title = unquote(article.get("title", "")).replace("_", " ")
        name = _name(title)
        for p, paragraph in enumerate(article["paragraphs"]):
            place, text = f"data.{a}.paragraphs.{p}", paragraph["context"]
            paragraphs[name] += 1
            if text not in ids:
                ids[text] = into.document(place, f"{name}-{paragraphs[name]:03}", text, title=title, source=path.name)
            if ids[text]:
                for q, question in enumerate(paragraph["qas"]):
                    _gather_question(f"{place}.qas.{q}", question, text, ids[text], into)


def _gather_question(place: str, question: _Question, text: str, document: str, into: Gathering) -> None:
    id, asked = question["id"], question["question"]
    if question.get("is_impossible"):  # the paragraph is a near miss, and `plausible_answers` are wrong ones
        meta: dict[str, object] = {"paragraph": document}
        into.pair(place, id, asked, (), (), answerable=False, kind="unanswerable", meta=meta)
        return
    answers = list(dict.fromkeys(span["text"] for span in question.get("answers", ()) if span["text"].strip()))
    if not answers:
        into.skip(place, "the question has no answer and is not marked impossible")
        return
    # Translated sets have wrong offsets, so a quote is an answer that stands in the paragraph, wherever that is.
    quotes = [answer for answer in answers if answer in text]
    into.pair(place, id, asked, answers, [document], kind="factoid", meta={"quotes": quotes})


def _name(title: str) -> str:
    return re.sub(r"\W+", "-", library_id(title)).strip("-") or "article"
