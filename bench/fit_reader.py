"""Fit how much the reader counts beside the search, in the order of passages and in the choice of evidence.

python bench/fit_reader.py [--ids HELD_OUT_IDS] --set GOLD CORPUS [--set GOLD CORPUS]... [--keep FILE]

A passage is right where it is of a relevant document; a sentence, where it is in one and holds an accepted answer or is
one of the gold sentences. Of a set whose ids occur among HELD_OUT_IDS only these are asked, of clapnq_dev and mtrag_un
the second half by id: with the others the reader was taught. Logistic regression (scikit-learn), fitted on every other
question and told of the rest. --keep writes what was found, to fit again without asking.
"""

import argparse
import json
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import rag.evidence
import rag.reader
from eval.corpus import library_for
from eval.data import Gold, read_gold
from eval.measures.normalise import words
from index.bias import handicaps_among
from index.language import detect_language
from index.library import Library
from index.rerank import RERANKED, reranked
from index.types import Passage
from rag.conversation import asked_before, standalone
from rag.evidence import Sentence, choose_evidence, reader_signs, score_sentences, split_passages
from rag.reader import Reader, standard_scores
from rag.settings import load_settings
from train.groups import first_half
from ui.app import load_embedder, load_reader

CACHE = Path.home() / ".cache" / "fonte" / "corpora"
BUDGETS = (100, 150, 200, 300)
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
SHOWN = 8  # passages


@dataclass
class Asked:
    """The passages found for a question, whether each is right, and their sentences in the order by the reader."""

    of: str
    passages: list[Passage]
    answers: np.ndarray
    right: np.ndarray
    sentences: list[Sentence]
    searched: np.ndarray
    cosines: np.ndarray
    signs: np.ndarray
    wanted: np.ndarray


def main() -> int:
    """Ask, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--set", nargs=2, action="append", default=[], metavar=("GOLD", "CORPUS"), type=Path)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if options.keep and options.keep.is_file():
        asked = pickle.loads(options.keep.read_bytes())  # noqa: S301 - our own
    else:
        asked = _ask_all(options)
        if options.keep:
            options.keep.write_bytes(pickle.dumps(asked))
    _fit_order(asked)
    _fit_evidence(asked)
    return 0


def _ask_all(options: argparse.Namespace) -> list[Asked]:
    held = set(json.loads(options.ids.read_text(encoding="utf-8"))["ids"]) if options.ids else set()
    reader, asked = load_reader(load_settings()), []
    assert reader
    for gold, corpus in options.set:
        golds = [pair for pair in read_gold(gold) if pair.answerable and pair.relevant]
        golds = [pair for pair in golds if pair.id in held] or golds
        if gold.parent.name in ("clapnq_dev", "mtrag_un"):
            known = {pair.id for pair in first_half(golds)}
            golds = [pair for pair in golds if pair.id not in known]
        with library_for(corpus, CACHE, load_embedder(load_settings())) as library:
            asked += [_ask(library, reader, pair, gold.parent.name) for pair in golds]
        print(f"{gold.parent.name}: {len(golds)} asked", file=sys.stderr, flush=True)
    return asked


def _ask(library: Library, reader: Reader, gold: Gold, name: str) -> Asked:
    history = gold.meta.get("history", [])
    language = detect_language(gold.question) or "en"
    question = standalone(gold.question, history, language)
    found = library.search(gold.question, k=RERANKED, context=asked_before(history))
    answers = np.array([reading.answers for reading in reader.read(question, found)])
    passages = reranked(question, found, reader, places=SHOWN)[:SHOWN]
    sentences = split_passages(passages)
    vectors = library.embedder.embed_passages([s.text for s in sentences])
    vector = library.embedder.embed_queries([question])[0]
    cosines = vectors @ vector
    fair = cosines - handicaps_among(vector, vectors, [s.passage.document.language for s in sentences])
    readings = dict(zip((p.chunk.id for p in passages), reader.read(question, passages), strict=True))
    return Asked(
        name,
        found,
        answers,
        np.array([passage.document.id in gold.relevant for passage in found]),
        sentences,
        score_sentences(question, language, sentences, fair, {}),
        cosines,
        reader_signs(sentences, readings),
        np.array([_is_wanted(sentence, gold) for sentence in sentences]),
    )


def _is_wanted(sentence: Sentence, gold: Gold) -> bool:
    if sentence.passage.document.id not in gold.relevant:
        return False
    held = [text for own in gold.meta.get("evidence", []) for text in own]  # type: ignore[attr-defined]
    held += gold.meta.get("quotes", [])
    if held:
        return any(text.strip() in sentence.text or sentence.text in text for text in held)
    told = f" {' '.join(words(sentence.text))} "
    return any(f" {' '.join(words(answer))} " in told for answer in gold.answers)


def _fit_order(asked: list[Asked]) -> None:
    for of in sorted({each.of for each in asked}):
        own = [each for each in asked if each.of == of]
        hits = {weight: np.mean([_first_right(each, weight) for each in own]).round(3) for weight in WEIGHTS}
        searched = np.mean([each.right[0] for each in own if len(each.right)]).round(3)
        print(f"{of} ({len(own)}): hit@1 searched {searched}, by RETRIEVAL_WEIGHT {hits}")
    signs = np.concatenate([np.column_stack([each.answers, standard_scores(each.passages)]) for each in asked])
    right = np.concatenate([each.right for each in asked])
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(signs, right)
    answers, searched = model.coef_[0]
    print(f"RETRIEVAL_WEIGHT by logistic regression: {searched / answers:.2f} (now {rag.reader.RETRIEVAL_WEIGHT})")


def _first_right(asked: Asked, weight: float) -> bool:
    return bool(
        len(asked.right) and asked.right[int(np.argmax(asked.answers + weight * standard_scores(asked.passages)))]
    )


def _fit_evidence(asked: list[Asked]) -> None:
    weights = _evidence_weights(asked)
    names = ["searched", *rag.evidence._READER_WEIGHTS]
    print("evidence:", dict(zip(names, weights.round(3).tolist(), strict=True)))
    for half in (0, 1):
        weights = _evidence_weights(asked[half::2])
        rest = asked[1 - half :: 2]
        for name in sorted({each.of for each in rest}):
            _tell(f"fitted on the other half, {name}", [each for each in rest if each.of == name], weights)


def _evidence_weights(asked: list[Asked]) -> np.ndarray:
    signs = np.concatenate([np.column_stack([each.searched, each.signs]) for each in asked])
    wanted = np.concatenate([each.wanted for each in asked])
    spread = signs.std(axis=0)  # so that all weights are held alike
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(signs / spread, wanted)
    return model.coef_[0] / spread


def _tell(name: str, asked: list[Asked], weights: np.ndarray) -> None:
    alone = np.array([1.0, *np.zeros(len(weights) - 1)])
    figures = {
        budget: np.mean([[_shown(each, way, budget) for way in (alone, weights)] for each in asked], axis=0)
        for budget in BUDGETS
    }
    told = {budget: values.round(3).tolist() for budget, values in figures.items()}
    print(f"{name} ({len(asked)}): wanted sentence in N tokens, by search and with the reader: {told}")


def _shown(asked: Asked, weights: np.ndarray, budget: int) -> bool:
    scores = np.column_stack([asked.searched, asked.signs]) @ weights
    evidence = choose_evidence(asked.sentences, scores, asked.cosines, budget_tokens=budget)
    wanted = [s for s, is_wanted in zip(asked.sentences, asked.wanted, strict=True) if is_wanted]
    return any(e.holds(*s.place) for s in wanted for e in evidence)


if __name__ == "__main__":
    sys.exit(main())
