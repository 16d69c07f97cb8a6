"""Nets as formulas: the polynomial that a small net computes, in original units, and how well it survives rounding.

An MLP of linear and square activations with affine transforms is a polynomial in its arguments. Any other network may
offer a method `formula(params, x)`: given the parameters of one net and a sympy expression for each transformed
argument, it returns a sympy expression of the net's transformed output, or None if there is no short one.

sympy is imported where it is needed: that takes a third of a second, which a prediction need not wait for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arithjax.models.mlp import MOST_TERMS
from arithjax.models.network import Network
from arithjax.registry import TRANSFORMS
from arithjax.setup import Setup
from arithjax.task.operations import argument_names
from arithjax.task.points import Task
from arithjax.task.transforms import Fitted, identity

if TYPE_CHECKING:
    import sympy

MOST_DECIMALS = 4
"""The most decimals that `Formula.exact` tries."""


@dataclass(frozen=True)
class Formula:
    """A polynomial in a net's arguments, and the task that the net was trained on.

    expression: the net's output in original units. arguments: its symbols, in the order of the operation's arguments.
    task: the operation on its range, with which the expression is compared.
    """

    expression: sympy.Expr
    arguments: tuple[sympy.Symbol, ...]
    task: Task

    def __str__(self) -> str:
        return self.text(3)

    def text(self, decimals: int) -> str:
        """An equation such as `y = 1.000·a·b + 0.002·a`, without the terms that round to 0.

        decimals: decimals of the coefficients.
        """
        terms = [_term(c, monomial, decimals) for monomial, c in self._terms(decimals)]
        return "y = " + (" + ".join(terms).replace("+ -", "- ") if terms else "0")

    def _terms(self, decimals: int) -> list[tuple[sympy.Expr, float]]:
        """Monomials with their rounded coefficients, the highest powers first."""
        found = self.rounded(decimals).as_poly(*self.arguments).terms()
        return [(math.prod(a**n for a, n in zip(self.arguments, p, strict=True)), float(c)) for p, c in found if c]

    def rounded(self, decimals: int) -> sympy.Expr:
        """The expression with all its numbers rounded to so many decimals."""
        floats = [number for number in self.expression.atoms() if number.is_Float]
        return self.expression.xreplace({n: n.func(round(float(n), decimals), 15) for n in floats})

    def right(self, decimals: int) -> tuple[int, int] | None:
        """How many arguments of the whole domain the rounded expression gets right, and how many there are.

        An argument is right when the value of the expression rounds to the exact integer. None where the domain is
        not finite or too large to try, or results are no whole numbers.
        """
        import sympy

        x, truth = self.task.domain, self.task.domain_truth
        if x is None or truth is None or not self.task.countable:
            return None
        function = sympy.lambdify(self.arguments, self.rounded(decimals), "numpy")
        with np.errstate(all="ignore"):
            error = np.abs((function(*x.astype(float).T) - truth.t) - truth.rest)
        return int(np.count_nonzero(np.broadcast_to(error, len(x)) < 0.5)), len(x)

    def exact(self) -> int | None:
        """The fewest decimals with which the rounded expression is right on the whole domain; None if none are."""
        for decimals in range(MOST_DECIMALS + 1):
            right = self.right(decimals)
            if right is not None and right[0] == right[1]:
                return decimals
        return None

    def summary(self) -> str:
        """The formula, and on the next line how many arguments it gets right when its coefficients are rounded."""
        right = self.right(3)
        if right is None:
            return self.text(3)
        count, total = right
        decimals = self.exact()
        if decimals is None:
            line = f"With coefficients rounded so, it is right on {count:,} of all {total:,} arguments."
        else:
            places = f"{decimals} decimals" if decimals else "whole numbers"
            line = f"{self.text(decimals)}: with coefficients rounded to {places}, exact on all {total:,} arguments."
        return f"{self.text(3)}\n{line}"


def _term(coefficient: float, monomial: sympy.Expr, decimals: int) -> str:
    letters = str(monomial).replace("**2", "²").replace("**3", "³").replace("**4", "⁴").replace("*", "·")
    number = f"{coefficient:.{decimals}f}"
    if monomial == 1:
        return number
    return letters if number == "1" else f"-{letters}" if number == "-1" else f"{number}·{letters}"


def formula_of(setup: Setup, params: Any, fits: tuple[Fitted, Fitted], network: Network) -> Formula | None:
    """A net's formula in original units; None if it is no polynomial, or one of more than `MOST_TERMS` terms.

    setup: what the net was trained with. params: its parameters, without the axis of nets.
    fits: its fitted input and target transforms. network: the network of its program.
    """
    import sympy

    inputs, target = TRANSFORMS[setup.input_transform], TRANSFORMS[setup.target_transform]
    if inputs.warp is not identity or target.unwarp is not identity:
        return None
    task = Task.of(setup)
    arguments = tuple(map(sympy.Symbol, argument_names(task.op.arity)))
    x_fit, t_fit = fits
    affine = zip(arguments, np.asarray(x_fit.shift, float), np.asarray(x_fit.scale, float), strict=True)
    x = [(argument - shift) / scale for argument, shift, scale in affine]
    output = network.formula(params, x, setup.widths)
    if output is None:
        return None
    expression = sympy.expand(output * float(t_fit.scale) + float(t_fit.shift))
    short = expression.is_polynomial(*arguments) and len(sympy.Add.make_args(expression)) <= MOST_TERMS
    return Formula(expression, arguments, task) if short else None
