"""What `study.json` may hold: the type of every entry, to the innermost that is used.

The file may be somebody else's, or damaged. To add an entry, add it to `OPTIONAL` with what it may be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


def _whole(low: int, high: int) -> Check:
    return lambda value: type(value) is int and low <= value < high


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _any(value: Any) -> bool:
    return True


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _list_of(entry: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(entry, value))


def _map_to(entry: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(entry, value.values()))


def _record(entries: dict[str, Check]) -> Check:
    return lambda value: (
        isinstance(value, dict) and all(name in value and entries[name](value[name]) for name in entries)
    )


def _nothing_or(entry: Check) -> Check:
    return lambda value: value is None or entry(value)


def _share(value: Any) -> bool:
    """A share, or with its interval, as earlier releases had none."""
    return _number(value) or (isinstance(value, list) and len(value) == 3 and all(map(_number, value)))


def _repeats(value: Any) -> bool:
    """For trials by number which other each repeats, and with what parameters."""
    entry = _record({"of": _whole(0, 2**31), "choices": _map_to(_any)})
    return _map_to(entry)(value) and all(number.isdecimal() and number.isascii() for number in value)


def _answer(value: Any) -> bool:
    """An answer in words, or as plain data (`arithjax.report.answer`)."""
    called = _list_of(lambda name: _text(name) or _number(name))  # numbers in folders of earlier versions
    table = _record({"columns": called, "data": _list_of(_list_of(_any))})
    picture = {**dict.fromkeys(("name", "says", "kind", "about", "x", "y"), _text), "table": table}
    data = _record(
        {
            **{"finding": _text, "sentences": _list_of(_text), "opens": _any, "recipes": _map_to(_text)},
            **{"pictures": _list_of(_record(picture)), "tables": _map_to(table)},
        }
    )
    return _text(value) or data(value)


_COUNT, _SEED = _whole(1, 2**31), _whole(0, 2**32)
_PLACE: dict[str, Check] = {"versions": _map_to(_text), "device": _text}

REQUIRED: dict[str, Check] = {"name": _text, "seed": _SEED, "trials": _COUNT, "seeds": _COUNT}
"""The entries that every `study.json` has, and what each may be."""

OPTIONAL: dict[str, Check] = {
    **{"told": _COUNT, "steps": _nothing_or(_COUNT), "schema": _whole(0, 2**31), "halving": _list_of(_number)},
    **{"source": _text, "about": _text, "answer": _answer, "hash": _text, "sampler": _text},
    **{"objectives": _list_of(_text), "by": _list_of(_text), "show": _map_to(_text), "importance": _map_to(_share)},
    **{"repeats": _repeats},
    **{"setup": _map_to(_any), "space": _map_to(_record({"name": _text, "attributes": _map_to(_any)}))},
    **{**_PLACE, "continued": _list_of(_record(_PLACE))},
}
"""The entries that a `study.json` may have, and what each may be, to the innermost that is used."""

LARGEST = 1 << 26
"""Bytes of the largest `study.json` that is read."""


def wrong_entry(described: dict[str, Any]) -> str | None:
    """The name of an entry that is missing or is not what it may be; None if all are right."""
    present = {name: is_right for name, is_right in OPTIONAL.items() if name in described}
    found = (name for name, is_right in {**REQUIRED, **present}.items() if not is_right(described.get(name)))
    return next(found, None)
