"""Worthless systems put through a gate: one that lets them pass does not guard what it should."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from eval.data import Gold, Row
from eval.gate import Gate, check_gate
from eval.measures.registry import MEASURES
from eval.results import Scored
from eval.scores import summarise


def gate_warnings(gate: Gate, golds: Sequence[Gold], *, retrieval_only: bool = False) -> list[str]:
    """Return a sentence for each way in which a worthless system could pass the gate on these questions.

    Three such systems are put through it: one that always answers, right wherever there is an answer; one that always
    refuses but finds every document; one that refuses just what is unanswerable and is right nowhere else. All are as
    good as they can be in all else. Of a run of retrieval alone, which answers nothing, there is nothing to warn.
    """
    if retrieval_only:
        return []
    warnings = list(_wrong_ways(gate))
    if all(gold.answerable for gold in golds):
        warnings.append(
            "The gold pairs hold no unanswerable question, so inventing an answer costs nothing: "
            "add some, and a requirement on refused_unanswerable."
        )
    elif _passes(gate, golds, _ANSWERS):
        warnings.append(_ANSWERS.warning)
    return warnings + [system.warning for system in (_REFUSES, _NEVER_RIGHT) if _passes(gate, golds, system)]


def _wrong_ways(gate: Gate) -> Iterator[str]:
    """Yield a sentence for each requirement that asks a measure to be worse."""
    for one in gate.requirements:
        higher = one.measure is not None and MEASURES[one.measure].higher_is_better
        if one.measure and (one.at_most if higher else one.at_least) is not None:
            better, key = ("higher", "at_least") if higher else ("lower", "at_most")
            yield f"{one.subject} is better when {better}, yet the gate limits that: write {key}."


@dataclass(frozen=True, slots=True)
class _System:
    """A system that should not pass: as good as it can be in all that its fault leaves open."""

    refuses_answerable: bool
    refuses_unanswerable: bool
    right: bool  # wherever it answers what is answerable
    warning: str

    def refuses(self, gold: Gold) -> bool:
        return self.refuses_answerable if gold.answerable else self.refuses_unanswerable


_ANSWERS = _System(
    refuses_answerable=False,
    refuses_unanswerable=False,
    right=True,
    warning="A system that always answers would pass this gate: add a requirement on refused_unanswerable.",
)
_REFUSES = _System(
    refuses_answerable=True,
    refuses_unanswerable=True,
    right=False,
    warning="A system that always refuses would pass this gate: add a requirement on right or needless_refusals.",
)
_NEVER_RIGHT = _System(
    refuses_answerable=False,
    refuses_unanswerable=True,
    right=False,
    warning="A system that answers everything answerable wrongly would pass this gate: add a requirement on right.",
)


def _passes(gate: Gate, golds: Sequence[Gold], system: _System) -> bool:
    """Tell whether a system passes; baselines count as measured with the models that it would be measured with."""
    alike = {name: replace(stored, settings={}) for name, stored in gate.baselines.items()}
    scored = _answered(golds, system)
    return check_gate(replace(gate, baselines=alike), summarise(scored), scored).met


def _answered(golds: Sequence[Gold], system: _System) -> list[Scored]:
    """Return what a system makes of the questions, at no cost. It is as sure of every answer as it is often right."""
    given = [gold for gold in golds if not system.refuses(gold)]
    confidence = sum(system.right and gold.answerable for gold in given) / len(given) if given else None
    free = Row("-", first_token_s=0.0, total_s=0.0, prompt_tokens=0, output_tokens=0, memory_mb=0.0)
    scored = []
    for gold in golds:
        refused = system.refuses(gold)
        row = replace(free, id=gold.id, abstained=refused, confidence=None if refused else confidence)
        values = {name: _value(gold, name, system) for name in MEASURES}
        scored.append(Scored(gold, row, {name: (value, 1) for name, value in values.items() if value is not None}))
    return scored


def _value(gold: Gold, name: str, system: _System) -> float | None:
    """Return the value that a system has on a question; None where that has no part in the measure."""
    measure, refused = MEASURES[name], system.refuses(gold)
    if measure.of_set:
        return None
    if measure.group == "abstention":
        return float(refused) if gold.answerable == (name == "needless_refusals") else None
    if name.startswith("same_"):  # a refusal repeats well
        return 1.0
    if measure.group == "citations" or name == "answer_language":  # of all answers given
        return None if refused or (name == "cited_relevant" and not gold.relevant) else 1.0
    if not gold.answerable:
        return None
    return 1.0 if measure.group in ("retrieval", "retrieval by quote") else float(system.right)
