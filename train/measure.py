"""Measure a reader on what it has not been taught: `python -m train.measure EVALDATA HELD_OUT_IDS [--weights FILE]`.

EVALDATA holds squad_it, xling_it_question_en_docs, clapnq_dev and mtrag_un (corpus.jsonl and gold.jsonl each);
HELD_OUT_IDS names the questions of the first two whose articles were not trained on. Of the others the second half by
id counts. What was written for fonte about articles not trained on is in held_out.jsonl. One JSON line a figure.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.corpus import library_for
from eval.data import Gold, read_gold
from eval.measures.interval import Figure, estimate, estimate_of
from eval.measures.token_f1 import token_f1
from index.embed import Embedder
from index.library import Library
from index.types import Chunk, Document, Passage
from rag.reader import WEIGHTS, Reader
from rag.settings import load_settings
from train.checker_pairs import build
from train.groups import first_half
from train.material import paragraph_id, read_texts
from train.written import read_written
from ui.app import load_embedder, open_reader

HELD_OUT = Path(__file__).parent / "held_out.jsonl"
_READ = 20  # passages, as in the product


def main(argv: list[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m train.measure", description=__doc__.splitlines()[0])
    parser.add_argument("evaldata", type=Path)
    parser.add_argument("ids", type=Path, help="held_out_gold_ids.json")
    parser.add_argument("--rows", type=Path, help="read.jsonl: pairs of claims and evidence are made from it too")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--no-search", action="store_true", help="leave out what needs libraries to be searched")
    options = parser.parse_args(argv)
    reader = open_reader(load_settings(), weights=options.weights)
    held = frozenset(json.loads(options.ids.read_text(encoding="utf-8"))["ids"])
    for name, figure in _figures(reader, options, held):
        print(json.dumps({"figure": name, **asdict(figure)}), flush=True)  # noqa: T201
    return 0


def _figures(reader: Reader, options: argparse.Namespace, held: frozenset[str]) -> Iterator[tuple[str, Figure]]:
    for name in ("squad_it", "xling_it_question_en_docs"):
        golds = [gold for gold in read_gold(options.evaldata / name / "gold.jsonl") if gold.id in held]
        yield f"{name}: answer in the right passage, F1", _spans(reader, golds, options.evaldata / name)
    yield from _written(reader, options.evaldata)
    yield "clapnq_dev: answerable against near miss, AUC", _near_passages(reader, options.evaldata / "clapnq_dev")
    if options.rows:
        yield from _claims(reader, options)
    if not options.no_search:
        yield from _searched(reader, options.evaldata, held)


def _spans(reader: Reader, golds: Sequence[Gold], folder: Path) -> Figure:
    corpus = read_texts(folder)
    scores = []
    for gold in golds:
        if gold.answerable:
            text, title = corpus[gold.relevant[0]]
            reading = reader.read(gold.question, [passage_of(text, title)])[0]
            scores.append((token_f1(text[reading.start : reading.end], gold.answers), 1))
    return estimate(scores)


def _written(reader: Reader, evaldata: Path) -> Iterator[tuple[str, Figure]]:
    texts = {
        paragraph_id(text): (text, title)
        for name in ("squad_it", "xling_it_question_en_docs")
        for text, title in read_texts(evaldata / name).values()
    }
    written = [w for w in read_written([HELD_OUT]) if w.passage in texts]
    holds, answers, margins, f1 = [], [], [], []
    for one in written:
        text, title = texts[one.passage]
        for asked in one.questions:
            for question, answer in ((asked.question, asked.answer), (asked.near_miss, "")):
                reading = reader.read(question, [passage_of(text, title)])[0]
                holds.append(bool(answer))
                answers.append(reading.answers)
                margins.append(reading.margin)
                if answer:
                    f1.append((token_f1(text[reading.start : reading.end], [answer]), 1))
    yield "written: answer in the right passage, F1", estimate(f1)
    yield "written: answerable against near miss, AUC", area(holds, answers)
    yield "written: the same by the margin of the answer's place, AUC", area(holds, margins)
    rows = [(one, claim) for one in written for claim in one.claims]
    pairs = [(texts[one.passage][0], said) for one, claim in rows for said in (claim.claim, claim.altered)]
    support, held = reader.support(pairs), [True, False] * len(rows)
    yield "written: true against altered claims, AUC", area(held, support)
    for kind in sorted({claim.kind for _, claim in rows}):
        chosen = [i for i, (_, claim) in enumerate(rows) if claim.kind == kind]
        places = [place for i in chosen for place in (2 * i, 2 * i + 1)]
        yield f"written: {kind}, AUC", area([held[i] for i in places], [support[i] for i in places])
    ordered = [(float(support[2 * i] > support[2 * i + 1]), 1) for i in range(len(rows))]
    yield "written: true claim above its altered twin", estimate(ordered)


def _near_passages(reader: Reader, folder: Path) -> Figure:
    golds, corpus = list(read_gold(folder / "gold.jsonl")), read_texts(folder)
    holds, scores = [], []
    for answerable in (True, False):
        own = [gold for gold in golds if gold.answerable == answerable]
        known = {gold.id for gold in first_half(own)}
        for gold in own:
            if gold.id not in known:
                near = gold.relevant if answerable else gold.meta["near_passage"]  # type: ignore[typeddict-item]
                holds.append(answerable)
                scores.append(reader.read(gold.question, [passage_of(*corpus[near[0]])])[0].answers)
    return area(holds, scores)


def _claims(reader: Reader, options: argparse.Namespace) -> Iterator[tuple[str, Figure]]:
    pairs = [pair for pair in build(options.evaldata, options.rows) if not pair.fitted]
    pairs = [pair for pair in pairs if pair.source in ("clapnq", "mtrag_un")]  # the others are trained on
    support = reader.support([(pair.evidence, pair.claim) for pair in pairs])
    for source in ("clapnq", "mtrag_un"):
        own = [
            (pair.kind == "supported", score)
            for pair, score in zip(pairs, support, strict=True)
            if pair.source == source
        ]
        yield f"{source}: supported claims against others, AUC", area(*zip(*own, strict=True))
    for kind in sorted({pair.kind for pair in pairs} - {"supported"}):
        own = [(p.kind == "supported", s) for p, s in zip(pairs, support, strict=True) if p.kind in ("supported", kind)]
        yield f"claims: {kind}, AUC", area(*zip(*own, strict=True))


def _searched(reader: Reader, evaldata: Path, held: frozenset[str]) -> Iterator[tuple[str, Figure]]:
    embedder, cache = load_embedder(load_settings()), Path.home() / ".cache" / "fonte" / "corpora"
    for name in ("squad_it", "xling_it_question_en_docs"):
        golds = [gold for gold in read_gold(evaldata / name / "gold.jsonl") if gold.id in held or not gold.answerable]
        with library_for(evaldata / name / "corpus.jsonl", cache, embedder) as library:
            yield from _ranked(reader, library, [gold for gold in golds if gold.answerable], name)
            if name == "squad_it":
                crossing = _english_over_italian(evaldata, held, embedder)
                yield from _ranked(reader, library, crossing, "English over Italian")
            if any(not gold.answerable for gold in golds):
                best = [_best(reader, library, gold.question) for gold in golds]
                yield f"{name}: answerable against topic absent, AUC", area([g.answerable for g in golds], best)


def _english_over_italian(evaldata: Path, held: frozenset[str], embedder: Embedder) -> list[Gold]:
    """Return the English questions of xling with the Italian paragraph that says the same as their own.

    It is the nearest that holds the Italian answer and whose nearest English paragraph is theirs.
    """
    xling = [gold for gold in read_gold(evaldata / "xling_it_question_en_docs" / "gold.jsonl") if gold.id in held]
    english = read_texts(evaldata / "xling_it_question_en_docs")
    italian = read_texts(evaldata / "squad_it")
    vectors = {
        which: dict(zip(texts, embedder.embed_passages([text for text, _ in texts.values()]), strict=True))
        for which, texts in (("en", english), ("it", italian))
    }
    cosines = np.array(list(vectors["it"].values())) @ np.array(list(vectors["en"].values())).T
    ids, own = list(italian), list(english)
    crossing = []
    for gold in xling:
        column = own.index(gold.relevant[0])
        answers: list[str] = gold.meta["answers_it"]  # type: ignore[typeddict-item]
        nearest = int(np.argmax(cosines[:, column]))
        holds = any(answer.casefold() in italian[ids[nearest]][0].casefold() for answer in answers)
        if holds and int(np.argmax(cosines[nearest])) == column:
            question: str = gold.meta["question_en"]  # type: ignore[typeddict-item]
            crossing.append(replace(gold, question=question, relevant=(ids[nearest],), language="en"))
    return crossing


def _ranked(reader: Reader, library: Library, golds: Sequence[Gold], name: str) -> Iterator[tuple[str, Figure]]:
    for way, reranker in (("searched", None), ("reread", reader)):
        library.reranker = reranker
        found = [[p.document.id for p in library.search(gold.question, k=10)] for gold in golds]
        for k in (1, 5):
            hits = [(float(bool({*ids[:k]} & {*gold.relevant})), 1) for ids, gold in zip(found, golds, strict=True)]
            yield f"{name}: {way}, hit@{k}", estimate(hits)


def _best(reader: Reader, library: Library, question: str) -> float:
    library.reranker = None
    return max(reading.answers for reading in reader.read(question, library.search(question, k=_READ)))


def passage_of(text: str, title: str = "") -> Passage:
    """Return a passage that is all of a document."""
    return Passage(Chunk("-#0", "-", text, 0, len(text)), Document("-", text, title=title), 0.0, 1, {})


def area(holds: Sequence[bool], scores: Sequence[float]) -> Figure:
    """Return the area under the ROC curve with its interval."""
    from sklearn.metrics import roc_auc_score

    truth, values = np.array(holds), np.array(scores)

    def of(places: NDArray[np.intp]) -> float:
        chosen = truth[places]
        return float(roc_auc_score(chosen, values[places])) if 0 < chosen.sum() < len(chosen) else float("nan")

    return estimate_of(of, len(truth))


if __name__ == "__main__":
    sys.exit(main())
