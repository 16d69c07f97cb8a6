"""Polynomials in a few letters with whole coefficients, modulo a number: read from text such as `(4*a+b^2)^3`."""

from __future__ import annotations

import ast
import functools
import math
import string
from collections.abc import Callable
from typing import Any

MOST_TERMS, MOST_DEGREE, MOST_TEXT = 256, 32, 200
"""The longest polynomial: its terms, the degree of each, and the characters that it is read from."""

Terms = dict[tuple[int, ...], int]
"""The coefficient of each product of powers, which stand in the order of the letters: `3 a b²` is `{(1, 2): 3}`."""

NO_POLYNOMIAL = ValueError("no polynomial, or one that is too long")


def terms_of(text: str, modulus: int) -> tuple[list[str], tuple[tuple[int, ...], ...]]:
    """The letters of a polynomial, and its terms `(coefficient, power of a, power of b, ...)`.

    Args:
        text: whole numbers and the letters a, b and so on, with `+ - * ^` and brackets.
        modulus: the number that coefficients are reduced by.

    Raises:
        ValueError: it is no such text, leaves a letter before its last one out, or is longer than the limits above.
    """
    letters = sorted({character for character in text if character.isalpha()})
    if not letters or len(text) > MOST_TEXT or "".join(letters) != string.ascii_lowercase[: len(letters)]:
        raise NO_POLYNOMIAL
    try:
        tree = ast.parse(text.replace("^", "**"), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        raise NO_POLYNOMIAL from None
    found = _read(tree, letters, modulus)
    return letters, tuple((coefficient, *powers) for powers, coefficient in sorted(found.items(), reverse=True))


def _read(node: Any, letters: list[str], modulus: int) -> Terms:
    """The terms of a part of the text."""
    read = functools.partial(_read, letters=letters, modulus=modulus)
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return _reduced({(0,) * len(letters): number}, modulus)
        case ast.Name(id=name) if name in letters:
            return {tuple(int(letter == name) for letter in letters): 1}
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return _reduced({powers: -factor for powers, factor in read(part).items()}, modulus)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sum(read(left), read(right), modulus)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _sum(read(left), read(ast.UnaryOp(ast.USub(), right)), modulus)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _product(read(left), read(right), modulus)
        case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=int(power))) if 1 <= power <= MOST_DEGREE:
            return functools.reduce(functools.partial(_product, modulus=modulus), [read(base)] * power)
    raise NO_POLYNOMIAL


def _sum(first: Terms, second: Terms, modulus: int) -> Terms:
    return _reduced({powers: first.get(powers, 0) + second.get(powers, 0) for powers in {**first, **second}}, modulus)


def _product(first: Terms, second: Terms, modulus: int) -> Terms:
    found: Terms = {}
    for powers, factor in first.items():
        for others, other in second.items():
            both = tuple(p + q for p, q in zip(powers, others, strict=True))
            found[both] = found.get(both, 0) + factor * other
    return _reduced(found, modulus)


def _reduced(terms: Terms, modulus: int) -> Terms:
    """The terms that are left of coefficients modulo a number."""
    left = {powers: factor % modulus for powers, factor in terms.items() if factor % modulus}
    if len(left) > MOST_TERMS or max(map(sum, left), default=0) > MOST_DEGREE:
        raise NO_POLYNOMIAL
    return left


def polynomial(modulus: int, terms: tuple[tuple[int, ...], ...]) -> Callable[..., Any]:
    """The function of whole numbers, or arrays of them, that has these terms.

    No number on the way is larger than `(modulus - 1)²`.
    """

    def remainder(*arguments: Any) -> Any:
        """The polynomial of the arguments, modulo a number."""
        total = 0 * arguments[0]
        for factor, *powers in terms:
            value = factor
            for argument, power in zip(arguments, powers, strict=True):
                for _ in range(power):
                    value = value * (argument % modulus) % modulus
            total = (total + value) % modulus
        return total

    return remainder


def is_prime(number: int) -> bool:
    """Whether a whole number is a prime."""
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def quotient(prime: int) -> Callable[[Any, Any], Any]:
    """The function `a · b⁻¹` modulo a prime of whole numbers, or arrays of them; b⁻¹ is b^(prime - 2) (Fermat)."""
    bits = [int(bit) for bit in f"{prime - 2:b}"]

    def remainder(a: Any, b: Any) -> Any:
        """Equal to a times the inverse of b, modulo a prime."""
        inverse = 1
        for bit in bits:
            inverse = inverse * inverse % prime
            inverse = inverse * (b % prime) % prime if bit else inverse
        return (a % prime) * inverse % prime

    return remainder
