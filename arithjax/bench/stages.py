"""Where the time of a run goes: seconds of its stages, each without those it calls, summed over threads."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from arithjax.studies.search import Search
from arithjax.tables.store import Store
from arithjax.training import compiled, evaluation
from arithjax.training.trainer import Trainer

STAGES: dict[str, list[tuple[Any, str]]] = {
    "compile": [(compiled, "_compile")],
    "train": [(Trainer, "__init__"), (Trainer, "advance_to")],
    "judge": [(evaluation.Judge, "errors"), (evaluation.Judge, "certify")],
    "ask": [(Search, "ask"), (Search, "tell")],
    "write": [(Store, "add"), (Store, "finish"), (Store, "write")],
}
"""The functions of every stage, by where they are and what they are called."""


@contextlib.contextmanager
def watched() -> Iterator[dict[str, float]]:
    """A context in which the stages of runs in this process are timed: yields their seconds, which grow."""
    clock, before = _Clock(), []
    for stage, functions in STAGES.items():
        for place, name in functions:
            before.append((place, name, getattr(place, name)))
            setattr(place, name, clock.timed(stage, getattr(place, name)))
    try:
        yield clock.seconds
    finally:
        for place, name, function in before:
            setattr(place, name, function)


class _Clock:
    """Seconds by stage. While a stage calls another in its thread, only the inner one's time runs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self.lock = threading.Lock()
        self.inside: dict[int, list[str]] = defaultdict(list)  # the stages that a thread is in
        self.since: dict[int, float] = {}

    def timed(self, stage: str, function: Callable) -> Callable:
        """The function, whose time is the stage's."""

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            self._switch(lambda stages: stages.append(stage))
            try:
                return function(*arguments, **named)
            finally:
                self._switch(list.pop)

        return call

    def _switch(self, change: Callable[[list[str]], Any]) -> None:
        """End what this thread is in, and go on in what it is in after the change."""
        thread, now = threading.get_ident(), time.perf_counter()
        with self.lock:
            stages = self.inside[thread]
            if stages:
                self.seconds[stages[-1]] += now - self.since[thread]
            change(stages)
            self.since[thread] = now
