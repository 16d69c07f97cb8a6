"""The command `predict`: what a saved net answers. It imports no jax where the net's file alone gives its very bits."""

from __future__ import annotations

import importlib
import json
import math
from typing import Any

import click
import numpy as np

from arithjax import saved
from arithjax.errors import ArithjaxError, counted


def predict(file: str, numbers: tuple[str, ...], source: str | None, as_json: bool) -> None:
    """What the net saved in a file answers to numbers, one for each argument of its operation.

    source: the study that brings members of its own, if given. as_json: print an object instead of the answer alone.
    """
    net = saved.read(file)
    values = _values(net, numbers)
    outside = [i for i, (low, high) in enumerate(net.bounds) if not low <= values[i] <= high]
    inside = not outside
    if unknown := _without_code(net, values):
        of = net.header["setup"]["input_transform"]
        click.echo(f"{of} has no code for {unknown}: the net has no answer (nan).", err=True)
    elif outside:
        low, high = net.bounds[outside[0]]
        of = f" of {net.arguments[outside[0]]}" if len(set(net.bounds)) > 1 and net.arguments else ""
        click.echo(f"Outside the training range{of} [{low:g}, {high:g}]: the net extrapolates.", err=True)
    precision = net.header["setup"]["precision"]
    held = [float(np.asarray(value, precision)) for value in values]
    if net.header["setup"]["integers"] and held != values:
        click.echo(f"{precision} holds these numbers as {' '.join(map(_plain, held))}.", err=True)
    answer, exact = _answer(net, source, values), net.header["row"]["grade"] == "exact"
    if as_json:
        known = _json(answer.tolist())
        click.echo(json.dumps({"numbers": values, "answer": known, "inside": inside, "exact": exact}))
    else:
        digits = 7 if precision == "float32" else 15
        click.echo(" ".join(_plain(float(number), digits) for number in np.ravel(answer)))


def _values(net: saved.Saved, numbers: tuple[str, ...]) -> list[float]:
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        raise ArithjaxError(f"numbers={' '.join(numbers)} are not all numbers; give {net.arity}.") from None
    if len(values) != net.arity:
        op = net.header["setup"]["op"]
        names = f" ({', '.join(net.arguments)})" * bool(net.arguments)
        raise ArithjaxError(f"{op} takes {counted(net.arity, 'number')}{names}, not {len(values)}.")
    return values


def _without_code(net: saved.Saved, values: list[float]) -> str:
    """The numbers that the net's encoding has no code for, as text."""
    if net.encoder is None:
        return ""
    shown = net.encoder.encode(np.asarray(values, float)[None, :, None])[0, :, 0]
    parts = np.split(shown, np.cumsum(net.encoder.sizes)[:-1])
    return ", ".join(_plain(value) for value, part in zip(values, parts, strict=True) if np.isnan(part).any())


def _json(answer: Any) -> Any:
    """An answer, or a list of several, with None for what is no number."""
    if isinstance(answer, list):
        return [*map(_json, answer)]
    return None if math.isnan(answer) else answer


def _answer(net: saved.Saved, source: str | None, values: list[float]) -> np.ndarray:
    """The answer, or `[results]` of several, from the file alone, or else from the net itself."""
    alone = net.answer([values])
    if alone is not None:
        return np.asarray(alone[0], float)
    if source:  # imported here, since these take seconds
        importlib.import_module("arithjax.studies.files").find_study(source)
    return np.asarray(importlib.import_module("arithjax.nets").load_net(net.path).predict([values])[0], float)


def _plain(number: float, digits: int = 17) -> str:
    """A number as text: with all of its digits where it is whole, up to so many digits; else with as many."""
    text = f"{number:.{digits}g}"
    return f"{number:.0f}" if abs(number) < 2**63 and float(text).is_integer() else text
