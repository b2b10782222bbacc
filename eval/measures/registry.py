"""Every measure that a table may show: its label, its group, whether it is a share, and which way is better."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["answers", "abstention", "citations", "retrieval", "retrieval by quote", "robustness", "judge"]


@dataclass(frozen=True, slots=True)
class Measure:
    """What a table, a plot, a comparison or a gate needs to know of a measure beside its values."""

    name: str
    label: str
    group: Group
    share: bool = True  # of something, shown in %; others are means, shown as numbers
    higher_is_better: bool = True
    of_set: bool = False  # of the whole set of questions, not a sum over them: no slices, no pairs


_ROBUST = {"typos": "with typos", "case": "in other case", "noise": "with noise", "paraphrase": "paraphrased"}

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("right", "right (holds an accepted answer)", "answers"),
        Measure("right_in_60_words", "right within the first 60 words", "answers"),
        Measure("exact_match", "exact match", "answers"),
        Measure("token_f1", "token F1", "answers", share=False),
        Measure("rouge_l", "ROUGE-L", "answers", share=False),
        Measure("similarity", "similarity to an accepted answer", "answers", share=False),
        Measure("answer_language", "answer in the question's language", "answers"),
        Measure("needless_refusals", "needless refusals, of answerable", "abstention", higher_is_better=False),
        Measure("refused_unanswerable", "refused, of unanswerable", "abstention"),
        Measure("aurc", "area under risk-coverage", "abstention", share=False, higher_is_better=False, of_set=True),
        Measure("calibration_error", "calibration error", "abstention", False, higher_is_better=False, of_set=True),
        Measure("answers_cited", "answers with a citation", "citations"),
        Measure("quotes_verbatim", "quotes verbatim", "citations"),
        Measure("cited_relevant", "cited documents relevant", "citations"),
        Measure("support", "support of the quotes, as the system says", "citations", share=False),
        Measure("citation_recall", "citation recall (ALCE)", "citations"),
        Measure("citation_precision", "citation precision (ALCE)", "citations"),
        *(Measure(f"hit@{k}", f"hit@{k}, by document", "retrieval") for k in (1, 3, 5, 10)),
        *(Measure(f"recall@{k}", f"recall@{k}, by document", "retrieval") for k in (5, 10)),
        Measure("precision@5", "precision@5, by document", "retrieval"),
        Measure("mrr", "MRR, by document", "retrieval", share=False),
        Measure("ndcg@10", "nDCG@10, by document", "retrieval", share=False),
        Measure("map@10", "MAP@10, by document", "retrieval", share=False),
        *(Measure(f"quote_hit@{k}", f"hit@{k}, by quote", "retrieval by quote") for k in (1, 5)),
        *(Measure(f"quote_recall@{k}", f"recall@{k}, by quote", "retrieval by quote") for k in (5, 10)),
        Measure("quote_mrr", "MRR, by quote", "retrieval by quote", share=False),
        Measure("quote_ndcg@10", "nDCG@10, by quote", "retrieval by quote", share=False),
        *(Measure(f"right_{kind}", f"right, {label}", "robustness") for kind, label in _ROBUST.items()),
        *(Measure(f"same_{kind}", f"same answer, {label}", "robustness") for kind, label in _ROBUST.items()),
        Measure("judge", "right, says the judge", "judge"),
    )
}


def amount(name: str, value: float | None, *, decimals: int = 1) -> str:
    """Return a value as a table shows it: 53.0 % of a share, 0.530 of a mean, - where there is none."""
    if value is None:
        return "-"
    return f"{100 * value:.{decimals}f} %" if MEASURES[name].share else f"{value:.{decimals + 2}f}"


def signed(name: str, difference: float, *, decimals: int = 1) -> str:
    """Return a difference with its sign, in points of a hundred for a share; a mean takes two decimals more."""
    return f"{100 * difference:+z.{decimals}f}" if MEASURES[name].share else f"{difference:+z.{decimals + 2}f}"
