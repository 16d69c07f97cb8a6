"""The exception for mistakes of the user's, checks of counts and seeds that raise it, and how numbers are said."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any


class ArithjaxError(ValueError):
    """A mistake in what was asked: one line that names the parameter, its value, what is allowed and the next step."""


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; finished work is stored and the same call continues."""


def nearest(value: object, names: Iterable[str], others: Mapping[str, str] = MappingProxyType({})) -> str:
    """The end of a message about an unknown name: `; did you mean 'mul'?`, or a full stop if no name is near.

    names: the names that there are. others: names, in small letters, that other libraries have for some of them.
    """
    known, text = {**{name.lower(): name for name in names}, **others}, str(value).lower()
    close = [text] if text in known else difflib.get_close_matches(text, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{known[close[0]]}'?" if close else "."


def in_full(number: float) -> str:
    """A number with every digit that it has, as `%g` writes it where that has them: `7`, `16777210`, `1e-07`."""
    short = f"{number:g}"
    if float(short) == number:
        return short
    return f"{number:.0f}" if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))


def counted(number: int, noun: str) -> str:
    """So many of a thing: `1 net`, `2,000 nets`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def check_count(name: str, value: Any) -> None:
    """Raise `ArithjaxError` unless `value` is a whole number of at least 1; the message calls it `name`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 1 <= int(value) < 2**31:
        raise ArithjaxError(f"{name}={value} is not allowed; it has to be a whole number of at least 1.")


MOST_NETS = 10**7
"""The most nets of one call or one study: more do not fit the memory of most machines."""


def check_nets(setups: int, seeds: int) -> None:
    """Raise `ArithjaxError` where so many setups with so many seeds each are more nets than `MOST_NETS`."""
    if setups * seeds > MOST_NETS:
        raise ArithjaxError(
            f"seeds={seeds:,} of {setups:,} setups are more than {MOST_NETS:,} nets; take fewer, or ask in parts."
        )


def check_seed(value: Any) -> None:
    """Raise `ArithjaxError` unless `value` can be the root of all randomness: a whole number from 0 to 2**32 - 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 <= int(value) < 2**32:
        raise ArithjaxError(f"seed={value} is not allowed; it has to be a whole number from 0 to 2**32 - 1.")
