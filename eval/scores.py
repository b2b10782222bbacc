"""Gold pairs and the rows of a run -> each question's part in every measure -> figures with n and interval."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.corpus import TextOf
from eval.data import Gold, Row, variant_of
from eval.judged import Models, answer_text, model_parts, passage_texts
from eval.measures.abstention import aurc, due_refusal, needless_refusal, risk_coverage
from eval.measures.calibration import calibration_error, reliability
from eval.measures.citations import cited_relevant, verbatim
from eval.measures.containment import LONGEST_HELD_WORDS, first_words, is_right
from eval.measures.cost import cost
from eval.measures.exact_match import exact_match
from eval.measures.interval import Figure, estimate, estimate_of
from eval.measures.language import language_right
from eval.measures.registry import MEASURES
from eval.measures.retrieval import hit_curve, quote_retrieval, retrieval
from eval.measures.robustness import same_answer
from eval.measures.rouge_l import rouge_l
from eval.measures.token_f1 import token_f1
from eval.results import OTHER_DOCUMENTS, SLICES, Figures, Parts, Scored, Scores, labels

COSTS = ("first_token_s", "total_s", "prompt_tokens", "output_tokens", "memory_mb")
MOST_DOCUMENTS = 50  # with a slice of their own, those with the most questions; the rest share one


def score(
    golds: Sequence[Gold],
    rows: Iterable[Row],
    text_of: TextOf | None,
    *,
    models: Models | None = None,
    retrieval_only: bool = False,
    settings: Mapping[str, object] | None = None,
) -> Scores:
    """Return the scores of a run: `measure`, then `summarise`."""
    return summarise(measure(golds, rows, text_of, models=models, retrieval_only=retrieval_only), settings=settings)


def measure(
    golds: Sequence[Gold],
    rows: Iterable[Row],
    text_of: TextOf | None,
    *,
    models: Models | None = None,
    retrieval_only: bool = False,
) -> list[Scored]:
    """Return each question with its part in every measure; a variant's goes to the question that it is one of.

    Quotes are held against the documents, where there is a `text_of`. Measures that take a model are left out where
    `models` has none. Raises ValueError for a question without a row.
    """
    by_id = {row.id: row for row in rows}
    if missing := [gold.id for gold in golds if gold.id not in by_id]:
        raise ValueError(f"no row for {missing[:5]}")
    asked = [(gold, by_id[gold.id]) for gold in golds if not variant_of(gold)]
    look_up = text_of or _nothing
    parts = _retrieval_parts(asked, look_up)
    if not retrieval_only:
        variants = _variants([(gold, by_id[gold.id]) for gold in golds if variant_of(gold)])
        judged = model_parts(asked, look_up, models) if models else [{} for _ in asked]
        for place, (gold, row) in enumerate(asked):
            answered = dict(_answer_parts(gold, row, text_of)) | dict(_robust_parts(gold, row, variants[gold.id]))
            parts[place] = {**answered, **judged[place], **parts[place]}
    return [
        Scored(gold, row, {name: part[name] for name in MEASURES if name in part and part[name][1]})
        for (gold, row), part in zip(asked, parts, strict=True)
    ]


def summarise(scored: Sequence[Scored], *, settings: Mapping[str, object] | None = None) -> Scores:
    """Return the figures over all questions and in slices."""
    done = [question.row for question in scored if not question.row.error]
    return Scores(
        settings=dict(settings or {}),
        questions=_count(scored),
        figures=_in_order({**_figures(question.parts for question in scored), **_set_figures(scored)}),
        slices=_slices(scored),
        curves=_curves(scored),
        cost={name: cost(getattr(row, name) for row in done) for name in COSTS},
    )


def _nothing(id: str) -> None:
    return None


def _variants(asked: Iterable[tuple[Gold, Row]]) -> dict[str, list[tuple[Gold, Row]]]:
    found: dict[str, list[tuple[Gold, Row]]] = defaultdict(list)
    for gold, row in asked:
        found[variant_of(gold)].append((gold, row))
    return found


def _retrieval_parts(asked: Sequence[tuple[Gold, Row]], text_of: TextOf) -> list[dict[str, tuple[float, int]]]:
    """Return the parts in retrieval. A question without results has zeros, one of a system that says nothing none."""
    told = [(gold, row) for gold, row in asked if gold.answerable and row.retrieved is not None]
    ranks = retrieval(
        {gold.id: gold.relevant for gold, _ in told},
        {row.id: row.retrieved or () for _, row in told},
        grades={gold.id: grades for gold, _ in told if (grades := gold.meta.get("grades"))},
    )
    quotes = {gold.id: quotes for gold, row in told if (quotes := gold.meta.get("quotes")) and _knows_passages(row)}
    held = quote_retrieval(quotes, {row.id: passage_texts(row, text_of) for gold, row in told if gold.id in quotes})
    return [
        {name: (value, 1) for name, value in {**ranks.get(gold.id, {}), **held.get(gold.id, {})}.items()}
        for gold, _ in asked
    ]


def _knows_passages(row: Row) -> bool:
    return bool(row.passages) or not row.retrieved


def _answer_parts(gold: Gold, row: Row, text_of: TextOf | None) -> Iterator[tuple[str, tuple[float, int]]]:
    """Yield what one row adds to each measure of answers. A failed question is neither a refusal nor an answer."""
    text = answer_text(row)
    all_of = gold.meta.get("all_of", [])
    if _tells_right(gold):
        yield "right", (is_right(text, gold.answers, all_of), 1)
        yield "right_in_60_words", (is_right(first_words(text), gold.answers, all_of), 1)
    if gold.answerable and gold.answers:
        yield "exact_match", (exact_match(text, gold.answers), 1)
        yield "token_f1", (token_f1(text, gold.answers), 1)
        yield "rouge_l", (rouge_l(text, gold.answers), 1)
    if not row.error and (refused := needless_refusal(gold.answerable, row.abstained)) is not None:
        yield "needless_refusals", (refused, 1)
    if (refused := due_refusal(gold.answerable, row.abstained and not row.error)) is not None:
        yield "refused_unanswerable", (refused, 1)
    if not row.answered:
        return
    yield "answers_cited", (bool(row.citations), 1)
    if text_of:
        yield "quotes_verbatim", verbatim(row.quotes, text_of)
    known = [quote.support for quote in row.quotes if quote.support is not None]
    yield "support", (sum(known), len(known))
    if gold.relevant:
        yield "cited_relevant", cited_relevant(row.citations, gold.relevant)
    if (same := language_right(text, gold.language)) is not None:
        yield "answer_language", (same, 1)


def _tells_right(gold: Gold) -> bool:
    """Tell whether answers can be told right from wrong: nobody repeats a long accepted answer word for word."""
    short = any(len(answer.split()) <= LONGEST_HELD_WORDS for answer in gold.answers)
    return gold.answerable and bool(short or gold.meta.get("all_of"))


def _robust_parts(
    gold: Gold, row: Row, variants: Sequence[tuple[Gold, Row]]
) -> Iterator[tuple[str, tuple[float, int]]]:
    all_of = gold.meta.get("all_of", [])
    for variant, other in variants:
        kind, text = str(variant.meta.get("variant")), answer_text(other)
        if _tells_right(gold):
            yield f"right_{kind}", (is_right(text, gold.answers, all_of), 1)
        same = same_answer(answer_text(row), text, row.abstained, other.abstained, gold.answers, all_of)
        yield f"same_{kind}", (0.0 if row.error or other.error else same, 1)


def _count(scored: Sequence[Scored]) -> dict[str, int]:
    answerable = sum(question.gold.answerable for question in scored)
    return {
        "asked": len(scored),
        "answerable": answerable,
        "unanswerable": len(scored) - answerable,
        "failed": sum(bool(question.row.error) for question in scored),
    }


def _figures(parts: Iterable[Parts]) -> dict[str, Figure]:
    columns = defaultdict(list)
    for question in parts:
        for name, part in question.items():
            columns[name].append(part)
    return _in_order({name: estimate(column) for name, column in columns.items()})


def _in_order(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    return {name: figures[name] for name in MEASURES if name in figures}


def _slices(scored: Sequence[Scored]) -> dict[str, dict[str, Figures]]:
    """Return the figures of each label that occurs, in the order of the labels; rare documents in one slice."""
    members: dict[str, dict[str, list[Parts]]] = {by: defaultdict(list) for by in SLICES}
    own_slice = _frequent_documents(scored)
    for question in scored:
        for by, label in dict.fromkeys(_label(by, label, own_slice) for by, label in labels(question)):
            members[by][label].append(question.parts)
    return {by: {label: _figures(parts) for label, parts in sorted(found.items())} for by, found in members.items()}


def _label(by: str, label: str, own_slice: set[str]) -> tuple[str, str]:
    return (by, OTHER_DOCUMENTS) if by == "document" and label not in own_slice else (by, label)


def _frequent_documents(scored: Sequence[Scored]) -> set[str]:
    counts = Counter(label for question in scored for by, label in labels(question) if by == "document")
    return set(sorted(counts, key=lambda id: (-counts[id], id))[:MOST_DOCUMENTS])


def _confident(scored: Sequence[Scored]) -> tuple[list[float | None], list[bool]]:
    """Return confidence (None: refused or failed) and rightness of the questions that can be told right from wrong.

    Both are empty where an answer comes without a confidence: then there is no order.
    """
    known = [q for q in scored if "right" in q.parts or not q.gold.answerable]
    confidence = [q.row.confidence if q.row.answered else None for q in known]
    answers = [q.row for q in known if q.row.answered]
    if not answers or any(row.confidence is None for row in answers):
        return [], []
    return confidence, [q.value("right") == 1 for q in known]


def _set_figures(scored: Sequence[Scored]) -> dict[str, Figure]:
    confidence, right = _confident(scored)
    if not confidence:
        return {}
    given = [place for place, value in enumerate(confidence) if value is not None]

    def area(places: NDArray[np.integer]) -> float:
        return aurc([confidence[i] for i in places], [right[i] for i in places])

    def error(places: NDArray[np.integer]) -> float:
        return calibration_error([confidence[given[i]] or 0.0 for i in places], [right[given[i]] for i in places])

    return {"aurc": estimate_of(area, len(confidence)), "calibration_error": estimate_of(error, len(given))}


def _curves(scored: Sequence[Scored]) -> dict[str, list[tuple[float, float]]]:
    told = [q for q in scored if q.gold.answerable and q.gold.relevant and q.row.retrieved is not None]
    found = hit_curve({q.gold.id: q.gold.relevant for q in told}, {q.row.id: q.row.retrieved or () for q in told})
    confidence, right = _confident(scored)
    given = [(c, r) for c, r in zip(confidence, right, strict=True) if c is not None]
    bins = reliability([c for c, _ in given], [r for _, r in given]) if given else []
    return {
        "hit": [(k, round(value, 6)) for k, value in enumerate(found, start=1)],
        "risk_coverage": [(round(c, 6), round(r, 6)) for c, r in risk_coverage(confidence, right)],
        "reliability": [(round(b.mean_confidence, 6), round(b.accuracy, 6)) for b in bins if b.n],
    }
