"""Signals: SIGINT (Ctrl-C) or SIGTERM ends a run in order, a second one at once.

Either way no file is left half written, since files are only ever replaced whole.
"""

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
"""Seconds within which a second signal is taken as the first one again: `timeout` and some queues send it twice."""

_first: list[float] = []  # when the first signal came, in monotonic seconds; empty before


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
    """The handler of both signals."""
    if not _first:
        _first.append(time.monotonic())
        raise KeyboardInterrupt
    if time.monotonic() - _first[0] > SAME:
        os.write(2, b"arithjax: stopped at once; what was finished is kept, and the same command goes on.\n")
        os._exit(130)


class Stop(threading.Event):
    """An event that asks threads to give up; also set by a signal whose `KeyboardInterrupt` a callback swallowed."""

    def is_set(self) -> bool:
        """Whether threads should give up."""
        return super().is_set() or bool(_first)
