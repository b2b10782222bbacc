"""Time adding: one JSON line with passages a second, the seconds of adding unchanged files again, and of a search.

python bench/add.py [DOCUMENTS]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rag.settings import load_settings
from ui.app import open_library

ROOT = Path(__file__).parent.parent
SEARCHES = 20


def main() -> int:
    """Add the documents to a library of its own twice, then search it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", nargs="?", type=Path, default=ROOT / "samples")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data=Path(folder) / "library")
        with open_library(settings, create=True) as library:
            library.embedder.embed_queries(["warm"])
            add_s = _seconds(lambda: library.add([options.documents]))
            again_s = _seconds(lambda: library.add([options.documents]))
            library.search("warm", k=1)
            titles = [row.title for row in library.documents()][:SEARCHES]
            search_s = [_seconds(lambda title=title: library.search(title, k=8)) for title in titles]
            result = {
                "bench": "add",
                "documents": len(library.documents()),
                "passages": len(library),
                "add_s": round(add_s, 2),
                "passages_a_second": round(len(library) / add_s, 1),
                "unchanged_s": round(again_s, 3),
                "search_s": round(statistics.median(search_s), 3) if search_s else None,
            }
    print(json.dumps(result))
    return 0


def _seconds(work):  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
