"""Retrieval by document: Success@1/5/10 (is a relevant document among the first k? shown as hit@k) and MRR.

Computed by ir-measures (Apache-2.0; MacAvaney et al. 2022, https://arxiv.org/abs/2111.13466), where a question without
results counts as zero. Success@k is not Recall@k, the share of the relevant documents found.
MRR: Kantor & Voorhees 2000.
"""

from collections.abc import Mapping, Sequence

CUTOFFS = (1, 5, 10)
NAMES = (*(f"hit@{k}" for k in CUTOFFS), "mrr")


def retrieval(
    relevant: Mapping[str, Sequence[str]], retrieved: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Return `{question id: {measure: value}}` for each question that has relevant documents.

    `retrieved` lists document ids, best first; only the first place of a document counts.
    """
    import ir_measures  # brings scipy

    qrels = {id: dict.fromkeys(documents, 1) for id, documents in relevant.items() if documents}
    if not qrels:
        return {}
    measures = {ir_measures.Success @ k: f"hit@{k}" for k in CUTOFFS} | {ir_measures.RR: "mrr"}
    values: dict[str, dict[str, float]] = {id: {} for id in qrels}
    run = {id: _ranked(documents) for id, documents in retrieved.items() if id in qrels}
    for metric in ir_measures.iter_calc(list(measures), qrels, run):
        values[metric.query_id][measures[metric.measure]] = float(metric.value)
    return values


def _ranked(documents: Sequence[str]) -> dict[str, float]:
    """Return a falling score for each document, so that no tie is left for the library to break."""
    once = list(dict.fromkeys(documents))
    return {document: float(len(once) - place) for place, document in enumerate(once)}
