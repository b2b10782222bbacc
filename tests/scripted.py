"""A scripted asker, and the documents it speaks of: what the tests of the page and of its forms share."""

import threading
from collections.abc import Iterator, Sequence

from index.types import Chunk, Document, Passage
from rag.types import Answer, Citation, Claim, Event, Finished, Piece, Retrieved, Turn

ITALIAN = (
    "Venerdì la società ha comunicato che il fondatore lascia l'incarico.\n"
    "Il consiglio ha affidato la guida a due dirigenti, nominati co-CEO ad interim. La ricerca continua."
)
ENGLISH = (
    "The board did not wait. It asked Shan Shan Wong & Christian Laforte to lead <together> as interim co-CEOs. "
    "Both keep their “present” duties. A committee will look for a permanent chief executive."
)
LEAD = "It asked Shan Shan Wong & Christian Laforte to lead <together> as interim co-CEOs."
DUTIES = "Both keep their “present” duties."
GUIDA = "Il consiglio ha affidato la guida a due dirigenti, nominati co-CEO ad interim."
TIMINGS = {"retrieve_s": 0.21, "first_token_s": 1.94, "total_s": 4.2, "prompt_tokens": 512, "output_tokens": 60}

Step = Event | Exception | threading.Event


def passage(text: str, rank: int, *, page: int | None = None, **document: str) -> Passage:
    """Return a passage that is the whole of a small document."""
    named = {"id": f"doc{rank}.txt", "title": f"Title {rank}", "language": "en", "published": "2024-03-23", **document}
    pages = (0,) if page else ()
    whole = Document(text=text, pages=pages, **named)
    return Passage(Chunk(f"{whole.id}#0", whole.id, text, 0, len(text), page), whole, 0.9 - rank / 10, rank)


PASSAGES = (
    passage(ITALIAN, 1, id="it/nomina.md", title="Due dirigenti alla guida", language="it"),
    passage(ENGLISH, 2, id="en/leads.pdf", title="Two share the top job", outlet="The Ledger", page=1),
    passage("The first image model came out in 2022.", 3, id="en/models.txt", title="", published=""),
)


def cite(marker: int, quote: str, passages: Sequence[Passage] = PASSAGES, support: float = 0.9) -> Citation:
    """Return the citation of `quote` in the first passage that holds it."""
    document = next(p.document for p in passages if quote in p.document.text)
    start = document.text.index(quote)
    return Citation(marker, document.id, start, start + len(quote), quote, support)


def answered(
    question: str, *claims: Claim, citations: Sequence[Citation], passages: Sequence[Passage] = PASSAGES
) -> Answer:
    """Return an answer whose text is its claims with their markers."""
    text = " ".join(claim.text + "".join(f" [{m}]" for m in claim.markers) for claim in claims)
    return Answer(
        question, text, "en", claims, tuple(citations), False, "", tuple(passages), TIMINGS, {"model": "fake"}
    )


def refused(question: str, text: str = "The documents do not say what they earn.", reason: str = "") -> Answer:
    """Return a refusal with the nearest passages."""
    return Answer(question, text, "en", (), (), True, reason, PASSAGES[:2], TIMINGS, {})


def leads(question: str = "Who leads?") -> Answer:
    """Return an answer with three quotes, two of them from one document."""
    return answered(
        question,
        Claim("Shan Shan Wong and Christian Laforte lead as interim co-CEOs.", (1, 2), "supported"),
        Claim("Both keep their duties.", (3,), "supported"),
        citations=(cite(1, GUIDA), cite(2, LEAD), cite(3, DUTIES)),
    )


def pieces(text: str, size: int = 3) -> list[Event]:
    """Return `text` as a model might write it, cut anywhere."""
    return [Piece(text[i : i + size]) for i in range(0, len(text), size)]


def script(answer: Answer) -> list[Step]:
    """Return the events of an answer."""
    return [Retrieved(answer.passages), *pieces(answer.text), Finished(answer)]


class ScriptedAsker:
    """Plays the script of each question; waits at a threading.Event, raises at an error."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Step]] = {}
        self.histories: dict[str, tuple[Turn, ...]] = {}
        self.closed: dict[str, threading.Event] = {}

    def play(self, question: str, *steps: Step) -> str:
        """Set what `question` will be answered with, and return it."""
        self.scripts[question] = list(steps)
        self.closed[question] = threading.Event()
        return question

    def release(self) -> None:
        """Let every script that waits go on."""
        for steps in self.scripts.values():
            for step in steps:
                if isinstance(step, threading.Event):
                    step.set()

    def events(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        """Yield the script's events."""
        self.histories[question] = tuple(history)
        try:
            for step in self.scripts[question]:
                if isinstance(step, threading.Event):
                    step.wait(20)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.closed[question].set()
