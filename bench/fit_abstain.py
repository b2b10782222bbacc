"""Fit the weights of `rag/abstain.py`: how far each sign tells questions that the documents answer from others.

python bench/fit_abstain.py ROWS.jsonl [--ask GOLD DATA]...

ROWS.jsonl keeps what was asked, a row a question: {"id", "set", "answerable", "signs"}; --ask adds the questions of
GOLD over the library in DATA. Fitted on every other question with scikit-learn, told of the rest.
"""

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path

from eval.data import read_gold
from rag.abstain import Signs
from rag.answer import LEAST_ANSWERABLE
from rag.settings import load_settings
from rag.types import Turn
from ui.app import open_answerer, open_library

NAMES = [field.name for field in fields(Signs)]


def main() -> int:
    """Ask what is wanted, then fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--ask", nargs=2, action="append", default=[], metavar=("GOLD", "DATA"), type=Path)
    options = parser.parse_args()
    for gold, data in options.ask:
        _ask(gold, data, options.rows)
    rows = [json.loads(line) for line in options.rows.read_text(encoding="utf-8").splitlines()]
    # Where the model or the checker refuses there is nothing left to decide.
    _fit([row for row in rows if row["signs"]["support"]])
    return 0


def _ask(gold: Path, data: Path, rows: Path) -> None:
    settings = load_settings(data=data, least_answerable=0)
    with (
        open_library(settings) as library,
        open_answerer(settings, library) as answerer,
        rows.open("a", encoding="utf-8") as file,
    ):
        for pair in read_gold(gold):
            history = [Turn(turn["speaker"], turn["text"]) for turn in pair.meta.get("history", [])]
            signs = answerer.answer(pair.question, history).receipt["signs"]
            row = {"id": pair.id, "set": gold.parent.name, "answerable": pair.answerable, "signs": signs}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()


def _fit(rows):  # type: ignore[no-untyped-def]
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    signs = np.array([[float(row["signs"][name]) for name in NAMES] for row in rows])
    held = np.array([row["answerable"] for row in rows])
    odd = np.arange(len(rows)) % 2 == 1

    def fitted(which):  # type: ignore[no-untyped-def]
        return LogisticRegression(class_weight="balanced", C=3).fit(signs[which], held[which])

    for name, train in (("odd", odd), ("even", ~odd)):
        chance = fitted(train).predict_proba(signs[~train])[:, 1]
        needless = np.mean(chance[held[~train]] < LEAST_ANSWERABLE)
        refused = np.mean(chance[~held[~train]] < LEAST_ANSWERABLE)
        auc = roc_auc_score(held[~train], chance)
        print(f"fitted on {name}, of the rest: AUC {auc:.3f}, refused {refused:.2f}, needlessly {needless:.2f}")
    model = fitted(np.ones(len(rows), dtype=bool))
    print(
        "all:",
        dict(zip(NAMES, model.coef_[0].round(3).tolist(), strict=True)),
        "constant",
        round(float(model.intercept_[0]), 3),
    )


if __name__ == "__main__":
    sys.exit(main())
