"""Each question of a run as an HTML report shows it, and the passages that its script puts in when one is opened."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from eval.corpus import TextOf
from eval.data import Found, Quote
from eval.measures.citations import verbatim
from eval.measures.registry import MEASURES
from eval.report.outcomes import OUTCOMES, Outcome, outcome
from eval.report.tables import COSTS, cost_number
from eval.report.visible import one_line, visible
from eval.results import Scored

Span = tuple[int, int]
_LINE_CHARS = 200


@dataclass(frozen=True, slots=True)
class QuoteView:
    """A quote with what is known of it."""

    text: str
    document: str
    place: str
    state: str  # "verbatim", "not verbatim" or "document not at hand"
    relevant: bool
    support: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question with what came back, in the words of the report."""

    scored: Scored
    outcome: Outcome
    label: str
    line: str  # the answer's beginning
    f1: str
    accepted: Sequence[str]
    all_of: bool  # whether all of `accepted` must occur, not one
    quotes: Sequence[QuoteView]
    found: Sequence[tuple[str, bool]]  # documents, best first, and whether each is relevant
    missed: Sequence[str]  # relevant documents that are not among them
    measures: Sequence[tuple[str, str]]
    costs: Sequence[tuple[str, str]]


def question_view(scored: Scored, text_of: TextOf) -> QuestionView:
    """Return what the report shows of a question; only `text_of` is not a pure function of it."""
    gold, row = scored.gold, scored.row
    all_of = gold.meta.get("all_of", [])
    f1 = scored.value("token_f1")
    return QuestionView(
        scored,
        outcome(scored),
        OUTCOMES[outcome(scored)],
        one_line(row.error or row.answer, _LINE_CHARS),
        "" if f1 is None else f"{f1:.2f}",
        all_of or gold.answers,
        bool(all_of),
        [_quote_view(quote, gold.relevant, text_of) for quote in row.quotes],
        [(document, document in gold.relevant) for document in row.retrieved or ()],
        [document for document in gold.relevant if row.retrieved is not None and document not in row.retrieved],
        [(MEASURES[name].label, _part(name, *part)) for name, part in scored.parts.items() if part[1]],
        list(_costs(scored)),
    )


def _quote_view(quote: Quote, relevant: Sequence[str], text_of: TextOf) -> QuoteView:
    text = text_of(quote.document)
    state = "document not at hand" if text is None else "verbatim" if verbatim([quote], text_of)[0] else "not verbatim"
    return QuoteView(
        quote.text or _cut(text, quote.start, quote.end),
        quote.document,
        f"characters {quote.start} to {quote.end}" if quote.start is not None and quote.end is not None else "",
        state,
        quote.document in relevant,
        "" if quote.support is None else f"support {quote.support:.2f}",
    )


def _part(name: str, total: float, count: int) -> str:
    if not MEASURES[name].share:
        return f"{total / count:.2f}"
    if count > 1:
        return f"{total:g} of {count}"
    return {0.0: "no", 1.0: "yes"}.get(total, f"{100 * total:.0f} %")


def _costs(scored: Scored) -> Iterator[tuple[str, str]]:
    for name, label in COSTS.items():
        if (value := getattr(scored.row, name)) is not None:
            yield label, cost_number(name, value)
    if scored.row.confidence is not None:
        yield "confidence", f"{scored.row.confidence:.2f}"


def passages_json(questions: Iterable[Scored], text_of: TextOf) -> Mapping[str, object]:
    """Return the passages of the questions, in their order, as the report's script reads them.

    `texts` holds each text once. A passage is [document, place in `texts` or -1, whether relevant, spans to mark]; the
    spans count code points from the passage's beginning.
    """
    texts: dict[str, int] = {}

    def one(found: Found, question: Scored) -> list[object]:
        text = found.text or _cut(text_of(found.document), found.start, found.end)
        place = texts.setdefault(visible(text), len(texts)) if text else -1
        relevant = found.document in question.gold.relevant
        return [visible(found.document), place, relevant, _merged(_spans(found, text, question.row.quotes))]

    rows = [[one(found, question) for found in question.row.passages] for question in questions]
    return {"texts": list(texts), "rows": rows}


def _cut(text: str | None, start: int | None, end: int | None) -> str:
    if text is None or start is None or end is None or not 0 <= start < end:
        return ""
    return text[start:end]


def _spans(found: Found, text: str, quotes: Iterable[Quote]) -> Iterator[Span]:
    """Yield where quotes lie in a passage: by their offsets or, where these are missing, where their words occur."""
    for quote in quotes:
        if quote.document != found.document:
            continue
        if found.start is not None and quote.start is not None and quote.end is not None:
            start, end = max(0, quote.start - found.start), min(len(text), quote.end - found.start)
        else:
            start = text.find(quote.text) if quote.text else -1
            end = start + len(quote.text)
        if 0 <= start < end:
            yield start, end


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
