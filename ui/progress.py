"""Progress bars on standard error, for anything that takes over two seconds (rich)."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 2.0

Draw = Callable[[int, int, str], None]


@contextmanager
def bytes_progress() -> Iterator[Draw]:
    """Yield `on_progress(done_bytes, total_bytes, label)`, drawn with speed and time left."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with _drawn(columns) as draw:
        yield draw


@contextmanager
def counted_progress() -> Iterator[Draw]:
    """Yield `on_progress(done, total, label)`, drawn as a count with time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    with _drawn((BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))) as draw:
        yield draw


@contextmanager
def _drawn(columns: tuple[object, ...]) -> Iterator[Draw]:
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(*columns, console=Console(stderr=True), transient=True)  # type: ignore[arg-type]
    started = time.monotonic()
    task = bar.add_task("", total=None)

    def draw(done: int, total: int, label: str) -> None:
        if time.monotonic() - started > PATIENCE_S and not bar.live.is_started and sys.stderr.isatty():
            bar.start()
        bar.update(task, completed=done, total=total or None, description=label)

    try:
        yield draw
    finally:
        if bar.live.is_started:  # else it would leave an empty line
            bar.stop()
