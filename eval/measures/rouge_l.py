"""ROUGE-L: the words shared with an accepted answer in the same order, gaps allowed; the best accepted answer counts.

Lin 2004, https://aclanthology.org/W04-1013: the longest common subsequence over the answer's length (precision) and
over the accepted answer's (recall); F with both weighed the same, as in the rouge-score package. Two departures from
that package: our words, because its own tokeniser keeps a-z and 0-9 alone and so cuts Italian up; and a subsequence
computed by rapidfuzz (MIT), because the package's own, in Python, takes some 70 times as long. The tests compare both.
"""

from collections.abc import Sequence

from eval.measures.normalise import words


def rouge_l(answer: str, accepted: Sequence[str]) -> float:
    """Return the F-measure of `answer` with the nearest of `accepted`, 0..1; an empty answer has 0."""
    given = words(answer)
    return max((_f_measure(given, words(text)) for text in accepted), default=0.0)


def _f_measure(given: list[str], wanted: list[str]) -> float:
    from rapidfuzz.distance import LCSseq

    shared = LCSseq.similarity(given, wanted)
    return 2 * shared / (len(given) + len(wanted)) if shared else 0.0
