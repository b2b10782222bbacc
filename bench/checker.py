"""Fit the weights of `eval/checker.py` and tell how well they do: how far does evidence support a claim?

python bench/checker.py EVALDATA TRAINDATA [--cache FILE] [--speed]

EVALDATA holds clapnq_dev, mtrag_un and xling_it_question_en_docs (corpus.jsonl and gold.jsonl each), TRAINDATA
read.jsonl (rows of SQuAD's kind in several languages). The pairs are those of train/checker_pairs.py, supported or not
by how they were made. Fitted on one half of the documents, told of the other.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import eval.checker
from eval.checker import SUPPORTED, EmbedderChecker, Signs
from eval.measures.rouge_l import rouge_l
from index.embed import Embedder
from index.language import detect_language
from index.sentences import sentence_spans
from rag.settings import load_settings
from rag.verify import support_score
from train.cached import CachedEmbedder
from train.checker_pairs import Pair, build
from ui.app import load_embedder

FEWEST_OF_LANGUAGES = 30  # pairs, for a line of their own
NAMES = [name for name in Signs.__slots__ if name != "across"]


def main() -> int:
    """Build the pairs, fit, and print weights and figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evaldata", type=Path)
    parser.add_argument("traindata", type=Path)
    parser.add_argument("--cache", type=Path, help="keep the vectors in this .npz file")
    parser.add_argument("--speed", action="store_true", help="time 1,000 pairs too, without the cache")
    options = parser.parse_args()
    embedder = load_embedder(load_settings())
    pairs = build(options.evaldata, options.traindata / "read.jsonl")
    cached = CachedEmbedder(embedder, options.cache)
    signs = EmbedderChecker(cached).signs([(pair.evidence, pair.claim) for pair in pairs])
    known = [(pair, sign) for pair, sign in zip(pairs, signs, strict=True) if sign]
    _fit(known)
    _report(known, cached)
    if options.speed:
        _time(pairs, EmbedderChecker(embedder))
    return 0


Known = Sequence[tuple[Pair, Signs]]


def _fit(known: Known) -> None:
    from sklearn.linear_model import LogisticRegression

    for title, across in (("_WITHIN", False), ("_ACROSS", True)):
        half = [(pair, signs) for pair, signs in known if pair.fitted and signs.across == across]
        values = [[float(getattr(signs, name)) for name in NAMES] for _, signs in half]
        # Held to small weights as scikit-learn does by itself: with less of that (C = 3 to 100) nothing is told apart
        # better, and some weights across languages change sign.
        model = LogisticRegression(class_weight="balanced").fit(values, [_held(pair) for pair, _ in half])
        weights = {"constant": model.intercept_[0], **dict(zip(NAMES, model.coef_[0], strict=True))}
        rounded = {name: round(float(weight), 2) for name, weight in weights.items()}
        print(f"{title} = {rounded}  # n = {len(half)}")
        shipped = getattr(eval.checker, title)
        # Processors that multiply in bfloat16 and others differ in the second decimal.
        same = all(abs(weight - shipped[name]) <= 0.05 for name, weight in rounded.items())
        print("  as in eval/checker.py" if same else "  NOT as in eval/checker.py, which is what is measured below")


def _report(known: Known, embedder: Embedder) -> None:
    """Print, of the half that was not fitted on, the AUC by kind of negative and by languages, with baselines."""
    rest = [pair for pair, _ in known if not pair.fitted]
    held = np.array([_held(pair) for pair in rest])
    scores = {
        "checker": np.array(EmbedderChecker(embedder).support([(pair.evidence, pair.claim) for pair in rest]))
    } | _baselines(rest, embedder)
    print(f"\narea under ROC, {len(rest)} pairs not fitted on\n{'':34}{'n':>12}  " + "  ".join(scores))

    def line(label: str, which: Sequence[bool]) -> None:
        chosen = np.array(which)
        n = f"{int((held & chosen).sum())}+{int((~held & chosen).sum())}"
        areas = (f"{_area(held[chosen], values[chosen]):{len(name)}.3f}" for name, values in scores.items())
        print(f"{label:34}{n:>12}  " + "  ".join(areas))

    line("all", [True for _ in rest])
    for source in sorted({pair.source for pair in rest}):
        line(source, [pair.source == source for pair in rest])
    for kind in sorted({pair.kind for pair in rest} - {"supported"}):
        sources = {pair.source for pair in rest if pair.kind == kind}
        line(f"against {kind}", [pair.kind == kind or (_held(pair) and pair.source in sources) for pair in rest])
    count = Counter(pair.languages for pair in rest)
    for languages, n in count.most_common():
        if n >= FEWEST_OF_LANGUAGES:
            line(languages, [pair.languages == languages for pair in rest])
    line("other pairs of languages", [count[pair.languages] < FEWEST_OF_LANGUAGES for pair in rest])
    chosen = scores["checker"] >= SUPPORTED
    print(
        f"at {SUPPORTED}: {np.mean(chosen[held]):.3f} of the supported pass, {np.mean(chosen[~held]):.3f} of the others"
    )


def _baselines(pairs: Sequence[Pair], embedder: Embedder) -> dict[str, "np.ndarray"]:
    """Return what simpler scores say: the nearest sentence's cosine, support as answers are checked, and ROUGE-L."""
    languages = [(detect_language(pair.claim) or "en", detect_language(pair.evidence) or "en") for pair in pairs]
    sentences = [
        [pair.evidence[start:end] for start, end in sentence_spans(pair.evidence, of_evidence)]
        for pair, (_, of_evidence) in zip(pairs, languages, strict=True)
    ]
    texts = list(dict.fromkeys(text for pair, own in zip(pairs, sentences, strict=True) for text in (pair.claim, *own)))
    vectors = dict(zip(texts, embedder.embed_queries(texts), strict=True))
    cosines = [
        max(float(vectors[text] @ vectors[pair.claim]) for text in own)
        for pair, own in zip(pairs, sentences, strict=True)
    ]
    supports = [
        support_score(pair.claim, pair.evidence, question="", language=a, quote_language=b, cosine=cosine)
        for pair, (a, b), cosine in zip(pairs, languages, cosines, strict=True)
    ]
    rouge = [rouge_l(pair.claim, [pair.evidence]) for pair in pairs]
    return {"cosine": np.array(cosines), "rag.verify": np.array(supports), "ROUGE-L": np.array(rouge)}


def _time(pairs: Sequence[Pair], checker: EmbedderChecker) -> None:
    texts = " ".join(dict.fromkeys(pair.evidence for pair in pairs if pair.source == "clapnq")).split()
    claims = [pair.claim for pair in pairs if pair.source == "clapnq"]
    step = (len(texts) - 300) // 1000
    thousand = [(" ".join(texts[i * step :][:300]), claims[i % len(claims)]) for i in range(1000)]
    checker.support(thousand[:1])  # loads the model
    started = time.perf_counter()
    checker.support(thousand)
    print(json.dumps({"pairs": 1000, "words_of_evidence": 300, "seconds": round(time.perf_counter() - started, 1)}))


def _held(pair: Pair) -> bool:
    return pair.kind == "supported"


def _area(held: "np.ndarray", scores: "np.ndarray") -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(held, scores)) if 0 < held.sum() < len(held) else float("nan")


if __name__ == "__main__":
    sys.exit(main())
