"""Time searching in large libraries, opening them, and adding what is there already: one JSON line for each size.

python bench/scale.py [--chunks 10000 100000] [--questions 1000] [--files 1000]

The libraries are invented: words whose frequencies are those of an Italian text (stop words and all), documents of ten
chunks, vectors of 384 numbers around common themes, three windows a chunk. So no model is needed, and a search is timed
without the embedding of its question. Questions are words of some chunk, as many and as rare as in people's questions:
half of the terms are in fewer than 1 % of the chunks, one in twenty in a third of them.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import index.lexical
from index.access import settings_for
from index.catalog import Catalog
from index.embed import Vectors, unit
from index.language import detect_language
from index.library import Library
from index.sentences import nltk_data
from index.terms import telling_terms
from index.types import Chunk, Document
from index.where import parse_condition
from index.windows import BEST_WINDOW, chunk_vectors

DIMENSION = 384
THEMES = 200
OUTLETS = 4
WORDS = 110  # of a chunk
CHUNKS_OF_DOCUMENT = 10
WINDOWS, WINDOWS_APART = 3, 0.6  # of a chunk; how far they are from its middle
EQUALLY_LONG = [["."] * WINDOWS] * CHUNKS_OF_DOCUMENT
STOP_WORDS_SHARE = 0.45
SYLLABLES = [consonant + vowel for consonant in "bcdfglmnprstvz" for vowel in "aeiou"]
CHECKED = 200  # questions asked again without any shortcut


class Preset:
    """An embedder that gives the vector which was set before."""

    name = "preset"
    fingerprint = "preset-1"
    dimension = DIMENSION
    max_tokens = 512

    def __init__(self) -> None:
        self.next = np.zeros(DIMENSION, dtype=np.float32)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return the vector that was set, for each text."""
        return np.tile(self.next, (len(texts), 1))

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return the same."""
        return self.embed_queries(texts)

    def tokenize(self, text: str) -> list[int]:
        """Return a token for each word."""
        return [len(word) for word in text.split()]


def main() -> int:
    """Make each library, measure it in a process of its own, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", nargs="*", type=int, default=[10_000, 100_000])
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--files", type=int, default=1_000, help="unchanged ones to add again; 0 for none")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.questions)))
        return 0
    if options.files:
        print(json.dumps(unchanged(options.files)), flush=True)
    for chunks in options.chunks:
        with tempfile.TemporaryDirectory() as folder:
            make_library(Path(folder), chunks)
            own = [sys.executable, __file__, "--measure", folder, "--questions", str(options.questions)]
            subprocess.run(own, check=True)
    return 0


def unchanged(files: int) -> dict[str, object]:
    """Return how long it takes to add small files that are in the library as they are."""
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder, "docs")
        documents.mkdir()
        for i in range(files):
            (documents / f"{i}.txt").write_text(f"Documento {i}. " + "Una frase qualunque di prova. " * 100)
        with Library.open(Path(folder, "library"), Preset(), create=True) as library:
            library.add([documents])
            seconds = timed(lambda: library.add([documents]))
    return {"bench": "unchanged", "files": files, "seconds": round(seconds, 2)}


def make_library(folder: Path, chunks: int) -> None:
    """Make a library of `chunks` chunks in `folder`; the same each time."""
    Catalog.create(folder / "catalog.sqlite", settings_for(Preset()))
    catalog = Catalog(folder / "catalog.sqlite")
    invented = islice(documents(random.Random(1), np.random.default_rng(1)), chunks // CHUNKS_OF_DOCUMENT)
    while some := list(islice(invented, 100)):
        with catalog.together():
            for document, parts, windows in some:
                catalog.put(document, parts, chunk_vectors(windows, EQUALLY_LONG), windows=windows)
    catalog.close()
    with Library.open(folder, Preset()) as library:
        library.wait_for_store(1_800)


def documents(
    rng: random.Random, numbers: np.random.Generator
) -> Iterator[tuple[Document, list[Chunk], Sequence[Vectors]]]:
    """Yield documents with their chunks and the vectors of these chunks' windows, without end."""
    words, shares = vocabulary(rng)
    upto = np.cumsum(shares)
    themes = numbers.standard_normal((THEMES, DIMENSION))
    for i in count():
        drawn = np.searchsorted(upto, numbers.random((CHUNKS_OF_DOCUMENT, WORDS)) * upto[-1])
        texts = [" ".join(words[place] for place in row) + ". " for row in drawn.tolist()]
        title = " ".join(texts[0].split()[:4])
        parts, end = [], 0
        for text in texts:
            start, end = end, end + len(text)
            parts.append(Chunk(f"d{i}#{start}-{end}", f"d{i}", text, start, end))
        vectors = unit(themes[numbers.integers(THEMES)] + numbers.standard_normal((CHUNKS_OF_DOCUMENT, DIMENSION)))
        outlet = f"outlet {i % OUTLETS}"
        document = Document(f"d{i}", "".join(texts), title=title, language="it", outlet=outlet, sha256=f"{i}")
        apart = WINDOWS_APART * unit(numbers.standard_normal((CHUNKS_OF_DOCUMENT * WINDOWS, DIMENSION)))
        windows = unit(np.repeat(vectors, WINDOWS, axis=0) + apart)
        yield document, parts, np.split(windows, CHUNKS_OF_DOCUMENT)


def vocabulary(rng: random.Random, *, size: int = 200_000) -> tuple[list[str], NDArray[np.float64]]:
    """Return words and how often each occurs: stop words alike, the others by a law of Zipf and Mandelbrot."""
    stop = (nltk_data() / "corpora" / "stopwords" / "italian").read_text(encoding="utf-8").split()
    invented: dict[str, None] = {}
    while len(invented) < size:
        invented["".join(rng.choices(SYLLABLES, k=rng.randint(2, 5)))] = None
    rare = 1 / (np.arange(size) + 10.0)
    shares = np.append(np.full(len(stop), STOP_WORDS_SHARE / len(stop)), rare * (1 - STOP_WORDS_SHARE) / rare.sum())
    return stop + list(invented), shares


def measure(folder: Path, questions: int) -> dict[str, object]:
    """Return what a process sees that opens the library in `folder` and searches it."""
    numbers, embedder = np.random.default_rng(2), Preset()
    detect_language("una domanda qualunque")  # its model is no part of the library
    before = resident_mb()
    started = time.perf_counter()
    with Library.open(folder, embedder) as library:
        open_s = time.perf_counter() - started
        first_s = timed(lambda: library.search("primo", k=5))
        memory = resident_mb() - before
        asked = list(islice(invented_questions(library, numbers), questions))

        def search(question: str, vector: Vectors, where: str = "") -> list[str]:
            embedder.next = vector
            conditions = [parse_condition(where)] if where else []
            return [passage.chunk.id for passage in library.search(question, k=15, where=conditions)][:5]

        plain = milliseconds(search(*q) for q in asked)
        within = milliseconds(search(*q, "outlet=outlet 1") for q in asked[:CHECKED])
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        n = len(library)
        same = equal_to_exact(folder, [vector for _, vector in asked], lambda vector: search("zzz", vector))
        found = [search(*q) for q in asked[:CHECKED]]
        index.lexical._SCORED_AT_MOST = sys.maxsize  # every chunk that shares a word is scored
        all_scored = sum(search(*q) == ids for q, ids in zip(asked, found, strict=False))
        remove_s = timed(lambda: library.remove(["d7"]))
        changed_s = timed(lambda: search(*asked[0]))
    return {
        "bench": "scale",
        "chunks": n,
        "open_s": round(open_s, 2),
        "first_search_s": round(first_s, 2),
        "search_ms": percentiles(plain),
        "search_where_ms": percentiles(within),
        "remove_s": round(remove_s, 2),
        "after_change_s": round(changed_s, 2),
        "top5_as_exact": f"{same}/{len(asked)}",
        "top5_as_if_all_were_scored": f"{all_scored}/{len(found)}",
        "mb_per_10000": round(memory / n * 10_000, 1),
        "peak_mb": round(peak_mb),
        "load": round(os.getloadavg()[0], 1),
        "disk_mb_per_10000": round((folder / "catalog.sqlite").stat().st_size / 2**20 / n * 10_000, 1),
    }


def invented_questions(library: Library, numbers: np.random.Generator) -> Iterator[tuple[str, Vectors]]:
    """Yield questions with their vectors: three to ten words of a chunk, and a vector not far from it."""
    rows, vectors = library.documents(), library._finder.view().sample
    while True:
        text = library.document(rows[numbers.integers(len(rows))].id).text
        sentence = text.split(". ")[numbers.integers(CHUNKS_OF_DOCUMENT)]
        words = [word for word in dict.fromkeys(sentence.split()) if telling_terms(word, "it")[0]]
        chosen = numbers.choice(words, size=numbers.integers(3, 11), replace=False)
        near = vectors[numbers.integers(len(vectors))] + unit(numbers.standard_normal((1, DIMENSION)))
        yield " ".join(chosen), unit(near)[0]


def exact_vectors(folder: Path) -> tuple[list[str], Vectors, Vectors]:
    """Return the ids of all chunks, their vectors and their windows' `(n, 3, dimension)`, as the catalog has them."""
    catalog = Catalog(folder / "catalog.sqlite")
    keys, vectors = catalog.vectors()
    spans = catalog.chunk_spans(keys.tolist())
    windows = np.empty((len(keys), WINDOWS, DIMENSION), dtype=np.float32)
    for start in range(0, len(keys), 1_000):
        for i, of_chunk in enumerate(catalog.windows_of(keys[start : start + 1_000].tolist()).values()):
            windows[start + i] = of_chunk
    catalog.close()
    return [spans[key].id for key in keys.tolist()], vectors, windows


def equal_to_exact(folder: Path, questions: Sequence[Vectors], found: Callable[[Vectors], list[str]]) -> int:
    """Return for how many `questions` what was `found` are the five best of all chunks, each scored."""
    ids, vectors, windows = exact_vectors(folder)
    same = 0
    for start in range(0, len(questions), 50):
        some = questions[start : start + 50]
        best = (np.stack(some) @ windows.reshape(-1, DIMENSION).T).reshape(len(some), -1, WINDOWS).max(axis=2)
        cosines = (1 - BEST_WINDOW) * (np.stack(some) @ vectors.T) + BEST_WINDOW * best
        for vector, row in zip(some, cosines, strict=True):
            candidates = np.argpartition(-row, 20)[:20].tolist()
            nearest = sorted(candidates, key=lambda place: (-row[place], ids[place]))[:5]
            same += found(vector) == [ids[place] for place in nearest]
    return same


def milliseconds(works: Iterator[object]) -> list[float]:
    """Return how long each step of `works` takes."""
    took, started = [], time.perf_counter()
    for _ in works:
        took.append((time.perf_counter() - started) * 1e3)
        started = time.perf_counter()
    return took


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile and maximum."""
    p50, p95, highest = np.percentile(values, [50, 95, 100])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "max": round(float(highest), 1)}


def resident_mb() -> float:
    """Return how much memory this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return float(line.split()[1]) / 1024
    return 0.0


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
