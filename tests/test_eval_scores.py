"""Rows to figures, on a run small enough to work out by hand."""

import pytest

from eval.data import Gold, Quote, Row
from eval.measures.interval import Figure
from eval.scores import score

TEXTS = {"d1": "Christian Laforte e Shan Shan Wong guidano la società.", "d2": "The embargo ended in 1974."}

GOLDS = [
    Gold("both", "Chi guida?", ("Laforte e Wong",), ("d1",), True, "it", "factoid", {"all_of": ["Laforte", "Wong"]}),
    Gold("year", "When did it end?", ("1974",), ("d2",), True, "en", "factoid"),
    Gold("late", "When did it end?", ("1974",), ("d2",), True, "en", "factoid"),
    Gold("refused", "Quando finì?", ("1974", "nel 1974"), ("d2",), True, "it", "cross-lingual"),
    Gold("nobody", "Who is Ann?", (), (), False, "en", "unanswerable"),
    Gold("invented", "Who is Bob?", (), (), False, "en", "unanswerable"),
    Gold("failed", "Who?", ("Wong",), ("d1",), True, "en", "factoid"),
    Gold("empty", "Who?", ("Wong",), ("d1",), True, "en", "factoid"),
]
ROWS = [
    Row(
        "both", "Laforte [1] e Wong.", False, ("d2", "d1"), ("d1",),
        (Quote("d1", 0, 17, "Christian Laforte", 1.0),), 0.5, 2.0, 300, 10,
    ),
    Row("year", "In 1974 [1].", False, ("d2",), ("d2", "d1"), (Quote("d2", 0, 3, "Tha", 1.0),), 0.7, 3.0, 400, 5),
    Row("late", "it is not known when this came to its end " * 6 + "1974", False, ("d2",), (), (), 0.9, 4.0, 500, 70),
    Row("refused", "Non lo so: forse nel 1974.", True, (), (), (), None, 1.0, 300, 0),
    Row("nobody", "I do not know.", True, ("d1",)),
    Row("invented", "Bob is the chief of everything here.", False, ("d1",)),
    Row("failed", error="The model stopped."),
    Row("empty", "", False, ("d1",)),
]  # fmt: skip


def values(figures: dict[str, Figure]) -> dict[str, tuple[float | None, int]]:
    return {name: (figure.value, figure.n) for name, figure in figures.items()}


def test_every_figure_by_hand() -> None:
    scores = score(GOLDS, ROWS, TEXTS.get)
    assert values(dict(scores.figures)) == {
        "right": (0.5, 6),  # both, year, late
        "right_in_60_words": (round(2 / 6, 6), 6),
        # both 1, year ("in 1974") 2/3, late 2/62 (61 words against 1), refused, failed and empty 0
        "token_f1": (pytest.approx((1 + 2 / 3 + 2 / 62) / 6, abs=1e-6), 6),
        "needless_refusals": (round(1 / 6, 6), 6),
        "refused_unanswerable": (0.5, 2),
        "answers_cited": (0.4, 5),  # both and year, of these and late, invented, empty
        "quotes_verbatim": (0.5, 2),
        "cited_relevant": (round(2 / 3, 6), 3),
        "answer_language": (1.0, 2),  # late and invented; the others are too short to tell
        "hit@1": (0.5, 6),  # year, late, empty
        "hit@5": (round(4 / 6, 6), 6),
        "hit@10": (round(4 / 6, 6), 6),
        "mrr": (pytest.approx(3.5 / 6, abs=1e-6), 6),
    }
    assert scores.questions == {"asked": 8, "answerable": 6, "unanswerable": 2, "failed": 1}


def test_slices_by_language_and_kind() -> None:
    scores = score(GOLDS, ROWS, TEXTS.get)
    assert list(scores.by_language) == ["en", "it"]
    assert list(scores.by_kind) == ["cross-lingual", "factoid", "unanswerable"]
    assert values(dict(scores.by_language["it"]))["right"] == (0.5, 2)
    assert values(dict(scores.by_kind["unanswerable"]))["right"] == (None, 0)
    assert values(dict(scores.by_kind["unanswerable"]))["refused_unanswerable"] == (0.5, 2)


def test_a_figure_without_questions_has_no_value_and_no_interval() -> None:
    scores = score(GOLDS[4:5], ROWS[4:5], TEXTS.get)
    assert scores.figures["right"] == Figure(None, 0, None, None)


def test_cost_leaves_out_failed_questions_and_unknown_times() -> None:
    scores = score(GOLDS, ROWS, TEXTS.get)
    assert (scores.cost["total_s"].median, scores.cost["total_s"].n) == (2.5, 4)
    assert (scores.cost["first_token_s"].median, scores.cost["first_token_s"].n) == (0.7, 3)


def test_retrieval_alone_has_no_figures_about_answers() -> None:
    scores = score(GOLDS, [Row(gold.id, retrieved=("d1",)) for gold in GOLDS], TEXTS.get, retrieval_only=True)
    assert values(dict(scores.figures)) == {
        "hit@1": (0.5, 6),
        "hit@5": (0.5, 6),
        "hit@10": (0.5, 6),
        "mrr": (0.5, 6),
    }


def test_an_answerable_question_without_accepted_answers_is_scored_by_retrieval_alone() -> None:
    gold = Gold("open", "Why?", (), ("d1",), True)
    scores = score([gold], [Row("open", "Because.", retrieved=("d1",))], TEXTS.get)
    assert (scores.figures["right"].n, scores.figures["token_f1"].n, scores.figures["hit@1"].n) == (0, 0, 1)


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert score(GOLDS, ROWS, TEXTS.get) == score(GOLDS, ROWS[::-1], TEXTS.get)


def test_a_question_without_a_row_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="empty"):
        score(GOLDS, ROWS[:-1], TEXTS.get)
