"""Fit how much the reader's signs count in the choice of evidence, and tell how much of the answers is shown by it.

python bench/fit_evidence.py [--ids HELD_OUT_IDS] --set GOLD CORPUS [--set GOLD CORPUS]...

A sentence is what was wanted where it stands in a relevant document and holds an accepted answer, or is one of the
gold sentences. Of a set whose ids occur among HELD_OUT_IDS only these are asked, as the reader was taught with the
others. Fitted on every other question with scikit-learn, told of the rest.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import rag.evidence
from eval.corpus import library_for
from eval.data import Gold, read_gold
from eval.measures.normalise import words
from index.bias import language_bias
from index.language import detect_language
from index.library import Library
from rag.evidence import Sentence, choose_evidence, reader_signs, score_sentences, split_passages
from rag.reader import Reader
from rag.settings import load_settings
from ui.app import load_embedder, load_reader

CACHE = Path.home() / ".cache" / "fonte" / "corpora"
BUDGETS = (100, 150, 200, 300)
PASSAGES = 8


@dataclass
class Asked:
    """The sentences found for a question, what speaks for each, and which of them were wanted."""

    of: str
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
    options = parser.parse_args()
    held = set(json.loads(options.ids.read_text(encoding="utf-8"))["ids"]) if options.ids else set()
    reader, asked = load_reader(load_settings()), []
    assert reader
    for gold, corpus in options.set:
        golds = [pair for pair in read_gold(gold) if pair.answerable]
        golds = [pair for pair in golds if pair.id in held] or golds
        with library_for(corpus, CACHE, load_embedder(load_settings())) as library:
            for order in (None, reader):
                library.reranker = order
                made = [_ask(library, reader, pair, gold.parent.name) for pair in golds]
                _tell(f"{gold.parent.name}, {'reread' if order else 'searched'}", made)
            asked += made
    weights = _fit(asked)
    print(
        "searched, then",
        dict(zip(rag.evidence._READER_WEIGHTS, weights[1:].round(3).tolist(), strict=True)),
        weights[0],
    )
    for half in (0, 1):
        weights = _fit(asked[half::2])
        rest = asked[1 - half :: 2]
        for name in sorted({each.of for each in rest}):
            own = [each for each in rest if each.of == name]
            _tell(f"fitted on the other half, {name}", own, weights)
    return 0


def _ask(library: Library, reader: Reader, gold: Gold, name: str) -> Asked:
    passages = library.search(gold.question, k=PASSAGES)
    sentences = split_passages(passages)
    language = detect_language(gold.question) or "en"
    vectors = library.embedder.embed_passages([s.text for s in sentences])
    vector = library.embedder.embed_queries([gold.question])[0]
    cosines = vectors @ vector
    spoken = [s.passage.document.language for s in sentences]
    bias = language_bias(vectors, spoken)
    fair = cosines - bias.handicaps(vector, bias.codes(spoken))
    found = reader.read(gold.question, passages)
    readings = {passage.chunk.id: reading for passage, reading in zip(passages, found, strict=True)}
    return Asked(
        name,
        sentences,
        score_sentences(gold.question, language, sentences, fair),
        cosines,
        reader_signs(sentences, readings),
        np.array([_is_wanted(sentence, gold) for sentence in sentences]),
    )


def _is_wanted(sentence: Sentence, gold: Gold) -> bool:
    if sentence.passage.document.id not in gold.relevant:
        return False
    held = [text for own in gold.meta.get("evidence", []) for text in own]  # type: ignore[attr-defined]
    if held:
        return any(text.strip() in sentence.text or sentence.text in text for text in held)
    told = " ".join(words(sentence.text))
    return any(f" {' '.join(words(answer))} " in f" {told} " for answer in gold.answers)


def _fit(asked: list[Asked]) -> np.ndarray:
    signs = np.concatenate([np.column_stack([each.searched, each.signs]) for each in asked])
    wanted = np.concatenate([each.wanted for each in asked])
    spread = signs.std(axis=0)  # so that the penalty is fair
    model = LogisticRegression(class_weight="balanced", C=1.0, max_iter=1000).fit(signs / spread, wanted)
    return model.coef_[0] / spread


def _tell(name: str, asked: list[Asked], weights: np.ndarray | None = None) -> None:
    figures = {}
    for budget in BUDGETS:
        shown = []
        for each in asked:
            default = rag.evidence._SEARCHED_WEIGHT, *rag.evidence._READER_WEIGHTS.values()
            ways = {"search": (1.0, 0.0, 0.0, 0.0), "reader": default if weights is None else weights}
            shown.append([_shown(each, np.array(way), budget) for way in ways.values()])
        figures[budget] = np.mean(shown, axis=0).round(3).tolist()
    print(
        f"{name} ({len(asked)}): wanted sentence in N tokens, by search alone and with the reader: {figures}",
        flush=True,
    )


def _shown(asked: Asked, weights: np.ndarray, budget: int) -> bool:
    scores = np.column_stack([asked.searched, asked.signs]) @ weights
    evidence = choose_evidence(asked.sentences, scores, asked.cosines, budget_tokens=budget)
    wanted = [s for s, is_wanted in zip(asked.sentences, asked.wanted, strict=True) if is_wanted]
    return any(e.holds(*s.place) for s in wanted for e in evidence)


if __name__ == "__main__":
    sys.exit(main())
