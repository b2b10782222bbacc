"""Scores as a table and as scores.json."""

import io
import json
from pathlib import Path

from rich.console import Console

from eval.data import Gold, Row
from eval.report import table, write_scores
from eval.scores import Scores, score

GOLDS = [
    Gold("q1", "Chi?", ("Wong",), ("d1",), True, "it", "factoid"),
    Gold("q2", "Who?", ("Wong",), ("d1",), True, "en", "factoid"),
    Gold("q3", "Who?", (), (), False, "en", "unanswerable"),
]
ROWS = [
    Row("q1", "Wong", retrieved=("d1",), total_s=1.5, prompt_tokens=320),
    Row("q2", error="The model stopped."),
    Row("q3", abstained=True, total_s=0.5),
]


def no_text(document: str) -> None:
    return None


def scores(retrieval_only: bool = False) -> Scores:
    return score(GOLDS, ROWS, no_text, retrieval_only=retrieval_only, settings={"model": "tiny"})


def printed(scores: Scores, width: int = 100) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(table(scores))
    return file.getvalue()


def line_of(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(label))


def test_table_shows_each_figure_with_its_n_and_interval() -> None:
    text = printed(scores())
    assert line_of(text, "right (holds").split()[-8:] == ["50.0", "%", "2", "0.0", "%", "to", "100.0", "%"]
    assert line_of(text, "refused, of unanswerable").split()[-7:] == ["%", "1", "2.5", "%", "to", "100.0", "%"]
    assert line_of(text, "MRR").split()[-5:] == ["0.500", "2", "0.000", "to", "1.000"]


def test_table_tells_of_failed_questions() -> None:
    assert "3 questions: 2 answerable, 1 unanswerable, 1 failed (counted as wrong)" in printed(scores())


def test_table_leaves_out_what_was_not_measured() -> None:
    text = printed(scores(retrieval_only=True))
    assert "right" not in text
    assert "hit@10" in text
    assert "quotes verbatim" not in printed(scores())  # there was no quote


def test_slices_show_their_n() -> None:
    text = printed(scores())
    assert line_of(text, "it ").split()[1:4] == ["100", "%", "(1)"]
    assert line_of(text, "en ").split()[1:4] == ["0", "%", "(1)"]
    assert line_of(text, "unanswerable").split()[1] == "-"


def test_costs_are_in_the_table() -> None:
    assert line_of(printed(scores()), "total, s").split()[2:] == ["1.00", "1.45", "2"]
    assert line_of(printed(scores()), "prompt tokens").split()[2:] == ["320", "320", "1"]


def test_table_fits_a_narrow_terminal() -> None:
    assert max(map(len, printed(scores(), width=80).splitlines())) <= 80


def test_scores_json_is_the_same_for_the_same_run_but_for_its_cost(tmp_path: Path) -> None:
    slower = [Row("q1", "Wong", retrieved=("d1",), total_s=9.5, prompt_tokens=320), *ROWS[1:]]
    write_scores(scores(), tmp_path / "one.json")
    write_scores(scores(), tmp_path / "same.json")
    write_scores(score(GOLDS, slower, no_text, settings={"model": "tiny"}), tmp_path / "slower.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "same.json").read_bytes()
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("one.json", "slower.json"))
    assert one.pop("cost") != other.pop("cost")
    assert one == other
    assert one["settings"] == {"model": "tiny"}
    assert one["figures"]["right"] == {"value": 0.5, "n": 2, "low": 0.0, "high": 1.0}
