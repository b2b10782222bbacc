"""A question to a cited answer: the whole story, in the order in which it happens."""

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Generator as Yielding
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

import prompts
from index.bias import handicaps_among
from index.errors import BadQuestion
from index.language import detect_language
from index.library import Library
from index.types import Passage
from index.where import Condition
from rag.abstain import (
    Signs,
    answerable,
    best_cosine,
    coverage,
    is_refusal,
    least_cosine,
    may_become_refusal,
    refusal_probability,
)
from rag.cite import cite, parse_claims, write_answer
from rag.code import code_fingerprint
from rag.conversation import asked_before, standalone
from rag.evidence import BEARS, Sentence, choose_evidence, reader_signs, score_sentences, split_passages
from rag.generate import Generation, Generator
from rag.kept import packed, unpacked
from rag.kind import holds_kind
from rag.messages import PROMPTS, build_messages
from rag.reader import Reading, Reads
from rag.types import Answer, Citation, Claim, Event, Evidence, Finished, Piece, Retrieved, Turn
from rag.uses import USES

LEAST_ANSWERABLE = 0.3  # with a lower probability that the documents hold the answer, it is a refusal


class Answerer:
    """Answers questions from one library with one generator. Same question, same library, same models: same answer."""

    def __init__(
        self,
        library: Library,
        generator: Generator,
        *,
        passages: int = 8,
        evidence_tokens: int = 300,
        answer_tokens: int = 160,
        question_chars: int = 2000,
        least_answerable: float = LEAST_ANSWERABLE,
        where: Sequence[Condition] = (),
        reader: Reads | None = None,
        uses: Collection[str] = USES,
        remember: bool = False,
    ) -> None:
        self.library = library
        self.generator = generator
        self.reader = reader
        self.uses = frozenset(uses)  # of the reader; those of rag.uses.USES that concern answering
        self.passages = passages
        self.evidence_tokens = evidence_tokens
        self.answer_tokens = answer_tokens
        self.question_chars = question_chars
        self.least_answerable = least_answerable
        self.where = tuple(where)
        self.remember = remember  # what was answered before, while everything it depends on is the same

    def answer(self, question: str, history: Sequence[Turn] = (), *, where: Sequence[Condition] = ()) -> Answer:
        """Return the verified answer. Raises FonteError (a bad question, a model that does not answer)."""
        for event in self.events(question, history, where=where):
            if isinstance(event, Finished):
                return event.answer
        raise RuntimeError("the events ended without an answer")

    def events(
        self, question: str, history: Sequence[Turn] = (), *, where: Sequence[Condition] = ()
    ) -> Iterator[Event]:
        """Yield the passages, then the model's pieces as they come, then the verified answer.

        Only documents that fit every condition of `where`, and of the answerer's own, are searched.
        Closing the iterator stops the model. Raises FonteError as `answer` does.
        """
        clock = _Clock()
        question = check_question(question, most_chars=self.question_chars)
        depends = self._depends(question, history, (*self.where, *where))
        key = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        if self._remembers and (known := unpacked(self.library.kept.get(key), question, self.library)):
            clock.mark("retrieve_s")
            clock.mark("total_s")
            yield Retrieved(known.passages)
            yield Finished(replace(known, timings=clock.timings))
            return
        generation = self.library.generation
        answer = yield from self._answered(question, history, (*self.where, *where), depends, clock)
        if self._remembers:
            self.library.kept.put(key, packed(answer), generation=generation)
        yield Finished(answer)

    def _answered(
        self,
        question: str,
        history: Sequence[Turn],
        where: Sequence[Condition],
        depends: Mapping[str, object],
        clock: "_Clock",
    ) -> Yielding[Event, None, Answer]:
        """Yield the passages and the pieces; return the verified answer."""
        language = detect_language(question)
        wanted = standalone(question, history, language)
        earlier = asked_before(history)
        passages = tuple(self.library.search(question, k=self.passages, where=where, context=earlier, whole=wanted))
        language = language or _fallback_language(history, passages)
        clock.mark("retrieve_s")
        yield Retrieved(passages)

        receipt = {**depends, "passages": [passage.chunk.id for passage in passages], "cached": False}
        draft = _Draft(question, language, passages, receipt, clock)
        reading = self._read(wanted, language, passages)
        signs = self._signs(wanted, language, reading)
        if not reading.evidence or best_cosine(reading.evidence) < least_cosine(self.library.embedder.name):
            return draft.refuse("no passage is near the question", signs)
        if self._hopeless(signs):
            return draft.refuse("the passages are near the question and do not answer it", signs)

        messages = build_messages(wanted, language, reading.evidence)
        generation = self.generator.generate(messages, max_tokens=self.answer_tokens)
        try:
            text = yield from self._stream(generation, signs, clock)
        finally:
            generation.close()
        clock.count(generation)
        signs = replace(signs, refusal=refusal_probability(generation.first_token))
        if is_refusal(text):
            return draft.refuse("the model found no answer in the nearest passages", signs)

        claims, citations = self._cite(text, wanted, language, reading)
        if not citations:
            return draft.refuse("no passage supports what the model wrote", signs)
        said = " ".join(claim.text for claim in claims)
        signs = replace(signs, support=max(c.support for c in citations), fits=holds_kind(said, wanted))
        if signs.answers is not None:
            signs = replace(signs, bears=reading.bears({(c.document_id, c.start, c.end) for c in citations}))
        if answerable(signs) < self.least_answerable:
            return draft.refuse("the passages are near the question and probably do not answer it", signs)
        return draft.finish(claims, citations, signs)

    @property
    def _remembers(self) -> bool:
        return self.remember and bool(self.generator.fingerprint)  # a model behind a server may change under its name

    def _stream(self, generation: Generation, signs: Signs, clock: "_Clock") -> Yielding[Piece, None, str]:
        """Yield the pieces of a reply, none of a refusal; return the whole text, "" where it need not be read."""
        text, shown = "", 0
        for piece in generation:
            clock.mark("first_token_s")
            if not text and self._hopeless(replace(signs, refusal=refusal_probability(generation.first_token))):
                return ""
            text += piece
            if not may_become_refusal(text):
                yield Piece(text[shown:])
                shown = len(text)
        return text

    def _signs(self, question: str, language: str, reading: "_Reading") -> Signs:
        """Return what is known before the model is asked."""
        signs = Signs(coverage=coverage(question, language, reading.evidence))
        if not reading.read or "abstain" not in self.uses:
            return signs
        best = max(reading.read.values(), key=lambda read: read.answers)
        bears = reading.bears({sentence.place for sentence in reading.shown})
        return replace(signs, answers=round(best.answers, 4), margin=round(best.margin, 4), bears=bears)

    def _hopeless(self, signs: Signs) -> bool:
        """Whether even an answer that is wholly supported would be a refusal: not a word of it is to be shown."""
        return answerable(replace(signs, support=1.0)) < self.least_answerable

    def _read(self, question: str, language: str, passages: Sequence[Passage]) -> "_Reading":
        sentences = split_passages(passages)
        if not sentences:
            return _Reading([], np.zeros((0, self.library.embedder.dimension), dtype=np.float32), [], {})
        vectors = self.library.embedder.embed_passages([s.text for s in sentences])
        vector = self.library.embedder.embed_queries([question])[0]
        cosines = vectors @ vector
        fair = cosines - handicaps_among(vector, vectors, [s.passage.document.language for s in sentences])
        read: dict[str, Reading] = {}
        if self.reader and self.uses & {"evidence", "abstain"}:
            found = self.reader.read(question, passages)
            read = {passage.chunk.id: reading for passage, reading in zip(passages, found, strict=True)}
        scores = score_sentences(question, language, sentences, fair, read if "evidence" in self.uses else {})
        evidence = choose_evidence(sentences, scores, cosines, budget_tokens=self.evidence_tokens)
        return _Reading(sentences, vectors, evidence, read)

    def _cite(self, text: str, question: str, language: str, reading: "_Reading") -> tuple[list[Claim], list[Citation]]:
        shown = reading.shown
        places = {sentence.place for sentence in shown}
        vectors = reading.vectors[[sentence.place in places for sentence in reading.sentences]]

        def similarity(texts: Sequence[str]) -> NDArray[np.float32]:
            cosines: NDArray[np.float32] = self.library.embedder.embed_passages(texts) @ vectors.T
            return cosines

        claims, citations = cite(
            parse_claims(text, language),
            reading.evidence,
            shown,
            similarity,
            question=question,
            language=language,
            read_support=self.reader.support if self.reader and "support" in self.uses else None,
        )
        # What nothing supports is left out; where nothing is left, the caller refuses.
        return [claim for claim in claims if claim.markers], citations

    @property
    def settings(self) -> Mapping[str, object]:
        """What the answers depend on beside question and library: model and budgets."""
        return {
            "model": self.generator.name,
            "model_sha256": self.generator.fingerprint,
            "passages": self.passages,
            "evidence_tokens": self.evidence_tokens,
            "answer_tokens": self.answer_tokens,
            "least_answerable": self.least_answerable,
            "where": [str(condition) for condition in self.where],
            "reader_sha256": self.reader.fingerprint if self.reader else "",
            "reader_uses": sorted(self.uses) if self.reader else [],
        }

    def _depends(self, question: str, history: Sequence[Turn], where: Sequence[Condition]) -> Mapping[str, object]:
        """Return all that decides the answer, for its receipt."""
        return {
            "question": question,
            "history": [asdict(turn) for turn in history],
            "where": [str(condition) for condition in where],
            "settings": self.settings,
            "embedder": self.library.embedder.name,
            "embedder_sha256": self.library.embedder.fingerprint,
            "reranker_sha256": self.library.reranker.fingerprint if self.library.reranker else "",
            "prompts_sha256": prompts.fingerprint(*PROMPTS),
            "code_sha256": code_fingerprint(),
            "library_sha256": self.library.fingerprint,
        }


def check_question(question: str, *, most_chars: int) -> str:
    """Return `question` stripped. Raises BadQuestion where it is empty or longer than `most_chars`."""
    question = " ".join(question.split())
    if not any(c.isalnum() for c in question):
        raise BadQuestion('The question is empty. Ask something: fonte ask "who are the interim co-CEOs?"')
    if len(question) > most_chars:
        raise BadQuestion(f"The question has {len(question):,} characters; at most {most_chars:,} can be asked.")
    return question


def _fallback_language(history: Sequence[Turn], passages: Sequence[Passage]) -> str:
    """Return a language for a question too short to tell: that of the conversation, else of the best passage."""
    earlier = next((detect_language(turn.text) for turn in reversed(history) if turn.speaker == "user"), "")
    return earlier or next((p.document.language for p in passages if p.document.language), "en")


@dataclass(frozen=True, slots=True)
class _Reading:
    """The sentences of the passages, their vectors `(n, dimension)`, and what of them the model is shown.

    `read` is what the reader found, by chunk id; empty where it was not asked.
    """

    sentences: list[Sentence]
    vectors: NDArray[np.float32]
    evidence: list[Evidence]
    read: Mapping[str, Reading]

    @property
    def shown(self) -> list[Sentence]:
        """The sentences of the evidence."""
        return [s for s in self.sentences if any(e.holds(*s.place) for e in self.evidence)]

    def bears(self, places: Collection[tuple[str, int, int]]) -> float:
        """Return how far, to the reader, the sentence of these places that bears most on the question does; a logit."""
        signs = reader_signs([s for s in self.sentences if s.place in places], self.read)
        return round(float(signs[:, BEARS].max()), 4)


class _Clock:
    """Seconds since the question came, and tokens."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.timings = {"retrieve_s": 0.0, "first_token_s": 0.0, "total_s": 0.0, "prompt_tokens": 0, "output_tokens": 0}

    def mark(self, name: str) -> None:
        if not self.timings[name]:
            self.timings[name] = round(time.perf_counter() - self._started, 4)

    def count(self, generation: Generation) -> None:
        self.timings["prompt_tokens"] = generation.prompt_tokens
        self.timings["output_tokens"] = generation.output_tokens


@dataclass(frozen=True, slots=True)
class _Draft:
    """What every answer to one question shares."""

    question: str
    language: str
    passages: tuple[Passage, ...]
    receipt: Mapping[str, object]
    clock: _Clock

    def refuse(self, reason: str, signs: Signs) -> Answer:
        return self._answer(prompts.render("refusal", self.language), (), (), signs, reason)

    def finish(self, claims: Sequence[Claim], citations: Sequence[Citation], signs: Signs) -> Answer:
        return self._answer(write_answer(claims), claims, citations, signs, "")

    def _answer(
        self, text: str, claims: Sequence[Claim], citations: Sequence[Citation], signs: Signs, reason: str
    ) -> Answer:
        self.clock.mark("total_s")
        return Answer(
            question=self.question,
            text=text,
            language=self.language,
            claims=tuple(claims),
            citations=tuple(citations),
            abstained=bool(reason),
            reason=reason,
            passages=self.passages,
            timings=self.clock.timings,
            receipt={**self.receipt, "signs": asdict(signs), "answerable": round(answerable(signs), 4)},
        )
