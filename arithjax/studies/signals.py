"""Signals: SIGINT (Ctrl-C) or SIGTERM ends a run in order, a second one at once.

Either way no file is left half written, since files are only ever replaced whole.

Python drops an exception that is raised in a callback of its garbage collector, in a finaliser, or in a callback of C
code, and tells `sys.unraisablehook`. A `KeyboardInterrupt` that is lost so is raised again a moment later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)

INTERRUPTED = 130
"""The exit status of a run that a signal ended."""

SAME = 0.5
"""Seconds within which a second signal is taken as the first one again: `timeout` and some queues send it twice."""

AGAIN = 0.02
"""Seconds after which a `KeyboardInterrupt` that was dropped is raised again."""

_first: list[float] = []  # when the first signal came, in monotonic seconds; empty before


@contextmanager
def in_order() -> Iterator[None]:
    """Within this context SIGINT and SIGTERM raise `KeyboardInterrupt`; a second one ends the process, status 130."""
    before = {number: signal.signal(number, _stop) for number in SIGNALS}
    hook = sys.unraisablehook

    def dropped(error: Any) -> None:
        if error.exc_type is KeyboardInterrupt and _first:
            _raise_again()
        else:
            hook(error)

    sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        _first.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_again() -> None:
    """Send this process its first signal once more, from a thread, so that it comes outside the callback."""

    def send() -> None:
        if _first:  # the context has not ended meanwhile
            _first.clear()
            os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(AGAIN, send)
    timer.daemon = True
    timer.start()


def end(status: int) -> NoReturn:
    """End the process now, after what was written is out.

    Python's own end takes a moment in which signals have their usual effect, which would be another status.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # where nobody reads it any more
            stream.flush()
    os._exit(status)


def _stop(number: int, frame: FrameType | None) -> None:
    """The handler of both signals."""
    if not _first:
        _first.append(time.monotonic())
        raise KeyboardInterrupt
    if time.monotonic() - _first[0] > SAME:
        os.write(2, b"arithjax: stopped at once; what was finished is kept, and the same command goes on.\n")
        os._exit(INTERRUPTED)


class Stop(threading.Event):
    """An event that asks threads to give up; also set by a signal whose `KeyboardInterrupt` a callback swallowed."""

    def is_set(self) -> bool:
        """Whether threads should give up."""
        return super().is_set() or bool(_first)
