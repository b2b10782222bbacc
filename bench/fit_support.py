"""Fit how much the rules and the reader count for support (`rag/verify.py`), and tell how well each does.

python bench/fit_support.py EVALDATA READ.jsonl [--keep FILE]

Claims and passages that the reader was not taught with: the halves of clapnq_dev and mtrag_un that are for measuring,
and train/held_out.jsonl. Of each passage the quote that the rules choose is judged, as it is in answers. Logistic
regression (scikit-learn), fitted on every other document and told of the rest. --keep writes what was found.
"""

import argparse
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from index.embed import Embedder
from index.language import detect_language
from index.types import Document
from rag.cite import RawClaim, _Quoting
from rag.evidence import split_passages
from rag.reader import Reader
from rag.settings import load_settings
from rag.types import Evidence
from rag.verify import PARTLY, SUPPORTED, weighed_support
from train.checker_pairs import build
from train.material import paragraph_id, read_texts
from train.measure import HELD_OUT, passage_of
from train.written import read_written
from ui.app import load_embedder, load_reader

SUPPORTS = "supported"


@dataclass
class _Pair:
    """A claim with a passage; `kind` is SUPPORTS, or what is wrong."""

    of: str
    kind: str
    text: str
    claim: str


@dataclass
class Judged:
    """A claim with a passage: what rules and reader say of the quote."""

    of: str
    kind: str
    document: str
    holds: bool
    across: bool
    rules: float
    read: float


def main() -> int:
    """Judge, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evaldata", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    if options.keep and options.keep.is_file():
        judged = pickle.loads(options.keep.read_bytes())  # noqa: S301 - our own
    else:
        settings = load_settings()
        reader, embedder = load_reader(settings), load_embedder(settings)
        assert reader
        reader.share(embedder)
        judged = _judge_all(list(_pairs(options.evaldata, options.rows)), reader, embedder)
        if options.keep:
            options.keep.write_bytes(pickle.dumps(judged))
    _report(judged)
    return 0


def _pairs(evaldata: Path, rows: Path) -> Iterator[_Pair]:
    for pair in build(evaldata, rows):
        if pair.source in ("clapnq", "mtrag_un") and not pair.fitted:
            yield _Pair(pair.source, pair.kind, pair.evidence, pair.claim)
    texts = {
        paragraph_id(text): text
        for name in ("squad_it", "xling_it_question_en_docs")
        for text, _ in read_texts(evaldata / name).values()
    }
    for written in read_written([HELD_OUT]):
        for claim in written.claims:
            yield _Pair("written", SUPPORTS, texts[written.passage], claim.claim)
            yield _Pair("written", claim.kind, texts[written.passage], claim.altered)


def _judge_all(pairs: Sequence[_Pair], reader: Reader, embedder: Embedder) -> list[Judged]:
    languages = [(detect_language(pair.claim) or "en", detect_language(pair.text) or "en") for pair in pairs]
    split = {
        pair.text: split_passages([replace(passage_of(pair.text), document=Document("-", pair.text, language=own))])
        for pair, (_, own) in zip(pairs, languages, strict=True)
    }
    texts = [s.text for sentences in split.values() for s in sentences] + [pair.claim for pair in pairs]
    unique = list(dict.fromkeys(texts))
    vectors = dict(zip(unique, embedder.embed_passages(unique), strict=True))
    quoted = []
    for pair, (language, _) in zip(pairs, languages, strict=True):
        sentences = split[pair.text]
        cosines = np.array([vectors[s.text] for s in sentences]) @ vectors[pair.claim]
        evidence = [Evidence(sentences[0].passage, 0, len(pair.text), pair.text)]
        quoting = _Quoting(RawClaim(pair.claim, ()), evidence, sentences, cosines, "", language, None)
        (first,), rules = quoting._first()
        quoted.append((sentences[first].text, rules))
    read = reader.support([(quote, pair.claim) for (quote, _), pair in zip(quoted, pairs, strict=True)])
    return [
        Judged(pair.of, pair.kind, pair.text, pair.kind == SUPPORTS, language != own, rules, probability)
        for pair, (language, own), (_, rules), probability in zip(pairs, languages, quoted, read, strict=True)
    ]


def _report(judged: list[Judged]) -> None:
    holds = np.array([each.holds for each in judged])
    rules = np.array([each.rules for each in judged])
    read = np.clip([each.read for each in judged], 1e-4, 1 - 1e-4)
    log_odds = np.log(read / (1 - read))
    both = np.column_stack([rules, log_odds])
    documents = {document: place for place, document in enumerate(dict.fromkeys(each.document for each in judged))}
    odd = np.array([documents[each.document] % 2 == 1 for each in judged])
    scores = {"rules": rules, "reader": log_odds, "rules+reader": np.empty(len(judged))}
    open_ = rules > 0  # what the rules rule out stays so
    for train in (odd, ~odd):
        model = LogisticRegression(class_weight="balanced").fit(both[train & open_], holds[train & open_])
        scores["rules+reader"][~train] = model.predict_proba(both[~train])[:, 1] * open_[~train]
    weighed = [weighed_support(each.rules, each.read) for each in judged]
    scores["as shipped"] = np.array(weighed)
    print(f"{'area under ROC':24}{'n':>6}  " + "  ".join(scores))

    def line(label: str, chosen: np.ndarray) -> None:
        areas = (f"{roc_auc_score(holds[chosen], values[chosen]):{len(name)}.3f}" for name, values in scores.items())
        print(f"{label:24}{chosen.sum():>6}  " + "  ".join(areas))

    line("all", np.ones(len(judged), dtype=bool))
    for of in dict.fromkeys(each.of for each in judged):
        own = np.array([each.of == of for each in judged])
        line(of, own)
        for kind in sorted({each.kind for each in judged if each.of == of and not each.holds}):
            line(f"  {kind}", own & np.array([each.holds or each.kind == kind for each in judged]))
    line("across languages", np.array([each.across for each in judged]))
    for name in ("rules", "rules+reader"):
        for least in (PARTLY, SUPPORTED):
            passing = scores[name] >= least
            print(f"{name} >= {least}: {passing[holds].mean():.3f} of those that hold, {passing[~holds].mean():.3f}")
    model = LogisticRegression(class_weight="balanced").fit(both[open_], holds[open_])
    print("constant, rules, reader:", model.intercept_.round(2), model.coef_[0].round(2))


if __name__ == "__main__":
    raise SystemExit(main())
