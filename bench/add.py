"""Time adding against the bare encoder: one JSON line with passages a second of both, from the same run.

python bench/add.py [DOCUMENTS] [--lines N] [--rounds N]

The bare encoder is sentence-transformers given all the texts at once, which then pads least: the same texts that were
embedded while they were added. Both are timed in turn, so that what else the computer does meets both. Adding is
timed from the call to the report: reading files, cutting, embedding, committing, and bringing the vector store up to
date. Also: the seconds to add what has not changed, and of a search.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.embed import Embedder, Vectors
from index.library import Library
from rag.settings import load_settings
from ui.app import load_embedder

ROOT = Path(__file__).parent.parent
SEARCHES = 20


class Recording:
    """An embedder that keeps the passages it was given."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.texts: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._embedder, name)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of texts to be found."""
        self.texts += texts
        return self._embedder.embed_passages(texts)


def main() -> int:
    """Add the documents and encode their chunks in turn, add them again, then search."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", nargs="?", type=Path, default=ROOT / "samples")
    parser.add_argument("--lines", type=int, help="of a corpus file, only so many")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    embedder = load_embedder(load_settings())
    embedder.embed_queries(["warm"])
    adding: list[Spent] = []
    bare: list[Spent] = []
    steps: dict[str, object] = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            documents = _shortened(options.documents, Path(folder), options.lines)
            recording = Recording(embedder)
            with Library.open(Path(folder, "library"), recording, create=True) as library:  # type: ignore[arg-type]
                adding.append(_spent(lambda: library.add([documents])))  # noqa: B023
                bare.append(_spent(lambda: embedder.embed_passages(recording.texts)))  # noqa: B023
                passages = len(library)
                steps = _rest(library, documents)
    result = {
        "bench": "add",
        "passages": passages,
        "passages_a_second": round(passages * options.rounds / sum(spent.wall_s for spent in adding), 1),
        "bare_a_second": round(passages * options.rounds / sum(spent.wall_s for spent in bare), 1),
        "ratio": round(sum(spent.wall_s for spent in bare) / sum(spent.wall_s for spent in adding), 3),
        "ratios": [round(b.wall_s / a.wall_s, 3) for a, b in zip(adding, bare, strict=True)],
        "cpu_ratio": round(sum(spent.cpu_s for spent in bare) / sum(spent.cpu_s for spent in adding), 3),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result | steps))
    return 0


def _shortened(documents: Path, folder: Path, lines: int | None) -> Path:
    """Return `documents`, or a copy in `folder` of the first `lines` of a corpus file."""
    if not lines:
        return documents
    shorter = folder / documents.name
    with documents.open(encoding="utf-8") as corpus:
        shorter.write_text("".join(line for line, _ in zip(corpus, range(lines), strict=False)), encoding="utf-8")
    return shorter


def _rest(library: Library, documents: Path) -> dict[str, object]:
    """Return how long the same documents take when nothing has changed, and a search for a title."""
    again_s = _seconds(lambda: library.add([documents]))
    library.search("warm", k=1)
    titles = [row.title for row in library.documents()][:SEARCHES]
    search_s = [_seconds(lambda title=title: library.search(title, k=8)) for title in titles]  # type: ignore[misc]
    return {
        "documents": len(library.documents()),
        "unchanged_s": round(again_s, 3),
        "search_s": round(statistics.median(search_s), 3) if search_s else None,
    }


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds by the clock, and of this process's processor time: the second is steadier on a busy computer."""

    wall_s: float
    cpu_s: float


def _spent(work: Callable[[], object]) -> Spent:
    cpu_s = time.process_time()
    wall_s = _seconds(work)
    return Spent(wall_s, time.process_time() - cpu_s)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
