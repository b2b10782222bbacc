"""Answers and passages as HTML for the page; pure.

Whatever comes from documents, questions and models is escaped by one rule: HTML is built with `Markup.format`, which
escapes every value that is not itself Markup. Nothing is ever read as Markdown.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from index.types import Document, Passage
from rag.types import Answer, Citation, Claim
from ui.format import (
    CONTEXT_CHARS,
    MARKER,
    after_quote,
    before_quote,
    clip,
    details_of,
    is_cached,
    paragraphs,
    title_of,
)
from ui.words import Words

TOOLTIP_CHARS = 320
QUESTION_CHARS = 600  # of a question repeated on the page; a whole book may have been pasted

_HALF_MARKER = re.compile(r"\s?\[\d{0,3}$")


def head_html(title: str, library: str, words: Words) -> Markup:
    """Return the line at the top: the name, and what is in the library."""
    return Markup('<header lang="{}"><b class="name">{}</b><span dir="auto">{}</span></header>').format(
        words["language"], title, library
    )


def hero_html(title: str, words: Words) -> Markup:
    """Return what greets before the first question."""
    return Markup('<div class="hero" lang="{}"><h1>{}</h1><p>{}</p></div>').format(
        words["language"], title, words["tagline"]
    )


def question_html(question: str, turn: int) -> Markup:
    """Return the question as the heading of its turn."""
    return Markup('<h2 class="question" id="turn-{}" dir="auto">{}</h2>').format(turn, clip(question, QUESTION_CHARS))


def waiting_html(text: str) -> Markup:
    """Return a line that says what is being done."""
    return Markup('<p class="waiting">{}<i></i><i></i><i></i></p>').format(text)


def pieces_html(text: str, *, writing: bool = True) -> Markup:
    """Return what the model has written so far. Markers are not verified yet, so they are numbers, not links."""
    parts = MARKER.split(_HALF_MARKER.sub("", text))
    shown = (Markup('<span class="marker">{}</span>').format(p) if i % 2 else p for i, p in enumerate(parts))
    return Markup('<div class="text {}"><p dir="auto">{}</p></div>').format(
        "writing" if writing else "halted", _joined(shown)
    )


def answer_html(answer: Answer, turn: int, words: Words) -> Markup:
    """Return the verified answer: its sentences, each with its markers and a sign where its quotes fall short."""
    if answer.abstained:
        return _refusal_html(answer, words) + timings_html(answer.timings, words, cached=is_cached(answer))
    links = {citation.marker: _marker_html(citation, answer, turn, words) for citation in answer.citations}
    lines = (
        Markup('<p dir="auto">{}</p>').format(_joined((_claim_html(claim, links, words) for claim in claims), " "))
        for claims in paragraphs(answer)
    )
    text = Markup('<div class="text" lang="{}">{}</div>').format(_language(answer.language), _joined(lines))
    return text + timings_html(answer.timings, words, cached=is_cached(answer))


def note_html(text: str) -> Markup:
    """Return one calm sentence: an error, or that the answer was stopped."""
    return Markup('<p class="note" role="status" dir="auto">{}</p>').format(text)


def timings_html(timings: Mapping[str, float], words: Words, *, cached: bool = False) -> Markup:
    """Return the small line below an answer: no first word where the model was not asked, nothing where unknown.

    It says where the answer is one that was given before.
    """
    if not timings.get("total_s"):
        return Markup()
    first, total = (
        f"{timings.get(name, 0):.1f}".replace(".", words["decimal"]) for name in ("first_token_s", "total_s")
    )
    line = words["timings" if timings.get("first_token_s") else "total"].format(first=first, total=total)
    line += f" · {words['cached']}" if cached else ""
    return Markup('<p class="timings">{}</p>').format(line)


def placeholder_html(words: Words) -> Markup:
    """Return the column of passages before they are known, so that nothing moves when they come."""
    cards = Markup('<li class="passage empty"><b></b><i></i><i></i></li>') * 4
    return _column_html(words["passages"], cards)


def passages_html(passages: Sequence[Passage], words: Words, *, nearest: bool = False) -> Markup:
    """Return the column of passages, best first, each with the beginning of its text."""
    if not passages:
        return note_html(words["no_passages"])
    cards = (_card_html(p, words, Markup('<p class="extract" lang="{}" dir="auto">{}</p>').format(
        _language(p.document.language), p.chunk.text)) for p in passages)  # fmt: skip
    return _column_html(words["nearest" if nearest else "passages"], _joined(cards))


def cited_html(answer: Answer, turn: int, words: Words, *, rest: bool = True) -> Markup:
    """Return the column of a finished answer: quotes marked in their passages, the other passages folded.

    `rest=False` leaves the passages that were not quoted out, for the earlier turns of a conversation.
    """
    if answer.abstained or not answer.citations:
        return passages_html(answer.passages, words, nearest=answer.abstained)
    quotes: dict[int, list[Citation]] = {}
    for citation in answer.citations:
        quotes.setdefault(answer.passage_of(citation).rank, []).append(citation)
    cards = (
        _quoted_html(passage, quotes[passage.rank], turn, words)
        if passage.rank in quotes
        else _folded_html(passage, words)
        for passage in answer.passages
        if rest or passage.rank in quotes
    )
    return _column_html(words["passages"], _joined(cards))


def turn_html(reply: Markup, passages: Markup) -> Markup:
    """Return an earlier turn of the conversation: question and reply, with the passages at the side."""
    return Markup('<section class="turn"><article>{}</article><aside>{}</aside></section>').format(reply, passages)


def _refusal_html(answer: Answer, words: Words) -> Markup:
    """Return a box that says so and what may help; the reason, in English for the record, is its tooltip."""
    return Markup('<div class="refusal" role="note" title="{}"><h3 dir="auto">{}</h3><p>{}</p></div>').format(
        answer.reason, answer.text or words["refused"], words["refused_help"]
    )


def _claim_html(claim: Claim, links: Mapping[int, Markup], words: Words) -> Markup:
    markers = _joined(links[marker] for marker in claim.markers if marker in links)
    sign = Markup()
    if claim.support != "supported":
        sign = Markup(' <span class="sign {}">{}</span>').format(claim.support, words[claim.support])
    return Markup('<span class="claim {}"><span class="said">{}</span>{}{}</span>').format(
        claim.support, claim.text, markers, sign
    )


def _marker_html(citation: Citation, answer: Answer, turn: int, words: Words) -> Markup:
    title = title_of(answer.passage_of(citation).document)
    return Markup('<a class="marker" href="#quote-{}-{}" aria-label="{}" data-quote="{}">{}</a>').format(
        turn,
        citation.marker,
        words["quote"].format(n=citation.marker, title=title),
        clip(" ".join(citation.quote.split()), TOOLTIP_CHARS),
        citation.marker,
    )


def _column_html(heading: str, cards: Markup) -> Markup:
    return Markup('<h3 class="heading">{}</h3><ol class="passages">{}</ol>').format(heading, cards)


def _card_html(passage: Passage, words: Words, body: Markup, *, kind: str = "") -> Markup:
    return Markup('<li class="passage {}">{}{}</li>').format(kind, _head_html(passage, words), body)


def _quoted_html(passage: Passage, citations: Sequence[Citation], turn: int, words: Words) -> Markup:
    excerpts = _joined(_excerpt_html(passage.document, near, turn, words) for near in _neighbours(citations))
    return _card_html(passage, words, excerpts, kind="quoted")


def _neighbours(citations: Sequence[Citation]) -> list[list[Citation]]:
    """Return the citations of one document in groups that share an excerpt: close to one another, never overlapping."""
    groups: list[list[Citation]] = []
    for citation in sorted(citations, key=lambda c: (c.start, c.end)):
        if groups and 0 <= citation.start - groups[-1][-1].end <= 2 * CONTEXT_CHARS:
            groups[-1].append(citation)
        else:
            groups.append([citation])
    return groups


def _excerpt_html(document: Document, citations: Sequence[Citation], turn: int, words: Words) -> Markup:
    """Return the quotes, marked, in the document's words around them."""
    text = document.text
    parts: list[Markup | str] = [before_quote(text, citations[0].start)]
    for n, citation in enumerate(citations):
        if n:
            parts.append(text[citations[n - 1].end : citation.start])
        parts.append(_mark_html(citation, turn, words))
    parts.append(after_quote(text, citations[-1].end))
    return Markup('<blockquote lang="{}" dir="auto">{}</blockquote>').format(
        _language(document.language), _joined(parts)
    )


def _mark_html(citation: Citation, turn: int, words: Words) -> Markup:
    """Return the quote, marked, after its number, which page.js leads back to the marker in the answer."""
    back = Markup('<a class="marker back" href="#turn-{}" aria-label="{}">{}</a>').format(
        turn, words["back"].format(n=citation.marker), citation.marker
    )
    return back + Markup('<mark id="quote-{}-{}" tabindex="-1">{}</mark>').format(
        turn, citation.marker, _verbatim(citation.quote)
    )


def _folded_html(passage: Passage, words: Words) -> Markup:
    return Markup(
        '<li class="passage folded"><details><summary>{}</summary><p lang="{}" dir="auto">{}</p></details></li>'
    ).format(_head_html(passage, words), _language(passage.document.language), passage.chunk.text)


def _head_html(passage: Passage, words: Words) -> Markup:
    score = words["score"].format(score=f"{passage.score:.3f}")
    details = _joined((Markup("<span>{}</span>").format(d) for d in details_of(passage, words)), " ")
    return Markup(
        '<span class="head"><span class="rank" title="{}">{}</span><b dir="auto">{}</b><small>{}</small></span>'
    ).format(score, passage.rank, title_of(passage.document), details)


def _verbatim(quote: str) -> Markup:
    return Markup("{}").format(quote).replace("\r", Markup("&#13;"))  # a bare one would be read as a line feed


def _language(code: str) -> str:
    return code if re.fullmatch(r"[a-z]{2,3}", code) else ""


def _joined(parts: Iterable[Markup | str], separator: str = "") -> Markup:
    return Markup(separator).join(parts)
