"""`fonte eval` with its verbs, and `fonte compare`, with fakes for the two models: files, tables and exit codes."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import MILL, FakeGenerator, Run

import ui.app
from rag.generate import Message

MOVED = "Bruno Riva moved the library to Borgo in 1970."
PAIRS = [
    {"id": "mill", "question": "Who bought the mill?", "answers": ["Anna Neri"], "relevant": ["mill.txt"]},
    {"id": "year", "question": "When was the mill built?", "answers": ["1820"], "relevant": ["mill.txt"]},
    {"id": "none", "question": "Who painted the mill?", "answers": [], "relevant": []},
]


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return write_gold(tmp_path / "gold.jsonl", PAIRS)


def write_gold(path: Path, pairs: list[dict[str, object]]) -> Path:
    common = {"language": "en", "kind": "factoid"}
    lines = (json.dumps({**common, "answerable": bool(pair["answers"]), **pair}) for pair in pairs)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def scores_of(folder: Path) -> dict[str, dict[str, float]]:
    return dict(json.loads((folder / "scores.json").read_text())["figures"])


def test_a_run_leaves_its_figures_and_reports(run: Run, docs: Path, gold: Path, tmp_path: Path) -> None:
    run("add", "docs")
    ran = run("eval", "--gold", str(gold), "--out", "out")
    assert ran.code == 0
    assert "3 questions: 2 answerable, 1 unanswerable" in ran.out
    assert "citation recall" in ran.out
    assert ran.err == f"Report: {Path('out') / 'report.html'}\n"
    out = tmp_path / "out"
    figures = scores_of(out)
    assert (figures["right"]["value"], figures["quotes_verbatim"]["value"]) == (0.5, 1.0)
    assert {"similarity", "citation_recall", "aurc", "hit@5"} <= set(figures)
    assert "<html" in (out / "report.html").read_text()
    assert "right" in (out / "report.md").read_text()
    assert ElementTree.parse(out / "junit.xml").getroot().tag == "testsuites"
    row = json.loads((out / "run.jsonl").read_text().splitlines()[0])
    assert row["passages"][0]["document"] == "mill.txt" and 0 <= row["confidence"] <= 1 and row["memory_mb"] > 0


def test_two_runs_of_the_same_write_the_same_scores(run: Run, docs: Path, gold: Path, tmp_path: Path) -> None:
    run("add", "docs")
    written = []
    for out in ("first", "second"):
        assert run("eval", "--gold", str(gold), "--out", out, "--fresh").code == 0
        scores = json.loads((tmp_path / out / "scores.json").read_text())
        scores["cost"] = None
        written.append(json.dumps(scores))
    assert written[0] == written[1]


def test_a_second_folder_takes_what_was_answered_before(run: Run, docs: Path, gold: Path) -> None:
    run("add", "docs")
    run("eval", "--gold", str(gold), "--out", "first")
    assert "3 of 3 answers were there already." in run("eval", "--gold", str(gold), "--out", "second").err


def test_retrieval_only_asks_no_model(run: Run, docs: Path, gold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "docs")
    monkeypatch.setattr(ui.app, "load_generator", None)
    ran = run("eval", "--gold", str(gold), "--out", "out", "--retrieval-only")
    assert ran.code == 0 and "hit@5" in ran.out and "right" not in ran.out


def test_a_gate_that_is_not_met_is_100_with_its_reasons(run: Run, docs: Path, gold: Path, tmp_path: Path) -> None:
    run("add", "docs")
    gate = tmp_path / "gate.toml"
    gate.write_text('[[require]]\nmeasure = "right"\nat_least = 0.9\n')
    ran = run("eval", "--gold", str(gold), "--out", "out", "--gate", "gate.toml")
    assert ran.code == 100
    assert "gate: right" in ran.err and "50.0 %" in ran.err
    assert "always" in ran.err  # such a gate could be passed by answering everything
    assert ElementTree.parse(tmp_path / "out" / "junit.xml").find(".//failure") is not None
    gate.write_text('[[require]]\nmeasure = "right"\nat_least = 0.4\n')
    assert run("eval", "--gold", str(gold), "--out", "out", "--gate", "gate.toml").code == 0


def test_a_faulty_gate_is_told_before_anything_is_asked(
    run: Run, docs: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", "docs")
    monkeypatch.setattr(ui.app, "load_generator", None)
    (tmp_path / "gate.toml").write_text('[[require]]\nmeasure = "rihgt"\nat_least = 0.9\n')
    ran = run("eval", "--gold", str(gold), "--out", "out", "--gate", "gate.toml")
    assert ran.code == 1 and "rihgt" in ran.err
    assert not (tmp_path / "out").exists()


def test_stored_answers_are_scored_without_any_model(
    run: Run, docs: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = {"document": "mill.txt", "text": "Anna Neri bought the mill"}
    rows = [
        {"id": "mill", "answer": "Anna Neri [1]", "quotes": [quote], "citations": ["mill.txt"]},
        {"id": "year", "answer": "In 1821"},
        {"id": "none", "answer": "I do not know."},
    ]
    (tmp_path / "theirs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(ui.app, "load_embedder", None)
    score = ("eval", "score", "theirs.jsonl", "--gold", str(gold), "--out", "out", "--no-models", "--corpus", "docs")
    ran = run(*score)
    assert ran.code == 0, ran.err
    figures = scores_of(tmp_path / "out")
    assert {name: figures[name]["value"] for name in ("right", "quotes_verbatim", "refused_unanswerable")} == {
        "right": 0.5,
        "quotes_verbatim": 1.0,
        "refused_unanswerable": 1.0,
    }
    (tmp_path / "theirs.jsonl").write_text(json.dumps(rows[0]))
    ran = run(*score)
    assert ran.code == 1 and "no row for 2 of 3 questions, such as 'year'" in ran.err


def test_options_before_a_verb_are_refused(run: Run, gold: Path) -> None:
    ran = run("eval", "--gate", "gate.toml", "score", "run.jsonl", "--gold", str(gold), "--out", "out")
    assert ran.code == 2 and "write --gate after 'score'" in ran.err


def test_scores_of_stored_answers_do_not_take_the_place_of_a_run(
    run: Run, docs: Path, gold: Path, tmp_path: Path
) -> None:
    run("add", "docs")
    run("eval", "--gold", str(gold), "--out", "out")
    before = (tmp_path / "out" / "run.jsonl").read_bytes()
    again = ("eval", "score", "out/run.jsonl", "--gold", str(gold), "--no-models")
    ran = run(*again, "--out", "out")
    assert ran.code == 1 and "choose another folder" in ran.err
    assert run(*again, "--out", "scored").code == run(*again, "--out", "scored").code == 0
    assert (tmp_path / "out" / "run.jsonl").read_bytes() == before


def test_people_s_ratings_are_held_against_the_measures(run: Run, docs: Path, gold: Path, tmp_path: Path) -> None:
    run("add", "docs")
    ratings = [{"id": "mill", "rating": 5}, {"id": "year", "rating": 2}, {"id": "none", "rating": 1}]
    (tmp_path / "ratings.jsonl").write_text("\n".join(map(json.dumps, ratings)))
    ran = run("eval", "--gold", str(gold), "--out", "out", "--ratings", "ratings.jsonl")
    assert ran.code == 0 and "agreement with people" in ran.out


def test_a_judge_is_asked_and_told_to_be_unproven(run: Run, docs: Path, gold: Path, tmp_path: Path) -> None:
    run("add", "docs")
    ran = run("eval", "--gold", str(gold), "--out", "out", "--judge", "default")
    assert ran.code == 0
    assert "says the judge" in ran.out
    assert "give their ratings with --ratings" in ran.err


def test_robustness_asks_again(run: Run, docs: Path, gold: Path, tmp_path: Path) -> None:
    run("add", "docs")
    ran = run("eval", "--gold", str(gold), "--out", "out", "--robust", "typos,case")
    assert ran.code == 0 and "same answer, with typos" in ran.out
    assert scores_of(tmp_path / "out")["same_case"]["n"] == 3
    assert len((tmp_path / "out" / "run.jsonl").read_text().splitlines()) == 9
    assert "3 questions" in ran.out
    assert run("compare", "out", "out").code == 0
    assert run("eval", "--gold", str(gold), "--out", "out", "--robust", "shouting").code == 2


def test_two_runs_are_compared(
    run: Run, docs: Path, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", "docs")
    run("eval", "--gold", str(gold), "--out", "before")
    monkeypatch.setattr(
        ui.app, "load_generator", lambda settings: FakeGenerator("The mill was built in 1820 [1].", name="other")
    )
    assert run("eval", "--gold", str(gold), "--out", "after", "--baseline", "before").code == 0
    assert "Compared with before" in (tmp_path / "after" / "report.html").read_text()
    ran = run("compare", "before", "after")
    assert ran.code == 0 and "3 questions are in both runs" in ran.out and "other" in ran.out
    compared = json.loads(run("compare", "before", "after", "--json").out)
    assert (compared["measures"]["right"]["wins"], compared["measures"]["right"]["losses"]) == (1, 1)
    assert run("compare", "before/run.jsonl", "after/run.jsonl").code == 0
    ran = run("compare", "before", "nowhere")
    assert ran.code == 1 and "nowhere holds no run" in ran.err


def test_another_system_is_evaluated_without_a_library(run: Run, gold: Path, tmp_path: Path) -> None:
    (tmp_path / "rag.py").write_text("import sys\nprint('Anna Neri' if 'bought' in sys.argv[1] else 'I do not know.')")
    command = f"{sys.executable} rag.py {{question}}"
    ran = run("eval", "--gold", str(gold), "--out", "out", "--system", command, "--no-models", "--jobs", "2")
    assert ran.code == 0, ran.err
    figures = scores_of(tmp_path / "out")
    assert (figures["right"]["value"], figures["needless_refusals"]["value"]) == (0.5, 0.5)
    assert "quotes_verbatim" not in figures
    ran = run("eval", "--gold", str(gold), "--out", "bad", "--system", "/nowhere/rag", "--no-models")
    assert ran.code == 0 and "3 failed" in ran.out


def test_bad_pairs_are_all_shown_with_their_lines(run: Run, docs: Path, tmp_path: Path) -> None:
    run("add", "docs")
    bad = write_gold(
        tmp_path / "bad.jsonl",
        [
            {"id": "1", "question": "Who bought the mill?", "answers": ["Anna Neri"], "relevant": ["gone.txt"]},
            {"id": "2", "question": "When was the mill built?", "answers": ["1821"], "relevant": ["mill.txt"]},
            {"id": "2", "question": "Where is the mill?", "answers": ["Borgo"], "relevant": ["mill.txt"]},
        ],
    )
    bad.write_text(bad.read_text() + '{"id": "4"}\nnonsense\n')
    ran = run("eval", "check", "bad.jsonl")
    assert ran.code == 1
    assert [line.split(" ")[0] for line in ran.out.splitlines()] == [f"bad.jsonl:{n}:" for n in range(1, 6)]
    assert "gone.txt" in ran.out.splitlines()[0] and "occurs twice" in ran.out.splitlines()[2]
    assert "2 pairs: 5 problems, 0 remarks." in ran.err


def test_good_pairs_pass(run: Run, docs: Path, gold: Path) -> None:
    run("add", "docs")
    ran = run("eval", "check", str(gold), "--no-ask")
    assert (ran.code, ran.out) == (0, "")
    assert "3 pairs: 0 problems, 0 remarks." in ran.err


def test_drafts_are_written_and_nothing_is_overwritten(
    run: Run, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", "docs")

    def reply(messages: Sequence[Message]) -> str:
        reread = "Question:" in messages[-1].content
        return "Anna Neri" if reread else "Q: Who bought the mill at Borgo in 1950?\nA: Anna Neri"

    monkeypatch.setattr(ui.app, "load_generator", lambda settings: FakeGenerator(reply))
    ran = run("eval", "draft", "-n", "1", "--out", "drafts.jsonl")
    assert ran.code == 0, ran.err
    drafted = json.loads((tmp_path / "drafts.jsonl").read_text())
    assert drafted["answers"] == ["Anna Neri"] and drafted["meta"]["draft"] is True
    assert drafted["meta"]["quotes"][0] in MILL
    ran = run("eval", "draft", "-n", "1", "--out", "drafts.jsonl")
    assert ran.code == 1 and "is there already" in ran.err
    assert json.loads(run("eval", "draft", "-n", "1").out) == drafted
    assert run("eval", "draft", "-n", "1", "--out", "new/folder/drafts.jsonl").code == 0
    assert run("eval", "draft", "-n", "1", "--out", "drafts.jsonl/drafts.jsonl").code == 1


def test_another_format_is_imported_and_evaluated(run: Run, tmp_path: Path) -> None:
    paragraph = {"context": MOVED, "qas": [{"id": "s1", "question": "Who moved the library?", "answers": [
        {"text": "Bruno Riva", "answer_start": 0}]}]}  # fmt: skip
    squad = {"version": "1.1", "data": [{"title": "Borgo", "paragraphs": [paragraph]}]}
    (tmp_path / "squad.json").write_text(json.dumps(squad))
    ran = run("eval", "import", "squad.json", "--out", "mine")
    assert ran.code == 0 and "1 pairs, 1 documents in mine." in ran.err
    ran = run("eval", "--gold", "mine/gold.jsonl", "--corpus", "mine/corpus.jsonl", "--out", "out", "--retrieval-only")
    assert ran.code == 0
    assert scores_of(tmp_path / "out")["hit@1"]["value"] == 1.0
    assert run("eval", "import", "squad.json", "--out", "mine").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval",),
        ("eval", "--gold", "gold.jsonl"),
        ("eval", "--gold", "gold.jsonl", "--out", "out", "--system", "x", "--url", "http://x/v1"),
        ("eval", "--gold", "gold.jsonl", "--out", "out", "--corpus", "x", "--data", "y"),
        ("eval", "--gold", "gold.jsonl", "--out", "out", "--url", "http://x/v1", "--retrieval-only"),
        ("eval", "--gold", "gold.jsonl", "--out", "out", "--retrieval-only", "--judge", "default"),
        ("eval", "nothing"),
        ("compare", "only-one"),
    ],
)
def test_wrong_usage_is_2(run: Run, gold: Path, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 2 and ran.err.count("\n") == 1
