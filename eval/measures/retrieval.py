"""Retrieval: how far up a ranking the relevant documents, or the passages that hold the gold quotes, stand.

Computed by ir-measures (Apache-2.0; MacAvaney et al. 2022, https://arxiv.org/abs/2111.13466) with trec_eval's code and
definitions; k counts places, also those that a short ranking leaves empty:

- hit@k, there called Success@k: 1 where any of the first k is relevant. It is not recall@k.
- recall@k: the share of the relevant that stands among the first k; precision@k: the share of k that is relevant.
- mrr: 1 / place of the first relevant one, over the whole ranking (Kantor & Voorhees 2000).
- ndcg@k: gain over log2(place + 1), as a share of the best order's (Järvelin & Kekäläinen 2002); gains are not squared.
- map@k: the precisions at the places of the relevant among the first k, summed, over the number of all relevant.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ir_measures import Measure

CUTOFFS = (1, 3, 5, 10)
NAMES = (*(f"hit@{k}" for k in CUTOFFS), "recall@5", "recall@10", "precision@5", "mrr", "ndcg@10", "map@10")
QUOTE_NAMES = ("quote_hit@1", "quote_hit@5", "quote_recall@5", "quote_recall@10", "quote_mrr", "quote_ndcg@10")

Values = dict[str, dict[str, float]]  # {question id: {measure: value}}
_Qrels = Mapping[str, Mapping[str, int]]


def retrieval(
    relevant: Mapping[str, Sequence[str]],
    retrieved: Mapping[str, Sequence[str]],
    grades: _Qrels | None = None,
) -> Values:
    """Return `{question id: {measure: value}}`, values 0..1, for each question that has relevant documents.

    `retrieved` lists document ids, best first; only the first place of a document counts, and a question without
    results has zeros. `grades` gives how relevant a document is, for ndcg alone: a relevant document without a grade
    has 1, and a grade above 0 of any other document adds to the best order too.
    """
    qrels = {id: dict.fromkeys(documents, 1) for id, documents in relevant.items() if documents}
    values = _calculate(qrels, retrieved, NAMES)
    if grades:
        graded = {id: {**judged, **grades.get(id, {})} for id, judged in qrels.items()}
        for id, only in _calculate(graded, retrieved, ("ndcg@10",)).items():
            values[id].update(only)
    return values


def quote_retrieval(quotes: Mapping[str, Sequence[str]], passages: Mapping[str, Sequence[str]]) -> Values:
    """Return `{question id: {measure: value}}` by quote, for each question that has gold quotes that are not blank.

    `passages` are the texts found, best first. What is to be found is, for each quote, the first passage that holds it
    (white space and Unicode composition folded): two quotes first held by one passage are one, and a later passage
    that holds a quote again, as overlapping chunks do, adds nothing. A quote that no passage holds is never found.
    """
    qrels, runs = {}, {}
    for id, own in quotes.items():
        found = [_folded(text) for text in passages.get(id, ())]
        qrels[id] = {_first_holding(quote, found): 1 for quote in map(_folded, own) if quote}
        runs[id] = [str(place) for place in range(len(found))]
    judged = {id: units for id, units in qrels.items() if units}
    values = _calculate(judged, runs, [name.removeprefix("quote_") for name in QUOTE_NAMES])
    return {id: {f"quote_{name}": value for name, value in own.items()} for id, own in values.items()}


def hit_curve(
    relevant: Mapping[str, Sequence[str]], retrieved: Mapping[str, Sequence[str]], most: int = 10
) -> list[float]:
    """Return the mean hit@k for k = 1..`most`, never falling; empty where no question has relevant documents."""
    qrels = {id: dict.fromkeys(documents, 1) for id, documents in relevant.items() if documents}
    names = [f"hit@{k}" for k in range(1, most + 1)]
    values = _calculate(qrels, retrieved, names).values()
    return [sum(own[name] for own in values) / len(values) for name in names] if values else []


def _calculate(qrels: _Qrels, retrieved: Mapping[str, Sequence[str]], names: Sequence[str]) -> Values:
    import ir_measures  # brings scipy

    if not qrels:
        return {}
    measures = {_measure(name): name for name in names}
    values = {id: dict.fromkeys(names, 0.0) for id in qrels}  # in the order of the names, whatever the library's is
    runs = {id: _ranked(retrieved.get(id, ())) for id in qrels}
    for metric in ir_measures.iter_calc(list(measures), qrels, runs):
        values[metric.query_id][measures[metric.measure]] = float(metric.value)
    return values


def _measure(name: str) -> "Measure":
    import ir_measures as ir

    kinds = {"hit": ir.Success, "recall": ir.R, "precision": ir.P, "mrr": ir.RR, "ndcg": ir.nDCG, "map": ir.AP}
    kind, _, cutoff = name.partition("@")
    return kinds[kind] @ int(cutoff) if cutoff else kinds[kind]


def _ranked(documents: Sequence[str]) -> dict[str, float]:
    """Return a falling score for each document, so that no tie is left for the library to break."""
    once = list(dict.fromkeys(documents))
    return {document: float(len(once) - place) for place, document in enumerate(once)}


def _first_holding(quote: str, passages: Sequence[str]) -> str:
    """Return the place of the first passage that holds `quote`; where none does, an id that no passage has."""
    return next((str(place) for place, text in enumerate(passages) if quote in text), f"not found: {quote}")


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
