"""The one exception that is the user's to mend, and the registry that raises it for unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArithjaxError(ValueError):
    """A mistake in what was asked: one line that names the parameter, its value, what is allowed and the next step."""


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; finished work is stored and the same call continues."""


def nearest(value: object, names: Iterable[str]) -> str:
    """`"; did you mean 'mul'?"` for a misspelt name, else `""`."""
    close = difflib.get_close_matches(str(value), list(names), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else "."


def _names(member: type | tuple) -> str:
    return " or ".join(kind.__name__ for kind in (member if isinstance(member, tuple) else (member,)))


class Registry(dict):
    """A table of members by name: `REGISTRY["mine"] = Member("mine", ...)` adds one, the key being its name.

    `kind` and `plural` word the messages; `member` is the type every entry has.
    """

    def __init__(self, kind: str, member: type | tuple, members: Iterable = (), plural: str | None = None):
        super().__init__()
        self.kind, self.member, self.plural = kind, member, plural or f"{kind}s"
        for entry in members:
            if entry.name in self:
                raise ArithjaxError(f"{kind} '{entry.name}' is listed twice.")
            self[entry.name] = entry

    def __setitem__(self, name: str, entry: object) -> None:
        if not isinstance(entry, self.member):
            raise ArithjaxError(
                f"{self.kind} '{name}' is a {type(entry).__name__}; it has to be an arithjax {_names(self.member)}."
            )
        if entry.name != name:
            raise ArithjaxError(f"{self.kind} '{entry.name}' was entered as '{name}'; key and name must be the same.")
        super().__setitem__(name, entry)

    def __missing__(self, name: object):
        raise ArithjaxError(
            f"unknown {self.kind} {str(name)[:60]!r}{nearest(name, self)} 'arithjax list {self.plural}' shows them all."
        )
