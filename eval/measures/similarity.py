"""Similarity: the cosine of an answer's vector with the nearest accepted answer's.

Semantic answer similarity by bi-encoder (Risch et al. 2021, https://aclanthology.org/2021.mrqa-1.15). It sees a
paraphrase that shares no word, and is blind where one word decides: "in 1974" and "in 1975" are close to each other.
With many embedders unrelated texts are far above 0, so values compare only under one embedder.
"""

from collections.abc import Mapping, Sequence

from index.embed import Embedder, Vectors


def similarity(answers: Sequence[str], accepted: Sequence[Sequence[str]], embedder: Embedder) -> list[float]:
    """Return for each answer its largest cosine with one of its accepted answers, -1..1; 0 where either is blank.

    Each text is embedded once, all in one call. Raises ValueError where `answers` and `accepted` differ in length.
    """
    if len(answers) != len(accepted):
        raise ValueError(f"{len(answers)} answers, but accepted answers for {len(accepted)}")
    pairs = [(answer, [text for text in own if text.strip()]) for answer, own in zip(answers, accepted, strict=True)]
    texts = list(dict.fromkeys(text for answer, own in pairs if answer.strip() and own for text in (answer, *own)))
    vectors = dict(zip(texts, embedder.embed_passages(texts), strict=True)) if texts else {}
    return [_nearest(answer, own, vectors) if answer in vectors and own else 0.0 for answer, own in pairs]


def _nearest(answer: str, accepted: Sequence[str], vectors: Mapping[str, Vectors]) -> float:
    largest = max(float(vectors[answer] @ vectors[text]) for text in accepted)
    return min(1.0, max(-1.0, largest))  # unit vectors of float32 can come out a hair above 1
