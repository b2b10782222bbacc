"""Answers and passages as text for the terminal and as JSON, and what any form of them needs; pure.

Their form on the page is in `markup.py`. Document and model text for the terminal goes through `visible`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from index.types import Document, Passage
from rag.types import Answer, Citation, Claim
from ui.words import Words, words_for

if TYPE_CHECKING:
    from rich.text import Text

CONTEXT_CHARS = 140  # of the document's own text around a quote
TIMINGS = ("retrieve_s", "first_token_s", "total_s", "prompt_tokens", "output_tokens")

MARKER = re.compile(r"\[(\d{1,3})\]")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return `text` with control and direction characters spelt out, so that no document can drive the terminal."""
    return _UNSEEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))


def answer_text(answer: Answer) -> "Text":
    """Return the answer with its markers, and a sign after each sentence that its quotes do not fully support."""
    from rich.text import Text

    words = words_for(answer.language)
    if answer.abstained:
        return Text(visible(answer.text or words["refused"]))
    known = {citation.marker for citation in answer.citations}
    text = Text()
    for n, group in enumerate(paragraphs(answer)):
        text.append("\n" if n else "")
        for m, claim in enumerate(group):
            text.append((" " if m else "") + visible(claim.text))
            for marker in claim.markers:
                text.append(f" [{marker}]" if marker in known else "", style="cyan")
            if claim.support != "supported":
                text.append(f" ({words[claim.support]})", style="yellow")
    return text


def is_cached(answer: Answer) -> bool:
    """Whether the answer was given before, and only shown again."""
    return bool(answer.receipt.get("cached"))


def quotes_text(answer: Answer) -> "Text":
    """Return the quotes of an answer, each with its document, date and place; the nearest passages of a refusal."""
    from rich.text import Text

    words = words_for(answer.language)
    text = Text(f"({words['cached']})\n" if is_cached(answer) else "", style="dim")
    if answer.abstained:
        return text + Text(words["nearest"] + "\n", style="bold") + passages_text(answer.passages[:3], words)
    for citation in answer.citations:
        passage = answer.passage_of(citation)
        place = words["characters"].format(start=citation.start, end=citation.end)
        text.append(f"[{citation.marker}] ", style="cyan")
        text.append(visible(title_of(passage.document)), style="bold")
        text.append(visible("".join(f" · {d}" for d in (*details_of(passage, words), place))) + "\n", style="dim")
        text.append(f"    “{visible(' '.join(citation.quote.split()))}”\n")
    return text


def passages_text(passages: Sequence[Passage], words: Words | None = None) -> "Text":
    """Return the passages as a numbered list, each with the beginning of its text."""
    from rich.text import Text

    text = Text()
    for passage in passages:
        details = (*details_of(passage, words or words_for("en")), f"{passage.score:.3f}")
        text.append(f"{passage.rank:>3}. ", style="cyan")
        text.append(visible(title_of(passage.document)), style="bold")
        text.append(visible("".join(f" · {d}" for d in details)) + "\n", style="dim")
        text.append(f"     {visible(clip(' '.join(passage.chunk.text.split()), 240))}\n")
    return text


def answer_json(answer: Answer) -> dict[str, object]:
    """Return the object of `fonte ask --json`; a timing that was not measured is null."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "abstained": answer.abstained,
        "reason": answer.reason,
        "language": answer.language,
        "citations": [_citation_json(citation, answer.passage_of(citation)) for citation in answer.citations],
        "passages": [_passage_json(passage) for passage in answer.passages],
        "timings": {name: answer.timings.get(name) for name in TIMINGS},
        "receipt": dict(answer.receipt),
    }


def passages_json(question: str, passages: Sequence[Passage]) -> dict[str, object]:
    """Return the object of `fonte search --json`."""
    return {"question": question, "passages": [_passage_json(passage) for passage in passages]}


def _citation_json(citation: Citation, passage: Passage) -> dict[str, object]:
    document = passage.document
    return {
        "marker": citation.marker,
        "document": document.id,
        "title": document.title,
        "source": document.source,
        "published": document.published,
        "page": document.page_at(citation.start),
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "support": citation.support,
    }


def _passage_json(passage: Passage) -> dict[str, object]:
    document, chunk = passage.document, passage.chunk
    return {
        "rank": passage.rank,
        "score": passage.score,
        "scores": dict(passage.scores),
        "document": document.id,
        "title": document.title,
        "source": document.source,
        "language": document.language,
        "published": document.published,
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
    }


def paragraphs(answer: Answer) -> Iterator[list[Claim]]:
    """Yield the claims in groups, broken where the model broke the line."""
    claims = answer.claims or (Claim(MARKER.sub("", answer.text), (), "unsupported"),)
    group: list[Claim] = []
    reached = 0
    for claim in claims:
        found = answer.text.find(claim.text, reached)
        if group and found >= 0 and "\n" in answer.text[reached:found]:
            yield group
            group = []
        group.append(claim)
        reached = found + len(claim.text) if found >= 0 else reached
    yield group


def details_of(passage: Passage, words: Words) -> Iterator[str]:
    """Yield what tells one source from another: document, outlet, date, language, page."""
    document = passage.document
    if document.title and document.title != document.id:
        yield document.id
    yield from (part for part in (document.outlet or _host(document.source), document.published) if part)
    if document.language:
        yield document.language.upper()
    if passage.chunk.page is not None:
        yield words["page"].format(n=passage.chunk.page)


def before_quote(text: str, start: int) -> str:
    """Return the document's words before `start`, cut between words."""
    before = text[max(0, start - CONTEXT_CHARS) : start]
    return before if start <= CONTEXT_CHARS else "… " + re.sub(r"^\S*\s+", "", before)


def after_quote(text: str, end: int) -> str:
    """Return the document's words after `end`, cut between words."""
    after = text[end : end + CONTEXT_CHARS]
    return after if end + CONTEXT_CHARS >= len(text) else re.sub(r"\s+\S*$", "", after) + " …"


def clip(text: str, chars: int) -> str:
    """Return `text`, or its beginning and an ellipsis where it is longer than `chars`."""
    return text if len(text) <= chars else text[: chars - 1].rstrip() + "…"


def title_of(document: Document) -> str:
    """Return the document's title, or its id where it has none."""
    return document.title.strip() or document.id


def _host(source: str) -> str:
    try:
        return urlsplit(source).hostname or ""
    except ValueError:  # not a URL after all, such as "http://[x"
        return ""
