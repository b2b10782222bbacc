"""Fit how much the rules and the reader count for support (`rag/verify.py`), and tell how well each does.

python bench/fit_support.py EVALDATA READ.jsonl [--keep FILE]

Claims and passages that the reader was not taught with: the halves of clapnq_dev and mtrag_un that are for measuring,
and train/held_out.jsonl. Of each passage the quote that the rules choose is judged, as it is in answers. Logistic
regression (scikit-learn), fitted on every other document and told of the rest. --keep writes what was found.
"""

import argparse
import pickle
from collections.abc import Iterator
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


@dataclass
class Judged:
    """A claim with a passage: the quote, and what rules and reader say of it."""

    of: str
    kind: str
    document: str
    holds: bool
    across: bool
    rules: float
    read: float
    read_passage: float


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
        judged = [_judge(*pair, reader, embedder) for pair in _pairs(options.evaldata, options.rows)]
        if options.keep:
            options.keep.write_bytes(pickle.dumps(judged))
    _report(judged)
    return 0


def _pairs(evaldata: Path, rows: Path) -> Iterator[tuple[str, str, str, str, bool]]:
    """Yield source, kind, passage, claim, and whether the passage supports it."""
    for pair in build(evaldata, rows):
        if pair.source in ("clapnq", "mtrag_un") and not pair.fitted:
            yield pair.source, pair.kind, pair.evidence, pair.claim, pair.kind == "supported"
    texts = {
        paragraph_id(text): text
        for name in ("squad_it", "xling_it_question_en_docs")
        for text, _ in read_texts(evaldata / name).values()
    }
    for written in read_written([HELD_OUT]):
        for claim in written.claims:
            for said in (claim.claim, claim.altered):
                kind = "supported" if said is claim.claim else claim.kind
                yield "written", kind, texts[written.passage], said, said is claim.claim


def _judge(of: str, kind: str, text: str, claim: str, holds: bool, reader: Reader, embedder: Embedder) -> Judged:
    language, own = detect_language(claim) or "en", detect_language(text) or "en"
    passage = replace(passage_of(text), document=Document("-", text, language=own))
    sentences = split_passages([passage])
    cosines = embedder.embed_passages([claim]) @ embedder.embed_passages([s.text for s in sentences]).T
    evidence = [Evidence(passage, 0, len(text), text)]
    (first,), rules = _Quoting(RawClaim(claim, ()), evidence, sentences, cosines[0], "", language, None)._first()
    read, read_passage = reader.support([(sentences[first].text, claim), (text, claim)])
    return Judged(of, kind, text, holds, language != own, rules, read, read_passage)


def _report(judged: list[Judged]) -> None:
    holds = np.array([each.holds for each in judged])
    rules = np.array([each.rules for each in judged])
    log_odds, of_passage = (
        np.log(np.clip(values, 1e-4, 1 - 1e-4) / (1 - np.clip(values, 1e-4, 1 - 1e-4)))
        for values in (np.array([each.read for each in judged]), np.array([each.read_passage for each in judged]))
    )
    both, all_three = np.column_stack([rules, log_odds]), np.column_stack([rules, log_odds, of_passage])
    documents = {document: place for place, document in enumerate(dict.fromkeys(each.document for each in judged))}
    odd = np.array([documents[each.document] % 2 == 1 for each in judged])
    scores = {"rules": rules, "reader": log_odds, "of passage": of_passage}
    for name, signs in (("rules+reader", both), ("+passage", all_three)):
        scores[name] = np.empty(len(judged))
        for train in (odd, ~odd):
            model = LogisticRegression(class_weight="balanced").fit(signs[train], holds[train])
            scores[name][~train] = model.predict_proba(signs[~train])[:, 1]
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
    model = LogisticRegression(class_weight="balanced").fit(both, holds)
    print("constant, rules, reader:", model.intercept_.round(2), model.coef_[0].round(2))


if __name__ == "__main__":
    raise SystemExit(main())
