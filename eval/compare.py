"""Two runs against each other, question by question: which differences are more than chance? Pure.

Both runs answered the same questions, so what is resampled is the question with both its answers. The interval of a
difference is a percentile bootstrap over questions; its p-value comes from a paired permutation test that swaps the two
runs within a question at random (Fisher 1935; for retrieval Smucker, Allan & Carterette 2007,
https://doi.org/10.1145/1321440.1321528): under "no difference" nobody could tell which answer is whose.

What counts as significant. Dozens of figures stand side by side, so that reading each at 5 % finds something in every
other comparison of equal systems. There are therefore three families of tests: the primary measure alone, all other
measures, all slices. Within a family p-values are corrected as Benjamini & Hochberg (1995) do, which costs little where
many measures move together, and held against ALPHA = 0.015: three times that stays below 5 %. On 200 questions the
primary measure then shows a gain of 10 answers (p 0.002), and of 12 against a loss of 2 (p 0.013), which 1 % misses.
Simulated, 3,000 comparisons of equal systems with 12 measures and 94 figures in slices: 1 in 100 finds anything, where
5 % uncorrected finds something in 24 to 57 of 100. An uncorrected p below 5 % is called a hint, no more. Where an
interval leaves out 0 and the p-value does not agree, the p-value decides: a percentile bootstrap is a little narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from eval.data import Gold, Row
from eval.measures.paired import Bounds, Floats, intervals, p_values, significant, taking_part
from eval.measures.registry import MEASURES
from eval.results import SLICES, Scored, Stored, labels
from index.errors import BadRun

ALPHA = 0.015
HINT = 0.05
SEED = 20160515
FEWEST = 6  # questions in a slice: with fewer, no two-sided test can fall below 1/16, and the table shows n alone
PRIMARY = ("right", "hit@5")  # the first that was measured
MAIN = ("right", "token_f1", "needless_refusals", "refused_unanswerable", "citation_recall", "hit@5")  # in slices

_MOST_SHOWN = 20

Pair: TypeAlias = tuple[Scored, Scored]


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure in both runs, over the questions that both were asked.

    `n` counts the questions in which either run has a part. Wins are questions where B is better; ties those where
    both have the same value or one has none.
    """

    measure: str
    a: float
    b: float
    difference: float  # b - a, whichever is better
    low: float | None  # of the 95 % interval; None where the questions are too few, or too alike, for one
    high: float | None
    p: float  # two-sided, uncorrected
    n: int
    wins: int
    losses: int
    ties: int
    significant: bool = False

    @property
    def hint(self) -> bool:
        """Tell whether the difference is worth a second look, though it may be chance."""
        return not self.significant and self.p < HINT


@dataclass(frozen=True, slots=True)
class Slice:
    """The main measures among the questions of one label; those that both runs measured."""

    by: str  # one of SLICES
    label: str
    n: int  # shared questions
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A question on which the runs differ in the primary measure."""

    gold: Gold
    a: float
    b: float
    row_a: Row
    row_b: Row


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run B against run A."""

    shared: int  # questions in both runs
    only_a: tuple[str, ...]  # ids
    only_b: tuple[str, ...]
    regraded: tuple[str, ...]  # shared ids whose pairs differ in more than the question, such as accepted answers
    alpha: float
    primary: str | None  # the measure that `questions` looks at; None where the runs share no measure
    measures: tuple[Difference, ...]  # in the order of the registry
    slices: tuple[Slice, ...]
    questions: tuple[Change, ...]  # losses first, then wins

    def difference(self, name: str) -> Difference | None:
        """Return the difference in a measure; None where not both runs measured it."""
        return next((found for found in self.measures if found.measure == name), None)


@dataclass(frozen=True, slots=True)
class Unlike:
    """How many questions two runs do not have in common."""

    only_a: int
    only_b: int
    regraded: int  # in both, but held against another gold pair


def compare(a: Sequence[Scored], b: Sequence[Scored], *, seed: int = SEED, alpha: float = ALPHA) -> Comparison:
    """Return B against A on the questions that both were asked, matched by their ids.

    Raises BadRun where they share no question, or an id stands for another question in the other run.
    """
    pairs = _pairs(a, b)
    shared = {ours.gold.id for ours, _ in pairs}
    measures = _differences(pairs, _comparable(pairs), seed)
    primary = _primary([found.measure for found in measures])
    return Comparison(
        shared=len(pairs),
        only_a=tuple(q.gold.id for q in a if q.gold.id not in shared),
        only_b=tuple(q.gold.id for q in b if q.gold.id not in shared),
        regraded=tuple(ours.gold.id for ours, theirs in pairs if ours.gold != theirs.gold),
        alpha=alpha,
        primary=primary,
        measures=_judged(measures, primary, alpha),
        slices=_judged_slices(_slices(pairs, [found.measure for found in measures], seed), alpha),
        questions=_changes(pairs, primary) if primary else (),
    )


def paired_difference(
    a: Sequence[Scored], b: Sequence[Scored], name: str, slice: tuple[str, str] | None = None, *, seed: int = SEED
) -> Difference | None:
    """Return B against A in one measure, over all shared questions or those of the slice (by, label).

    None where not both runs measured it there. Nothing is called significant: that depends on what else is compared.
    Raises BadRun as `compare` does.
    """
    pairs = [pair for pair in _pairs(a, b) if slice is None or slice in labels(pair[1])]
    return next(iter(_differences(pairs, [name], seed)), None)


def unlike(a: Sequence[Scored], b: Sequence[Scored], name: str, slice: tuple[str, str] | None = None) -> Unlike:
    """Return how many of the questions that bear on a measure, and on the slice (by, label), the runs do not share.

    Raises BadRun as `compare` does.
    """

    def concerned(question: Scored) -> bool:
        return name in question.parts and (slice is None or slice in labels(question))

    pairs = _pairs(a, b)
    shared = {ours.gold.id for ours, _ in pairs}
    only_a, only_b = (sum(concerned(q) for q in run if q.gold.id not in shared) for run in (a, b))
    return Unlike(only_a, only_b, sum(any(map(concerned, pair)) for pair in pairs if pair[0].gold != pair[1].gold))


def settings_that_differ(a: Stored, b: Stored) -> dict[str, tuple[object, object]]:
    """Return the settings in which two runs differ, by name, with both values; None stands for one not given."""
    names = sorted({*a.settings, *b.settings})
    both = {name: (a.settings.get(name), b.settings.get(name)) for name in names}
    return {name: (ours, theirs) for name, (ours, theirs) in both.items() if ours != theirs}


def _pairs(a: Sequence[Scored], b: Sequence[Scored]) -> list[Pair]:
    theirs = {question.gold.id: question for question in b}
    pairs = [(question, theirs[question.gold.id]) for question in a if question.gold.id in theirs]
    if not pairs:
        raise BadRun("The two runs share no question: compare runs over the same gold file.")
    if other := [ours.gold.id for ours, other in pairs if ours.gold.question != other.gold.question]:
        ids = listed(other, most=_MOST_SHOWN)
        raise BadRun(f"The runs ask other questions under the same id ({ids}): compare runs over the same gold file.")
    return pairs


def _comparable(pairs: Sequence[Pair]) -> list[str]:
    """Return the measures that can be paired and occur in the runs, in the order of the registry."""
    seen = {name for pair in pairs for question in pair for name in question.parts}
    return [name for name, measure in MEASURES.items() if name in seen and not measure.of_set]


def _primary(names: Sequence[str]) -> str | None:
    return next((name for name in (*PRIMARY, *names) if name in names), None)


def _changes(pairs: Sequence[Pair], primary: str) -> tuple[Change, ...]:
    changes = [
        Change(theirs.gold, before, after, ours.row, theirs.row)
        for ours, theirs in pairs
        if (before := ours.value(primary)) is not None
        and (after := theirs.value(primary)) is not None
        and before != after
    ]
    return tuple(sorted(changes, key=lambda change: _better(primary, change.a, change.b)))


def _better(name: str, a: float, b: float) -> bool:
    return (b > a) == MEASURES[name].higher_is_better


def _slices(pairs: Sequence[Pair], names: Sequence[str], seed: int) -> list[Slice]:
    """Return every slice: languages, kinds and answerability by label, documents with most questions first."""
    members: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        for slice in labels(pair[1]):
            members.setdefault(slice, []).append(pair)
    main = [name for name in MAIN if name in names] or list(names[:1])
    made = [Slice(by, label, len(own), _differences(own, main, seed)) for (by, label), own in members.items()]
    return sorted(made, key=lambda s: (SLICES.index(s.by), -s.n if s.by == "document" else 0, s.label))


def _judged(found: Sequence[Difference], primary: str | None, alpha: float) -> tuple[Difference, ...]:
    """Return the differences, each with its verdict: the primary measure by itself, the others as one family."""
    others = [own for own in found if own.measure != primary]
    verdicts = dict(zip((own.measure for own in others), significant([own.p for own in others], alpha), strict=True))
    return tuple(replace(own, significant=verdicts.get(own.measure, own.p <= alpha)) for own in found)


def _judged_slices(slices: Sequence[Slice], alpha: float) -> tuple[Slice, ...]:
    """Return the slices with their verdicts. All are one family, but for those too small to show anything."""
    tested = [own.p for slice in slices for own in slice.differences if own.n >= FEWEST]
    verdicts = iter(significant(tested, alpha))
    return tuple(
        replace(
            slice,
            differences=tuple(
                replace(own, significant=own.n >= FEWEST and next(verdicts)) for own in slice.differences
            ),
        )
        for slice in slices
    )


def _differences(pairs: Sequence[Pair], names: Sequence[str], seed: int) -> tuple[Difference, ...]:
    """Return the differences in the measures that both runs measured on these questions."""
    sides = {name: _sides(pairs, name) for name in names}
    sides = {name: own for name, own in sides.items() if own[1].any() and own[3].any()}
    every = list(sides.values())
    found = zip(sides, every, p_values(every, seed), intervals(every, seed), strict=True)
    return tuple(_difference(name, own, p, bounds) for name, own, p, bounds in found)


def _sides(pairs: Sequence[Pair], name: str) -> Floats:
    """Return (4, questions): sum and count in A, sum and count in B; zeros where a run has no part."""
    none = (0.0, 0)
    sides = [(*a.parts.get(name, none), *b.parts.get(name, none)) for a, b in pairs]
    return np.array(sides, dtype=np.float64).reshape(-1, 4).T


def _difference(name: str, sides: Floats, p: float, bounds: Bounds) -> Difference:
    sides = taking_part(sides)
    both = sides[:, (sides[1] > 0) & (sides[3] > 0)]
    gains = np.sign(np.round(both[2] / both[3] - both[0] / both[1], 9)) * (1 if MEASURES[name].higher_is_better else -1)
    n, wins, losses = sides.shape[1], int((gains > 0).sum()), int((gains < 0).sum())
    sum_a, count_a, sum_b, count_b = map(float, sides.sum(axis=1))
    a, b = sum_a / count_a, sum_b / count_b
    low, high = (round(bound, 6) for bound in bounds) if bounds else (None, None)
    figures = (round(a, 6), round(b, 6), round(b - a, 6), low, high)
    return Difference(name, *figures, p, n, wins, losses, n - wins - losses)


def listed(ids: Sequence[str], *, most: int) -> str:
    """Return the first `most` ids as part of a sentence, and how many more there are."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more
