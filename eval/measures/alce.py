"""Citation recall and precision as ALCE defines them (Gao et al. 2023, section 4, https://arxiv.org/abs/2305.14627).

Recall: the share of an answer's sentences that the texts they cite, taken together, support; a sentence that cites
nothing is not supported. Precision: the share of its citations that are to the point. None is where the sentence is
not supported; else a citation is beside the point when it does not support the sentence alone and the sentence's other
citations do so without it. ALCE's figures are the means over answers of each answer's share, 0 for the precision of
an answer without citations; an answer without sentences is left out.

Unlike ALCE: the judge is the checker that is handed in, theirs a language model of 11 billion parameters, so figures
can be compared under one checker only; titles are not set before the texts; all citations of a sentence count, where
ALCE's script looks at the first three; a citation to a text that does not exist is the caller's to hand in as an empty
text, where ALCE's script counts the whole sentence as unsupported and none of its citations.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from eval.checker import SUPPORTED, Checker

Pair = tuple[str, str]
Supports = Callable[[Sequence[Pair]], Sequence[bool]]
"""Tells of each `(evidence, claim)` whether the evidence supports the claim."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence of an answer without its markers, and the text of each of its citations."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """How many sentences are supported, of how many; how many citations are to the point, of how many."""

    recall: tuple[float, int]
    precision: tuple[float, int]

    @property
    def recall_of_answer(self) -> float | None:
        """The answer's own recall, 0..1: what ALCE averages. None for an answer without sentences."""
        held, sentences = self.recall
        return held / sentences if sentences else None

    @property
    def precision_of_answer(self) -> float | None:
        """The answer's own precision, 0..1: what ALCE averages. 0 without citations, None without sentences."""
        held, citations = self.precision
        if not self.recall[1]:
            return None
        return held / citations if citations else 0.0


def citation_quality(sentences: Sequence[Cited], supports: Supports) -> Quality:
    """Return the citation quality of one answer."""
    return _qualities([sentences], supports)[0]


def citation_qualities(answers: Sequence[Sequence[Cited]], checker: Checker) -> list[Quality]:
    """Return the citation quality of each answer. The checker is called twice at most, each pair asked once."""
    return _qualities(answers, lambda pairs: [support >= SUPPORTED for support in checker.support(pairs)])


def mean_quality(qualities: Sequence[Quality]) -> tuple[float, float] | None:
    """Return ALCE's citation recall and precision, 0..1: means over the answers that have sentences, None without."""
    recalls = [value for quality in qualities if (value := quality.recall_of_answer) is not None]
    precisions = [value for quality in qualities if (value := quality.precision_of_answer) is not None]
    return (sum(recalls) / len(recalls), sum(precisions) / len(precisions)) if recalls else None


def _qualities(answers: Sequence[Sequence[Cited]], supports: Supports) -> list[Quality]:
    cited = [sentence for answer in answers for sentence in answer if sentence.evidence]
    known = _ask([_together(sentence) for sentence in cited], supports, {})
    several = [sentence for sentence in cited if len(sentence.evidence) > 1 and known[_together(sentence)]]
    known = _ask([pair for sentence in several for pair in _parts(sentence)], supports, known)
    return [_quality(answer, known) for answer in answers]


def _ask(pairs: Sequence[Pair], supports: Supports, known: dict[Pair, bool]) -> dict[Pair, bool]:
    """Return `known` with the pairs that it lacks, asked at once."""
    asked = [pair for pair in dict.fromkeys(pairs) if pair not in known]
    return known | dict(zip(asked, supports(asked), strict=True)) if asked else known


def _quality(answer: Sequence[Cited], known: dict[Pair, bool]) -> Quality:
    supported = [sentence for sentence in answer if sentence.evidence and known[_together(sentence)]]
    citations = sum(len(sentence.evidence) for sentence in answer)
    return Quality(
        (len(supported), len(answer)), (sum(_to_the_point(sentence, known) for sentence in supported), citations)
    )


def _to_the_point(sentence: Cited, known: dict[Pair, bool]) -> int:
    """Return how many citations of a supported sentence are to the point."""
    if len(sentence.evidence) == 1:
        return 1
    places = range(len(sentence.evidence))
    return sum(known[_alone(sentence, place)] or not known[_without(sentence, place)] for place in places)


def _parts(sentence: Cited) -> Iterator[Pair]:
    for place in range(len(sentence.evidence)):
        yield _alone(sentence, place)
        yield _without(sentence, place)


def _together(sentence: Cited) -> Pair:
    return "\n".join(sentence.evidence), sentence.text


def _alone(sentence: Cited, place: int) -> Pair:
    return sentence.evidence[place], sentence.text


def _without(sentence: Cited, place: int) -> Pair:
    return "\n".join((*sentence.evidence[:place], *sentence.evidence[place + 1 :])), sentence.text
