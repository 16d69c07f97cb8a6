"""Ranges: whether a setup's arguments, results and transforms fit its intervals and its precision.

Setups are checked with these functions while they are made; `s` is always the setup.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.fields import SMALLEST, WHOLE, cell
from arithjax.registry import OPERATIONS, TRANSFORMS


def closed(low: float, high: float, integers: bool) -> tuple[float, float]:
    """The closed interval that holds what is drawn from `low` up to `high`."""
    return (math.ceil(low), math.ceil(high) - 1) if integers else (low, high)


def check_ranges(s: Any) -> None:
    """Arguments are drawn from intervals on which the operation and the input transform are defined."""
    if s.extrapolation is not None and (not s.extrapolation or len(s.extrapolation) % 2):
        raise ArithjaxError(f"extrapolation={cell(s.extrapolation)} has to be pairs of bounds, such as 500,1000.")
    if s.integers and s.distribution != "uniform":
        raise ArithjaxError(f"distribution={s.distribution} needs real arguments; set integers=False.")
    if words := obstacle(s, "low, high", s.low, s.high):
        raise ArithjaxError(words)
    for interval in s.extrapolation_intervals:
        if words := obstacle(s, "extrapolation", *interval):
            default = s.extrapolation is None
            raise ArithjaxError(words + " Set extrapolation, whose default is the next interval." * default)


def obstacle(s: Any, what: str, low: float, high: float) -> str:
    """Why a setup cannot take its arguments from an interval, in words that call it `what`; empty where it can."""
    try:
        _check_interval(what, low, high, s)
        smallest, largest = closed(low, high, s.integers)
        OPERATIONS[s.op].check(smallest, largest, what=what)
        _check_transform(s, "input_transform", smallest, largest, "arguments", s.integers)
        if words := OPERATIONS[s.op].trial(smallest, largest, s.integers, s.precision).obstacle:
            return f"{what}: {words}"
    except ArithjaxError as error:
        return str(error)
    return ""


def _check_interval(what: str, low: float, high: float, s: Any) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ArithjaxError(f"{what}={low:g}, {high:g}: both ends have to be finite numbers.")
    if low >= high:
        raise ArithjaxError(f"{what}: low={low:g} has to be smaller than high={high:g}.")
    largest = WHOLE[s.precision] if s.integers else 1e18
    words = f"2**{math.log2(largest):.0f}" if s.integers else "1e18"
    if max(abs(low), abs(high)) > largest:
        more = "; precision=float64 takes whole numbers up to 2**53" * (s.integers and s.precision == "float32")
        raise ArithjaxError(
            f"{what}: {low:g}, {high:g} has to lie within ±{words}, what {s.precision} can tell apart{more}."
        )
    if s.integers:
        _check_whole(what, low, high, s)
    elif _told_apart(low, s.precision) >= _told_apart(high, s.precision):
        raise ArithjaxError(f"{what}: {low!r} and {high!r} are the same number in {s.precision}; widen the interval.")


def _check_whole(what: str, low: float, high: float, s: Any) -> None:
    """The interval holds whole numbers, and no more than are drawn from."""
    if math.ceil(low) >= math.ceil(high):
        raise ArithjaxError(f"{what}: no whole number lies in {low:g} <= x < {high:g}; widen it or set integers=False.")
    if s.fresh and high - low > 2**23:
        raise ArithjaxError(
            f"{what}: {low:g}, {high:g} holds more whole numbers than the 2**23 that fresh=True draws from; narrow it, "
            "or set fresh=False."
        )


def _told_apart(value: float, precision: str) -> float:
    """A number as a precision holds it; 0 where it underflows."""
    near = struct.unpack("f", struct.pack("f", value))[0] if precision == "float32" else value
    return 0.0 if abs(near) < SMALLEST[precision] else near


def _check_transform(s: Any, name: str, smallest: float, largest: float, what: str, whole: bool) -> None:
    transform = TRANSFORMS[getattr(s, name)]
    if words := transform.obstacle(smallest, largest, whole, s.precision):
        raise ArithjaxError(f"{name}={transform.name} {words.format(what=what)}")


def check_inputs(s: Any) -> None:
    """An encoding of arguments shows no more numbers than are allowed, and of all that a threshold is judged on."""
    encoder = s.input_encoder
    if encoder is None:
        return
    encoder.check("input_transform", "arguments")
    if encoder.encoding.whole and s.threshold is not None and s.extrapolation is None:
        raise ArithjaxError(
            f"threshold={s.threshold:g} is judged on the extrapolation range, for whose numbers "
            f"input_transform={s.input_transform} has no code unless extrapolation names them; set extrapolation."
        )


def check_targets(s: Any) -> None:
    """The target transform is defined on all results, and fresh ones can be computed inside a program."""
    found = OPERATIONS[s.op].trial(*s.bounds, s.integers, s.precision)
    if TRANSFORMS[s.target_transform].bound(((found.smallest, found.largest),), True) is not None:
        raise ArithjaxError(
            f"target_transform={s.target_transform} is an encoding, which only arguments can have; choose another "
            "transform, such as standardize."
        )
    _check_transform(s, "target_transform", found.smallest, found.largest, "targets", False)
    if s.fresh and not found.traced:
        raise ArithjaxError(
            f"fresh=True computes {s.op} inside the training program, in {s.precision}, which its function cannot or "
            "which rounds too much; set fresh=False, or write the function with jax.numpy and a smaller range."
        )
