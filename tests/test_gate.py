"""What a gate asks, what meets it, and gates that let worthless systems through."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eval.data import Gold, Row, write_gold, write_run
from eval.gate import Result, Verdict, check_gate, read_gate
from eval.measures.cost import Cost
from eval.measures.interval import Figure, estimate
from eval.probes import gate_warnings
from eval.results import OTHER_DOCUMENTS, Figures, Parts, Scored, Scores, labels, write_scored
from eval.scores import summarise
from index.errors import BadGate

GOLDS = [
    *(Gold(f"a{n}", f"What is {n}?", ("x",), ("d1",), True, ("it", "en")[n % 2], "fact") for n in range(30)),
    *(Gold(f"u{n}", f"Who is {n}?", (), (), False, "en", "none") for n in range(10)),
]
COST = {"total_s": Cost(2.5, 6.0, 40), "prompt_tokens": Cost(None, None, 0)}


def figures(scored: Sequence[Scored]) -> Figures:
    names = dict.fromkeys(name for question in scored for name in question.parts)
    return {name: estimate([question.parts.get(name, (0, 0)) for question in scored]) for name in names}


def scores(scored: Sequence[Scored]) -> Scores:
    members: dict[str, dict[str, list[Scored]]] = {}
    for question in scored:
        for by, label in labels(question):
            members.setdefault(by, {}).setdefault(label, []).append(question)
    slices = {by: {label: figures(own) for label, own in group.items()} for by, group in members.items()}
    of_set = {"aurc": Figure(0.2, 30, 0.1, 0.3)}
    return Scores({}, {"asked": len(scored)}, {**figures(scored), **of_set}, slices, {}, COST)


def run(right: int, refused: int = 10, needless: int = 0) -> list[Scored]:
    """Return a run with so many of the 30 answerable questions right, and of both kinds so many refused."""

    def parts(gold: Gold) -> Parts:
        place = int(gold.id[1:])
        if not gold.answerable:
            return {"refused_unanswerable": (place < refused, 1)}
        return {
            "right": (place < right, 1),
            "needless_refusals": (place >= 30 - needless, 1),
            "quotes_verbatim": (2, 2),
            "hit@5": (1, 1),
        }

    return [Scored(gold, Row(gold.id), parts(gold)) for gold in GOLDS]


def store(folder: Path, scored: Sequence[Scored], settings: Mapping[str, object] | None = None) -> None:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(settings or {}), encoding="utf-8")
    write_gold(folder / "gold.jsonl", [question.gold for question in scored])
    write_scored(folder, scored)
    write_run(folder / "run.jsonl", [question.row for question in scored])


def write_gate(folder: Path, text: str) -> Path:
    path = folder / "gate.toml"
    path.write_text(text, encoding="utf-8")
    return path


def require(*lines: str) -> str:
    return "\n".join(["[[require]]", *lines, ""])


def check(folder: Path, scored: Sequence[Scored], *lines: str) -> Result:
    (result,) = check_gate(read_gate(write_gate(folder, require(*lines))), scores(scored), scored).results
    return result


def fault(folder: Path, text: str) -> str:
    with pytest.raises(BadGate) as caught:
        read_gate(write_gate(folder, text))
    return str(caught.value)


def test_a_value_that_reaches_what_is_asked_is_met(tmp_path: Path) -> None:
    result = check(tmp_path, run(15), 'measure = "right"', "at_least = 0.5")
    assert result == Result("right at least 50 %", True, "right is 50.0 % (n 30), at least 50 % is asked for", 0.5, 30)


def test_a_value_below_what_is_asked_is_not_met_and_says_so(tmp_path: Path) -> None:
    result = check(tmp_path, run(13), 'measure = "right"', "at_least = 0.45")
    assert not result.met
    assert result.reason == "right is 43.3 % (n 30), at least 45 % is asked for"


def test_a_rounded_third_is_a_third(tmp_path: Path) -> None:
    assert check(tmp_path, run(10), 'measure = "right"', "at_least = 0.33333333").met
    assert check(tmp_path, run(20), 'measure = "right"', "at_most = 0.66666666").met


def test_at_most_is_for_what_should_be_low(tmp_path: Path) -> None:
    few, many = run(20, needless=3), run(20, needless=4)
    asked = ('measure = "needless_refusals"', "at_most = 0.1")
    assert check(tmp_path, few, *asked).met
    assert not check(tmp_path, many, *asked).met
    assert check(tmp_path, many, *asked).reason == "needless_refusals is 13.3 % (n 30), at most 10 % is asked for"


def test_with_bound_the_unfavourable_end_of_the_interval_must_do(tmp_path: Path) -> None:
    scored = run(18, needless=0)
    low = scores(scored).figure("right").low
    assert low is not None
    assert check(tmp_path, scored, 'measure = "right"', f"at_least = {low - 0.01}", "bound = true").met
    assert not check(tmp_path, scored, 'measure = "right"', f"at_least = {low + 0.01}", "bound = true").met
    # No refusal in 30 questions: up to 1 - 0.025^(1/30) = 11.6 % may still be refused.
    refusals = check(tmp_path, scored, 'measure = "needless_refusals"', "at_most = 0.1", "bound = true")
    assert not refusals.met
    assert refusals.value == 0
    assert "its interval ends at 11.6 %" in refusals.reason
    assert check(tmp_path, scored, 'measure = "needless_refusals"', "at_most = 0.12", "bound = true").met


def test_a_reason_has_as_many_decimals_as_tell_the_value_from_its_limit(tmp_path: Path) -> None:
    many = [
        Scored(Gold(f"q{n}", "Why?", ("x",), (), True), Row(f"q{n}"), {"right": (n < 1124, 1)}) for n in range(2500)
    ]
    result = check(tmp_path, many, 'measure = "right"', "at_least = 0.45")
    assert (result.met, result.reason) == (False, "right is 44.96 % (n 2500), at least 45 % is asked for")
    store(tmp_path / "old", [replace(q, parts={"right": (n < 1125, 1)}) for n, q in enumerate(many)])
    lost = check(tmp_path, many, 'measure = "right"', 'not_worse_than = "old"')
    assert lost.reason == "right is 44.96 % against 45.00 % in old (n 2500), -0.04, nothing worse is allowed"
    means = [replace(q, parts={"token_f1": (0.8999, 1)}) for q in many[:10]]
    assert "token_f1 is 0.8999 (n 10)" in check(tmp_path, means, 'measure = "token_f1"', "at_least = 0.9").reason


def test_a_bound_is_told_with_as_many_decimals_as_it_takes(tmp_path: Path) -> None:
    # Of 15 Italian questions all are right: at least 0.025^(1/15) = 78.198 % of all would be.
    asked = ('measure = "right"', "at_least = 0.782", 'slice = {language = "it"}', "bound = true")
    result = check(tmp_path, run(30), *asked)
    assert not result.met
    assert "right in language it is 100.0 % (n 15), its interval begins at 78.198 %, at least 78.2 %" in result.reason


def test_a_bound_that_does_not_exist_is_not_met(tmp_path: Path) -> None:
    alike = [replace(question, parts={"token_f1": (0.5, 1)}) for question in run(30)]
    for scored in (alike, alike[:1]):
        result = check(tmp_path, scored, 'measure = "token_f1"', "at_least = 0.1", "bound = true")
        assert (result.met, result.value) == (False, 0.5)
        assert "the questions are too few, or too alike, for an interval" in result.reason
        assert check(tmp_path, scored, 'measure = "token_f1"', "at_least = 0.1").met


def test_a_difference_without_an_interval_does_not_meet_its_bound(tmp_path: Path) -> None:
    store(tmp_path / "old", run(15))
    asked = ('measure = "right"', 'not_worse_than = "old"', "by = 0.5")
    result = check(tmp_path, run(15)[:1], *asked, "bound = true")
    assert not result.met
    assert "too few, or too alike, for an interval" in result.reason
    assert check(tmp_path, run(15)[:1], *asked).met


def test_a_slice_is_judged_by_its_own_questions(tmp_path: Path) -> None:
    result = check(tmp_path, run(1), 'measure = "right"', "at_least = 0.06", 'slice = {language = "it"}')
    assert (result.met, result.n) == (True, 15)
    assert result.reason == "right in language it is 6.7 % (n 15), at least 6 % is asked for"
    assert not check(tmp_path, run(1), 'measure = "right"', "at_least = 0.06", 'slice = {language = "en"}').met


def test_what_was_not_measured_is_not_met(tmp_path: Path) -> None:
    for lines in (
        ('measure = "judge"', "at_least = 0.0"),
        ('measure = "right"', "at_least = 0.0", 'slice = {language = "de"}'),
        ('measure = "right"', "at_most = 1.0", 'slice = {kind = "none"}'),
        ('cost = "prompt_tokens"', "at_most = 9000"),
        ('cost = "memory_mb"', "at_most = 9000"),
    ):
        result = check(tmp_path, run(30), *lines)
        assert (result.met, result.value, result.n) == (False, None, 0)
        assert "was not measured" in result.reason


def test_a_slice_that_shrinks_is_not_met(tmp_path: Path) -> None:
    asked = ('measure = "right"', "at_least = 0.5", 'slice = {language = "it"}')
    assert check(tmp_path, run(30), *asked, "least_n = 15").met
    few = check(tmp_path, run(30), *asked, "least_n = 16")
    assert not few.met
    assert few.reason.endswith("on 16 questions or more, and there are 15")


def test_least_n_counts_questions_not_quotes(tmp_path: Path) -> None:
    result = check(tmp_path, run(30), 'measure = "quotes_verbatim"', "at_least = 0.9", "least_n = 31")
    assert (result.met, result.n) == (False, 60)


def test_a_figure_of_the_whole_set_can_be_asked_for(tmp_path: Path) -> None:
    result = check(tmp_path, run(30), 'measure = "aurc"', "at_most = 0.25", "least_n = 30")
    assert (result.met, result.reason) == (True, "aurc is 0.200 (n 30), at most 0.25 is asked for")


def test_costs_by_median_or_95th_percentile(tmp_path: Path) -> None:
    assert check(tmp_path, run(30), 'cost = "total_s"', "at_most = 3").met
    slow = check(tmp_path, run(30), 'cost = "total_s"', 'statistic = "p95"', "at_most = 5.5")
    assert (slow.met, slow.value) == (False, 6.0)
    assert slow.reason == "p95 of total_s is 6 (n 40), at most 5.5 is asked for"


def test_a_loss_against_a_run_may_be_allowed(tmp_path: Path) -> None:
    store(tmp_path / "old", run(15))
    asked = ('measure = "right"', 'not_worse_than = "old"')
    lost = check(tmp_path, run(12), *asked)
    assert not lost.met
    assert lost.reason == "right is 40.0 % against 50.0 % in old (n 30), -10.0, nothing worse is allowed"
    assert check(tmp_path, run(12), *asked, "by = 0.1").met
    assert check(tmp_path, run(15), *asked).met
    assert check(tmp_path, run(16), *asked).met


def test_more_of_what_should_be_low_is_a_loss(tmp_path: Path) -> None:
    store(tmp_path / "old", run(15, needless=3))
    asked = ('measure = "needless_refusals"', 'not_worse_than = "old"', "by = 0.05")
    assert check(tmp_path, run(15, needless=4), *asked).met
    worse = check(tmp_path, run(15, needless=5), *asked)
    assert not worse.met
    assert worse.requirement == "needless_refusals not worse than old by more than 5 points"


def test_with_bound_the_interval_of_the_difference_must_stay_within(tmp_path: Path) -> None:
    store(tmp_path / "old", run(15))
    asked = ('measure = "right"', 'not_worse_than = "old"', "bound = true")
    # 3 of 30 lost: -10 points, with a standard error of sqrt(0.1 * 0.9 / 30) = 5.5 points.
    assert not check(tmp_path, run(12), *asked, "by = 0.15").met
    assert check(tmp_path, run(12), *asked, "by = 0.3").met
    store(tmp_path / "refusing", run(15, needless=2))
    fewer = ('measure = "needless_refusals"', 'not_worse_than = "refusing"', "bound = true")
    assert check(tmp_path, run(15, needless=0), *fewer).met
    assert not check(tmp_path, run(15, needless=5), *fewer, "by = 0.15").met


def test_a_run_that_only_repeats_its_baseline_meets_it(tmp_path: Path) -> None:
    store(tmp_path / "old", run(15))
    assert check(tmp_path, run(15), 'measure = "right"', 'not_worse_than = "old"', "bound = true").met


def test_a_baseline_may_be_compared_in_a_slice(tmp_path: Path) -> None:
    store(tmp_path / "old", run(2))  # one right in each language
    asked = ('measure = "right"', 'not_worse_than = "old"')
    assert check(tmp_path, run(1), *asked, 'slice = {language = "it"}').met
    english = check(tmp_path, run(1), *asked, 'slice = {language = "en"}')
    assert (english.met, english.n) == (False, 15)
    assert not check(tmp_path, run(2), *asked, "least_n = 31").met


def test_questions_that_only_one_run_has_are_counted(tmp_path: Path) -> None:
    store(tmp_path / "old", run(15)[2:])
    asked = ('measure = "right"', 'not_worse_than = "old"')
    result = check(tmp_path, run(15)[:5], *asked)
    assert (result.met, result.n) == (True, 3)
    assert result.reason.endswith("; 25 only in old and left out; 2 only in this run and left out")
    italian = check(tmp_path, run(15)[:5], *asked, 'slice = {language = "it"}')
    assert italian.reason.endswith("; 12 only in old and left out; 1 only in this run and left out")
    # Unanswerable questions do not bear on "right", answerable ones not on refusals.
    refused = check(tmp_path, run(15)[2:31], 'measure = "refused_unanswerable"', 'not_worse_than = "old"')
    assert refused.reason.endswith("is allowed; 9 only in old and left out")
    assert "left out" not in check(tmp_path, run(15)[2:], *asked).reason


def test_pairs_corrected_since_are_counted(tmp_path: Path) -> None:
    store(tmp_path / "old", run(15))
    corrected = [replace(q, gold=replace(q.gold, answers=("y",))) if q.gold.id in ("a1", "a2") else q for q in run(15)]
    result = check(tmp_path, corrected, 'measure = "right"', 'not_worse_than = "old"')
    assert result.met
    assert result.reason.endswith("; 2 held against another gold pair than before")


@pytest.mark.parametrize(
    ("measure", "model"),
    [
        ("similarity", "similarity"),
        ("citation_recall", "checker"),
        ("citation_precision", "checker"),
        ("judge", "judge"),
    ],
)
def test_a_measure_of_another_model_is_not_compared(tmp_path: Path, measure: str, model: str) -> None:
    scored = [replace(question, parts={measure: (0.5, 1), "right": (1, 1)}) for question in run(15)]
    store(tmp_path / "old", scored, {"measured_with": {model: "one 1a", "other": "x"}})

    def result(name: str, now: object) -> Result:
        path = write_gate(tmp_path, require(f'measure = "{name}"', 'not_worse_than = "old"'))
        figures = replace(scores(scored), settings={"measured_with": now})
        return check_gate(read_gate(path), figures, scored).results[0]

    assert result(measure, {model: "one 1a"}).met
    other = result(measure, {model: "two 2b"})
    assert (other.met, other.value, other.n) == (False, 0.5, 40)
    assert "old was measured with another" in other.reason
    assert not result(measure, {}).met
    assert not result(measure, "damaged").met
    assert result("right", {model: "two 2b"}).met


def rare_documents() -> list[Scored]:
    """Return 122 questions on 61 documents, of which 50 have a slice: d60 is right once, the rest always."""
    golds = [Gold(f"q{n}", "Why?", ("x",), (f"d{n // 2:02}",), True) for n in range(122)]
    return [Scored(gold, Row(gold.id), {"right": (gold.id != "q121", 1)}) for gold in golds]


def test_a_document_without_a_slice_in_the_scores_is_measured(tmp_path: Path) -> None:
    scored = rare_documents()
    assert "d60" not in summarise(scored).slices["document"]

    def result(*lines: str) -> Result:
        path = write_gate(tmp_path, require('measure = "right"', *lines))
        return check_gate(read_gate(path), summarise(scored), scored).results[0]

    rare = result("at_least = 0.6", 'slice = {document = "d60"}', "least_n = 2")
    assert (rare.met, rare.value, rare.n) == (False, 0.5, 2)
    assert result("at_least = 0.6", 'slice = {document = "d59"}').met
    assert result("at_least = 0.6", f'slice = {{document = "{OTHER_DOCUMENTS}"}}', "least_n = 22").met
    few = result("at_least = 0.6", f'slice = {{document = "{OTHER_DOCUMENTS}"}}', "least_n = 23")
    assert few.reason.endswith("on 23 questions or more, and there are 22")


def test_a_baseline_of_other_questions_is_not_met(tmp_path: Path) -> None:
    other = Gold("other", "Why?", ("x",), (), True)
    store(tmp_path / "old", [Scored(other, Row("other"), {"right": (1, 1)})])
    result = check(tmp_path, run(30), 'measure = "right"', 'not_worse_than = "old"')
    assert not result.met
    assert "share no question" in result.reason


def test_a_measure_that_the_baseline_lacks_is_not_met(tmp_path: Path) -> None:
    store(tmp_path / "old", [Scored(gold, Row(gold.id), {}) for gold in GOLDS])
    result = check(tmp_path, run(30), 'measure = "right"', 'not_worse_than = "old"')
    assert (result.met, result.reason) == (
        False,
        "right was not measured in both this run and old, not worse than old is asked for",
    )


def test_a_verdict_is_met_when_all_is(tmp_path: Path) -> None:
    text = require('measure = "right"', "at_least = 0.5") + require('measure = "hit@5"', "at_least = 0.9")
    gate = read_gate(write_gate(tmp_path, text))
    good, bad = (check_gate(gate, scores(scored), scored) for scored in (run(30), run(3)))
    assert (good.met, [result.met for result in good.results]) == (True, [True, True])
    assert (bad.met, [result.met for result in bad.results]) == (False, [False, True])
    assert Verdict(()).met


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    said = fault(
        tmp_path,
        require('measure = "rigth"', "at_least = 0.4")
        + require('measure = "right"', "at_least = 45", "atmost = 0.5")
        + require('measure = "right"', "at_least = true")
        + require('measure = "right"', 'not_worse_than = "nowhere"')
        + require('cost = "time"', "at_most = 3"),
    )
    assert "[[require]] 1: 'rigth' is no measure: did you mean right?" in said
    assert "[[require]] 2: unknown key 'atmost': did you mean at_most?, at_least = 45 is no share" in said
    assert "[[require]] 3, at_least" in said
    assert "not_worse_than 'nowhere'" in said
    assert "[[require]] 5: 'time' is no cost" in said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["at_least = 0.4"], "name either a measure or a cost"),
        (['measure = "right"', 'cost = "total_s"', "at_most = 0.4"], "name either a measure or a cost"),
        (['measure = "right"'], "ask for one of at_least, at_most and not_worse_than"),
        (['measure = "right"', "at_least = 0.1", "at_most = 0.2"], "ask for one of"),
        (['measure = "right"', "at_least = 0.1", "by = 0.2"], "give not_worse_than too"),
        (['measure = "right"', "at_least = nan"], "finite"),
        (['measure = "right"', "at_least = -0.1"], "no share"),
        (['measure = "right"', 'at_least = "0.1"'], "at_least"),
        (['measure = "right"', "at_least = 0.1", "bound = 1"], "bound"),
        (['measure = "right"', "at_least = 0.1", "least_n = 0"], "least_n"),
        (['measure = "right"', "at_least = 0.1", 'slice = {lang = "it"}'], "slice, lang"),
        (['measure = "right"', "at_least = 0.1", "slice = {}"], "slice takes one label"),
        (['measure = "right"', "at_least = 0.1", 'slice = {kind = "a", language = "it"}'], "slice takes one label"),
        (['measure = "right"', "at_least = 0.1", 'statistic = "p95"'], "statistic belongs to a cost"),
        (['measure = "aurc"', "at_most = 0.1", 'slice = {kind = "a"}'], "whole set"),
        (['cost = "total_s"', "at_least = 3"], "a cost needs at_most, a cost has no at_least"),
        (['cost = "total_s"', "at_most = 3", "bound = true"], "a cost has no bound"),
        (['cost = "total_s"', "at_most = 3", 'statistic = "mean"'], "statistic"),
    ],
)
def test_a_requirement_that_cannot_be_checked(tmp_path: Path, lines: list[str], said: str) -> None:
    assert said in fault(tmp_path, require(*lines))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[require", "is not TOML"),
        ("", "asks for nothing"),
        ("require = []", "asks for nothing"),
        ('[require]\nmeasure = "right"', "write [[require]]"),
        ('[[requires]]\nmeasure = "right"', "unknown key 'requires'"),
        ("require = [1]", "[[require]] 1"),
    ],
)
def test_a_file_that_holds_no_gate(tmp_path: Path, text: str, said: str) -> None:
    assert said in fault(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadGate, match="cannot be read"):
        read_gate(tmp_path / "none.toml")
    (tmp_path / "gate.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadGate, match="is not TOML"):
        read_gate(tmp_path / "gate.toml")


RIGHT = require('measure = "right"', "at_least = 0.4")
ANSWERED = require('measure = "needless_refusals"', "at_most = 0.2")
REFUSED = require('measure = "refused_unanswerable"', "at_least = 0.6")
FOUND = require('measure = "hit@5"', "at_least = 0.8", "bound = true", "least_n = 20")
CHEAP = require('cost = "total_s"', "at_most = 10")


SURE = require('measure = "aurc"', "at_most = 0.3")
CALIBRATED = require('measure = "calibration_error"', "at_most = 0.05")


@pytest.mark.parametrize(
    ("text", "through"),
    [
        (RIGHT, "answers"),
        (ANSWERED, "answers, wrongly"),
        (REFUSED, "refuses, wrongly"),
        (FOUND + CHEAP, "answers, refuses, wrongly"),
        (RIGHT + FOUND + CHEAP, "answers"),
        (REFUSED + FOUND, "refuses, wrongly"),
        (RIGHT + REFUSED, ""),
        (ANSWERED + REFUSED + FOUND + CHEAP, "wrongly"),
        (require('measure = "refused_unanswerable"', "at_least = 0.0"), "answers, refuses, wrongly"),
        (require('measure = "right"', "at_least = 0.0") + REFUSED, "refuses, wrongly"),
        (require('measure = "answers_cited"', "at_least = 0.9"), "answers, wrongly"),
        (require('measure = "token_f1"', "at_least = 0.1") + REFUSED, ""),
        (require('measure = "judge"', "at_least = 0.1") + REFUSED, ""),
        (require('measure = "citation_recall"', "at_least = 0.9") + REFUSED, "wrongly"),
        (require('measure = "right"', "at_least = 0.4", 'slice = {language = "it"}'), "answers"),
        (require('measure = "right"', "at_least = 0.4", 'slice = {language = "de"}'), ""),  # nobody passes
        # Of 40 questions 10 are unanswerable: who answers all with one confidence is wrong in a quarter.
        (SURE, "answers"),
        (require('measure = "aurc"', "at_most = 0.24"), ""),
        (CALIBRATED, "answers, wrongly"),  # sure of each answer as often as it is right
        # An answer to what is unanswerable has its citations too.
        (require('measure = "answers_cited"', "at_least = 0.9", "least_n = 40"), "answers"),
        (require('measure = "answers_cited"', "at_least = 0.9", "least_n = 30"), "answers, wrongly"),
        (require('measure = "cited_relevant"', "at_least = 0.9", "least_n = 31"), ""),  # none is relevant there
    ],
)
def test_gates_that_let_a_worthless_system_through(tmp_path: Path, text: str, through: str) -> None:
    warnings = gate_warnings(read_gate(write_gate(tmp_path, text)), GOLDS)
    expected = {
        "answers": "A system that always answers would pass this gate: add a requirement on refused_unanswerable.",
        "refuses": "A system that always refuses would pass this gate: "
        "add a requirement on right or needless_refusals.",
        "wrongly": "A system that answers everything answerable wrongly would pass this gate: "
        "add a requirement on right.",
    }
    assert warnings == [expected[one] for one in through.split(", ") if one]


def test_a_run_of_retrieval_alone_is_not_warned_of(tmp_path: Path) -> None:
    gate = read_gate(write_gate(tmp_path, FOUND))
    assert gate_warnings(gate, GOLDS)
    assert gate_warnings(gate, GOLDS, retrieval_only=True) == []


def test_a_worthless_system_is_held_against_a_baseline_whatever_that_was_measured_with(tmp_path: Path) -> None:
    refusals = [replace(question, parts={"citation_recall": (0.5, 1)}) for question in run(15)]
    store(tmp_path / "old", refusals, {"measured_with": {"checker": "one"}})
    gate = read_gate(write_gate(tmp_path, require('measure = "citation_recall"', 'not_worse_than = "old"')))
    assert len(gate_warnings(gate, GOLDS)) == 2


def test_a_baseline_that_itself_always_answers_keeps_no_one_out(tmp_path: Path) -> None:
    store(tmp_path / "answers", run(15, refused=0))
    store(tmp_path / "refuses", run(15, refused=10))
    asked = {
        name: require('measure = "refused_unanswerable"', f'not_worse_than = "{name}"')
        for name in ("answers", "refuses")
    }
    said = {name: gate_warnings(read_gate(write_gate(tmp_path, text)), GOLDS) for name, text in asked.items()}
    assert any("always answers" in one for one in said["answers"])
    assert not any("always answers" in one for one in said["refuses"])


def test_gold_without_unanswerable_questions_is_warned_of(tmp_path: Path) -> None:
    (warning,) = gate_warnings(read_gate(write_gate(tmp_path, RIGHT)), GOLDS[:30])
    assert "no unanswerable question" in warning
    assert "refused_unanswerable" in warning


def test_a_limit_on_what_should_be_high_is_warned_of(tmp_path: Path) -> None:
    text = RIGHT + REFUSED + require('measure = "hit@5"', "at_most = 1.0")
    (warning,) = gate_warnings(read_gate(write_gate(tmp_path, text)), GOLDS)
    assert warning == "hit@5 is better when higher, yet the gate limits that: write at_least."
