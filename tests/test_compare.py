"""Two runs against each other: worked out by hand, and on planted and on absent differences."""

import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import pytest
from rich.console import Console

from eval.compare import (
    ALPHA,
    FEWEST,
    Comparison,
    Difference,
    Unlike,
    compare,
    paired_difference,
    settings_that_differ,
    unlike,
)
from eval.data import Gold, Row
from eval.measures.registry import MEASURES
from eval.report import compare_table, comparison_json
from eval.results import Parts, Scored, Stored
from index.errors import BadRun


def asked(
    id: str,
    parts: Parts | None = None,
    *,
    question: str = "",
    answer: str = "",
    relevant: tuple[str, ...] = (),
    answerable: bool = True,
    language: str = "",
    kind: str = "",
) -> Scored:
    gold = Gold(id, question or f"What is {id}?", ("x",), relevant, answerable, language, kind)
    return Scored(gold, Row(id, answer), parts or {})


def run(name: str, values: Sequence[float]) -> list[Scored]:
    return [asked(f"q{place}", {name: (value, 1)}) for place, value in enumerate(values)]


def found(a: Sequence[Scored], b: Sequence[Scored], name: str = "right") -> Difference:
    difference = compare(a, b).difference(name)
    assert difference is not None
    return difference


def planted(seed: int, *, questions: int, wins: int, losses: int) -> tuple[list[Scored], list[Scored]]:
    """Return two runs, a random half right, in which B wins and loses as many questions as asked for."""
    draw = random.Random(seed)
    before = [float(draw.random() < 0.5) for _ in range(questions)]
    wrong = [place for place, value in enumerate(before) if not value]
    right = [place for place, value in enumerate(before) if value]
    changed = {*draw.sample(wrong, wins), *draw.sample(right, losses)}
    after = [1 - value if place in changed else value for place, value in enumerate(before)]
    return run("right", before), run("right", after)


DOZEN = [name for name, measure in MEASURES.items() if not measure.of_set][:12]


def equal_systems(seed: int) -> tuple[list[Scored], list[Scored]]:
    """Return two runs of a dozen measures in which a tenth of the questions is turned over, either way alike."""
    draw = random.Random(seed)

    def values() -> tuple[Parts, Parts]:
        before = {name: float(draw.random() < 0.5) for name in DOZEN}
        after = {name: 1 - value if draw.random() < 0.1 else value for name, value in before.items()}
        return tuple({name: (value, 1) for name, value in side.items()} for side in (before, after))  # type: ignore[return-value]

    both = [(f"q{place}", ("it", "en")[place % 2], values()) for place in range(200)]
    a, b = ([asked(id, sides[side], language=language) for id, language, sides in both] for side in (0, 1))
    return a, b


def printed(comparison: Comparison, settings: Mapping[str, tuple[object, object]] | None = None) -> str:
    file = io.StringIO()
    Console(file=file, width=120).print(compare_table(comparison, "old", settings))
    return file.getvalue()


def line_of(text: str, label: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(label)).split()


def test_values_difference_wins_and_losses_by_hand() -> None:
    difference = found(run("right", [1, 0, 0, 0, 1]), run("right", [1, 1, 1, 0, 0]))
    assert (difference.a, difference.b, difference.difference) == (0.4, 0.6, 0.2)
    assert (difference.n, difference.wins, difference.losses, difference.ties) == (5, 2, 1, 2)
    # Three questions differ. Of the 8 ways to swap them none brings less than one answer more: p is 1.
    assert difference.p == 1.0


def test_where_lower_is_better_a_rise_is_a_loss() -> None:
    difference = found(run("needless_refusals", [0, 0, 1]), run("needless_refusals", [1, 1, 0]), "needless_refusals")
    assert difference.difference == pytest.approx(1 / 3, abs=1e-6)
    assert (difference.wins, difference.losses) == (1, 2)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 1 / 16), (10, 0, 1 / 512), (12, 2, 2 * (1 + 14 + 91) / 2**14), (4, 4, 1.0)],
)
def test_right_or_wrong_has_the_p_value_of_a_fair_coin(wins: int, losses: int, p: float) -> None:
    a, b = planted(1, questions=60, wins=wins, losses=losses)
    assert found(a, b).p == pytest.approx(p)
    assert found(b, a).p == pytest.approx(p)


def test_p_value_of_a_mean_tries_every_swap_of_few_questions() -> None:
    before, after = [0.1, 0.5, 0.2, 0.9, 0.4], [0.4, 0.7, 0.1, 0.9, 0.9]
    # Gains of 0.3, 0.2, -0.1 and 0.5, 0.9 in all: of their 16 signs, 1.1 and 0.9 of either sign reach it.
    assert found(run("token_f1", before), run("token_f1", after), "token_f1").p == 4 / 16


def test_p_value_of_many_swaps_comes_near_the_normal_approximation_and_never_is_zero() -> None:
    draw = random.Random(7)
    before = [draw.random() for _ in range(100)]
    noise = [draw.gauss(0.05, 0.2) for _ in before]
    after = [value + step for value, step in zip(before, noise, strict=True)]
    difference = found(run("token_f1", before), run("token_f1", after), "token_f1")
    z = sum(noise) / sum(step**2 for step in noise) ** 0.5
    assert difference.p == pytest.approx(_two_sided(z), abs=0.01)
    sure = found(run("token_f1", before), run("token_f1", [value + 0.5 + value / 9 for value in before]), "token_f1")
    assert sure.p == 1 / 10_000


def _two_sided(z: float) -> float:
    return 2 * (1 - NormalDist().cdf(abs(z)))


def test_interval_is_that_of_paired_questions() -> None:
    a, b = planted(3, questions=200, wins=30, losses=10)
    difference = found(a, b)
    # Standard error of the mean of 30 gains and 10 losses in 200: sqrt((40/200 - 0.1^2) / 200) = 0.0308.
    assert difference.low == pytest.approx(0.1 - 1.96 * 0.0308, abs=0.015)
    assert difference.high == pytest.approx(0.1 + 1.96 * 0.0308, abs=0.015)


def test_none_of_forty_differing_is_not_proof_of_no_difference() -> None:
    values = [1.0, 0.0] * 20
    difference = found(run("right", values), run("right", values))
    bound = round(1 - 0.025 ** (1 / 40), 6)
    assert (difference.low, difference.high, difference.p) == (-bound, bound, 1.0)
    every = found(run("right", [0] * 40), run("right", [1] * 40))
    assert (every.difference, every.high) == (1.0, 1.0)
    assert every.low == pytest.approx(1 - bound)


def test_a_single_question_has_no_interval() -> None:
    for before, after in ((0, 1), (1, 1), (0.2, 0.7)):
        difference = found(run("token_f1", [before]), run("token_f1", [after]), "token_f1")
        assert (difference.low, difference.high) == (None, None)


def test_questions_that_all_gain_the_same_have_no_interval_but_two_gains_have_one() -> None:
    before = [0.1, 0.2, 0.3, 0.4]
    same = found(run("token_f1", before), run("token_f1", [value + 0.1 for value in before]), "token_f1")
    assert (same.difference, same.low, same.high) == (0.1, None, None)
    apart = found(run("token_f1", before), run("token_f1", [0.2, 0.3, 0.4, 0.6]), "token_f1")
    assert (apart.low, apart.high) == (0.1, 0.175)  # of 0.1 three times and 0.2: 2.5 % of resamples hold 0.2 thrice
    comparison = compare(run("token_f1", before), run("token_f1", [value + 0.1 for value in before]))
    assert line_of(printed(comparison), "token F1")[2:6] == ["0.250", "0.350", "+0.100", "-"]
    measures: Any = comparison_json(comparison)["measures"]
    assert (measures["token_f1"]["low"], measures["token_f1"]["high"]) == (None, None)


def test_questions_that_runs_do_not_share_are_counted_by_measure_and_slice() -> None:
    a = [asked(f"q{n}", {"right": (1, 1)}, language=("it", "en")[n % 2]) for n in range(5)]
    b = [*a[3:], asked("new", {"right": (1, 1)}, language="en"), asked("other", {"mrr": (1, 1)}, language="en")]
    assert unlike(a, b, "right") == Unlike(only_a=3, only_b=1, regraded=0)
    assert unlike(a, b, "right", ("language", "it")) == Unlike(only_a=2, only_b=0, regraded=0)
    b[0] = replace(b[0], gold=replace(b[0].gold, answers=("y",), language="it"))  # q3 was English before
    for language in ("it", "en"):
        assert unlike(a, b, "right", ("language", language)).regraded == 1


def test_quotes_weigh_by_their_number_and_move_with_their_question() -> None:
    a = [asked("q1", {"quotes_verbatim": (1, 4)}), asked("q2", {"quotes_verbatim": (1, 1)}), asked("q3")]
    b = [asked("q1", {"quotes_verbatim": (2, 2)}), asked("q2"), asked("q3", {"quotes_verbatim": (0, 1)})]
    difference = found(a, b, "quotes_verbatim")
    assert (difference.a, difference.b) == (0.4, round(2 / 3, 6))
    assert (difference.n, difference.wins, difference.losses, difference.ties) == (3, 1, 0, 2)
    # |B - A| of the 8 swaps: none or all 4/15; q1 (A 3/3, B 1/5) 4/5; q2 (A 1/4, B 3/4) 1/2; q3 (A 2/6, B 2/2) 2/3,
    # each twice. All reach 4/15.
    assert difference.p == 1.0
    assert difference.low is not None
    assert difference.high is not None
    assert difference.low <= difference.difference <= difference.high


def test_a_swap_that_leaves_one_run_unmeasured_counts_against_a_finding() -> None:
    a = [asked("q1", {"answers_cited": (0, 1)}), asked("q2")]
    b = [asked("q1"), asked("q2", {"answers_cited": (1, 1)})]
    assert found(a, b, "answers_cited").p == 1.0


def test_questions_in_one_run_only_are_listed() -> None:
    a, b = run("right", [1, 1, 0, 1])[:3], run("right", [1, 1, 0, 1])[1:]
    comparison = compare(a, b)
    assert (comparison.shared, comparison.only_a, comparison.only_b) == (2, ("q0",), ("q3",))
    assert found(a, b).n == 2
    assert "1 only in old, left out: q0" in printed(comparison)


def test_runs_without_a_shared_question_cannot_be_compared() -> None:
    with pytest.raises(BadRun, match="share no question"):
        compare(run("right", [1])[:1], [asked("other", {"right": (1, 1)})])


def test_the_same_id_with_another_question_cannot_be_compared() -> None:
    with pytest.raises(BadRun, match="q0"):
        compare([asked("q0", question="Who?")], [asked("q0", question="When?")])


def test_pairs_with_other_accepted_answers_are_compared_and_listed() -> None:
    ours = asked("q0", {"right": (1, 1)})
    theirs = Scored(Gold("q0", ours.gold.question, ("y",), (), True), Row("q0"), {"right": (0, 1)})
    comparison = compare([ours], [theirs])
    assert comparison.regraded == ("q0",)
    assert "held against other gold pairs than before: q0" in printed(comparison)


def test_measures_stand_in_the_order_of_the_registry_where_both_runs_have_them() -> None:
    a = [asked("q0", {"mrr": (1, 1), "judge": (1, 1), "aurc": (0.5, 1), "token_f1": (1, 1)})]
    b = [asked("q0", {"token_f1": (0, 1), "mrr": (1, 1), "aurc": (0.4, 1), "hit@5": (1, 1)})]
    assert [difference.measure for difference in compare(a, b).measures] == ["token_f1", "mrr"]


def test_the_order_of_the_questions_and_of_the_second_run_does_not_matter() -> None:
    a, b = planted(5, questions=50, wins=8, losses=3)
    assert compare(a, b).measures == compare(a, b[::-1]).measures
    assert compare(a, b) == compare(a, b)


@pytest.mark.parametrize(("wins", "losses"), [(10, 0), (11, 1), (12, 2)])
def test_five_points_on_two_hundred_questions_are_found(wins: int, losses: int) -> None:
    trials = [found(*planted(seed, questions=200, wins=wins, losses=losses)) for seed in range(20)]
    assert all(difference.significant for difference in trials)
    assert {difference.difference for difference in trials} == {0.05}


def test_as_many_answers_turned_over_either_way_alike_are_no_difference() -> None:
    draw = random.Random(1)
    differing = [draw.randint(10, 14) for _ in range(20)]
    wins = [sum(draw.random() < 0.5 for _ in range(count)) for count in differing]
    both = zip(range(20), differing, wins, strict=True)
    trials = [found(*planted(seed, questions=200, wins=own, losses=count - own)) for seed, count, own in both]
    assert not [difference for difference in trials if difference.significant]


def test_few_comparisons_of_equal_systems_find_anything_in_a_dozen_measures_and_their_slices() -> None:
    comparisons = [everything(compare(*equal_systems(seed))) for seed in range(20)]
    assert sum(any(own.significant for own in every) for every in comparisons) <= 1
    assert sum(any(own.p < 0.05 for own in every) for every in comparisons) >= 8  # without a correction


def everything(comparison: Comparison) -> list[Difference]:
    return [*comparison.measures, *(own for slice in comparison.slices for own in slice.differences)]


def test_a_gain_that_moves_many_measures_is_significant_in_each() -> None:
    a, b = planted(4, questions=200, wins=10, losses=0)
    names = ("right", "exact_match", "hit@1", "hit@3", "hit@5")
    wide = [[asked(q.gold.id, dict.fromkeys(names, q.parts["right"])) for q in side] for side in (a, b)]
    assert [own.significant for own in compare(*wide).measures] == [True] * 5


def test_a_measure_that_is_not_the_first_is_held_to_more() -> None:
    a, b = planted(4, questions=200, wins=12, losses=2)
    others = ("exact_match", "hit@1", "hit@3", "hit@5")
    still = dict.fromkeys(("right", *others), (0.0, 1))
    wide = [[asked(q.gold.id, still | {"hit@1": q.parts["right"]}) for q in side] for side in (a, b)]
    difference = found(wide[0], wide[1], "hit@1")
    assert difference.p < ALPHA
    assert not difference.significant
    assert difference.hint


def test_alpha_is_the_callers_choice() -> None:
    a, b = planted(4, questions=200, wins=13, losses=3)
    assert [own.significant for own in compare(a, b).measures] == [False]
    assert [own.significant for own in compare(a, b, alpha=0.05).measures] == [True]


def test_changed_questions_are_listed_losses_first_with_both_answers() -> None:
    a = [asked("q0", {"right": (0, 1)}, answer="no"), asked("q1", {"right": (1, 1)}, answer="yes")]
    b = [asked("q0", {"right": (1, 1)}, answer="Yes"), asked("q1", {"right": (0, 1)}, answer="No")]
    same = asked("q2", {"right": (1, 1)})
    changes = compare([*a, same], [*b, same]).questions
    assert [(change.gold.id, change.a, change.b) for change in changes] == [("q1", 1, 0), ("q0", 0, 1)]
    assert [(change.row_a.answer, change.row_b.answer) for change in changes] == [("yes", "No"), ("no", "Yes")]


@pytest.mark.parametrize(
    ("names", "primary"),
    [
        (("token_f1", "right"), "right"),
        (("mrr", "hit@5"), "hit@5"),
        (("mrr", "needless_refusals"), "needless_refusals"),
    ],
)
def test_primary_measure_is_right_else_hit_at_five_else_the_first(names: tuple[str, ...], primary: str) -> None:
    questions = [asked("q0", dict.fromkeys(names, (1.0, 1)))]
    assert compare(questions, questions).primary == primary


def test_runs_without_a_shared_measure_still_compare() -> None:
    comparison = compare(run("mrr", [1]), run("right", [1]))
    assert (comparison.primary, comparison.measures, comparison.questions) == (None, (), ())
    assert [slice.n for slice in comparison.slices] == [1]


def sliced() -> list[Scored]:
    documents = [("common", "rare")] + [("common",)] * 6 + [("also rare",)]
    parts = {"right": (1.0, 1), "mrr": (1.0, 1)}
    right = [
        asked(f"q{place}", parts, relevant=own, language=("it", "en")[place % 2], kind="fact")
        for place, own in enumerate(documents)
    ]
    return [*right, asked("q8", {"refused_unanswerable": (1, 1)}, answerable=False, language="it", kind="none")]


def test_every_slice_is_there_with_its_n_documents_by_size() -> None:
    slices = compare(sliced(), sliced()).slices
    assert [(slice.by, slice.label, slice.n) for slice in slices] == [
        ("language", "en", 4),
        ("language", "it", 5),
        ("kind", "fact", 8),
        ("kind", "none", 1),
        ("answerability", "answerable", 8),
        ("answerability", "unanswerable", 1),
        ("document", "common", 7),
        ("document", "also rare", 1),
        ("document", "rare", 1),
    ]
    measures = {slice.label: [own.measure for own in slice.differences] for slice in slices}
    assert measures["it"] == ["right", "refused_unanswerable"]
    assert measures["unanswerable"] == ["refused_unanswerable"]


def test_a_slice_compares_its_own_questions_alone() -> None:
    a, b = sliced(), sliced()
    b[0] = asked("q0", {"right": (0, 1)}, relevant=("common", "rare"), language="it", kind="fact")
    right = {slice.label: slice.differences[0] for slice in compare(a, b).slices if slice.differences}
    assert (right["it"].difference, right["en"].difference) == (-0.25, 0.0)
    assert right["common"].difference == pytest.approx(-1 / 7, abs=1e-6)
    assert (right["common"].losses, right["also rare"].losses) == (1, 0)


def test_a_slice_of_few_questions_is_never_significant() -> None:
    few = FEWEST - 1
    a = [asked(f"q{place}", {"right": (0, 1)}, language="it") for place in range(few)]
    b = [asked(f"q{place}", {"right": (1, 1)}, language="it") for place in range(few)]
    slices = compare(a, b, alpha=0.5).slices
    assert not any(own.significant for slice in slices for own in slice.differences)


def test_one_measure_alone_may_be_compared_in_a_slice() -> None:
    a, b = sliced(), sliced()
    b[1] = asked("q1", {"right": (0, 1)}, language="en")
    in_english = paired_difference(a, b, "right", ("language", "en"))
    assert in_english is not None
    assert (in_english.n, in_english.difference) == (4, -0.25)
    assert paired_difference(a, b, "right", ("language", "de")) is None
    assert paired_difference(a, b, "judge") is None


def test_settings_that_differ_are_named_with_both_values() -> None:
    a, b = Stored("a", {"model": "small", "k": 5, "seed": 1}), Stored("b", {"model": "large", "k": 5})
    assert settings_that_differ(a, b) == {"model": ("small", "large"), "seed": (1, None)}
    assert "model" in printed(compare(sliced(), sliced()), settings_that_differ(a, b))


def test_table_shows_difference_interval_p_n_and_questions_won_and_lost() -> None:
    text = printed(compare(*planted(1, questions=200, wins=10, losses=0)))
    cells = line_of(text, "right (holds an accepted answer)")
    assert (cells[6], cells[8], cells[9]) == ("%", "%", "+5.0")
    assert cells[-5:-4] == ["0.002"]
    assert cells[-4:] == ["*", "200", "10", "0"]
    assert line_of(text, "answerable: right")[-4:] == ["*", "200", "10", "0"]
    assert "Before is old; 200 questions are in both runs." in text


def test_table_shows_n_alone_in_small_slices() -> None:
    text = printed(compare(sliced(), sliced()))
    assert line_of(text, "unanswerable: refused") == ["unanswerable:", "refused", "unanswerable", "1"]
    assert line_of(text, "rare: right") == ["rare:", "right", "1"]
    assert line_of(text, "common: right")[-3:] == ["7", "0", "0"]


def test_table_fits_a_narrow_terminal_without_cutting_a_name() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print(compare_table(compare(*equal_systems(1)), "old"))
    assert max(map(len, file.getvalue().splitlines())) <= 80
    assert "…" not in file.getvalue()


def test_a_question_with_brackets_is_shown_as_it_is() -> None:
    a = [asked("[b]", {"right": (0, 1)}, question="What is [red]red[/red]?")]
    b = [asked("[b]", {"right": (1, 1)}, question="What is [red]red[/red]?")]
    assert line_of(printed(compare(a, b)), "[b]")[-3:] == ["What", "is", "[red]red[/red]?"]


def test_nothing_in_a_comparison_can_drive_the_terminal() -> None:
    bad = "\x1b[2J\x9b\u202e"
    a = [asked(f"q{bad}", {"right": (0, 1)}, question=bad, kind=bad)]
    b = [asked(f"q{bad}", {"right": (1, 1)}, question=bad, kind=bad), asked(f"new{bad}")]
    file = io.StringIO()
    Console(file=file, width=200).print(compare_table(compare(a, b), f"old{bad}", {f"k{bad}": (bad, [bad])}))
    assert not {"\x1b", "\x9b", "\u202e"} & set(file.getvalue())
    assert "old␛[2J" in file.getvalue()


def test_long_hashes_are_abridged_where_settings_differ() -> None:
    text = printed(compare(sliced(), sliced()), {"model": ("a" * 64, f"tiny {'b' * 64}"), "k": (None, 5)})
    assert line_of(text, "model") == ["model", "a" * 10 + "…", "tiny", "b" * 10 + "…"]
    assert line_of(text, "k") == ["k", "-", "5"]


def test_json_is_the_same_each_time_and_holds_all() -> None:
    a, b = planted(2, questions=60, wins=5, losses=1)
    text = json.dumps(comparison_json(compare(a, b)))
    assert text == json.dumps(comparison_json(compare(a, b)))
    value = json.loads(text)
    assert list(value) == ["questions", "alpha", "primary", "measures", "slices", "changed"]
    assert value["questions"] == {"shared": 60, "only_a": [], "only_b": [], "regraded": []}
    assert value["measures"]["right"]["difference"] == round(4 / 60, 6)
    assert value["slices"]["answerability"]["answerable"]["n"] == 60
    assert value["slices"]["answerability"]["answerable"]["measures"]["right"] == value["measures"]["right"] | {
        "significant": False
    }
    assert len(value["changed"]) == 6
    assert [change["b"]["value"] for change in value["changed"]] == [0, 1, 1, 1, 1, 1]
