"""The page: a question box, the answer as it is written, the passages at its side. `build_page` never launches."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import Any

from markupsafe import Markup

from index.errors import FonteError
from index.types import Passage
from rag.types import Answer, Event, Finished, Piece, Retrieved, Turn
from ui import markup
from ui.stream import Asker, follow
from ui.words import Words, words_for

QUESTION_CHARS = 4000  # typed into the box; the asker has its own limit
READERS = 8  # followed at once; the model itself answers one after another

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """What the page shows: something that answers, how many documents there are, and three questions to begin with."""

    asker: Asker
    count_documents: Callable[[], int]
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation so far: what the asker is told of it, and how it looks."""

    history: tuple[Turn, ...] = ()
    turns: tuple[Markup, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """One question being answered. `take` and the others return a new one."""

    question: str
    turn: int
    words: Words
    passages: tuple[Passage, ...] | None = None  # None: still searching
    text: str = ""
    answer: Answer | None = None
    note: str = ""  # a sentence in place of, or after, the answer

    def take(self, events: Sequence[Event]) -> "Reply":
        """Return the reply after `events`."""
        reply = self
        for event in events:
            match event:
                case Retrieved():
                    reply = replace(reply, passages=event.passages)
                case Piece():
                    reply = replace(reply, text=reply.text + event.text)
                case Finished():
                    reply = replace(reply, answer=event.answer, passages=event.answer.passages)
        return reply

    def end(self, note: str = "") -> "Reply":
        """Return the reply as it stays, with a note where there is no answer."""
        return replace(self, note="" if self.answer else note)

    def html(self) -> Markup:
        """Return the question and what is answered so far."""
        asked = markup.question_html(self.question, self.turn)
        if self.answer:
            return asked + markup.answer_html(self.answer, self.turn, self.words)
        text = markup.pieces_html(self.text, writing=not self.note) if self.text else Markup()
        if self.note:
            return asked + text + markup.note_html(self.note)
        waiting = markup.waiting_html(self.words["searching" if self.passages is None else "reading"])
        return asked + (text or waiting)

    def side_html(self, *, rest: bool = True) -> Markup:
        """Return the passages: placeholders, then the passages found, then the quotes within them."""
        if self.answer:
            return markup.cited_html(self.answer, self.turn, self.words, rest=rest)
        if self.passages is None:
            return Markup() if self.note else markup.placeholder_html(self.words)
        return markup.passages_html(self.passages, self.words)

    def added_to(self, talk: Talk) -> Talk:
        """Return the conversation with this turn; only an answer becomes part of what the asker is told."""
        side = self.side_html(rest=False) if self.answer and self.answer.citations else Markup()
        turns = (*talk.turns, markup.turn_html(self.html(), side))
        if self.answer is None:
            return Talk(talk.history, turns)
        return Talk((*talk.history, Turn("user", self.question), Turn("agent", self.answer.text)), turns)


def build_page(app: App, *, title: str = "fonte") -> Any:
    """Return the page as `gr.Blocks`; `ui.serve` gives it its look and opens it on a port."""
    import gradio as gr  # four seconds of import: only when a page is wanted

    busy = Lock()
    stops: dict[str, Flag] = {}

    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as page, gr.Column(elem_id="fonte"):
        talk = gr.State(Talk())
        head = gr.HTML(elem_id="head", apply_default_css=False, js_on_load=_script())
        past = gr.HTML(elem_id="past", apply_default_css=False)
        with gr.Row(elem_id="now"):
            reply = gr.HTML(elem_id="reply", apply_default_css=False)
            side = gr.HTML(elem_id="side", apply_default_css=False)
        hero = gr.HTML(elem_id="hero", apply_default_css=False)
        with gr.Row(elem_id="ask"):
            box = gr.Textbox(
                elem_id="box",
                label=words_for("en")["placeholder"],
                show_label=False,
                container=False,
                lines=1,
                max_lines=6,
                max_length=QUESTION_CHARS,
                autofocus=True,
                submit_btn=words_for("en")["ask"],
            )
            new = gr.Button(elem_id="new", size="sm", variant="secondary", value=words_for("en")["new"])
        with gr.Row(elem_id="examples"):
            examples = [gr.Button(question, size="sm") for question in app.examples]

    shown = [talk, past, reply, side, box, new]

    def greet(request: gr.Request) -> dict[Any, Any]:
        words = _words(request)
        return {
            head: str(markup.head_html(title, _library(app, words), words)),
            hero: str(markup.hero_html(title, words)),
            box: gr.Textbox(label=words["placeholder"], placeholder=words["placeholder"], submit_btn=words["ask"]),
            new: gr.Button(words["new"]),
        }

    def answer(question: str, told: Talk, request: gr.Request) -> Iterator[dict[Any, Any]]:
        session, words = str(request.session_hash), _words(request)
        if not question.strip() or session in stops:
            yield {past: gr.skip()}
            return
        stop = stops[session] = Flag()
        current = Reply(question.strip(), len(told.turns) + 1, words)
        try:
            yield {
                past: str(Markup().join(told.turns)),
                reply: str(current.html()),
                side: str(current.side_html()),
                box: gr.Textbox(value="", submit_btn=False, stop_btn=words["stop"]),
                new: gr.Button(interactive=False),
            }
            try:
                for events in follow(app.asker, current.question, told.history, stop=stop, busy=busy):
                    sources_known = current.passages is not None
                    current = current.take(events)
                    update = {reply: str(current.html())}
                    yield update if sources_known else {**update, side: str(current.side_html())}
                current = current.end(words["stopped"])
            except FonteError as error:
                current = current.end(str(error))
            except Exception:
                _log.exception("answering failed")
                current = current.end(words["failed"])
            yield {
                talk: current.added_to(told),
                reply: str(current.html()),
                side: str(current.side_html()),
                box: gr.Textbox(submit_btn=words["ask"], stop_btn=False),
                new: gr.Button(interactive=True),
            }
        finally:
            stop.set()
            del stops[session]

    def halt(request: gr.Request) -> None:
        if stop := stops.get(str(request.session_hash)):
            stop.set()

    def begin_anew() -> dict[Any, Any]:
        return {talk: Talk(), past: "", reply: "", side: "", box: gr.Textbox(value="")}

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    limited = {"concurrency_limit": READERS, "concurrency_id": "ask", "trigger_mode": "once"}
    with page:
        page.load(greet, None, [head, hero, box, new], queue=False, **quiet)
        box.submit(answer, [box, talk], shown, **quiet, **limited)
        for example in examples:
            example.click(answer, [example, talk], shown, **quiet, **limited)
        box.stop(halt, None, None, queue=False, **quiet)
        new.click(begin_anew, None, [talk, past, reply, side, box], queue=False, **quiet)
    return page


def _words(request: Any) -> Words:
    return words_for(request.headers.get("accept-language", ""))


def _library(app: App, words: Words) -> str:
    """Return how many documents there are, or the sentence that says why that is not known."""
    try:
        count = app.count_documents()
    except FonteError as error:
        return str(error)
    return words[{0: "no_documents", 1: "one_document"}.get(count, "many_documents")].format(n=count)


def _script() -> str:
    return Path(__file__).with_name("page.js").read_text(encoding="utf-8")
