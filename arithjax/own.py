"""A user's own members of registries: those that a setup names, and what stands for an operation that is not there."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.fields import names_of
from arithjax.registry import OPERATIONS
from arithjax.setup import FIELDS, Setup
from arithjax.task.arguments import Argument, Span
from arithjax.task.operations import Operation, Trial


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
                    op = OPERATIONS[base]
                    found[-1] |= {"symbol": op.symbol, "arity": op.arity, "arguments": [*map(asdict, op.arguments)]}
                    found[-1]["bounds"] = setup.trial.bounds
    return found


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
            arguments = tuple(Argument(**one) for one in entry.get("arguments", ()))
            bounds = tuple(map(tuple, entry.get("bounds", [(math.inf, math.inf)])))
            given = Absent(name, entry["symbol"], _nothing(name), entry["arity"], arguments=arguments, bounds=bounds)
            OPERATIONS[name] = given
            continue
        raise ArithjaxError(
            f"{path} needs the {registry.kind} '{name}' that was added where the net was trained; add it before "
            f"load_net, or name the study file that does with --study FILE."
        )


@dataclass(frozen=True)
class Absent(Operation):
    """An operation of which a saved net tells name, symbol and number of arguments, but not the function.

    bounds: the smallest and the largest value of each result.
    """

    bounds: tuple[tuple[float, float], ...] = ()

    def trial(self, spans: tuple[Span, ...], precision: str) -> Trial:
        """Nothing is known that speaks against any range or transform."""
        return Trial("", math.inf, math.inf, bounds=self.bounds)


def _nothing(name: str) -> Any:
    def function(*arguments: Any) -> Any:
        raise ArithjaxError(
            f"the saved net does not hold the function of operation '{name}'; add it as aj.OPERATIONS[{name!r}], or "
            f"name the study file that does with --study FILE."
        )

    return function
