"""Stopping: Ctrl-C or SIGTERM once ends a run in order, twice at once. Files are replaced whole, so none is torn."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

SAME = 0.5
"""Seconds within which a second signal is the first one again: `timeout` and some queues send it twice."""

_first: list[float] = []  # when the process was asked to stop, if it was


@contextmanager
def in_order() -> Iterator[None]:
    """Within this context SIGINT and SIGTERM raise `KeyboardInterrupt`; a second one ends the process, status 130."""
    before = {number: signal.signal(number, _stop) for number in SIGNALS}
    try:
        yield
    finally:
        _first.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    if not _first:
        _first.append(time.monotonic())
        raise KeyboardInterrupt
    if time.monotonic() - _first[0] > SAME:
        os.write(2, b"arithjax: stopped at once; what was finished is kept, and the same command goes on.\n")
        os._exit(130)


class Stop(threading.Event):
    """Tells threads to give up: set by whoever holds it, or by a signal whose exception was lost in a callback."""

    def is_set(self) -> bool:
        return super().is_set() or bool(_first)
