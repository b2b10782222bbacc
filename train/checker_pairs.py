"""Claims with evidence that supports them or does not, made from public questions and answers (bench/checker.py).

Claims are sentences of people's answers, questions with their answers, and sentences that hold an answer set against
the same paragraph in another language. What does not support them: a passage without the evidence, or with part of it,
the nearest other passage, any other; the right passage after a name or number of the claim was swapped for another of
the same text or for a number that is nowhere in it; the claim negated, or the sentence of the passage that it rests on.
Nobody has rated these pairs: they are supported or not by how they were made.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.data import read_gold
from index.sentences import sentence_spans
from rag.words import content_words
from train.alter import NUMBER, negated, renumbered, swapped, without
from train.material import read_texts

SEED = 20160515
FEWEST_WORDS = 5  # that carry meaning, of a claim
SHORTEST_REST = 150  # characters of a passage whose evidence was taken out
RESTATED = 0.5  # of a sentence's words in the claim: then its negation contradicts the claim


@dataclass(frozen=True)
class Pair:
    """A claim and its evidence, and how they were made."""

    claim: str
    evidence: str
    source: str
    languages: str  # of claim and evidence
    fitted: bool  # in the half that the weights are fitted on
    kind: str = "supported"


class Corpus:
    """Passages by id, and the nearest of them by words."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.texts = dict(sorted(texts.items()))
        self._ids = list(self.texts)
        self._vectorizer = TfidfVectorizer(sublinear_tf=True)
        self._matrix = self._vectorizer.fit_transform(self.texts.values())

    def near(self, text: str, without: Sequence[str], count: int = 1) -> list[str]:
        """Return the texts nearest to `text`, best first."""
        scores = (self._matrix @ self._vectorizer.transform([text]).T).toarray()[:, 0]
        order = [self._ids[i] for i in np.argsort(-scores, kind="stable")]
        return [self.texts[id] for id in order if id not in without][:count]


def build(evaldata: Path, rows: Path) -> list[Pair]:
    """Return the pairs, the same each time."""
    rng = random.Random(SEED)
    return [*_public(evaldata, rng), *_squads(rows, evaldata / "xling_it_question_en_docs", rng)]


def public_pairs(evaldata: Path) -> list[Pair]:
    """Return those of clapnq_dev and mtrag_un, the same each time."""
    return _public(evaldata, random.Random(SEED))


def _public(evaldata: Path, rng: random.Random) -> list[Pair]:
    return [*_clapnq(evaldata / "clapnq_dev", rng), *_mtrag(evaldata / "mtrag_un", rng)]


def _clapnq(folder: Path, rng: random.Random) -> Iterator[Pair]:
    corpus = Corpus(_texts(folder))
    golds = sorted((gold for gold in read_gold(folder / "gold.jsonl") if gold.answerable), key=lambda gold: gold.id)
    for place, gold in enumerate(golds):
        evidence: list[list[str]] = gold.meta["evidence"]  # type: ignore[typeddict-item]
        told = [(claim, own) for answer, own in zip(gold.answers, evidence, strict=False) for claim in _claims(answer)]
        if not told:
            continue
        claim, own = rng.choice(told)
        passage = corpus.texts[gold.relevant[0]]
        pair = Pair(claim, passage, "clapnq", "en-en", place < len(golds) / 2)
        yield pair
        rest = without(passage, {sentence for sentences in evidence for sentence in sentences})
        if place % 2 == 0 and len(rest) > SHORTEST_REST:
            yield replace(pair, evidence=rest, kind="evidence removed")
        if place % 3 == 0 and len(held := [sentence for sentence in own if sentence in passage]) > 1:
            yield replace(pair, evidence=without(passage, {_most_alike(claim, held)}), kind="partly removed")
        if place % 2:
            near = corpus.near(f"{gold.question} {claim}", gold.relevant)[0]
            yield replace(pair, evidence=near, kind="near passage")
        yield from _altered(pair, passage, rng, swap=place % 2 == 1, negate=place % 4 == 0)
        yield from _contradicted(pair, renumber=place % 2 == 0, deny=place % 2 == 1)
        if place % 6 == 1:
            yield replace(pair, evidence=rng.choice(list(corpus.texts.values())), kind="random passage")


def _mtrag(folder: Path, rng: random.Random) -> Iterator[Pair]:
    """Yield sentences of replies against all passages of the reply together."""
    corpus = Corpus(_texts(folder))
    golds = [gold for gold in read_gold(folder / "gold.jsonl") if gold.kind == "conversational" and gold.relevant]
    for place, gold in enumerate(sorted(golds, key=lambda gold: gold.id)):
        told = [claim for claim in _claims(gold.answers[0]) if not re.search(r"\b(I|you)\b", claim)]
        if not told:
            continue
        claim = rng.choice(told)
        own = [corpus.texts[id] for id in gold.relevant]
        pair = Pair(claim, "\n\n".join(own), "mtrag_un", "en-en", place < len(golds) / 2)
        yield pair
        if place % 2:
            contexts: list[str] = gold.meta["contexts"]  # type: ignore[typeddict-item]
            near = corpus.near(f"{gold.question} {claim}", contexts, len(own))
            yield replace(pair, evidence="\n\n".join(near), kind="near passage")
        elif len(own) > 1:
            rest = [text for text in own if text is not _most_alike(claim, own)]
            yield replace(pair, evidence="\n\n".join(rest), kind="partly removed")
        yield from _altered(pair, pair.evidence, rng, swap=place % 3 == 0, negate=place % 6 == 1)
        yield from _contradicted(pair, renumber=place % 3 == 2, deny=place % 3 == 1)
        if place % 6 == 3:
            others = rng.sample(list(corpus.texts.values()), len(own))
            yield replace(pair, evidence="\n\n".join(others), kind="random passage")


Row = Mapping[str, str]


def _squads(file: Path, xling: Path, rng: random.Random) -> Iterator[Pair]:
    rows: list[Row] = [row for row in map(json.loads, file.open(encoding="utf-8")) if row["answer"]]
    passages = defaultdict(set)
    for row in rows:
        passages[row["article"], row["passage_language"]].add(row["passage"])
    corpora = {key: Corpus({text: text for text in texts}) for key, texts in passages.items() if len(texts) > 1}
    yield from _answered_questions(rows, corpora, rng)
    yield from _parallel(rows, xling, corpora, rng)


def _answered_questions(
    rows: Sequence[Row], corpora: Mapping[tuple[str, str], Corpus], rng: random.Random
) -> Iterator[Pair]:
    groups = defaultdict(list)
    for row in rows:
        if len(row["answer"].split()) <= 8:
            same = row["language"] == row["passage_language"]
            groups["Italian" if same and row["language"] == "it" else "same" if same else "across"].append(row)
    drawn = [
        (row, groups[name])
        for name, n in (("Italian", 80), ("same", 80), ("across", 40))
        for row in rng.sample(groups[name], n)
    ]
    for place, (row, group) in enumerate(drawn):
        passage, corpus = row["passage"], corpora.get((row["article"], row["passage_language"]))
        languages = f"{row['language']}-{row['passage_language']}"
        pair = Pair(_told(row, row["answer"]), passage, "question and answer", languages, int(row["article"]) % 2 == 0)
        yield pair
        holding = _holding(passage, row["passage_language"], (row["answer"],))
        rest = without(passage, {holding})
        if holding and row["answer"] not in rest and len(rest) > SHORTEST_REST:
            yield replace(pair, evidence=rest, kind="evidence removed")
        if corpus and place % 2 == 0:
            near = corpus.near(row["question"] if len(set(languages.split("-"))) == 1 else passage, [passage])[0]
            yield replace(pair, evidence=near, kind="near passage")
        others = sorted({other["answer"] for other in group if _swappable(row, other)})
        if place % 2 and others:
            yield replace(pair, claim=_told(row, rng.choice(others)), kind="swapped")
        yield from _contradicted(pair, renumber=place % 2 == 0, deny=place % 3 == 1)
        if place % 7 == 0:
            key = rng.choice(sorted(key for key in corpora if key[1] == row["passage_language"]))
            yield replace(pair, evidence=rng.choice(list(corpora[key].texts)), kind="random passage")


def _parallel(
    rows: Sequence[Row], xling: Path, corpora: Mapping[tuple[str, str], Corpus], rng: random.Random
) -> Iterator[Pair]:
    """Yield the sentence that holds an answer against the same paragraph in another language."""
    jobs = _italian_english(rows, xling)
    rng.shuffle(jobs)
    own = {(row["language"], row["question"]): row for row in rows if row["language"] == row["passage_language"]}
    across = [row for row in rows if row["language"] != row["passage_language"]]
    others = [(own[key], row) for row in rng.sample(across, 200) if (key := (row["language"], row["question"])) in own]
    for place, (row, other) in enumerate([*jobs[:90], *others[:70]]):
        claim = _holding(row["passage"], row["passage_language"], (row["answer"],))
        evidence = _holding(other["passage"], other["passage_language"], (other["answer"],))
        if not evidence or len(claim) < 40:
            continue
        languages = f"{row['passage_language']}-{other['passage_language']}"
        pair = Pair(claim, other["passage"], "parallel", languages, int(row["article"]) % 2 == 0)
        yield pair
        if len(rest := without(pair.evidence, {evidence})) > SHORTEST_REST:
            yield replace(pair, evidence=rest, kind="evidence removed")
        corpus = corpora.get((row["article"], other["passage_language"]))
        if corpus and place % 2 == 0:
            near = corpus.near(pair.evidence, [pair.evidence])[0]
            yield replace(pair, evidence=near, kind="near passage")
        yield from _altered(pair, row["passage"], rng, swap=place % 2 == 1, negate=place % 4 == 0)
        yield from _contradicted(pair, renumber=place % 2 == 0, deny=place % 2 == 1, sentence=evidence)


def _italian_english(rows: Sequence[Row], xling: Path) -> list[tuple[Row, Row]]:
    """Return each paragraph with its translation, in both directions: their rows."""
    italian = {row["question"]: row for row in rows if row["language"] == row["passage_language"] == "it"}
    english = _texts(xling)
    jobs: dict[str, tuple[Row, Row]] = {}
    for gold in read_gold(xling / "gold.jsonl"):
        row = italian.get(gold.question)
        text = english[gold.relevant[0]]
        answer = next((answer for answer in gold.answers if answer in text), "")
        if row and answer:
            other = {"passage": text, "passage_language": "en", "answer": answer, "article": row["article"]}
            jobs.setdefault(row["passage"], (row, other))
    return [job for row, other in jobs.values() for job in ((row, other), (other, row))]


def _altered(pair: Pair, text: str, rng: random.Random, *, swap: bool, negate: bool) -> Iterator[Pair]:
    if swap and (claim := swapped(pair.claim, text, rng)):
        yield replace(pair, claim=claim, kind="swapped")
    if negate and (claim := negated(pair.claim, pair.languages[:2])):
        yield replace(pair, claim=claim, kind="negated")


def _contradicted(pair: Pair, *, renumber: bool, deny: bool, sentence: str = "") -> Iterator[Pair]:
    """Yield the claim with another number, and evidence whose sentence (by default the one most alike) is negated."""
    rng = random.Random(pair.claim)
    if renumber and (claim := renumbered(pair.claim, pair.evidence, rng)):
        yield replace(pair, claim=claim, kind="number changed")
    if deny and (evidence := _denied(pair, sentence or _restated(pair))):
        yield replace(pair, evidence=evidence, kind="evidence negated")


def _restated(pair: Pair) -> str:
    """Return the evidence's sentence that the claim says again for the most part, "" where there is none."""
    of_claim, of_evidence = pair.languages.split("-")
    spans = sentence_spans(pair.evidence, of_evidence)
    best = _most_alike(pair.claim, [pair.evidence[start:end] for start, end in spans])
    words = content_words(best, of_evidence)
    shared = words & content_words(pair.claim, of_claim)
    return best if len(shared) >= RESTATED * len(words) else ""


def _denied(pair: Pair, sentence: str) -> str:
    denial = negated(sentence, pair.languages[3:])
    return pair.evidence.replace(sentence, denial) if sentence and denial else ""


def _swappable(row: Row, other: Row) -> bool:
    """Tell whether the answer of `other` would be a wrong answer of the same kind to the question of `row`."""
    a, b = row["answer"], other["answer"]
    same_text = row["passage"] == other["passage"] and row["language"] == other["language"]
    return same_text and a not in b and b not in a and bool(NUMBER.search(a)) == bool(NUMBER.search(b))


def _told(row: Row, answer: str) -> str:
    return f"{row['question'].rstrip(' ?？؟')}: {answer}"


def _texts(folder: Path) -> dict[str, str]:
    return {id: text for id, (text, _) in read_texts(folder).items()}


def _claims(answer: str) -> list[str]:
    sentences = [answer[start:end] for start, end in sentence_spans(answer, "en")]
    return [s for s in sentences if len(content_words(s, "en")) >= FEWEST_WORDS and not s.endswith("?")]


def _holding(text: str, language: str, answers: Sequence[str]) -> str:
    """Return the first sentence that holds one of `answers`, "" where none does."""
    sentences = (text[start:end] for start, end in sentence_spans(text, language))
    return next((sentence for sentence in sentences if any(answer in sentence for answer in answers)), "")


def _most_alike(claim: str, texts: Sequence[str]) -> str:
    words = content_words(claim, "en")
    return max(texts, key=lambda text: len(words & content_words(text, "en")))
