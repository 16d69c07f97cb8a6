"""A user's own members of registries: those that a setup names, and what stands for an operation that is not there."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from arithjax.errors import ArithjaxError
from arithjax.fields import names_of
from arithjax.registry import OPERATIONS
from arithjax.setup import FIELDS, Setup
from arithjax.task.arguments import Argument, Span
from arithjax.task.datasets import Dataset
from arithjax.task.operations import Operation
from arithjax.task.trial import Trial


def members(setup: Setup) -> list[dict[str, Any]]:
    """What a setup names that did not come with arithjax: `field` and `name`.

    Of operations also `symbol`, `arity`, and `bounds`, the smallest and the largest value of each result.
    """
    found: list[dict[str, Any]] = []
    for field, registry in ((name, known.registry) for name, known in FIELDS.items() if known.registry is not None):
        for name in names_of(getattr(setup, field)):
            base = name.partition(":")[0] if field == "op" else name
            if base in registry and not registry.ours(base):
                found.append({"field": field, "name": base})
                if field == "op":
                    encoder = setup.target_encoder
                    bounds = setup.trial.bounds if encoder is None else encoder.bounds
                    whole = () if encoder is None else [column.whole for column in encoder.columns]
                    found[-1] |= _about(OPERATIONS[base]) | {"bounds": bounds, "whole": whole}
    return found


def _about(op: Operation) -> dict[str, Any]:
    """What a saved net tells of an operation, or of a data set and its number of rows."""
    about = {"symbol": op.symbol, "arity": op.arity, "arguments": [*map(asdict, op.arguments)], "content": op.content}
    return about | ({"rows": len(op.x)} if isinstance(op, Dataset) else {})


def require(needed: list[dict[str, Any]], path: str) -> None:
    """See that all members which a saved net needs are there; an operation that is not gets an `Absent` in its place.

    Raises:
        ArithjaxError: another member is not there, or one that came with arithjax has its name.
    """
    for entry in needed:
        registry, name = FIELDS[entry["field"]].registry, entry["name"]
        assert registry is not None
        if name in registry and not registry.ours(name):
            continue
        if entry["field"] == "op" and name not in registry:
            OPERATIONS[name] = _absent(entry)
            continue
        raise ArithjaxError(
            f"{path} needs the {registry.kind} '{name}' that was added where the net was trained; add it before "
            f"load_net, or name the study file that does with --study FILE."
        )


def _absent(entry: dict[str, Any]) -> Absent:
    name = entry["name"]
    return Absent(
        name,
        entry["symbol"],
        _nothing(name),
        entry["arity"],
        arguments=tuple(Argument(**one) for one in entry.get("arguments", ())),
        bounds=tuple(map(tuple, entry.get("bounds", [(math.inf, math.inf)]))),
        whole=tuple(entry.get("whole", ())),
        was=entry.get("content"),
        row_count=entry.get("rows", 0),
    )


@dataclass(frozen=True)
class Absent(Operation):
    """An operation, or a data set, of which a saved net tells all but the function, or the rows.

    bounds: the smallest and the largest value of each result. whole: where the net encodes its results, whether each is
        always a whole number. was: its content. row_count: the rows of a data set; 0 of an operation.
    """

    bounds: tuple[tuple[float, float], ...] = ()
    whole: tuple[bool, ...] = ()
    was: str | None = None
    row_count: int = 0

    @property
    def content(self) -> str | None:
        """The digest of what it was."""
        return self.was

    @property
    def data(self) -> bool:
        """Whether it was a data set."""
        return self.row_count > 0

    def rows(self, spans: tuple[Span, ...], most: int) -> Float64[np.ndarray, "rows arity"] | None:
        """As many rows as a data set had, of zeros, since nothing is known of them."""
        return np.broadcast_to(0.0, (self.row_count, self.arity)) if self.data else super().rows(spans, most)

    def trial(self, spans: tuple[Span, ...], precision: str) -> Trial:
        """Nothing is known that speaks against any range or transform."""
        return Trial("", math.inf, math.inf, bounds=self.bounds, values=(0.0, 1.0))

    def result_bounds(
        self, spans: tuple[Span, ...], precision: str
    ) -> tuple[tuple[tuple[float, float], ...], tuple[bool, ...]]:
        """Those that the saved net tells."""
        return self.bounds, self.whole


def _nothing(name: str) -> Any:
    def function(*arguments: Any) -> Any:
        raise ArithjaxError(
            f"the saved net does not hold the function of operation '{name}'; add it as aj.OPERATIONS[{name!r}], or "
            f"name the study file that does with --study FILE."
        )

    return function
