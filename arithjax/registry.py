"""Registries: tables of members by name.

Every registry is declared here, with the module that defines its members. That module is imported when a member is
first needed, so that a setup can name members of registries whose modules come later, and need jax.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from arithjax.errors import ArithjaxError, nearest


def first_sentence(docstring: str) -> str:
    """The first sentence of a docstring, however many lines it takes, in one; the first paragraph if it has no end."""
    paragraph = re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0]
    return re.split(r"(?<=[.?!]) (?=[A-Z])", " ".join(paragraph.split()), maxsplit=1)[0]


class Registry(MutableMapping[str, Any]):
    """A table of members by name: `REGISTRY["mine"] = Member("mine", ...)` adds one, the key being its name.

    kind, plural: words for messages, such as `activation` and `activations`.
    home: the module that defines the members and calls `fill`; it is imported when a member is first needed.
    others: names, in small letters, that other libraries have for members, which messages about unknown names suggest.

    An unknown name, an entry of another type, or a key that is not the entry's name is an `ArithjaxError`. A user's own
    entry is tried out, if it has a method `try_out` that raises one where its functions do not do what they have to.
    Where members are little more than a function, the function alone may be entered.
    """

    def __init__(
        self, kind: str, home: str, plural: str | None = None, others: Mapping[str, str] = MappingProxyType({})
    ):
        self.kind, self.plural, self.home, self.others = kind, plural or f"{kind}s", home, others
        self._member: tuple[type, ...] = ()
        self._filled = False
        self._made: Callable[[str, str, Any], Any] | None = None
        self._derive: Callable[[str], Any] = lambda name: None
        self._families: dict[str, str] = {}
        self._members: dict[str, Any] = {}
        self._ours: dict[str, Any] = {}

    def fill(
        self,
        member: type | tuple[type, ...],
        members: Iterable[Any],
        derive: Callable[[str], Any] | None = None,
        families: Mapping[str, str] | None = None,
        made: Callable[[str, str, Any], Any] | None = None,
    ) -> None:
        """Enter the members that come with arithjax.

        member: the type, or types, that every entry has; each has a `name` and, for lists, a line `about` itself.
        members: the entries; one whose name is there already is an `ArithjaxError`.
        derive: makes a member for a name that is not in the table, such as `times:7`, or gives None.
        families: patterns of such names, such as `times:c`, each with a line about it.
        made: makes a member of a name, a line about it and a user's function, where a function alone may be entered.
            The line is the first sentence of the function's docstring.
        """
        self._member = member if isinstance(member, tuple) else (member,)
        self._derive = derive or self._derive
        self._families, self._made = dict(families or {}), made
        for entry in members:
            if entry.name in self._members:
                raise ArithjaxError(f"{self.kind} '{entry.name}' is listed twice.")
            self[entry.name] = entry
        self._ours, self._filled = dict(self._members), True

    def _of_function(self, name: str, function: Any) -> Any:
        assert self._made is not None
        about = function.__doc__ or f"a {self.kind} of the user's"
        return self._made(name, first_sentence(about), function)

    def enter(self, function: Any) -> str:
        """The name of a user's function, under which it is entered; entering it again changes nothing.

        Raises:
            TypeError: members are more than a function.
            ArithjaxError: the function has no name of its own, or another one has its name.
        """
        self._load()
        if self._made is None:
            raise TypeError
        name, table = str(getattr(function, "__name__", "")), f"aj.{self.plural.upper()}"
        if not name.isidentifier():
            raise ArithjaxError(f"a {self.kind} needs a name: write it with def, or as {table}['mine'] = function.")
        entry, there = self._of_function(name, function), self.get(name)
        if there == entry:
            return name
        if there is not None and not _again(there.fn, function):
            raise ArithjaxError(
                f"another {self.kind} is called '{name}'; give the function another name, or replace that one: "
                f"{table}['{name}'] = function."
            )
        self[name] = entry
        return name

    def ours(self, name: str) -> bool:
        """Whether the member of this name is the one that came with arithjax, and not a user's own."""
        member = self._load().get(name)
        return self._derived_by_us(name) if member is None else member is self._ours.get(name)

    def _derived_by_us(self, name: str) -> bool:
        """Whether a name is not in the table, but one of a family."""
        try:
            return self._derive(name) is not None
        except ArithjaxError:
            return False

    def _load(self) -> dict[str, Any]:
        if not self._member:
            importlib.import_module(self.home)
        return self._members

    def __getitem__(self, name: str) -> Any:
        members = self._load()
        if name in members:
            return members[name]
        if (derived := self._derive(str(name))) is not None:
            return derived
        raise ArithjaxError(
            f"unknown {self.kind} {str(name)[:60]!r}{nearest(name, self, self.others)} "
            f"'arithjax list {self.plural}' shows them all."
        )

    def __setitem__(self, name: str, entry: Any) -> None:
        self._load()
        if self._made is not None and callable(entry):
            entry = self._of_function(name, entry)
        fits: bool = isinstance(entry, self._member)
        if not fits:
            kinds = " or ".join(kind.__name__ for kind in self._member)
            raise ArithjaxError(f"{self.kind} '{name}' is a {type(entry).__name__}; it has to be an arithjax {kinds}.")
        if entry.name != name:
            raise ArithjaxError(f"{self.kind} '{entry.name}' was entered as '{name}'; key and name must be the same.")
        if self._filled and (try_out := getattr(entry, "try_out", None)) is not None:
            try_out()
        self._members[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._load()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._load()

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def get(self, name: str, default: Any = None) -> Any:
        """The entry of this very name, or `default`; nothing is derived."""
        return self._load().get(name, default)

    def lines(self) -> dict[str, str]:
        """What `arithjax list` prints: every name, and every pattern of names, with a line about it."""
        return {name: member.about for name, member in self.items()} | self._families

    def __repr__(self) -> str:
        return f"<registry of {self.plural}: {', '.join(self)}>"


def _again(before: Any, function: Any) -> bool:
    """Whether a function is one that was defined before, defined again, as when the cell of a notebook runs again."""
    one, other = ((f.__module__, f.__qualname__, getattr(f, "__closure__", None)) for f in (before, function))
    return one == other and one[2] is None


OPERATIONS = Registry(
    "operation",
    "arithjax.task.arithmetic",
    others={
        **dict.fromkeys(("+", "sum", "addition"), "add"),
        **dict.fromkeys(("-", "minus", "subtract", "subtraction", "difference"), "sub"),
        **dict.fromkeys(("*", "×", "·", "multiply", "multiplication", "product", "prod"), "mul"),
        **dict.fromkeys(("/", "÷", "divide", "division", "ratio"), "div"),
        **dict.fromkeys(("%", "modulo", "remainder"), "mod"),
        **dict.fromkeys(("**", "^", "pow", "exponentiation"), "power"),
        **dict.fromkeys(("//", "floor_divide", "integer_division"), "floordiv"),
        **dict.fromkeys(("==", "eq", "equals"), "equal"),
        **dict.fromkeys((">", "gt", "greater_than"), "greater"),
        **{"ln": "log", "sine": "sin", "absolute": "abs", "popcount": "parity"},
        **{"maximum": "max", "minimum": "min", "inverse": "reciprocal", "squared": "square", "sqr": "square"},
    },
)
TRANSFORMS = Registry(
    "transform",
    "arithjax.task.transforms",
    others={
        **dict.fromkeys(("standardscaler", "zscore", "z-score", "normalize"), "standardize"),
        **{"minmaxscaler": "minmax", "maxabsscaler": "scale", "identity": "raw", "none": "raw"},
        **{"bits": "binary", "one-hot": "onehot", "one_hot": "onehot", "unary": "thermometer"},
    },
)
DISTRIBUTIONS = Registry("distribution", "arithjax.task.distributions", others={"gaussian": "normal"})
MODELS = Registry("model", "arithjax.models")
ACTIVATIONS = Registry(
    "activation",
    "arithjax.models.activations",
    others={"swish": "silu", "identity": "linear", "none": "linear", "sine": "sin", "leakyrelu": "leaky_relu"},
)
INITIALIZERS = Registry(
    "initializer",
    "arithjax.models.initializers",
    others={
        **{"xavier_uniform": "glorot_uniform", "xavier_normal": "glorot_normal"},
        **{"kaiming_uniform": "he_uniform", "kaiming_normal": "he_normal"},
    },
)
OPTIMIZERS = Registry("optimizer", "arithjax.training.optimizers", others={"momentum": "sgd"})
SCHEDULES = Registry("schedule", "arithjax.training.schedules", others={"none": "constant"})
LOSSES = Registry(
    "loss",
    "arithjax.training.optimizers",
    plural="losses",
    others={
        **dict.fromkeys(("mean_squared_error", "mseloss", "l2"), "mse"),
        **dict.fromkeys(("mean_absolute_error", "l1loss", "l1"), "mae"),
        **{"smooth_l1": "huber", "smoothl1loss": "huber", "mape": "relative"},
    },
)
RAMPS = Registry("ramp", "arithjax.training.schedules")
METRICS = Registry("metric", "arithjax.training.metrics")
CAUSES = Registry("cause", "arithjax.diagnosis.causes")

REGISTRIES = {
    registry.plural: registry
    for registry in (
        *(OPERATIONS, MODELS, TRANSFORMS, ACTIVATIONS, INITIALIZERS),
        *(OPTIMIZERS, SCHEDULES, LOSSES, METRICS, RAMPS, DISTRIBUTIONS, CAUSES),
    )
}
"""All registries by their plural, as `arithjax list` names them."""
