"""Canonical form: equal questions are equal setups, whatever was left out or said in more words.

`s` is always the setup. `completed` and `shortened` give what its fields are set to while it is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.fields import ALL, names_of
from arithjax.registry import MODELS, OPERATIONS

DEFAULT_WIDTHS = (64, 64)
"""The default `widths` of models that are no arithmetic units."""


def completed(s: Any) -> Iterator[tuple[str, Any]]:
    """The fields, with their values, that follow from the operation and the model of a setup.

    Raises:
        ArithjaxError: the setup was made of other data than the operation now holds, or counts examples of a data set.
    """
    yield from _hull(s)
    yield "content", _content(s)
    if s.widths is None:
        yield "widths", MODELS[names_of(s.model)[0]].default_widths


def _hull(s: Any) -> Iterator[tuple[str, Any]]:
    """What stands for the range where all arguments have their own: the smallest interval that holds them."""
    op = OPERATIONS[s.op]
    if op.data:
        if s.examples not in (_defaults(s)["examples"], ALL):
            raise ArithjaxError(f"examples={s.examples} is for operations; every row of the data set {s.op} is one.")
        yield "examples", ALL
    if op.apart:
        whole, ends = all(span.whole for span in s.spans), s.argument_bounds
        yield from (("low", min(low for low, _ in ends)), ("high", max(high for _, high in ends) + whole))
        yield "integers", whole


def _content(s: Any) -> str | None:
    """The digest of what an operation holds besides its function, by which setups of other data are told apart."""
    there: str | None = OPERATIONS[s.op].content
    if s.content not in (None, there):
        raise ArithjaxError(
            f"op={s.op} is not what it was: its data or ranges have the digest {there}, and content={s.content[:40]} "
            "is asked for; bring back what it was, or make a new setup."
        )
    return there


def shortened(s: Any) -> Iterator[tuple[str, Any]]:
    """The fields, with their values, whose question has a shorter form: equal questions are equal setups."""
    for name in ("activation", "model"):
        names = names_of(getattr(s, name))
        if len(set(names)) == 1:
            yield name, names[0]
    if s.until == s.steps:
        yield "until", None
    if s.examples == ALL:
        yield "batch", min(s.batch, s.example_count)


def identity(s: Any) -> str:
    """A digest of what departs from the defaults; that of a training which is cut short is the whole one's.

    The default of `widths` is that of dense nets, whatever the model, as in every table that was ever written.
    """
    defaults = _defaults(s) | {"widths": DEFAULT_WIDTHS, "until": s.until}
    departs = {name: getattr(s, name) for name in defaults if getattr(s, name) != defaults[name]}
    return hashlib.sha256(json.dumps(departs, sort_keys=True).encode()).hexdigest()


def _defaults(s: Any) -> dict[str, Any]:
    return {field.name: field.default for field in fields(s)}
