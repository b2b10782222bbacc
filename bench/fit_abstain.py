"""Fit the weights of `rag/abstain.py`: how far each sign tells questions that the documents answer from others.

python bench/fit_abstain.py ROWS.jsonl [--ask GOLD CORPUS]... [--ids HELD_OUT_IDS] [--most N]

ROWS.jsonl keeps what was asked, a row a question: {"id", "set", "answerable", "right", "answer", "signs", "s"}; --ask
adds the questions of GOLD over CORPUS that are not in it yet, at most N of each kind. Of a set whose ids occur among
HELD_OUT_IDS only these are asked, of clapnq_dev and mtrag_un the second half by id: with the others the reader was
taught. Logistic regression (scikit-learn), fitted on every other question and told of the rest, and fitted on all sets
but one and told of that one. The reader is used as FONTE_READER says.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import rag.abstain
from eval.corpus import library_for
from eval.data import Gold, read_gold
from eval.measures.containment import first_words, is_right
from rag.answer import LEAST_ANSWERABLE
from rag.settings import load_settings
from train.groups import first_half
from ui.app import load_embedder, load_reranker, open_answerer

CACHE = Path.home() / ".cache" / "fonte" / "corpora"
LEAST = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5)

Row = dict[str, Any]


def main() -> int:
    """Ask what is wanted, then fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--ask", nargs=2, action="append", default=[], metavar=("GOLD", "CORPUS"), type=Path)
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--most", type=int, default=40)
    options = parser.parse_args()
    for gold, corpus in options.ask:
        _ask(gold, corpus, options)
    rows = _read(options.rows)
    read = rows[0]["signs"]["answers"] is not None
    _fit(rows, list(rag.abstain._READ_WEIGHTS if read else rag.abstain._WEIGHTS))
    return 0


def _read(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def _ask(gold: Path, corpus: Path, options: argparse.Namespace) -> None:
    settings = load_settings(least_answerable=0)
    known, name = {(row["set"], row["id"]) for row in _read(options.rows)}, gold.parent.name
    held = frozenset(json.loads(options.ids.read_text(encoding="utf-8"))["ids"]) if options.ids else frozenset()
    with (
        library_for(corpus, CACHE, load_embedder(settings)) as library,
        open_answerer(settings, library) as answerer,
        options.rows.open("a", encoding="utf-8") as file,
    ):
        library.reranker = load_reranker(settings, library.embedder)
        for pair in _chosen(gold, held, options.most):
            if (name, pair.id) in known:
                continue
            answer = answerer.answer(pair.question, pair.meta.get("history", []))
            row = {
                "id": pair.id,
                "set": name,
                "answerable": pair.answerable,
                "right": is_right(first_words(answer.text), pair.answers, pair.meta.get("all_of", ())),
                "answer": answer.text,
                "signs": answer.receipt["signs"],
                "s": answer.timings["total_s"],
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            print(row, file=sys.stderr, flush=True)


def _chosen(file: Path, held: frozenset[str], most: int) -> Iterator[Gold]:
    golds = list(read_gold(file))
    for answerable in (True, False):
        own = [gold for gold in golds if gold.answerable == answerable]
        own = [gold for gold in own if gold.id in held] or own
        if file.parent.name in ("clapnq_dev", "mtrag_un"):
            taught = {gold.id for gold in first_half(own)}
            own = [gold for gold in own if gold.id not in taught]
        step = max(1, len(own) // most)
        yield from own[::step][:most]


def _fit(rows: list[Row], names: list[str]) -> None:
    # Where the model or the checker refuses there is nothing left to decide.
    given = np.array([bool(row["signs"]["support"]) for row in rows])
    signs = np.array([[float(row["signs"][name]) for name in names] for row in rows])
    holds = np.array([row["answerable"] for row in rows])
    sets = np.array([row["set"] for row in rows])
    right = np.array([row["right"] for row in rows])
    odd = np.arange(len(rows)) % 2 == 1

    def tell(title: str, chance: np.ndarray, which: np.ndarray) -> None:
        chance = np.where(given, chance, 0.0)
        auc = roc_auc_score(holds[which], chance[which]) if len(set(holds[which])) == 2 else float("nan")
        figures = []
        for least in LEAST:
            passing = chance >= least
            figures.append(
                f"{least}: refused {1 - passing[which & ~holds].mean():.2f}"
                f" needless {1 - passing[which & holds].mean():.2f} right {(passing & right)[which & holds].mean():.2f}"
            )
        print(f"{title} ({(which & holds).sum()}+{(which & ~holds).sum()}): AUC {auc:.3f}; {'; '.join(figures)}")

    def fitted(which: np.ndarray) -> LogisticRegression:
        return LogisticRegression(class_weight="balanced", max_iter=1000).fit(
            signs[which & given], holds[which & given]
        )

    chance = np.empty(len(rows))
    for half in (odd, ~odd):
        chance[~half] = fitted(half).predict_proba(signs[~half])[:, 1]
    tell("fitted on the other half, all", chance, np.ones(len(rows), dtype=bool))
    for name in dict.fromkeys(sets):
        tell(f"fitted on the other half, {name}", chance, sets == name)
    for name in dict.fromkeys(sets):
        tell(f"fitted on the other sets, {name}", fitted(sets != name).predict_proba(signs)[:, 1], sets == name)
    model = fitted(np.ones(len(rows), dtype=bool))
    weights = dict(zip(names, model.coef_[0].round(3).tolist(), strict=True))
    print(f"all: {weights} constant {model.intercept_[0]:.3f} (least_answerable is {LEAST_ANSWERABLE})")


if __name__ == "__main__":
    sys.exit(main())
