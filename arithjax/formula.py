"""Nets as formulas: what a small polynomial net computes, in original units, and whether it is still right when its
coefficients are rounded.

An MLP of linear and square activations with affine transforms is a polynomial in its arguments. Other networks may
offer a method `formula(params, names)`: given one net's parameters and, for each argument, a sympy expression of what
the net is shown, it returns a sympy expression of what the net says, or None where there is nothing short to tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from arithjax.models import MLP
from arithjax.registry import TRANSFORMS
from arithjax.setup import Setup
from arithjax.task.points import Task, evaluate
from arithjax.task.transforms import identity
from arithjax.training.arrays import layer_activations

if TYPE_CHECKING:
    from arithjax.net import Net

MOST_TERMS = 6
"""Polynomials with more terms than this are not shown."""
MOST_DECIMALS = 4


@dataclass(frozen=True)
class Formula:
    """An expression in a net's arguments, and the task that it is to solve."""

    expression: sympy.Expr
    arguments: tuple[sympy.Symbol, ...]
    task: Task

    def __str__(self) -> str:
        return self.text(3)

    def text(self, decimals: int) -> str:
        """`y = 1.000·a·b + 0.002·a`, with terms that round to nothing left out."""
        terms = [_term(c, powers, decimals) for powers, c in self._terms(decimals)]
        return "y = " + (" + ".join(terms).replace("+ -", "- ") if terms else "0")

    def _terms(self, decimals: int) -> list[tuple[tuple[sympy.Symbol, ...], float]]:
        """Coefficients by monomial, the highest first."""
        found = sympy.Poly(self.rounded(decimals), *self.arguments).terms()
        return [(sympy.prod(a**n for a, n in zip(self.arguments, p, strict=True)), float(c)) for p, c in found if c]

    def rounded(self, decimals: int) -> sympy.Expr:
        """The expression with all its numbers rounded."""
        numbers = {n: sympy.Float(round(float(n), decimals), 15) for n in self.expression.atoms(sympy.Float)}
        return self.expression.xreplace(numbers)

    def right(self, decimals: int) -> tuple[int, int] | None:
        """On how many of the whole domain's arguments the rounded expression rounds to the right integer, and of how
        many; None where they cannot be counted."""
        x = self.task.domain
        if x is None:
            return None
        function = sympy.lambdify(self.arguments, self.rounded(decimals), "numpy")
        with np.errstate(all="ignore"):
            exact = evaluate(self.task.op, x, self.task.precision).astype(float)
            error = np.abs(function(*x.astype(float).T) - exact)
        return int(np.count_nonzero(np.broadcast_to(error, len(x)) < 0.5)), len(x)

    def exact(self) -> int | None:
        """The fewest decimals with which the rounded expression is right on the whole domain; None if none are."""
        for decimals in range(MOST_DECIMALS + 1):
            right = self.right(decimals)
            if right is not None and right[0] == right[1]:
                return decimals
        return None

    def told(self) -> str:
        """The formula, and what rounding does to it, in a line or two."""
        decimals, right = self.exact(), self.right(3)
        if decimals is not None:
            places = f"{decimals} decimals" if decimals else "whole numbers"
            what = f"{self.text(decimals)}: with coefficients rounded to {places}, exact on all {right[1]:,} arguments."
        elif right is not None:
            what = f"With coefficients rounded so, it is right on {right[0]:,} of all {right[1]:,} arguments."
        return self.text(3) if right is None else f"{self.text(3)}\n{what}"


def _term(coefficient: float, monomial: sympy.Expr, decimals: int) -> str:
    letters = str(monomial).replace("**2", "²").replace("**3", "³").replace("**4", "⁴").replace("*", "·")
    number = f"{coefficient:.{decimals}f}"
    if monomial == 1:
        return number
    return letters if number == "1" else f"-{letters}" if number == "-1" else f"{number}·{letters}"


def formula_of(net: Net) -> Formula | None:
    """A net's formula in original units; None if it has none, or none that is short."""
    setup, task, network = net.setup, Task.of(net.setup), net.network
    inputs, target = TRANSFORMS[setup.input_transform], TRANSFORMS[setup.target_transform]
    if inputs.warp is not identity or target.unwarp is not identity:
        return None
    names = sympy.symbols("a b c d")[: task.op.arity]
    x_fit, t_fit = net.fits
    numbers = zip(names, np.asarray(x_fit.shift, float), np.asarray(x_fit.scale, float), strict=True)
    shown = [(name - shift) / scale for name, shift, scale in numbers]
    says = _mlp(setup, net.params, shown) if isinstance(network, MLP) else _offered(network, net.params, shown)
    if says is None:
        return None
    expression = sympy.expand(says * float(t_fit.scale) + float(t_fit.shift))
    short = expression.is_polynomial(*names) and len(sympy.Add.make_args(expression)) <= MOST_TERMS
    return Formula(expression, names, task) if short else None


def _offered(network: Any, params: Any, shown: list[sympy.Expr]) -> sympy.Expr | None:
    """What a network says of itself."""
    return network.formula(params, shown) if hasattr(network, "formula") else None


def _mlp(setup: Setup, params: dict, shown: list[sympy.Expr]) -> sympy.Expr | None:
    """The polynomial of an MLP of linear and square activations, where it is short."""
    activations = layer_activations(setup)
    degree = 2 ** activations.count("square")
    if not set(activations) <= {"linear", "square"} or math.comb(len(shown) + degree, degree) > MOST_TERMS:
        return None
    units = sympy.Matrix([shown])
    for i, (activation, features) in enumerate(zip(activations, (*setup.widths, 1), strict=True)):
        layer = {name: np.asarray(p, float) for name, p in params[f"Dense_{i}"].items()}
        kernel = layer["kernel"].reshape(layer["kernel"].shape[:2])[: units.shape[1], :features]  # beyond is padding
        units = units * sympy.Matrix(kernel)
        if "bias" in layer:
            units += sympy.Matrix([layer["bias"].ravel()[:features]])
        units = units.applyfunc(sympy.expand if activation == "linear" else _squared)
    return units[0]


def _squared(z: sympy.Expr) -> sympy.Expr:
    return sympy.expand(z**2)
