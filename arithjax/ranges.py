"""Ranges: whether the operation and the transforms of a setup are defined on its intervals, in its precision.

Setups are checked with these functions while they are made; `s` is always the setup.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from arithjax.errors import ArithjaxError, in_full
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
    if words := obstacle(s, "low, high", s.spans):
        raise ArithjaxError(words + _next_step(s))
    if s.extrapolation is not None and OPERATIONS[s.op].apart:
        raise ArithjaxError(
            f"extrapolation={cell(s.extrapolation)} is for arguments that take the setup's range, and {s.op} has none; "
            "leave it out."
        )
    for spans in s.spans_beyond:
        if words := obstacle(s, "extrapolation", spans):
            default = s.extrapolation is None
            raise ArithjaxError(words + " Set extrapolation, whose default is the next interval." * default)


def _next_step(s: Any) -> str:
    """A sentence with a nearer end of the range that a setup is allowed with, the other kept; empty if none is found.

    Tried are 0 and ±1, and a hundredth of the other end for ranges that lie between these, where more than one number
    is left.
    """
    low, high = s.low, s.high
    lows, highs = [(end, high) for end in (0.0, 1.0, high / 100)], [(low, end) for end in (0.0, -1.0, low / 100)]
    found = next((ends for ends in (*lows, *highs) if _allowed(s, *ends)), None)
    if found is None:
        return ""
    name, end = ("low", found[0]) if found[1] == high else ("high", found[1])
    return f" {name}={in_full(end)} (--{name} {in_full(end)}) will do."


def _allowed(s: Any, low: float, high: float) -> bool:
    """Whether a setup is allowed with this part of its range, and has more than one number there."""
    if not s.low <= low < high <= s.high or (low, high) == (s.low, s.high):
        return False
    first, last = closed(low, high, s.integers)
    if first == last or obstacle(s, "", OPERATIONS[s.op].spans(low, high, s.integers)):
        return False
    try:
        s.replace(low=low, high=high)
    except ArithjaxError:
        return False
    return True


def check_threshold(s: Any) -> None:
    """A threshold is judged beyond the training range, so that there has to be something to extrapolate to."""
    if s.threshold is not None and not s.spans_beyond:
        raise ArithjaxError(
            f"threshold={s.threshold:g} is for errors beyond the training range, and {s.op} has nothing to extrapolate "
            "to; leave it out, and nets are judged by their grade."
        )


def beyond(s: Any) -> tuple[tuple[Any, ...], ...]:
    """Where arguments are extrapolated to: for each extrapolation interval the `Span` of every argument.

    By default the next interval of the same width above, or below where the operation is not defined above; likewise
    of every argument with a range of its own, where one of both can be had. Listed values stay as they are.
    """
    op = OPERATIONS[s.op]
    if op.data:
        return ()

    def beside(low: float, high: float, above: bool) -> tuple[Any, ...]:
        both = zip(op.spans(low, high, s.integers), s.spans, op.own, strict=True)
        return tuple(own.beside(above) if is_own else span for span, own, is_own in both)

    if s.extrapolation is not None:
        return tuple(beside(*ends, True) for ends in zip(s.extrapolation[::2], s.extrapolation[1::2], strict=True))
    above, below = beside(s.high, 2 * s.high - s.low, True), beside(2 * s.low - s.high, s.low, False)
    if above == s.spans:  # of listed values alone
        return ()
    if not obstacle(s, "", above):
        return (above,)
    if not obstacle(s, "", below):
        return (below,)
    return () if any(op.own) else (above,)


def obstacle(s: Any, what: str, spans: tuple[Any, ...]) -> str:
    """Why a setup cannot take each argument from its span, in words that call them `what`; empty where it can."""
    op = OPERATIONS[s.op]
    try:
        for name, span, own in dict.fromkeys(zip(_named(op, what), spans, op.own, strict=True)):
            _check_interval(name, span, s)
            low, high = span.ends
            if not own:
                op.check(low, high, what=what)
            check_transform(s, "input_transform", low, high, "arguments", span.whole)
        if words := op.trial(spans, s.precision).obstacle:
            return f"{what}: {words}"
    except ArithjaxError as error:
        return str(error)
    return ""


def _named(op: Any, what: str) -> list[str]:
    """What messages call the range of each argument."""
    return [f"argument '{name}'" if own else what for name, own in zip(op.argument_names, op.own, strict=True)]


def _check_interval(what: str, span: Any, s: Any) -> None:
    low, high = span.low, span.high
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ArithjaxError(f"{what}={in_full(low)}, {in_full(high)}: both ends have to be finite numbers.")
    if low >= high and not span.values:
        raise ArithjaxError(f"{what}: low={in_full(low)} has to be smaller than high={in_full(high)}.")
    largest = WHOLE[s.precision] if span.whole else 1e18
    words = f"2**{math.log2(largest):.0f}" if span.whole else "1e18"
    if max(abs(low), abs(high)) > largest:
        more = "; precision=float64 takes whole numbers up to 2**53" * (span.whole and s.precision == "float32")
        raise ArithjaxError(
            f"{what}: {in_full(low)}, {in_full(high)} has to lie within ±{words}, "
            f"what {s.precision} can tell apart{more}."
        )
    if span.integers:
        _check_whole(what, low, high, s)
    elif not span.values and _told_apart(low, s.precision) >= _told_apart(high, s.precision):
        raise ArithjaxError(f"{what}: {low!r} and {high!r} are the same number in {s.precision}; widen the interval.")


def _check_whole(what: str, low: float, high: float, s: Any) -> None:
    """The interval holds whole numbers, and no more than are drawn from."""
    if math.ceil(low) >= math.ceil(high):
        raise ArithjaxError(
            f"{what}: no whole number lies in {in_full(low)} <= x < {in_full(high)}; widen it or set integers=False."
        )
    if s.fresh and high - low > 2**23:
        raise ArithjaxError(
            f"{what}: {in_full(low)}, {in_full(high)} holds more whole numbers than the 2**23 that fresh=True "
            "draws from; narrow it, or set fresh=False."
        )


def _told_apart(value: float, precision: str) -> float:
    """A number as a precision holds it; 0 where it underflows."""
    near = struct.unpack("f", struct.pack("f", value))[0] if precision == "float32" else value
    return 0.0 if abs(near) < SMALLEST[precision] else near


def check_transform(s: Any, name: str, smallest: float, largest: float, what: str, whole: bool) -> None:
    """The transform that the field `name` names takes all numbers of a closed range, which `what` calls in words."""
    transform = TRANSFORMS[getattr(s, name)]
    if words := transform.obstacle(smallest, largest, whole, s.precision):
        raise ArithjaxError(f"{name}={transform.name} {words.format(what=what)}")
