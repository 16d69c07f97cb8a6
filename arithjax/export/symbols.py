"""Plain functions on symbols: what a layer computes as an expression of sympy, and expressions as text.

sympy is imported in the functions that use it, since it takes a third of a second.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from arithjax.export import plain
from arithjax.models.network import PlainLayer

if TYPE_CHECKING:
    import sympy

MOST_NUMBERS = 200
"""Nets of more parameters than this have no formula."""

MOST_TERMS = 28
"""Polynomials of more terms than this are not short."""

MOST_OPERATIONS = 80
"""Expressions of more operations than this are not short, unless they are polynomials."""


class Symbolic:
    """NumPy's functions, as `arithjax.export.plain` uses them, on arrays of expressions."""

    pi = math.pi
    prod, sum, concatenate = staticmethod(np.prod), staticmethod(np.sum), staticmethod(np.concatenate)

    def __getattr__(self, name: str) -> Callable:
        import sympy

        function = {"abs": sympy.Abs, "square": lambda x: x**2}.get(name) or getattr(sympy, name)
        return np.frompyfunc(function, 1, 1)

    def log1p(self, x: Any) -> Any:
        """Equal to ln(1 + x)."""
        return self.log(1 + x)

    def expm1(self, x: Any) -> Any:
        """e^x - 1."""
        return self.exp(x) - 1

    def clip(self, x: Any, low: Any, high: Any) -> Any:
        """Within two limits, either of which may be None."""
        import sympy

        def within(x: Any) -> Any:
            x = x if low is None else sympy.Max(low, x)
            return x if high is None else sympy.Min(high, x)

        return np.frompyfunc(within, 1, 1)(x)


def functions(function: Callable) -> Callable:
    """A function of `arithjax.export.plain` for expressions and arrays of them."""
    names: dict[str, Any] = {"np": Symbolic()}
    for name, member in vars(plain).items():
        if inspect.isfunction(member):
            names[name] = FunctionType(member.__code__, names)
    return names[function.__name__]


def arguments(names: Sequence[str], low: float) -> tuple[sympy.Symbol, ...]:
    """The symbols of an operation's arguments, which are at least `low`."""
    import sympy

    known = {"positive": True} if low > 0 else {"nonnegative": True} if low == 0 else {"real": True}
    return tuple(sympy.Symbol(name, **known) for name in names)


def obstacle(layers: list[PlainLayer], arguments: int) -> str:
    """Why `of_layers` makes no formula of these layers in so many arguments; empty where it does."""
    kinds = {"Dense", *plain.UNITS}.difference(plain.WITHOUT_FORMULA)
    names = [layer.kind if layer.kind not in kinds else layer.activation for layer in layers]
    other = dict.fromkeys(name for name in names if name not in ("linear", "square"))
    if other:
        made = "formulas are made of linear and square layers and most arithmetic units"
        return f"it has layers of {', '.join(other)}; {made}"
    if (numbers := sum(array.size for layer in layers for array in layer.arrays.values())) > MOST_NUMBERS:
        return f"it has {numbers:,} parameters, and formulas are made of at most {MOST_NUMBERS}"
    degree = 2 ** sum(layer.activation == "square" for layer in layers)
    terms = math.comb(arguments + degree, degree)
    if terms > MOST_TERMS and degree > 1:
        return f"it is a polynomial of {terms:,} terms, and formulas have at most {MOST_TERMS}"
    return ""


def of_layers(layers: list[PlainLayer], x: list[sympy.Expr]) -> list[sympy.Expr]:
    """The outputs that layers to which there is no `obstacle` compute of expressions `x`."""
    import sympy

    values = np.array([x], object)
    for layer in layers:
        arrays = {name: array.astype(float).astype(object) for name, array in layer.arrays.items()}
        if layer.kind == "Dense":
            sums = values @ arrays["kernel"] + arrays.get("bias", 0)
            values = np.frompyfunc(sympy.expand, 1, 1)(functions(plain.ACTIVATIONS[layer.activation])(sums))
        else:
            values = functions(plain.UNITS[layer.kind])(values, **arrays)
    return list(values[0])


def expanded(expression: sympy.Expr, arguments: tuple[sympy.Symbol, ...]) -> sympy.Expr:
    """A polynomial as a sum of monomials; any other expression as it is."""
    import sympy

    expression = sympy.sympify(expression)
    return sympy.expand(expression) if expression.is_polynomial(*arguments) else expression


def too_long(expression: sympy.Expr, arguments: tuple[sympy.Symbol, ...]) -> str:
    """Why an expression cannot be read; empty where it can."""
    import sympy

    if expression.is_polynomial(*arguments):
        terms = len(sympy.Add.make_args(expression))
        return f"it is a polynomial of {terms} terms, and formulas have at most {MOST_TERMS}" * (terms > MOST_TERMS)
    count = int(sympy.count_ops(expression))
    return f"it takes {count:,} operations, and formulas have at most {MOST_OPERATIONS}" * (count > MOST_OPERATIONS)


def with_whole_exponents(expression: sympy.Expr) -> sympy.Expr:
    """The expression with whole numbers for exponents such as 2.0."""
    import sympy

    def whole(power: Any) -> bool:
        return power.is_Pow and power.exp.is_Float and float(power.exp).is_integer()

    return expression.replace(whole, lambda power: sympy.Pow(power.base, int(power.exp)))


def text(expression: sympy.Expr, decimals: int) -> str:
    """An expression as text, such as `1.000·a^2/b`."""
    from sympy.printing.str import StrPrinter

    class Printer(StrPrinter):
        def _print_Float(self, expr: Any) -> str:
            return f"{float(expr):.{decimals}f}"

    return Printer().doprint(expression).replace("**", "^").replace("*", "·")


def latex(expression: sympy.Expr, decimals: int) -> str:
    """An expression in LaTeX."""
    from sympy.printing.latex import LatexPrinter

    class Printer(LatexPrinter):
        def _print_Float(self, expr: Any) -> str:
            return f"{float(expr):.{decimals}f}"

    return Printer().doprint(expression)
