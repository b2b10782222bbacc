"""The measures against the packages that define the same thing, to 1e-9, and the laws that any values must keep."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.measures.exact_match import exact_match
from eval.measures.normalise import words
from eval.measures.retrieval import NAMES, hit_curve, quote_retrieval, retrieval
from eval.measures.rouge_l import rouge_l
from eval.measures.token_f1 import token_f1

# Words that our normalisation leaves as they are: no articles, numbers or months.
PLAIN = ["oil", "price", "rose", "war", "city", "museum", "roof", "river", "garden", "palms", "keeper", "bridge"]
EXACTLY = 1e-9


def phrase(draw: random.Random, most: int = 12) -> str:
    return " ".join(draw.choices(PLAIN, k=draw.randint(1, most)))


def ornate(draw: random.Random, text: str) -> str:
    """Add what SQuAD's normalisation takes away: capitals, English articles, signs at the ends of words, spaces."""
    changes = (
        str.upper,
        str.title,
        lambda word: f"the {word}",
        lambda word: f"An {word}",
        "{}, ".format,
        "({})!".format,
    )
    return "  ".join(draw.choice([*changes, str])(word) for word in text.split())


@pytest.fixture
def double_precision() -> Iterator[None]:
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_precision")
def test_exact_match_and_token_f1_are_those_of_squad() -> None:
    from torchmetrics.functional.text import squad

    draw = random.Random(1)
    matches = 0.0
    for _ in range(150):
        accepted = [phrase(draw, 4) for _ in range(3)]
        answer = ornate(draw, draw.choice([draw.choice(accepted), phrase(draw, 6)]))
        target = {"id": "q", "answers": {"text": [ornate(draw, text) for text in accepted], "answer_start": [0] * 3}}
        theirs = squad({"id": "q", "prediction_text": answer}, target)
        assert exact_match(answer, accepted) == pytest.approx(float(theirs["exact_match"]) / 100, abs=EXACTLY)
        assert token_f1(answer, accepted) == pytest.approx(float(theirs["f1"]) / 100, abs=EXACTLY)
        matches += exact_match(answer, accepted)
    assert 30 < matches < 120  # both outcomes were compared


def test_rouge_l_is_that_of_rouge_score_on_plain_text() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    draw, scorer = random.Random(2), RougeScorer(["rougeL"], use_stemmer=False)
    for _ in range(150):
        answer, accepted = phrase(draw, 30), [phrase(draw, 20) for _ in range(2)]
        theirs = scorer.score_multi(accepted, answer)["rougeL"].fmeasure
        assert rouge_l(answer, accepted) == pytest.approx(theirs, abs=EXACTLY)


def test_rouge_l_is_that_of_rouge_score_given_our_words() -> None:
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import Tokenizer

    class OurWords(Tokenizer):
        def tokenize(self, text: str) -> list[str]:
            return words(text)

    answer, accepted = "Così, il 5 marzo 2024, l’università chiuse.", "L'università di Forlì chiuse il 5 marzo, così."
    theirs = RougeScorer(["rougeL"], tokenizer=OurWords()).score(accepted, answer)["rougeL"].fmeasure
    assert 0 < theirs < 1
    assert rouge_l(answer, [accepted]) == pytest.approx(theirs, abs=EXACTLY)


def rankings(seed: int, documents: int, questions: int = 60) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    draw, ids = random.Random(seed), [f"d{n}" for n in range(documents)]
    relevant = {f"q{n}": draw.sample(ids, draw.randint(1, 5)) for n in range(questions)}
    return relevant, {id: draw.sample(ids, draw.randint(0, documents)) for id in relevant}


THEIR_NAMES = {
    "hit@1": "success_1",
    "hit@3": "success_3",
    "hit@5": "success_5",
    "hit@10": "success_10",
    "recall@5": "recall_5",
    "recall@10": "recall_10",
    "precision@5": "P_5",
    "mrr": "recip_rank",
    "ndcg@10": "ndcg_cut_10",
    "map@10": "map_cut_10",
}


@pytest.mark.parametrize("graded", [False, True])
def test_retrieval_is_that_of_trec_eval(graded: bool) -> None:
    import pytrec_eval

    relevant, retrieved = rankings(3, 25)
    draw = random.Random(4)
    grades = {id: {document: draw.randint(1, 3) for document in own} for id, own in relevant.items()} if graded else {}
    qrels = {id: {document: grades.get(id, {}).get(document, 1) for document in own} for id, own in relevant.items()}
    runs = {id: {document: 1 / place for place, document in enumerate(own, 1)} for id, own in retrieved.items()}
    asked = {"success.1,3,5,10", "recall.5,10", "P.5", "recip_rank", "ndcg_cut.10", "map_cut.10"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, asked).evaluate(runs)
    ours = retrieval(relevant, retrieved, grades)
    assert set(THEIR_NAMES) == set(NAMES)
    for id in relevant:
        if retrieved[id]:
            for name, their_name in THEIR_NAMES.items():
                assert ours[id][name] == pytest.approx(theirs[id][their_name], abs=EXACTLY)


def test_ndcg_and_map_are_those_of_scikit_learn_where_every_document_is_ranked() -> None:
    from sklearn.metrics import average_precision_score, ndcg_score

    draw, ids = random.Random(5), [f"d{n}" for n in range(10)]
    for _ in range(40):
        ranking = draw.sample(ids, 10)
        grades = {id: draw.randint(1, 3) for id in draw.sample(ids, 4)}
        gains = np.array([[grades.get(id, 0) for id in ranking]])
        falling = np.arange(10, 0, -1)
        ours = retrieval({"q": list(grades)}, {"q": ranking}, {"q": grades})["q"]
        assert ours["ndcg@10"] == pytest.approx(ndcg_score(gains, [falling]), abs=EXACTLY)
        assert ours["map@10"] == pytest.approx(average_precision_score(gains[0] > 0, falling), abs=EXACTLY)


def test_hit_curve_passes_through_the_means_of_hit() -> None:
    relevant, retrieved = rankings(6, 25)
    values, curve = retrieval(relevant, retrieved).values(), hit_curve(relevant, retrieved)
    for k in (1, 3, 5, 10):
        assert curve[k - 1] == pytest.approx(np.mean([own[f"hit@{k}"] for own in values]), abs=EXACTLY)
    assert curve == sorted(curve)


TEXTS = st.text(st.sampled_from("ab c.,5%é'the\n東"), max_size=20) | st.text(max_size=20)


@given(TEXTS, TEXTS)
def test_overlap_is_between_nothing_and_all_and_the_same_from_both_sides(one: str, other: str) -> None:
    for measure in (token_f1, rouge_l, exact_match):
        assert 0.0 <= measure(one, [other]) <= 1.0
        assert measure(one, [other]) == measure(other, [one])


@given(TEXTS, TEXTS)
def test_rouge_l_is_at_most_token_f1_and_both_are_one_where_the_match_is_exact(one: str, other: str) -> None:
    assert exact_match(one, [other]) <= rouge_l(one, [other]) <= token_f1(one, [other])


@given(TEXTS, st.lists(TEXTS, max_size=3), TEXTS)
def test_another_accepted_answer_never_lowers_a_value(answer: str, accepted: list[str], more: str) -> None:
    for measure in (token_f1, rouge_l, exact_match):
        assert measure(answer, [*accepted, more]) >= measure(answer, accepted)


IDS = st.lists(st.sampled_from("abcdefghijklmno"), max_size=15)


@settings(deadline=None)  # the first call imports scipy
@given(IDS.filter(bool), IDS)
def test_retrieval_is_between_nothing_and_all(relevant: list[str], retrieved: list[str]) -> None:
    values = retrieval({"q": relevant}, {"q": retrieved})["q"]
    assert all(0.0 <= value <= 1.0 for value in values.values())
    assert values["hit@1"] <= values["hit@3"] <= values["hit@5"] <= values["hit@10"]
    assert values["recall@5"] <= values["recall@10"] <= values["hit@10"]
    assert values["map@10"] <= values["hit@10"] and values["hit@1"] <= values["mrr"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PLAIN), max_size=4), st.lists(TEXTS | st.sampled_from(PLAIN), max_size=12))
def test_quote_retrieval_is_between_nothing_and_all(quotes: list[str], passages: list[str]) -> None:
    values = quote_retrieval({"q": quotes}, {"q": passages}).get("q", {})
    assert bool(values) == bool(quotes)
    assert all(0.0 <= value <= 1.0 for value in values.values())
