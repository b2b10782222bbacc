"""Gold pairs and the rows of a run -> figures, each with its n and its interval, over all and in slices. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from eval.data import Gold, Row
from eval.measures.abstention import due_refusal, needless_refusal
from eval.measures.citations import cited_relevant, verbatim
from eval.measures.containment import first_words, is_right
from eval.measures.cost import Cost, cost
from eval.measures.interval import Figure, estimate
from eval.measures.language import language_right
from eval.measures.normalise import without_markers
from eval.measures.retrieval import NAMES as RETRIEVAL
from eval.measures.retrieval import retrieval
from eval.measures.token_f1 import token_f1

ANSWERS = (
    "right",
    "right_in_60_words",
    "token_f1",
    "needless_refusals",
    "refused_unanswerable",
    "answers_cited",
    "quotes_verbatim",
    "cited_relevant",
    "answer_language",
)
COSTS = ("first_token_s", "total_s", "prompt_tokens", "output_tokens")

TextOf = Callable[[str], str | None]
Parts = Mapping[str, tuple[float, int]]  # one question's (sum, count) for each figure that it bears on
Figures = Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures over all questions, by language and by kind; `cost` alone differs between two runs of the same."""

    settings: Mapping[str, object]
    questions: Mapping[str, int]
    figures: Figures
    by_language: Mapping[str, Figures]
    by_kind: Mapping[str, Figures]
    cost: Mapping[str, Cost]


def score(
    golds: Sequence[Gold],
    rows: Iterable[Row],
    text_of: TextOf,
    *,
    retrieval_only: bool = False,
    settings: Mapping[str, object] | None = None,
) -> Scores:
    """Return the scores of a run in which every question of `golds` has its row.

    `text_of` gives a document's text by its id, None where it is unknown; quotes are held against it.
    Raises ValueError for a question without a row.
    """
    by_id = {row.id: row for row in rows}
    if missing := [gold.id for gold in golds if gold.id not in by_id]:
        raise ValueError(f"no row for {missing[:5]}")
    asked = [(gold, by_id[gold.id]) for gold in golds]
    ranks = retrieval(
        {gold.id: gold.relevant for gold in golds if gold.answerable}, {row.id: row.retrieved for _, row in asked}
    )
    parts: list[Parts] = [
        {name: (value, 1) for name, value in ranks.get(gold.id, {}).items()}
        | ({} if retrieval_only else dict(_answer_parts(gold, row, text_of)))
        for gold, row in asked
    ]
    names = RETRIEVAL if retrieval_only else (*ANSWERS, *RETRIEVAL)
    done = [row for _, row in asked if not row.error]
    return Scores(
        settings=dict(settings or {}),
        questions=_count(asked),
        figures=_figures(parts, names),
        by_language=_slices(parts, [gold.language for gold in golds], names),
        by_kind=_slices(parts, [gold.kind for gold in golds], names),
        cost={name: cost(getattr(row, name) for row in done) for name in COSTS},
    )


def _answer_parts(gold: Gold, row: Row, text_of: TextOf) -> Iterator[tuple[str, tuple[float, int]]]:
    """Yield what one row adds to each figure about answers. A failed question is neither a refusal nor an answer."""
    text = "" if row.abstained or row.error else without_markers(row.answer)
    all_of = gold.meta.get("all_of", [])
    if gold.answerable and (gold.answers or all_of):
        yield "right", (is_right(text, gold.answers, all_of), 1)
        yield "right_in_60_words", (is_right(first_words(text), gold.answers, all_of), 1)
    if gold.answerable and gold.answers:
        yield "token_f1", (token_f1(text, gold.answers), 1)
    if (refused := needless_refusal(gold.answerable, row.abstained)) is not None:
        yield "needless_refusals", (refused, 1)
    if (refused := due_refusal(gold.answerable, row.abstained)) is not None:
        yield "refused_unanswerable", (refused, 1)
    if row.abstained or row.error:
        return
    yield "answers_cited", (bool(row.citations), 1)
    yield "quotes_verbatim", verbatim(row.quotes, text_of)
    if gold.relevant:
        yield "cited_relevant", cited_relevant(row.citations, gold.relevant)
    if (same := language_right(text, gold.language)) is not None:
        yield "answer_language", (same, 1)


def _count(asked: Sequence[tuple[Gold, Row]]) -> dict[str, int]:
    answerable = sum(gold.answerable for gold, _ in asked)
    return {
        "asked": len(asked),
        "answerable": answerable,
        "unanswerable": len(asked) - answerable,
        "failed": sum(bool(row.error) for _, row in asked),
    }


def _figures(parts: Iterable[Parts], names: Sequence[str]) -> dict[str, Figure]:
    columns = defaultdict(list)
    for question in parts:
        for name, part in question.items():
            columns[name].append(part)
    return {name: estimate(columns[name]) for name in names}


def _slices(parts: Sequence[Parts], labels: Sequence[str], names: Sequence[str]) -> dict[str, Figures]:
    """Return the figures of each label that occurs, in the order of the labels."""
    return {
        label: _figures((part for part, own in zip(parts, labels, strict=True) if own == label), names)
        for label in sorted({label for label in labels if label})
    }
