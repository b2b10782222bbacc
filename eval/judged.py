"""The measures that take a model: similarity, citation recall and precision, a judge. Each is worked out once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.cache import Cache, key_of, remembered
from eval.checker import Checker
from eval.corpus import TextOf
from eval.data import Found, Gold, Quote, Row
from eval.judge import Judge
from eval.measures.alce import Cited, citation_qualities
from eval.measures.normalise import without_markers
from eval.measures.similarity import similarity
from index.embed import Embedder
from rag.cite import parse_claims

OnProgress = Callable[[int, int], None]  # questions done, of how many
_Parts = dict[str, tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Models:
    """What these measures are worked out with; those whose model is None are left out."""

    embedder: Embedder | None = None
    checker: Checker | None = None
    judge: Judge | None = None
    cache: Cache | None = None
    on_judged: OnProgress | None = None

    @property
    def settings(self) -> dict[str, object]:
        """What the figures depend on beside the answers, as JSON values."""
        named = {"similarity": self.embedder, "checker": self.checker, "judge": self.judge}
        return {name: f"{model.name} {model.fingerprint}" for name, model in named.items() if model}


def model_parts(asked: Sequence[tuple[Gold, Row]], text_of: TextOf, models: Models) -> list[_Parts]:
    """Return each question's part in the measures that `models` allow."""
    parts: list[_Parts] = [{} for _ in asked]
    for name, values in (
        ("similarity", _similarities(asked, models)),
        ("judge", _judgements(asked, models)),
        *_citation_quality(asked, text_of, models),
    ):
        for place, value in values.items():
            parts[place][name] = (value, 1)
    return parts


def answer_text(row: Row) -> str:
    """Return the answer without its markers; "" for a refusal and a failure."""
    return without_markers(row.answer) if row.answered else ""


def _similarities(asked: Sequence[tuple[Gold, Row]], models: Models) -> dict[int, float]:
    embedder = models.embedder
    if embedder is None:
        return {}
    places = [place for place, (gold, _) in enumerate(asked) if gold.answerable and gold.answers]
    pairs = [(answer_text(asked[p][1]), asked[p][0].answers) for p in places]
    keys = [key_of("similarity", embedder.fingerprint, answer, accepted) for answer, accepted in pairs]

    def work(missing: Sequence[int]) -> list[float]:
        return similarity([pairs[i][0] for i in missing], [pairs[i][1] for i in missing], embedder)

    return dict(zip(places, remembered(models.cache, keys, work), strict=True))


def _citation_quality(
    asked: Sequence[tuple[Gold, Row]], text_of: TextOf, models: Models
) -> list[tuple[str, dict[int, float]]]:
    checker = models.checker
    if checker is None:
        return []
    places = [place for place, (_, row) in enumerate(asked) if row.answered]
    answers = [cited_sentences(*asked[place], text_of) for place in places]
    keys = [key_of("ALCE", checker.fingerprint, [(c.text, c.evidence) for c in answer]) for answer in answers]

    def work(missing: Sequence[int]) -> list[tuple[float | None, float | None]]:
        qualities = citation_qualities([answers[i] for i in missing], checker)
        return [(quality.recall_of_answer, quality.precision_of_answer) for quality in qualities]

    values = dict(zip(places, remembered(models.cache, keys, work), strict=True))
    return [
        (name, {place: quality[i] for place, quality in values.items() if quality[i] is not None})
        for i, name in enumerate(("citation_recall", "citation_precision"))
    ]


def cited_sentences(gold: Gold, row: Row, text_of: TextOf) -> list[Cited]:
    """Return the sentences of an answer, each with the texts that its markers name.

    [1] is the row's first quote; where it has none, its first passage. A marker that names nothing cites an empty text.
    """
    sources = _texts(row.quotes, text_of) or passage_texts(row, text_of)
    return [
        Cited(claim.text, tuple(sources[m - 1] if 0 < m <= len(sources) else "" for m in claim.markers))
        for claim in parse_claims(row.answer, gold.language or "en")
    ]


def passage_texts(row: Row, text_of: TextOf) -> list[str]:
    """Return the texts of the passages that a row names; "" for one whose document is unknown."""
    return _texts(row.passages, text_of)


def _texts(places: Sequence[Quote | Found], text_of: TextOf) -> list[str]:
    return [
        place.text or ("" if place.end is None else (text_of(place.document) or "")[place.start : place.end])
        for place in places
    ]


def _judgements(asked: Sequence[tuple[Gold, Row]], models: Models) -> dict[int, float]:
    """Return what the judge says of each answer, asked one at a time: an interruption loses no more than one."""
    judge = models.judge
    if judge is None:
        return {}
    places = [place for place, (gold, _) in enumerate(asked) if gold.answerable and gold.answers]
    values = {}
    for done, place in enumerate(places):
        if models.on_judged:
            models.on_judged(done, len(places))
        values[place] = _judgement(judge, *asked[place], models.cache)
    return values


def _judgement(judge: Judge, gold: Gold, row: Row, cache: Cache | None) -> float:
    if not row.answered:
        return 0.0
    answer, language = answer_text(row), gold.language or "en"
    key = key_of("judge", judge.fingerprint, gold.question, answer, gold.answers, language)
    return float(remembered(cache, [key], lambda _: [judge.rate(gold.question, answer, gold.answers, language)])[0])
