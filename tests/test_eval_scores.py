"""Rows to figures, on a run small enough to work out by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import FakeEmbedder

from eval.cache import Cache
from eval.data import Found, Gold, Quote, Row
from eval.judged import Models
from eval.measures.interval import Figure
from eval.measures.registry import MEASURES
from eval.results import OTHER_DOCUMENTS
from eval.scores import MOST_DOCUMENTS, measure, score, summarise

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
        "exact_match": (round(1 / 6, 6), 6),  # both
        "rouge_l": (pytest.approx((1 + 2 / 3 + 2 / 62) / 6, abs=1e-6), 6),
        "support": (1.0, 2),
        "needless_refusals": (0.2, 5),  # the failed question is neither refused nor answered
        "refused_unanswerable": (0.5, 2),
        "answers_cited": (0.4, 5),  # both and year, of these and late, invented, empty
        "quotes_verbatim": (0.5, 2),
        "cited_relevant": (round(2 / 3, 6), 3),
        "answer_language": (1.0, 2),  # late and invented; the others are too short to tell
        "hit@1": (0.5, 6),  # year, late, empty
        **{name: (round(4 / 6, 6), 6) for name in ("hit@3", "hit@5", "hit@10", "recall@5", "recall@10")},
        "precision@5": (pytest.approx(4 * 0.2 / 6, abs=1e-6), 6),
        "mrr": (pytest.approx(3.5 / 6, abs=1e-6), 6),
        "map@10": (pytest.approx(3.5 / 6, abs=1e-6), 6),
        "ndcg@10": (pytest.approx((3 + 1 / math.log2(3)) / 6, abs=1e-6), 6),
    }
    assert scores.questions == {"asked": 8, "answerable": 6, "unanswerable": 2, "failed": 1}


def test_slices_by_language_kind_answerability_and_document() -> None:
    slices = score(GOLDS, ROWS, TEXTS.get).slices
    assert {by: list(labels) for by, labels in slices.items()} == {
        "language": ["en", "it"],
        "kind": ["cross-lingual", "factoid", "unanswerable"],
        "answerability": ["answerable", "unanswerable"],
        "document": ["d1", "d2"],
    }
    assert values(dict(slices["language"]["it"]))["right"] == (0.5, 2)
    assert "right" not in slices["kind"]["unanswerable"]
    assert values(dict(slices["kind"]["unanswerable"]))["refused_unanswerable"] == (0.5, 2)
    assert values(dict(slices["document"]["d1"]))["right"] == (round(1 / 3, 6), 3)


def test_rare_documents_share_a_slice_and_none_is_lost() -> None:
    golds = [Gold(f"q{n}", "Who?", ("Wong",), (f"d{n:03}",), True) for n in range(MOST_DOCUMENTS + 7)]
    slices = score(golds, [Row(gold.id, "Wong") for gold in golds], TEXTS.get).slices["document"]
    assert len(slices) == MOST_DOCUMENTS + 1
    assert slices[OTHER_DOCUMENTS]["right"].n == 7


def test_confidence_gives_risk_and_coverage_and_calibration() -> None:
    golds = [Gold(id, "Who?", ("Wong",), (), True) for id in "abc"] + [Gold("d", "Who?", (), (), False)]
    rows = [
        Row("a", "Wong", confidence=0.9),
        Row("b", "Li", confidence=0.8),
        Row("c", "", True),
        Row("d", "Bo", confidence=0.2),
    ]
    scores = score(golds, rows, None)
    # risks at 1, 2, 3, 4 questions: 0, 1/2, 2/3, 3/4; the refused one comes last and is no right answer
    assert scores.figure("aurc").value == pytest.approx((0 + 1 / 2 + 2 / 3 + 3 / 4) / 4, abs=1e-6)
    # each of the three answers is alone in its bin
    assert scores.figure("calibration_error").value == pytest.approx((0.1 + 0.8 + 0.2) / 3, abs=1e-6)
    assert scores.curves["risk_coverage"][0] == (0.25, 0.0)
    assert score(golds, [*rows[:3], Row("d", "Bo")], None).figure("aurc").n == 0  # one answer tells none


def test_variants_count_for_the_question_that_they_are_of() -> None:
    gold = Gold("q", "Who?", ("Wong",), ("d1",), True, "en")
    typos = replace(gold, id="q~typos", question="Wo?", meta={"variant_of": "q", "variant": "typos"})
    case = replace(gold, id="q~case", question="WHO?", meta={"variant_of": "q", "variant": "case"})
    rows = [Row("q", "Wong it is"), Row("q~typos", "", True), Row("q~case", "It is Wong.")]
    scored = measure([gold, typos, case], rows, None)
    assert len(scored) == 1
    assert {name: scored[0].value(name) for name in scored[0].parts if name.endswith(("typos", "case"))} == {
        "right_typos": 0.0,
        "right_case": 1.0,
        "same_typos": 0.0,
        "same_case": 1.0,
    }
    assert summarise(scored).questions["asked"] == 1


def test_a_failed_question_is_no_refusal_either() -> None:
    golds = [Gold("a", "Who?", ("Wong",), (), True), Gold("b", "Who?", (), (), False)]
    scores = score(golds, [Row("a", error="Gone."), Row("b", abstained=True, error="Gone.")], None)
    assert (scores.figure("right").value, scores.figure("refused_unanswerable").value) == (0.0, 0.0)
    assert scores.figure("needless_refusals").n == 0


def test_a_system_that_says_nothing_of_retrieval_is_not_measured_by_it() -> None:
    gold = Gold("q", "Who?", ("Wong",), ("d1",), True)
    assert score([gold], [Row("q", "Wong")], None).figure("hit@5").value == 0.0  # it found nothing
    assert score([gold], [Row("q", "Wong", retrieved=None)], None).figure("hit@5").n == 0


def test_long_accepted_answers_tell_no_right_from_wrong() -> None:
    long = Gold(
        "q", "Why?", ("because the roof of the old mill had been leaking for more than ten years",), ("d1",), True
    )
    scores = score([long], [Row("q", "The roof leaked.")], None)
    assert (scores.figure("right").n, scores.figure("token_f1").n) == (0, 1)
    assert (
        score([replace(long, answers=(*long.answers, "the roof"))], [Row("q", "The roof leaked.")], None)
        .figure("right")
        .value
        == 1.0
    )


def test_a_marker_that_names_nothing_costs_precision() -> None:
    gold = Gold("q", "When?", ("1974",), ("d2",), True, "en")
    row = Row("q", "It ended in 1974 [1][9].", quotes=(Quote("d2", 0, 26),))
    scored = measure([gold], [row], TEXTS.get, models=Models(checker=WordChecker()))[0]
    assert (scored.value("citation_recall"), scored.value("citation_precision")) == (1.0, 0.5)


def test_quotes_are_not_held_against_documents_that_nobody_named() -> None:
    assert "quotes_verbatim" not in score(GOLDS, ROWS, None).figures
    assert score(GOLDS, ROWS, lambda id: None).figures["quotes_verbatim"].value == 0.0


def test_passages_are_held_against_the_gold_quotes() -> None:
    gold = Gold("q", "When?", ("1974",), ("d2",), True, "en", meta={"quotes": ["ended in 1974"]})
    row = Row("q", "1974", retrieved=("d1", "d2"), passages=(Found("d1", 0, 20), Found("d2", 0, 26)))
    scores = score([gold], [row], TEXTS.get)
    assert (scores.figure("quote_hit@1").value, scores.figure("quote_hit@5").value) == (0.0, 1.0)
    assert scores.figure("quote_mrr").value == 0.5
    assert "quote_mrr" not in score([gold], [replace(row, passages=())], TEXTS.get).figures  # where is not known


class WordChecker:
    """Supports what shares its last word with the evidence."""

    name = fingerprint = "words"

    def support(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [float(claim.strip(".").split()[-1] in evidence) for evidence, claim in pairs]


def test_measures_that_take_a_model_are_worked_out_once(tmp_path: Path, fake_embedder: FakeEmbedder) -> None:
    gold = Gold("q", "When?", ("in 1974",), ("d2",), True, "en")
    row = Row(
        "q", "It ended in 1974 [1]. It began in 1960 [1].", quotes=(Quote("d2", text="The embargo ended in 1974."),)
    )
    with Cache(tmp_path / "cache.sqlite") as cache:
        first = measure([gold], [row], None, models=Models(fake_embedder, WordChecker(), cache=cache))[0]
        fake_embedder.embed_passages = None  # type: ignore[method-assign,assignment]
        again = measure([gold], [row], None, models=Models(fake_embedder, WordChecker(), cache=cache))[0]
    assert (first.value("citation_recall"), first.value("citation_precision")) == (0.5, 0.5)
    assert 0 < first.value("similarity") < 1  # type: ignore[operator]
    assert again == first


def test_a_figure_without_questions_has_no_value_and_no_interval() -> None:
    scores = score(GOLDS[4:5], ROWS[4:5], TEXTS.get)
    assert scores.figure("right") == Figure(None, 0, None, None)


def test_cost_leaves_out_failed_questions_and_unknown_times() -> None:
    scores = score(GOLDS, ROWS, TEXTS.get)
    assert (scores.cost["total_s"].median, scores.cost["total_s"].n) == (2.5, 4)
    assert (scores.cost["first_token_s"].median, scores.cost["first_token_s"].n) == (0.7, 3)


def test_retrieval_alone_has_no_figures_about_answers() -> None:
    scores = score(GOLDS, [Row(gold.id, retrieved=("d1",)) for gold in GOLDS], TEXTS.get, retrieval_only=True)
    assert {MEASURES[name].group for name in scores.figures} == {"retrieval"}
    assert (scores.figure("hit@1").value, scores.figure("mrr").value) == (0.5, 0.5)


def test_an_answerable_question_without_accepted_answers_is_scored_by_retrieval_alone() -> None:
    gold = Gold("open", "Why?", (), ("d1",), True)
    scores = score([gold], [Row("open", "Because.", retrieved=("d1",))], TEXTS.get)
    assert (scores.figure("right").n, scores.figure("token_f1").n, scores.figure("hit@1").n) == (0, 0, 1)


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert score(GOLDS, ROWS, TEXTS.get) == score(GOLDS, ROWS[::-1], TEXTS.get)


def test_a_question_without_a_row_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="empty"):
        score(GOLDS, ROWS[:-1], TEXTS.get)
