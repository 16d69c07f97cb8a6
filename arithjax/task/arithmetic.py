"""The operations that come with arithjax: a line each, and families of them such as `times:c` or `addmod:p`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from arithjax.errors import ArithjaxError
from arithjax.registry import OPERATIONS
from arithjax.task.arguments import Argument, argument_names
from arithjax.task.operations import OfSums, Operation, not_negative, positive, without_zero
from arithjax.task.polynomials import is_prime, polynomial, quotient, terms_of

MOST_NUMBERS = 1024
"""The most numbers that a sum, a maximum or a minimum of n takes; a dot product takes twice as many."""

LARGEST_MODULUS = 46_340
"""Products of two residues stay below 2**31, so that compiled programs hold them."""


def whole(x: Any) -> Any:
    """Numbers in a type of whole numbers, for what knows no other."""
    return jnp.asarray(x).astype(int)


@dataclass(frozen=True)
class Family:
    """Operations of one name with something after a colon, such as `times:7`.

    pattern, about: as lists have them, such as `times:c`.
    make: the operation of a name, given the name and what stands after the colon; a `ValueError` where that does not
        fit. needs, example: what does, for messages.
    """

    pattern: str
    about: str
    make: Callable[[str, str], Operation]
    needs: str
    example: str

    @property
    def name(self) -> str:
        """What stands before the colon."""
        return self.pattern.partition(":")[0]


# ---- what stands after a colon


def _short(c: float) -> str:
    """`7`, not `7.0`, and every digit where they matter."""
    return f"{c:g}" if float(f"{c:g}") == c else repr(c)


def _constant(text: str) -> float:
    """A finite constant."""
    value = float(text)
    if not abs(value) < 3e38:
        raise ValueError
    return value


def _number(text: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`, written as short as it can be."""
    value = int(text)
    if str(value) != text or not low <= value <= high:
        raise ValueError
    return value


def _count(text: str) -> int:
    return _number(text, 2, MOST_NUMBERS)


def _times(name: str, text: str) -> Operation:
    c = _constant(text)
    return Operation(f"times:{_short(c)}", f"{_short(c)}·a", lambda a: c * a, arity=1)


def _plus(name: str, text: str) -> Operation:
    c = _constant(text)
    return Operation(f"plus:{_short(c)}", f"a + {_short(c)}", lambda a: a + c, arity=1)


def _of_many(symbol: str, fn: Callable[..., Any]) -> Callable[[str, str], Operation]:
    """Operations of n numbers, from a function of any number of them."""
    return lambda name, text: Operation(name, f"{symbol} of {_count(text)} numbers", fn, arity=_count(text))


def _dot(name: str, text: str) -> Operation:
    n = _count(text)
    symbol = f"x · y for x, y of {n} numbers each"
    return Operation(name, symbol, lambda *x: sum(a * b for a, b in zip(x[:n], x[n:], strict=True)), arity=2 * n)


# ---- modulo a number


def _modulus(text: str) -> int:
    return _number(text, 2, LARGEST_MODULUS)


def _polynomial(name: str, p: int, text: str) -> Operation:
    """An operation from a polynomial as text."""
    letters, terms = terms_of(text, p)
    remainder, arguments = polynomial(p, terms), tuple(Argument(letter, 0, p, True) for letter in letters)
    return Operation(
        *(name, f"{text} mod {p}", lambda *x: remainder(*map(whole, x))), arity=len(letters), arguments=arguments
    )


def _of_modulus(text: str) -> Callable[[str, str], Operation]:
    """Operations that are one polynomial, for any modulus."""
    return lambda name, modulus: _polynomial(name, _modulus(modulus), text)


def _polymod(name: str, text: str) -> Operation:
    modulus, _, of = text.partition(":")
    return _polynomial(name, _modulus(modulus), of)


def _divmod(name: str, text: str) -> Operation:
    p = _modulus(text)
    if not is_prime(p):
        raise ValueError
    remainder = quotient(p)

    def divided(a: Any, b: Any) -> Any:
        """Equal to a times the inverse of b; there is none of multiples of p."""
        return jnp.where(whole(b) % p == 0, jnp.nan, remainder(whole(a), whole(b)))

    arguments = Argument("a", 0, p, True), Argument("b", 1, p, True)
    return Operation(name, f"a / b mod {p}", divided, where=f"b mod {p} ≠ 0", arguments=arguments)


MODULO = "a whole number from 2 to 46340"
FAMILIES = {
    family.name: family
    for family in (
        Family("times:c", "c·a, for any constant c, such as times:7", _times, "a finite number", "7"),
        Family("plus:c", "a + c, for any constant c", _plus, "a finite number", "7"),
        Family("sum:n", "the sum of n numbers", _of_many("sum", lambda *x: sum(x)), "a number from 2 to 1024", "5"),
        Family(
            *("max:n", "the largest of n numbers"),
            _of_many("max", lambda *x: jnp.max(jnp.stack(x), 0)),
            *("a number from 2 to 1024", "5"),
        ),
        Family(
            *("min:n", "the smallest of n numbers"),
            _of_many("min", lambda *x: jnp.min(jnp.stack(x), 0)),
            *("a number from 2 to 1024", "5"),
        ),
        Family(
            *("sort:n", "n numbers in rising order, as n results"),
            _of_many("sort", lambda *x: tuple(jnp.sort(jnp.stack(x), 0))),
            *("a number from 2 to 1024", "3"),
        ),
        Family("dot:n", "the dot product of n numbers and n more", _dot, "a number from 2 to 1024", "4"),
        Family("addmod:p", "a + b mod p, such as addmod:97", _of_modulus("a+b"), MODULO, "97"),
        Family("submod:p", "a - b mod p", _of_modulus("a-b"), MODULO, "97"),
        Family("mulmod:p", "a · b mod p", _of_modulus("a*b"), MODULO, "97"),
        Family("divmod:p", "a · b⁻¹ mod p, for a prime p", _divmod, "a prime from 2 to 46337", "97"),
        Family("quadmod:p", "a² + ab + b² mod p", _of_modulus("a^2+a*b+b^2"), MODULO, "97"),
        Family(
            *("polymod:p:f", "any polynomial mod p, such as polymod:97:(4*a+b^2)^3 (Doshi et al. 2024)", _polymod),
            *("a modulus and a polynomial of a, b ... with whole coefficients", "97:(4*a+b^2)^3"),
        ),
    )
}
"""Families of operations by the name before the colon."""


# ---- one operation each

QUOTIENT = Operation("quotient", "a / b", lambda a, b: a / b, where="b ≠ 0; b = 0 is left out", leaves_out=True)
"""Division on ranges that hold 0, as some published experiments have it."""

FOUR = Operation(
    "four",
    "a + b, a · b, a / b, √|a|",
    lambda a, b: (a + b, a * b, a / b, jnp.sqrt(jnp.abs(a))),
    defined=without_zero,
    where="b ≠ 0",
)
"""Four results at once, as Heim et al. (2020) ask for; the root is one of |a|, so that it is there for all numbers."""

PUBLISHED = {op.name: op for op in (QUOTIENT, FOUR)}
"""Operations of published experiments, which are no entries of the registry, but known there."""

PAIR = Argument("a", integers=True), Argument("b", integers=True)
"""Two whole numbers, whatever the range."""


def _derived(name: str) -> Operation | None:
    """The operation that a name such as `times:7` or `mul:4:0-4:0-2` means, or None."""
    family, _, rest = name.partition(":")
    if name in PUBLISHED:
        return PUBLISHED[name]
    if name in OPERATIONS.others:  # `sum` is `add` elsewhere
        return None
    if family in FAMILIES and not (family in OPERATIONS and ":" in rest):
        return _of_family(FAMILIES[family], rest)
    return _of_sums(OPERATIONS[family], rest) if family in OPERATIONS and rest else None


@functools.cache  # one object each, so that equal operations share a compiled program
def _of_family(family: Family, rest: str) -> Operation:
    try:
        return family.make(f"{family.name}:{rest}", rest)
    except ValueError:
        raise ArithjaxError(
            f"operation '{family.name}:{rest[:60]}' needs {family.needs} after the colon, as in "
            f"'{family.name}:{family.example}'."
        ) from None


@functools.cache
def _of_sums(op: Operation, rest: str) -> OfSums:
    try:
        count, *slices = rest.split(":")
        ends = tuple((int(start), int(stop)) for start, stop in (part.split("-") for part in slices))
        arity = int(count)
        fits = len(ends) == op.arity and all(0 <= start < stop <= arity for start, stop in ends)
    except ValueError:
        fits = False
    if not fits:
        raise ArithjaxError(
            f"operation '{op.name}:{rest}' needs the number of inputs and {op.arity} slices within them, as in "
            f"'{op.name}:4{':0-2' * op.arity}'."
        )
    symbol = " ".join([op.symbol, "of the sums", *(f"x[{start}:{stop}]" for start, stop in ends)])
    inputs = tuple(Argument(name, integers=True) for name in argument_names(arity))
    arguments = inputs if any(one.integers for one in op.arguments) else ()
    return OfSums(
        f"{op.name}:{rest}", symbol, op.fn, arity, op.defined, op.where, op.leaves_out, arguments, op.outputs, ends
    )


OPERATIONS.fill(
    Operation,
    [
        Operation("add", "a + b", lambda a, b: a + b),
        Operation("sub", "a - b", lambda a, b: a - b),
        Operation("mul", "a · b", lambda a, b: a * b),
        Operation("div", "a / b", lambda a, b: a / b, defined=without_zero, where="b ≠ 0"),
        Operation("floordiv", "⌊a / b⌋", lambda a, b: a // b, defined=without_zero, where="b ≠ 0"),
        Operation("mod", "a mod b", jnp.mod, defined=without_zero, where="b ≠ 0"),
        Operation("power", "a^b", lambda a, b: a**b, defined=not_negative, where="a ≥ 0 and b ≥ 0"),
        Operation("max", "max(a, b)", jnp.maximum),
        Operation("min", "min(a, b)", jnp.minimum),
        Operation("hypot", "√(a² + b²)", jnp.hypot),
        Operation("equal", "a = b", lambda a, b: a == b),
        Operation("greater", "a > b", lambda a, b: a > b),
        Operation("gcd", "gcd(a, b)", lambda a, b: jnp.gcd(whole(a), whole(b)), arguments=PAIR),
        Operation("xor", "a xor b, bit by bit", lambda a, b: jnp.bitwise_xor(whole(a), whole(b)), arguments=PAIR),
        Operation("and", "a and b, bit by bit", lambda a, b: jnp.bitwise_and(whole(a), whole(b)), arguments=PAIR),
        Operation("or", "a or b, bit by bit", lambda a, b: jnp.bitwise_or(whole(a), whole(b)), arguments=PAIR),
        Operation("square", "a²", lambda a: a * a, arity=1),
        Operation("sqrt", "√a", jnp.sqrt, arity=1, defined=not_negative, where="a ≥ 0"),
        Operation("reciprocal", "1 / a", lambda a: 1 / a, arity=1, defined=without_zero, where="a ≠ 0"),
        Operation("abs", "|a|", lambda a: abs(a)),
        Operation("sign", "the sign of a", jnp.sign, arity=1),
        Operation("sin", "sin a", jnp.sin, arity=1),
        Operation("log", "ln a", jnp.log, arity=1, defined=positive, where="a > 0"),
        Operation(
            "parity",
            "the number of one bits of a, mod 2",
            lambda a: jnp.bitwise_count(whole(a)) % 2,
            defined=not_negative,
            where="a ≥ 0",
            arguments=PAIR[:1],
        ),
    ],
    derive=_derived,
    families={
        **{family.pattern: family.about for family in FAMILIES.values()},
        QUOTIENT.name: "a / b on ranges that hold 0, with b = 0 left out",
        FOUR.name: f"{FOUR.symbol}: four results at once, defined where b ≠ 0",
    },
)
