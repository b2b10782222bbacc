"""Scores as a table, as Markdown and as JUnit XML: every figure with its n, hostile words made harmless."""

import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import replace

import pytest
from rich.console import Console

from eval.compare import compare
from eval.data import Gold, Row
from eval.gate import Result, Verdict
from eval.measures.cost import Cost
from eval.measures.interval import Figure
from eval.report import junit, markdown, table
from eval.report.outcomes import outcome, worst_first
from eval.report.visible import one_line, visible
from eval.results import Figures, Scored, Scores

RIGHT, HIT, MRR = Figure(0.5, 2, 0.0, 1.0), Figure(1.0, 2, 0.158, 1.0), Figure(0.5, 2, 0.0, 1.0)
REFUSED = Figure(1.0, 1, 0.025, 1.0)
ONE, NONE = Figure(1.0, 1, 0.025, 1.0), Figure(0.0, 1, 0.0, 0.975)


def scores(**changes: object) -> Scores:
    whole = Scores(
        settings={"model": "tiny"},
        questions={"asked": 3, "answerable": 2, "unanswerable": 1, "failed": 1},
        figures={"right": RIGHT, "token_f1": MRR, "refused_unanswerable": REFUSED, "hit@5": HIT, "mrr": MRR},
        slices={
            "language": {"en": {"right": NONE, "hit@5": ONE}, "it": {"right": ONE, "hit@5": ONE}},
            "kind": {"factoid": {"right": RIGHT}},
            "document": {},
        },
        curves={},
        cost={
            "first_token_s": Cost(None, None, 0),
            "total_s": Cost(1.0, 1.45, 2),
            "prompt_tokens": Cost(320.0, 320.0, 1),
            "memory_mb": Cost(61.5, 70.0, 2),
        },
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def asked(
    id: str, parts: Mapping[str, float], *, answerable: bool = True, kind: str = "factoid", **row: object
) -> Scored:
    gold = Gold(id, f"Who is {id}?", ("Ada Conti",) if answerable else (), (), answerable, "en", kind)
    return Scored(gold, Row(id, **row), {name: (value, 1) for name, value in parts.items()})  # type: ignore[arg-type]


RIGHT_ONE = asked("right", {"right": 1, "token_f1": 0.8, "needless_refusals": 0}, answer="Ada Conti [1].", total_s=1.5)
WRONG = asked("wrong", {"right": 0, "token_f1": 0.2, "needless_refusals": 0}, answer="Nobody.", total_s=0.5)
WORSE = asked("worse", {"right": 0, "token_f1": 0.1, "needless_refusals": 0}, answer="Me.")
FAILED = asked("failed", {"right": 0, "token_f1": 0}, error="The model stopped.")
NEEDLESS = asked("needless", {"right": 0, "token_f1": 0, "needless_refusals": 1}, abstained=True)
INVENTED = asked("invented", {"refused_unanswerable": 0}, answerable=False, answer="Bob.")
DUE = asked("due", {"refused_unanswerable": 1}, answerable=False, abstained=True)
SEARCHED = asked("searched", {"mrr": 0.5}, retrieved=("a",))
EVERY = [DUE, RIGHT_ONE, NEEDLESS, SEARCHED, WRONG, INVENTED, WORSE, FAILED]
VERDICT = Verdict(
    (
        Result("right at least 40 %", True, "right is 50.0 % (n 2), at least 40 % is asked for", 0.5, 2),
        Result("mrr at least 0.9", False, "mrr is 0.500 (n 2), at least 0.9 is asked for", 0.5, 2),
    )
)


def printed(scores: Scores, width: int = 100) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(table(scores))
    return file.getvalue()


def line_of(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(label))


# The table


def test_table_shows_each_figure_with_its_n_and_interval() -> None:
    text = printed(scores())
    assert line_of(text, "right (holds").split()[-8:] == ["50.0", "%", "2", "0.0", "%", "to", "100.0", "%"]
    assert line_of(text, "refused, of unanswerable").split()[-7:] == ["%", "1", "2.5", "%", "to", "100.0", "%"]
    assert line_of(text, "MRR").split()[-5:] == ["0.500", "2", "0.000", "to", "1.000"]


def test_figures_stand_under_their_group() -> None:
    lines = [line.strip() for line in printed(scores()).splitlines()]
    order = [lines.index(group) for group in ("answers", "abstention", "retrieval")]
    assert order == sorted(order)
    assert lines[order[1] + 1].startswith("refused, of unanswerable")
    assert "citations" not in lines  # nothing of theirs was measured


def test_table_tells_of_failed_questions() -> None:
    assert "3 questions: 2 answerable, 1 unanswerable, 1 failed (counted as wrong)" in printed(scores())


def test_table_leaves_out_what_was_not_measured() -> None:
    text = printed(scores(figures={"hit@10": HIT, "aurc": Figure(None, 0, None, None)}, slices={}, cost={}))
    assert "right" not in text
    assert "risk-coverage" not in text
    assert "cost" not in text
    assert "hit@10" in text


def test_slices_show_their_n() -> None:
    text = printed(scores())
    assert line_of(text, "language").split() == ["language", "right", "(n)", "hit@5", "(n)"]
    assert line_of(text, "it ").split() == ["it", "100", "%", "(1)", "100", "%", "(1)"]
    assert line_of(text, "en ").split() == ["en", "0", "%", "(1)", "100", "%", "(1)"]


def test_a_cell_without_a_value_shows_its_n_too() -> None:
    slices = {"kind": {"a": {"right": RIGHT, "hit@5": HIT}, "b": {"right": NONE}}}
    assert line_of(printed(scores(slices=slices)), "b ").split() == ["b", "0", "%", "(1)", "-", "(0)"]
    assert "| b | 0 % (1) | - (0) |" in markdown(scores(slices=slices), EVERY, name="run")


def test_a_kind_of_slices_with_one_label_has_no_table() -> None:
    assert "factoid" not in printed(scores())


def test_slices_of_a_search_show_what_searching_is_measured_by() -> None:
    slices = {"kind": {"a": {"hit@1": ONE, "mrr": ONE}, "b": {"hit@1": NONE, "mrr": NONE}}}
    assert line_of(printed(scores(slices=slices)), "kind").split() == ["kind", "hit@1", "(n)", "MRR", "(n)"]


def test_documents_beyond_twenty_are_counted() -> None:
    few: dict[str, Figures] = {f"d{place:02}": {"right": ONE} for place in range(53)}
    text = printed(scores(slices={"document": {**few, "most": {"right": RIGHT}}}))
    assert "and 34 more documents, in scores.json" in text
    assert line_of(text, "most").split() == ["most", "50", "%", "(2)"]  # those with most questions are shown
    assert line_of(text, "d18")
    assert "d19" not in text


def test_costs_are_in_the_table() -> None:
    text = printed(scores())
    assert line_of(text, "total, s").split()[2:] == ["1.00", "1.45", "2"]
    assert line_of(text, "prompt tokens").split()[2:] == ["320", "320", "1"]
    assert line_of(text, "memory, MB").split()[2:] == ["62", "70", "2"]
    assert "first token" not in text


def test_table_fits_a_narrow_terminal() -> None:
    slices = {"document": {"d" * 90: {"right": RIGHT, "hit@5": HIT}, "e": {"right": RIGHT, "token_f1": MRR}}}
    text = printed(scores(slices=slices), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("d") >= 90  # folded, not cut


def test_labels_are_not_read_as_markup_and_cannot_drive_the_terminal() -> None:
    text = printed(scores(slices={"kind": {"[red]x[/red]": {"right": ONE}, "\x1b[2J": {"right": ONE}}}))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text


# What became of a question


@pytest.mark.parametrize("question", EVERY, ids=lambda question: question.gold.id)
def test_outcome(question: Scored) -> None:
    names = {"worse": "wrong", "searched": "unjudged"}
    assert outcome(question) == names.get(question.gold.id, question.gold.id)


def test_a_question_without_accepted_answers_is_not_judged() -> None:
    assert outcome(asked("x", {"needless_refusals": 0}, answer="Ada.")) == "unjudged"


def test_worst_come_first() -> None:
    order = [question.gold.id for question in worst_first(EVERY)]
    assert order == ["failed", "worse", "wrong", "invented", "needless", "searched", "right", "due"]


def test_questions_that_were_only_searched_are_ordered_by_rank() -> None:
    found, missed, other = (asked(id, parts) for id, parts in (("a", {"mrr": 1}), ("b", {"mrr": 0}), ("c", {})))
    assert [question.gold.id for question in worst_first([found, other, missed])] == ["b", "a", "c"]


# Text made harmless


def test_unseen_characters_become_signs_and_offsets_stay() -> None:
    text = "a\x00b\x1b[2J\u202ec\ud800\x9b\n\t"
    assert visible(text) == "a␀b␛[2J\ufffdc\ufffd\ufffd\n\t"
    assert len(visible(text)) == len(text)


def test_one_line_is_cut_with_an_ellipsis() -> None:
    assert one_line("a\n b\tc", 10) == "a b c"
    assert one_line("abcdef", 4) == "abc…"


# Markdown


def in_markdown(**changes: object) -> str:
    return markdown(scores(), EVERY, **({"name": "run"} | changes))  # type: ignore[arg-type]


def test_markdown_holds_the_figures_slices_and_costs() -> None:
    text = in_markdown()
    assert "| right (holds an accepted answer) | 50.0 % | 2 | 0.0 % to 100.0 % |" in text
    assert "| it | 100 % (1) | 100 % (1) |" in text
    assert "| total, s | 1.00 | 1.45 | 2 |" in text


def test_markdown_lists_the_worst_questions_that_were_not_well_answered() -> None:
    text = in_markdown()
    assert "### The worst 6 of 8 questions" in text
    assert "| failed | Who is failed? | Ada Conti | The model stopped. |" in text
    assert "| invented answer | Who is invented? | (a refusal) | Bob. |" in text
    assert "Who is right?" not in text
    many = [asked(f"w{place}", {"right": 0}) for place in range(12)]
    assert markdown(scores(), many, name="run").count("| wrong |") == 10


def test_markdown_tells_of_the_gate() -> None:
    text = in_markdown(verdict=VERDICT)
    assert "**Gate not met**: requirements that hold: 1 of 2" in text
    assert "| ❌ | mrr at least 0.9 | mrr is 0.500 (n 2), at least 0.9 is asked for |" in text
    assert "**Gate met**" in in_markdown(verdict=Verdict(VERDICT.results[:1]))


def test_markdown_compares_with_an_earlier_run() -> None:
    before = [replace(WRONG, gold=RIGHT_ONE.gold, row=replace(WRONG.row, id="right")), WORSE]
    text = in_markdown(comparison=compare(before, [RIGHT_ONE, WORSE]), against="last week")
    assert "### Compared with last week" in text
    assert "| right (holds an accepted answer) | 0.0 % | 50.0 % | +50.0 |" in text
    assert "2 questions are in both runs" in text


def test_markdown_shows_the_settings_that_differ() -> None:
    settings = {"model_sha256": ("a" * 64, "b" * 64), "measured|with": (None, {"judge": "*x*"})}
    text = in_markdown(comparison=compare([WORSE], [WORSE]), settings=settings)
    assert "Settings that differ: 2" in text
    assert f"| model\\_sha256 | {'a' * 10}… | {'b' * 10}… |" in text
    assert '| measured\\|with | - | {"judge": "\\*x\\*"} |' in text
    assert "Settings that differ" not in in_markdown(comparison=compare([WORSE], [WORSE]), settings={})


def test_hostile_words_stay_in_their_cell() -> None:
    hostile = "a | b\n<img src=x onerror=alert(1)> ![i](http://x.example/p.png) `c` @someone #12 \x00\u202e"
    question = replace(WRONG, row=replace(WRONG.row, answer=hostile))
    text = markdown(scores(), [question], name=hostile)
    row = next(line for line in text.splitlines() if line.startswith("| wrong |"))
    assert row.replace("\\|", "").count("|") == 5
    for live in ("<img", "![", "://x", "@someone", "#12", "\x00", "\u202e"):
        assert live not in text
    assert text.splitlines()[0].startswith("## Evaluation: a \\| b &lt;img")


def test_markdown_fits_a_comment_whatever_the_run() -> None:
    labels = {f"{'<&' * 500}{place}": dict.fromkeys(("right", "token_f1", "hit@5"), ONE) for place in range(300)}
    slices = dict.fromkeys(("language", "kind", "answerability", "document"), labels)
    many = [asked(f"w{place}", {"right": 0}, answer="<" * 10_000) for place in range(300)]
    assert len(markdown(scores(slices=slices), many, name="run")) < 65_536  # GitHub's limit


# JUnit


def suites(xml: str) -> dict[str, ElementTree.Element]:
    return {suite.attrib["name"]: suite for suite in ElementTree.fromstring(xml).iter("testsuite")}


def test_gate_decides_in_junit() -> None:
    gate = suites(junit(EVERY, VERDICT, name="run"))["gate"]
    assert (gate.attrib["tests"], gate.attrib["failures"]) == ("2", "1")
    held, missed = gate.iter("testcase")
    assert held.find("failure") is None
    failure = missed.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == failure.text == "mrr is 0.500 (n 2), at least 0.9 is asked for"


def test_a_wrong_answer_is_no_broken_build_but_a_failure_to_answer_is_an_error() -> None:
    questions = suites(junit(EVERY, None, name="run"))["questions"]
    assert (questions.attrib["tests"], questions.attrib["failures"], questions.attrib["errors"]) == ("8", "0", "1")
    cases = {case.attrib["name"].split(":")[0]: case for case in questions.iter("testcase")}
    assert cases["wrong"].findtext("system-out") == "wrong\naccepted: Ada Conti\nanswer: Nobody."
    assert cases["right"].find("system-out") is None
    error = cases["failed"].find("error")
    assert error is not None
    assert error.attrib["message"] == "The model stopped."


def test_junit_names_kind_and_time() -> None:
    case = next(suites(junit([RIGHT_ONE], None, name="run"))["questions"].iter("testcase"))
    assert (case.attrib["classname"], case.attrib["name"]) == ("factoid", "right: Who is right?")
    assert float(case.attrib["time"]) == 1.5


def test_without_a_gate_there_is_no_gate_suite() -> None:
    assert list(suites(junit(EVERY, None, name="run"))) == ["questions"]


def test_characters_that_xml_forbids_do_not_break_junit() -> None:
    hostile = "\x00\x08\x0b\x1f\ufffe\ud800]]></system-out><failure/>"
    question = replace(WRONG, row=replace(WRONG.row, answer=hostile))
    error = replace(FAILED, row=replace(FAILED.row, error=hostile))
    xml = junit([question, error], Verdict((Result(hostile, False, hostile, None, 0),)), name=hostile)
    assert suites(xml.encode().decode())["questions"].attrib["failures"] == "0"
    assert "</system-out><failure/>" in (ElementTree.fromstring(xml).findtext(".//system-out") or "")
