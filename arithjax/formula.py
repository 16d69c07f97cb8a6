"""Nets as formulas: what a small net computes, in original units, and how well it survives rounding.

A net of linear and square layers with affine transforms is a polynomial in its arguments; arithmetic units add powers,
quotients and logarithms, and so do transforms. The formula of a layer comes from the same plain function that exported
scripts hold (`arithjax.export.plain`), given symbols instead of numbers. A network whose layers are not known so may
offer a method `formula(params, x, widths)`: given the parameters of one net and a sympy expression for each transformed
argument, it returns a sympy expression of the net's transformed output, or None if there is no short one.

sympy is imported where it is needed: that takes a third of a second, which a prediction need not wait for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arithjax.export import plain, symbols
from arithjax.models.network import Network, PlainLayer
from arithjax.registry import LOSSES, TRANSFORMS
from arithjax.setup import Setup
from arithjax.task.points import Task
from arithjax.task.transforms import Fitted

if TYPE_CHECKING:
    from sympy import Expr, Symbol

MOST_DECIMALS = 4
"""The most decimals that `Formula.exact` tries."""


@dataclass(frozen=True)
class Formula:
    """An expression in a net's arguments, and the task that the net was trained on: text, LaTeX, or sympy's.

    expression: the net's output in original units. arguments: its symbols, in the order of the operation's arguments.
    task: the operation on its range, with which the expression is compared. output: which of several results it is.
    """

    expression: Expr
    arguments: tuple[Symbol, ...]
    task: Task
    output: int = 0

    def __str__(self) -> str:
        return self.text(3)

    def text(self, decimals: int) -> str:
        """An equation such as `y = 1.000·a·b + 0.002·a`, without the terms that round to 0.

        decimals: decimals of the coefficients.
        """
        if not self.expression.is_polynomial(*self.arguments):
            return f"y = {symbols.text(self.rounded(decimals), decimals)}"
        terms = [_term(c, monomial, decimals) for monomial, c in self._terms(decimals)]
        return "y = " + (" + ".join(terms).replace("+ -", "- ") if terms else "0")

    def latex(self, decimals: int = 3) -> str:
        """The equation in LaTeX, such as `y = 1.000 a b`; `decimals` of the coefficients."""
        return f"y = {symbols.latex(self.rounded(decimals), decimals)}"

    def sympy(self) -> Expr:
        """The expression itself, with every digit of its numbers."""
        return self.expression

    def _terms(self, decimals: int) -> list[tuple[Expr, float]]:
        """Monomials with their rounded coefficients, the highest powers first."""
        found = self.rounded(decimals).as_poly(*self.arguments).terms()
        return [(math.prod(a**n for a, n in zip(self.arguments, p, strict=True)), float(c)) for p, c in found if c]

    def rounded(self, decimals: int) -> Expr:
        """The expression with all its numbers rounded to so many decimals; as it is, where that leaves nothing finite.

        Whole exponents are whole numbers.
        """
        floats = [number for number in self.expression.atoms() if number.is_Float]
        rounded = self.expression.xreplace({n: n.func(round(float(n), decimals), 15) for n in floats})
        return symbols.with_whole_exponents(rounded) if rounded.is_finite is not False else self.expression

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
            t, rest = (part.reshape(len(x), -1)[:, self.output] for part in (truth.t, truth.rest))
            error = np.abs((function(*x.astype(float).T) - t) - rest)
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


def _term(coefficient: float, monomial: Expr, decimals: int) -> str:
    letters = str(monomial).replace("**2", "²").replace("**3", "³").replace("**4", "⁴").replace("*", "·")
    number = f"{coefficient:.{decimals}f}"
    if monomial == 1:
        return number
    return letters if number == "1" else f"-{letters}" if number == "-1" else f"{number}·{letters}"


def formulas_of(setup: Setup, params: Any, fits: tuple[Fitted, Fitted], network: Network) -> list[Formula | str]:
    """A net's formula in original units for each of its results, or in its place why that has no short formula.

    setup: what the net was trained with. params: its parameters, without the axis of nets.
    fits: its fitted input and target transforms. network: the network of its program.
    """
    layers = network.plain(params, setup.inputs, setup.widths)
    if why := _obstacle(setup, layers):
        return [why] * setup.results
    task = Task.of(setup)
    arguments = symbols.arguments(task.op.argument_names, setup.low)
    x_fit, t_fit = fits
    warp, unwarp = (
        symbols.functions(plain.WARPS[name][way])
        for way, name in enumerate((setup.input_transform, setup.target_transform))
    )
    affine = zip(arguments, np.asarray(x_fit.shift, float), np.asarray(x_fit.scale, float), strict=True)
    x = [(warp(argument) - shift) / scale for argument, shift, scale in affine]
    if layers:
        outputs = symbols.of_layers(layers, x)
    elif (output := network.formula(params, x, setup.widths)) is not None:
        outputs = [output]
    else:
        return [f"nothing is known of the layers of model={setup.model}"]
    shifts, scales = (np.ravel(np.asarray(part, float)) for part in (t_fit.shift, t_fit.scale))
    told = [
        unwarp(y * scale + shift) for y, shift, scale in zip(outputs, shifts.tolist(), scales.tolist(), strict=True)
    ]
    expressions = [symbols.expanded(y, arguments) for y in told]
    return [
        symbols.too_long(expression, arguments) or Formula(expression, arguments, task, i)
        for i, expression in enumerate(expressions)
    ]


def _obstacle(setup: Setup, layers: list[PlainLayer] | None) -> str:
    """Why there is no formula, as far as the setup and its layers tell; empty where nothing stands against one."""
    for field in ("input_transform", "target_transform"):
        name = getattr(setup, field)
        if not TRANSFORMS.ours(name) or name not in plain.WARPS:
            return f"{field}={name} is none that formulas are made of, which are {', '.join(plain.WARPS)}"
    if LOSSES[setup.loss].link is not None:
        return f"its answers are a sigmoid, or the like, of its outputs (loss={setup.loss}), and formulas have none"
    if layers:
        return symbols.obstacle(layers, setup.inputs)
    several = setup.results > 1
    return f"nothing is known of the layers of model={setup.model}, which has several results" if several else ""
