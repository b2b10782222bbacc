"""Child processes of ours: what may crash, hang or be harmed happens there."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def start_child(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start `python -m module` with pipes to its input and from its output.

    -P keeps the folder that the user is in off its import path.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        start_new_session=True,  # Ctrl-C is for the parent to handle
    )


@contextmanager
def killed_after(seconds: float, process: "subprocess.Popen[bytes]") -> Iterator[threading.Event]:
    """Kill `process` if the block takes longer than `seconds`; the event tells whether it did."""
    expired = threading.Event()

    def give_up() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(seconds, give_up)
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
