"""An answer on the terminal: what is found at once, the pieces as they come, the verified text in their place."""

import sys
from collections.abc import Iterable

from index.errors import GenerationFailed
from rag.types import Answer, Event, Finished, Piece, Retrieved
from ui.format import answer_text, title_of, visible
from ui.words import words_for

_TITLES_SHOWN = 3


def print_events(events: Iterable[Event]) -> Answer:
    """Print the events of one question; return the verified answer. Where no person watches, only that is printed."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    words = words_for("en")
    text = Text(words["searching"], style="dim")
    answer = None
    with (
        Live(text, console=console, transient=True, refresh_per_second=10) if console.is_terminal else _Silent() as live
    ):
        for event in events:
            match event:
                case Retrieved():
                    titles = list(dict.fromkeys(title_of(p.document) for p in event.passages))[:_TITLES_SHOWN]
                    text = Text(visible(" · ".join(titles)) + "\n\n", style="dim")
                    live.update(text)
                case Piece():
                    text.append(visible(event.text), style="not dim")
                    live.update(text)
                case Finished():
                    answer = event.answer
    if answer is None:
        raise GenerationFailed("The answer ended before it was complete. Ask again.")
    console.print(answer_text(answer))
    return answer


class _Silent:
    """Stands in for rich's Live where standard output is a file or a pipe."""

    def __enter__(self) -> "_Silent":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, text: object) -> None:
        pass
