"""Gold pairs proposed from the documents: a sentence, a question that it answers, the answer in the sentence's words.

A draft is for a person to accept. It says `"draft": true` in its meta: take that out where the pair is good, correct
the pair where it is nearly so, delete the line where it is not. Of 36 by the default model, read critically, 22 were
good, 9 wanted a correction and 5 were wrong. What is checked here is what a program can check: documents that hold the
answer too are still missing from `relevant`, other wordings from `answers`, and questions that the documents do not
answer from the file. Drafts are also easier than what people ask: they share words with the sentence that they were
made from, and those that fonte's own search does not find are left out. So they compare two versions of a system better
than they tell how good one is.
"""

import logging
import random
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

import prompts
from eval.data import Gold, Meta
from eval.measures.containment import holds
from eval.measures.normalise import normalise
from eval.measures.token_f1 import token_f1
from index.language import detect_language
from index.library import Library
from index.sentences import sentence_spans
from index.terms import terms
from index.types import Document
from rag.generate import Generator, Message
from rag.kind import asked_kind, holds_kind
from rag.messages import neutral
from rag.words import content_words, names, numbers

log = logging.getLogger(__name__)

OnProgress = Callable[[int, int], None]  # drafts made, of how many

TRIES_PER_DRAFT = 3
LONGEST_ANSWER_WORDS = 12
FOUND_WITHIN = 5  # documents
_FEWEST_WORDS, _MOST_WORDS = 8, 50  # of a sentence to ask about
_CHUNKS_PER_DOCUMENT = 4  # several of the best chunks may come from one document
_REPLY_TOKENS = 80
_SAME_ANSWER = 0.6  # token F1 of two answers to one question
_WORDS_WITHOUT_NAME = 5
_ALIKE = 0.75  # share of the content words of two questions that makes them one

_REPLY = re.compile(r"\s*Q:[ \t]*(?P<question>[^\n]+)\n+A:[ \t]*(?P<answer>[^\n]+)\s*")
_LAST_STOP = re.compile(r"(?<=\w\w)[\"'”»]?[.,;:]+$")  # not that of U.S.
_ENDED = re.compile(r"[.!…。।][\"'”’»)\]]*$")
# Italian, Spanish and Portuguese leave out a subject that the sentence before has named.
_NO_SUBJECT = re.compile(
    r"(?:(?:poi|inoltre|luego|además|depois|além disso),? )?(?:è|ha|hanno|sono|era|erano|fu|furono|venne|vennero|aveva"
    r"|avevano|es|fue|fueron|han|había|é|foi|foram|tinha|tem)\b",
    re.IGNORECASE,
)
# What only somebody who has the sentence before his eyes would say.
_POINTS_AT_TEXT = re.compile(
    r"\b(?:the|this|that) (?:text|article|passage|sentence|document|excerpt|paragraph|author|writer|speaker)\b"
    r"|\baccording to the (?:text|article|passage|sentence|document)\b|\bmentioned\b"
    r"|\b(?:il|nel|dal|del|al|questo) (?:testo|brano|passo|documento|paragrafo)\b"
    r"|\b(?:la|nella|dalla|della|questa) frase\b|\b(?:l|nell|dall|dell|all|quest)['’] ?(?:articolo|autore|autrice)\b"
    r"|\bmenzionat[oaie]\b|\bcitat[oaie]\b"
    r"|\b(?:le|ce|du) (?:texte|passage|paragraphe)\b|\bl['’](?:article|auteur)\b"
    r"|\b(?:der|dem|den|dieser|diesem) (?:text|artikel|satz|abschnitt|autor)\b"
    r"|\b(?:el|este|del) (?:texto|artículo|pasaje|párrafo|autor)\b|\b(?:o|este|do) (?:texto|artigo|trecho|autor)\b",
    re.IGNORECASE,
)
# Pronouns that stand for somebody named before, by language. One language's pronoun is another's article ("il").
_PRONOUN_LIST = {
    "en": "he she it they him her them his hers its their we us our i me my this that these those here there",
    "it": "lui lei loro egli ella esso essa essi esse questo questa questi queste quello quella quelli quelle suo sua "
    "suoi sue ne qui noi nostro nostra io mio mia ciò",
    "fr": "il elle ils elles lui leur leurs ce cet cette ces celui celle son sa ses nous notre je mon ma y en",
    "de": "er sie es ihm ihn ihr ihnen sein seine ihre dieser diese dieses wir uns unser ich mein",
    "es": "él ella ellos ellas ello este esta estos estas ese esa su sus nosotros nuestro yo mi",
    "pt": "ele ela eles elas este esta estes estas esse essa isso seu sua seus suas nós nosso eu meu",
}
_PRONOUNS = {
    language: re.compile(rf"\b(?:{'|'.join(words.split())})\b", re.IGNORECASE)
    for language, words in _PRONOUN_LIST.items()
}


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence to ask about: `text` stands in `document.text`."""

    document: Document
    text: str

    @property
    def language(self) -> str:
        """The document's language, else the sentence's own as far as it can be told."""
        return self.document.language or detect_language(self.text)


def is_draft(gold: Gold) -> bool:
    """Whether `gold` is a draft that nobody has accepted yet."""
    return bool(cast(dict[str, object], gold.meta).get("draft"))


def draft_gold(
    library: Library, generator: Generator, count: int, *, seed: int = 0, on_progress: OnProgress | None = None
) -> Iterator[Gold]:
    """Yield up to `count` drafts of gold pairs, as they are made, a few seconds each.

    The same seed, library and generator give the same drafts. Three sentences are tried for each draft that is wanted,
    so that there may be fewer. Raises GenerationFailed.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    return _drafts(library, generator, count, random.Random(seed), on_progress)


def _drafts(
    library: Library, generator: Generator, count: int, chance: random.Random, on_progress: OnProgress | None
) -> Iterator[Gold]:
    made: list[Gold] = []
    for source in islice(choose_sources(library, chance), TRIES_PER_DRAFT * count):
        if on_progress:
            on_progress(len(made), count)
        gold = _draft(library, generator, source, made)
        if gold:
            made.append(gold)
            yield gold
        if len(made) == count:
            break
    if on_progress:
        on_progress(len(made), count)


def _draft(library: Library, generator: Generator, source: Source, made: list[Gold]) -> Gold | None:
    """Return the draft made of a sentence, None where it is of no use."""
    reply = _reply(generator, "draft", source.language, sentence=source.text)
    pair = read_reply(reply)
    why_not = _why_not(pair, source, made, library, generator)
    if pair is None or why_not:
        log.debug("no draft (%s): %r from %r", why_not, reply, source.text)
        return None
    question, answer = pair
    kind = asked_kind(question)
    meta = {"draft": True, "quotes": [source.text]}
    return Gold(
        id=f"draft-{len(made) + 1:03}",
        question=question,
        answers=(answer,),
        relevant=(source.document.id,),
        answerable=True,
        language=source.language,
        kind="factoid" if kind == "other" else kind,
        meta=cast(Meta, meta),
    )


def _why_not(
    pair: tuple[str, str] | None, source: Source, made: list[Gold], library: Library, generator: Generator
) -> str:
    """Return why a reply makes no draft, "" where it does; what costs least is looked at first."""
    if pair is None:
        return "not two lines, Q and A"
    if fault := fault_of_answer(*pair, source.text, source.language) or fault_of_question(pair[0], source):
        return fault
    question, answer = pair
    if any(_alike(question, gold.question, source.language) for gold in made):
        return "asked before"
    if source.document.id not in _found(library, question):
        return "the search does not find the document"
    # A question that the model itself answers otherwise is rarely a good one: roundtrip consistency, Alberti et al.
    # 2019 (https://arxiv.org/abs/1906.05416).
    again = _reply(generator, "reread", source.language, sentence=source.text, question=question)
    return "" if token_f1(again, [answer]) >= _SAME_ANSWER else f"read again, the answer is {again!r}"


def choose_sources(library: Library, chance: random.Random) -> Iterator[Source]:
    """Yield the sentences of `library` that can be asked about, each text once: one of each document, then another.

    Within a document they come by chance, those sooner that hold more names and numbers.
    """
    ids = [row.id for row in library.documents()]
    chance.shuffle(ids)
    turns = deque(_sources_of(library, id, chance) for id in ids)
    seen = set()
    while turns:
        sources = turns.popleft()
        source = next((source for source in sources if normalise(source.text) not in seen), None)
        if source:
            seen.add(normalise(source.text))
            turns.append(sources)
            yield source


def _sources_of(library: Library, id: str, chance: random.Random) -> Iterator[Source]:
    document = library.document(id)
    sentences = [document.text[start:end] for start, end in sentence_spans(document.text, document.language)]
    # Weighted sampling without replacement: Efraimidis & Spirakis 2006, https://doi.org/10.1016/j.ipl.2005.11.003.
    drawn = sorted(
        (chance.random() ** (1 / weight), place)
        for place, text in enumerate(sentences)
        if (weight := worth_asking(text, document.language))
    )
    for _, place in reversed(drawn):
        yield Source(document, sentences[place])


def worth_asking(sentence: str, language: str) -> int:
    """Return how likely a sentence is to hold a fact that can be asked for, 0..6; 0: never."""
    words = len(sentence.split())
    if not _FEWEST_WORDS <= words <= _MOST_WORDS or not _ENDED.search(sentence) or "?" in sentence:
        return 0
    if _NO_SUBJECT.match(sentence) or ((back := _pronoun(sentence, language)) and back.start() == 0):
        return 0
    return min(len(names(sentence)), 3) + min(len(numbers(sentence)), 3)


def _reply(generator: Generator, name: str, language: str, **values: str) -> str:
    generation = generator.generate(
        example_messages(name, language, **values), max_tokens=_REPLY_TOKENS, stop=("\n\n",)
    )
    try:
        return "".join(generation)
    finally:
        generation.close()


def example_messages(name: str, language: str, **values: str) -> list[Message]:
    """Return the prompt `name` as a chat: what to do, examples with their replies, and the case in hand.

    In the file they are blocks between blank lines; an example's reply begins where the case in hand ends. Small models
    follow examples that were turns of the chat, and copy those that stood in the instructions.
    """
    shown = {key: neutral(" ".join(value.split())) for key, value in values.items()}
    told, *examples, asked = prompts.render(name, language, **shown).split("\n\n")
    messages = [Message("system", told)]
    for example in examples:
        lines = example.split("\n")
        messages.append(Message("user", "\n".join(lines[: len(values)])))
        messages.append(Message("assistant", "\n".join(lines[len(values) :])))
    return [*messages, Message("user", asked)]


def read_reply(reply: str) -> tuple[str, str] | None:
    """Return the question and the answer of a model's reply, None where it is not the two lines asked for."""
    match = _REPLY.fullmatch(reply)
    if not match:
        return None
    answer = match["answer"].strip(" \t\"'“”«»")
    return match["question"].strip(), _LAST_STOP.sub("", answer)


def fault_of_answer(question: str, answer: str, sentence: str, language: str) -> str:
    """Return what is wrong with the answer that `sentence` is said to give, "" where nothing is."""
    words = normalise(answer).split()
    if not words or not holds(sentence, answer):
        return "the answer is not in the sentence"
    if len(words) > LONGEST_ANSWER_WORDS:
        return "the answer is long"
    if holds(question, answer):
        return "the question holds the answer"
    if (back := _pronoun(answer, language)) and back.group() == answer:
        return "the answer is a pronoun"
    if re.search(rf"\b(?:not|non|nicht|pas|no) {re.escape(answer)}", sentence, re.IGNORECASE):
        return "the sentence denies the answer"
    return "" if holds_kind(answer, question) else "the answer is not of the kind asked for"


def fault_of_question(question: str, source: Source) -> str:
    """Return what is wrong with a question about `source`, "" where nothing is."""
    if not question.endswith("?"):
        return "not a question"
    if not stands_alone(question, source.language):
        return "the question leans on the sentence"
    if not names(question) <= names(f"{source.text} {source.document.title}") | set(terms(source.text)):
        return "the question names what the sentence does not"
    return "" if detect_language(question) in ("", source.language) else "another language"


def stands_alone(question: str, language: str) -> bool:
    """Whether `question` can be understood without the sentence, as far as words tell.

    It does not speak of "the text", no pronoun comes before the first name that it could stand for, and there is a name
    or a number in it, or else words enough.
    """
    if _POINTS_AT_TEXT.search(question):
        return False
    if (back := _pronoun(question, language)) and not names(question[: back.start()]):
        return False
    told = names(question) or numbers(question)
    return bool(told) or len(content_words(question, language)) >= _WORDS_WITHOUT_NAME


def _pronoun(text: str, language: str) -> re.Match[str] | None:
    """Return the first pronoun of `text` that stands for something named elsewhere; none in languages unknown here."""
    return _PRONOUNS[language].search(text) if language in _PRONOUNS else None


def _alike(question: str, other: str, language: str) -> bool:
    ours, theirs = content_words(question, language), content_words(other, language)
    return normalise(question) == normalise(other) or len(ours & theirs) > _ALIKE * len(ours | theirs)


def _found(library: Library, question: str) -> list[str]:
    """Return the ids of the first documents that the library's search finds."""
    passages = library.search(question, k=FOUND_WITHIN * _CHUNKS_PER_DOCUMENT)
    return list(dict.fromkeys(passage.document.id for passage in passages))[:FOUND_WITHIN]
