"""The exercises, made from the material: each group sets what holds against something much like it that does not.

Every draw comes from one seeded generator, so the same seed makes the same exercises.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from eval.data import Gold, read_gold
from index.embed import Embedder
from index.sentences import Span, sentence_spans
from rag.reader_input import Pair
from rag.words import content_words, overlap
from train.alter import negated, renumbered, swapped, typed, without
from train.checker_pairs import public_pairs
from train.exercises import Exercise, Group, bearing
from train.material import Answered, Material, Paragraph, paragraph_id, read_texts
from train.nearest import Nearest
from train.tidy import cropped, tidied
from train.written import Written

CROSSINGS = 3  # draws of a question's and a passage's language, for each question that is known in several
_LANGUAGE_WEIGHTS = {"it": 4, "en": 4}  # of the draws; any other language 1
_OTHER_LANGUAGES = 0.25  # share of their questions that are asked in their own language
_WHOLE = 0.25  # share of passages that are not cropped
_SHORTEST_CROP, _LONGEST_CROP = 250, 650  # characters
_SHORTEST_REST = 150  # characters of a passage whose answer was taken out
_SHORTEST_CLAIM = 40
_RESTATED = 0.6  # of a claim's words in one sentence: then a stretch around it will do
_NEAR_CLAIMS = 0.2  # share of written claims that are set against another passage too
_LONGEST_EVIDENCE = 1800
_PUBLIC = -1  # article of a paragraph that is not in read.jsonl; their numbers go down from there


class GroupMaker:
    """Makes the groups. `written` are what was written about paragraphs of `material`."""

    def __init__(self, material: Material, written: Sequence[Written], embedder: Embedder, *, seed: int) -> None:
        self._rng = random.Random(seed)
        self._material = material
        self._written = written
        self._nearest = Nearest(material.paragraphs, embedder)
        self._missed: dict[str, list[Paragraph]] = {}
        for question, paragraph in material.missed:
            self._missed.setdefault(question, []).append(paragraph)
        self._by_id = {paragraph.id: paragraph for paragraph in material.paragraphs}
        self._by_number = material.by_number()
        asked = [q.question for p in material.paragraphs for q in p.questions]
        asked += [text for w in written for q in w.questions for text in (q.question, q.near_miss)]
        asked += [claim.claim for w in written for claim in w.claims]
        self._nearest.prepare(list(dict.fromkeys(asked)))

    def groups(self) -> list[Group]:
        """Return all groups, in an order of their own."""
        made = [
            *self._own_language(),
            *self._across(),
            *self._written_questions(),
            *self._written_claims(),
            *self._parallel_claims(),
            *self._answers_as_claims(),
        ]
        self._rng.shuffle(made)
        return made

    def _own_language(self) -> Iterator[Group]:
        for paragraph in self._material.paragraphs:
            for asked in paragraph.questions:
                # What is parallel comes up in every language; elsewhere than in English and Italian some of it will do.
                if paragraph.language in _LANGUAGE_WEIGHTS or self._rng.random() < _OTHER_LANGUAGES:
                    yield self._asked("own language", asked.question, paragraph, asked)

    def _across(self) -> Iterator[Group]:
        for versions in self._material.parallel:
            languages = sorted(versions)
            weights = [_LANGUAGE_WEIGHTS.get(language, 1) for language in languages]
            for _ in range(CROSSINGS):
                one, other = self._rng.choices(languages, weights, k=2)
                if one != other:
                    yield self._asked("across", versions[one][1].question, *versions[other])

    def _asked(self, kind: str, question: str, paragraph: Paragraph, asked: Answered) -> Group:
        """Return a question with the passage that answers it, and one of: another passage, a rest, another question."""
        span = (asked.start, asked.start + len(asked.answer))
        positive = self._reading(question, paragraph, span, holds=True)
        return Group(kind, (positive, self._negative(question, paragraph, asked, positive)))

    def _negative(self, question: str, paragraph: Paragraph, asked: Answered, positive: Exercise) -> Exercise:
        draw = self._rng.random()
        if draw < 0.2 and (rest := _without_answer(paragraph, asked)):
            return self._reading(question, paragraph, None, holds=False, text=rest)
        if draw < 0.4 and (other := swapped(question, paragraph.text, self._rng)):
            return Exercise(Pair("read", other, positive.pair.text, positive.pair.title), holds=False)
        if draw < 0.5 and question in self._missed:
            return self._reading(question, self._rng.choice(self._missed[question]), None, holds=False)
        language = paragraph.language if self._rng.random() < 0.8 else ""
        near = self._nearest.draw(question, asked.answer, paragraph.number, language, self._rng)
        return self._reading(question, near, None, holds=False)

    def _reading(
        self,
        question: str,
        paragraph: Paragraph,
        span: Span | None,
        *,
        holds: bool,
        text: str = "",
        whole: bool = False,
    ) -> Exercise:
        text = text or paragraph.text
        if not whole and self._rng.random() > _WHOLE:
            most = self._rng.randint(_SHORTEST_CROP, _LONGEST_CROP)
            text, span = cropped(text, paragraph.language, span, most, self._rng)
        if self._rng.random() < 0.7:
            text, span = tidied(text, span)
            question = tidied(question)[0]
        if self._rng.random() < 0.12:
            question = typed(question, self._rng)
        title = paragraph.title if self._rng.random() < 0.8 else ""
        sentences = bearing(text, paragraph.language, [span] if span else []) if span or not holds else ()
        return Exercise(Pair("read", question, text, title), holds, span, sentences)

    def _written_questions(self) -> Iterator[Group]:
        """Yield what the passage answers and does not; also against its translations, where the span is not known."""
        for written in self._written:
            paragraph = self._by_id[written.passage]
            for asked in written.questions:
                start = paragraph.text.index(asked.answer)
                once = paragraph.text.count(asked.answer) == 1
                span = (start, start + len(asked.answer)) if once else None
                text, span = self._stretch(paragraph, span)
                holding = self._reading(asked.question, paragraph, span, holds=True, text=text, whole=True)
                missing = self._reading(asked.near_miss, paragraph, None, holds=False, text=text, whole=True)
                near = self._nearest.draw(asked.question, asked.answer, paragraph.number, paragraph.language, self._rng)
                yield Group("written", (holding, missing, self._reading(asked.question, near, None, holds=False)))
                for version in self._versions(paragraph, 2):
                    holds = self._reading(asked.question, version, None, holds=True, whole=True)
                    misses = self._reading(asked.near_miss, version, None, holds=False, whole=True)
                    yield Group("written, translated", (holds, misses))

    def _stretch(self, paragraph: Paragraph, span: Span | None) -> tuple[str, Span | None]:
        """Return a stretch of the paragraph around `span`, now and then all of it, with where `span` is in it."""
        if not span or self._rng.random() < _WHOLE:
            return paragraph.text, span
        most = self._rng.randint(_SHORTEST_CROP, _LONGEST_CROP)
        return cropped(paragraph.text, paragraph.language, span, most, self._rng)

    def _versions(self, paragraph: Paragraph, count: int) -> list[Paragraph]:
        others = [p for p in self._by_number[paragraph.number] if p.language != paragraph.language]
        italian = [p for p in others if p.language in ("it", "en")]
        return [self._rng.choice(italian if italian and self._rng.random() < 0.4 else others) for _ in others[:count]]

    def _written_claims(self) -> Iterator[Group]:
        for written in self._written:
            paragraph = self._by_id[written.passage]
            for claim in written.claims:
                own = self._stretch(paragraph, _restated(claim.claim, paragraph))[0]
                for version in (own, *(version.text for version in self._versions(paragraph, 1))):
                    text = self._tidy(version)
                    holding, altered = (
                        Exercise(Pair("support", self._tidy(said), text), said is claim.claim)
                        for said in (claim.claim, claim.altered)
                    )
                    yield Group("written claim", (holding, altered))
                near = self._nearest.draw(claim.claim, claim.claim, paragraph.number, paragraph.language, self._rng)
                if self._rng.random() < _NEAR_CLAIMS:
                    other = Exercise(Pair("support", claim.claim, self._quote(near, None)), holds=False)
                    yield Group("written claim", (Exercise(Pair("support", claim.claim, paragraph.text), True), other))

    def _parallel_claims(self) -> Iterator[Group]:
        """Yield the sentence that holds an answer, against the same in another language, true and altered."""
        for versions in self._material.parallel:
            languages = sorted(versions)
            weights = [_LANGUAGE_WEIGHTS.get(language, 1) for language in languages]
            for _ in range(3):
                one, other = self._rng.choices(languages, weights, k=2)
                (paragraph, asked), (source, found) = versions[one], versions[other]
                claim = _holding(paragraph, asked)
                if one == other or len(claim) < _SHORTEST_CLAIM:
                    continue
                quote = self._quote(source, (found.start, found.start + len(found.answer)))
                claim = self._tidy(claim)
                if wrong := self._wrong(claim, paragraph):
                    holding = Exercise(Pair("support", claim, quote), holds=True)
                    yield Group("parallel claim", (holding, Exercise(Pair("support", wrong, quote), holds=False)))

    def _wrong(self, claim: str, paragraph: Paragraph) -> str:
        ways: list[Callable[[], str]] = [
            lambda: swapped(claim, paragraph.text, self._rng),
            lambda: renumbered(claim, paragraph.text, self._rng),
            lambda: negated(claim, paragraph.language),
            lambda: self._tidy(_other_sentence(paragraph, claim, self._rng)),
        ]
        self._rng.shuffle(ways)
        return next((wrong for way in ways if (wrong := way())), "")

    def _answers_as_claims(self) -> Iterator[Group]:
        """Yield questions with their answers, and with others of the same paragraph."""
        for paragraph in self._material.paragraphs:
            if len(paragraph.questions) < 2 or self._rng.random() < 0.7:
                continue
            one, other = self._rng.sample(paragraph.questions, 2)
            if one.answer in other.answer or other.answer in one.answer:
                continue
            text = self._tidy(paragraph.text)
            told = [f"{self._tidy(one.question).rstrip(' ?？؟')}: {self._tidy(q.answer)}" for q in (one, other)]
            yield Group(
                "answer as claim",
                (Exercise(Pair("support", told[0], text), True), Exercise(Pair("support", told[1], text), False)),
            )

    def _quote(self, paragraph: Paragraph, span: Span | None) -> str:
        most = self._rng.choice([1, 300, 800])  # one sentence, some, many
        return self._tidy(cropped(paragraph.text, paragraph.language, span, most, self._rng)[0])

    def _tidy(self, text: str) -> str:
        return tidied(text)[0] if self._rng.random() < 0.7 else text


def public_groups(evaldata: Path, *, seed: int) -> list[Group]:
    """Return groups of the first halves, by id, of clapnq_dev and mtrag_un; the second halves are for measuring."""
    rng = random.Random(seed)
    return [*_clapnq(evaldata / "clapnq_dev", rng), *_mtrag(evaldata / "mtrag_un", rng), *_public_claims(evaldata)]


def public_paragraphs(evaldata: Path, ids: Collection[str]) -> list[Paragraph]:
    """Return the documents of clapnq_dev and mtrag_un whose paragraph ids are among `ids`, without questions."""
    known = [own for name in ("clapnq_dev", "mtrag_un") for own in read_texts(evaldata / name).values()]
    texts = [own for own in known if paragraph_id(own[0]) in ids]
    return [Paragraph(text, title, "en", _PUBLIC, _PUBLIC - number) for number, (text, title) in enumerate(texts)]


def first_half(golds: Iterable[Gold]) -> list[Gold]:
    """Return the half of `golds` that may be trained on: the first by id."""
    ordered = sorted(golds, key=lambda gold: gold.id)
    return ordered[: len(ordered) // 2]


def _clapnq(folder: Path, rng: random.Random) -> Iterator[Group]:
    corpus = read_texts(folder)
    golds = list(read_gold(folder / "gold.jsonl"))
    missing = [
        Exercise(Pair("read", gold.question, *corpus[near]), holds=False)
        for gold in first_half(gold for gold in golds if not gold.answerable)
        for near in gold.meta["near_passage"]  # type: ignore[typeddict-item]
    ]
    for gold in first_half(gold for gold in golds if gold.answerable):
        text, title = corpus[gold.relevant[0]]
        held = [sentence for sentences in gold.meta["evidence"] for sentence in sentences]  # type: ignore[typeddict-item]
        spans = [(at, at + len(sentence)) for sentence in held if (at := text.find(sentence)) >= 0]
        own = Exercise(Pair("read", gold.question, text, title), True, None, bearing(text, "en", spans))
        yield Group("clapnq", (own, rng.choice(missing)))
        rest = without(text, held)
        if len(rest) > _SHORTEST_REST:
            yield Group("clapnq", (own, Exercise(Pair("read", gold.question, rest, title), holds=False)))
    yield from (Group("clapnq", (exercise,)) for exercise in missing)


def _mtrag(folder: Path, rng: random.Random) -> Iterator[Group]:
    """Yield last questions with the passages of their replies, and without: those of another conversation."""
    corpus = read_texts(folder)
    golds = first_half(gold for gold in read_gold(folder / "gold.jsonl") if gold.answerable and gold.relevant)
    for gold in golds:
        question = with_earlier(gold) if rng.random() < 0.7 else gold.question
        other = rng.choice([other for other in golds if not set(other.relevant) & set(gold.relevant)])
        holding = Exercise(Pair("read", question, *corpus[rng.choice(gold.relevant)]), holds=True)
        near = Exercise(Pair("read", question, *corpus[rng.choice(other.relevant)]), holds=False)
        yield Group("mtrag", (holding, near))


def with_earlier(gold: Gold, *, turns: int = 1) -> str:
    """Return the last question after the user's `turns` before it."""
    earlier = [turn.text for turn in gold.meta.get("history", []) if turn.speaker == "user"]
    return " ".join([*earlier[-turns:], gold.question])


def _public_claims(evaldata: Path) -> Iterator[Group]:
    """Yield sentences of people's answers with their evidence, each beside the pairs made from it that do not hold."""
    holding = None
    for pair in public_pairs(evaldata):
        if not pair.fitted or len(pair.evidence) > _LONGEST_EVIDENCE:
            continue
        exercise = Exercise(Pair("support", pair.claim, pair.evidence), pair.kind == "supported")
        if exercise.holds:
            holding = exercise
        elif holding:  # each pair that holds is followed by those made from it
            yield Group("public claim", (holding, exercise))


def _without_answer(paragraph: Paragraph, asked: Answered) -> str:
    """Return the paragraph without the sentence of the answer, "" where little is left or the answer is elsewhere."""
    rest = without(paragraph.text, [_holding(paragraph, asked)])
    return rest if len(rest) > _SHORTEST_REST and asked.answer.casefold() not in rest.casefold() else ""


def _holding(paragraph: Paragraph, asked: Answered) -> str:
    """Return the sentence that holds the answer."""
    spans = sentence_spans(paragraph.text, paragraph.language)
    return next((paragraph.text[a:b] for a, b in spans if a <= asked.start < b), "")


def _other_sentence(paragraph: Paragraph, sentence: str, rng: random.Random) -> str:
    spans = sentence_spans(paragraph.text, paragraph.language)
    others = [text for a, b in spans if (text := paragraph.text[a:b]) != sentence and len(text) >= _SHORTEST_CLAIM]
    return rng.choice(others) if others else ""


def _restated(claim: str, paragraph: Paragraph) -> Span | None:
    """Return the sentence that holds most of the claim's words, None where it is not most of them."""
    wanted = content_words(claim, paragraph.language)
    shares = {
        (start, end): sum(
            overlap(word, content_words(paragraph.text[start:end], paragraph.language)) for word in wanted
        )
        for start, end in sentence_spans(paragraph.text, paragraph.language)
    }
    best = max(shares, key=lambda span: shares[span])
    return best if shares[best] >= _RESTATED * len(wanted) else None
