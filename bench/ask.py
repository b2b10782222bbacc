"""Time warm questions: one JSON line with seconds to passages, first word and answer, and peak memory.

python bench/ask.py [DOCUMENTS] [--questions FILE] [--repeat N]
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rag.settings import load_settings
from rag.types import Finished, Piece, Retrieved
from ui.app import open_answerer, open_library

ROOT = Path(__file__).parent.parent
QUESTIONS = (
    "who are the interim co-CEOs?",
    "Chi sono i co-CEO ad interim?",
    "Quelle est la fonction de Christian Laforte ?",
    "Who chairs the board?",
    "Perché Mostaque ha lasciato l'azienda?",
    "What is Stable Video 3D?",
    "Chi possiede la maggioranza delle quote?",
    "Who is the chief financial officer?",
)


def main() -> int:
    """Add the documents to a library of its own, ask once to warm up, then time every question."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", nargs="?", type=Path, default=ROOT / "samples")
    parser.add_argument("--questions", type=Path, help="one question a line")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    questions = options.questions.read_text(encoding="utf-8").split("\n") if options.questions else QUESTIONS
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data=Path(folder) / "library")
        started = time.perf_counter()
        with open_library(settings, create=True) as library, open_answerer(settings, library) as answerer:
            library.add([options.documents])
            for _ in answerer.events("What is this about?"):
                pass
            cold_s = time.perf_counter() - started
            times = [_time(answerer, q) for _ in range(options.repeat) for q in questions if q.strip()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    result: dict[str, object] = {"bench": "ask", "questions": len(times), "cold_s": round(cold_s, 2)}
    for name in ("passages_s", "first_word_s", "total_s", "prompt_tokens", "output_tokens"):
        values = [t[name] for t in times if name in t]
        result[name] = {"median": round(statistics.median(values), 3), "max": round(max(values), 3)} if values else None
    result["peak_gib"] = round(peak / 2**30, 2)
    print(json.dumps(result))
    return 0


def _time(answerer, question):  # type: ignore[no-untyped-def]
    started = time.perf_counter()
    times = {}
    for event in answerer.events(question):
        now = time.perf_counter() - started
        match event:
            case Retrieved():
                times["passages_s"] = now
            case Piece():
                times.setdefault("first_word_s", now)
            case Finished():
                times |= {"total_s": now} | {n: event.answer.timings[n] for n in ("prompt_tokens", "output_tokens")}
    return times


if __name__ == "__main__":
    sys.exit(main())
