"""Operations as source: the text of an operation's function, for scripts that make their own examples with NumPy."""

from __future__ import annotations

import ast
import contextlib
import inspect
import numbers
import re
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any

import numpy as np

from arithjax.errors import ArithjaxError
from arithjax.task.arguments import argument_names
from arithjax.task.operations import OfSums, Operation


def exact_source(op: Operation, results: int = 1) -> tuple[str, str]:
    """The definition of an operation's function in NumPy, and a call that gives results of `x [examples, arity]`.

    These are `[examples]`, or `[examples, results]` of several.

    Raises:
        ArithjaxError: the function's source is not to be had, or uses what a script does not know.
    """
    definition, name = _source(op)
    slices = op.slices if isinstance(op, OfSums) else ()
    if not _of_arrays(definition, name, len(slices) or op.arity):
        name = f"np.vectorize({name})"
    sums = ", ".join(f"x[:, {start}:{stop}].sum(1)" for start, stop in slices)
    call = f"{name}({sums or '*x.T'})"
    return definition, f"np.stack({call}, 1)" if results > 1 else call


def _of_arrays(definition: str, name: str, arguments: int) -> bool:
    """Whether a defined function takes arrays, and not one number each."""
    names: dict[str, Any] = {"np": np}
    exec(definition, names)
    try:
        return np.shape(names[name](*np.full((arguments, 3), 2.0)))[-1:] == (3,)
    except (TypeError, ValueError):
        return False


def _source(op: Operation) -> tuple[str, str]:
    """A definition, and the name that it defines."""
    fn: Any = op.fn
    if not inspect.isfunction(fn) or fn.__module__.startswith("jax"):  # of jax.numpy, which has NumPy's names
        given = ", ".join(argument_names(op.arity))
        return _written(op, given, f"np.{fn.__name__}({given})"), "exact"
    if fn.__name__ == "<lambda>":
        node = _lambda(op, _text(op, fn), fn)
        definition, name = _written(op, ast.unparse(node.args), ast.unparse(node.body)), "exact"
    else:
        definition, name = _definition(op, fn), fn.__name__
    parts: dict[str, str] = {}
    _add(parts, op, name, definition, fn)
    return "\n".join(parts.values()).replace("\ndef ", "\n\n\ndef "), name


def _text(op: Operation, fn: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(fn))
    except (OSError, TypeError):
        raise _unknown(op, "its source is not to be had") from None


def _definition(op: Operation, fn: Callable[..., Any]) -> str:
    """The source of a function that is defined by `def`, without types."""
    text = _text(op, fn).rstrip()
    (tree,) = ast.parse(text).body
    typed = [node for node in ast.walk(tree) if isinstance(node, ast.arg) and node.annotation]
    if not typed and not getattr(tree, "returns", None):
        return text
    for node in typed:
        node.annotation = None
    tree.returns = None  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _add(parts: dict[str, str], op: Operation, name: str, definition: str, fn: Callable[..., Any]) -> None:
    """Add a function's definition after what it uses from outside: constants, modules and functions.

    parts: text by the name that it defines, in the order of the script. Anything else from outside is refused.
    """
    outside, strange = _outside(definition, fn)
    modules = {word: value.__name__ for word, value in outside.items() if inspect.ismodule(value)}
    arrays = [word for word, module in modules.items() if module in ("jax.numpy", "numpy")]
    for word, value in outside.items():
        if _is_constant(value):
            _define(parts, op, word, f"{word} = {value!r}")
        elif modules.get(word) == "math":
            _define(parts, op, word, f"import math as {word}")
        elif inspect.isfunction(value) and value.__name__ == word:
            _add(parts, op, word, _definition(op, value), value)
        elif word not in arrays:
            strange.add(word)
    if strange:
        raise _unknown(op, f"it uses {', '.join(sorted(strange))}")
    for module in arrays:
        definition = re.sub(rf"\b{module}\.", "np.", definition)
    _define(parts, op, name, definition)


def _outside(definition: str, fn: Callable[..., Any]) -> tuple[dict[str, Any], set[str]]:
    """What a function uses from outside by its names, and the names that stand for nothing."""
    known = inspect.getclosurevars(inspect.unwrap(fn))
    used = {node.id for node in ast.walk(ast.parse(definition)) if isinstance(node, ast.Name)}  # and no attributes
    found = {**known.globals, **known.nonlocals}
    outside = {word: value for word, value in found.items() if word in used and value is not fn}
    return outside, set(known.unbound & used)


def _define(parts: dict[str, str], op: Operation, word: str, text: str) -> None:
    if parts.setdefault(word, text) != text:
        raise _unknown(op, f"it uses two things that are called {word}")


def _is_constant(value: Any) -> bool:
    """Whether a value is a number, or numbers in lists and tuples."""
    return all(map(_is_constant, value)) if isinstance(value, tuple | list) else isinstance(value, numbers.Real)


def _written(op: Operation, arguments: str, body: str) -> str:
    return f'def exact({arguments}):\n    """{op.symbol}."""\n    return {body}'


def _lambda(op: Operation, text: str, fn: Callable[..., Any]) -> ast.Lambda:
    """A lambda within the lines that hold it, which may begin and end amid a statement."""
    found: dict[str, ast.Lambda] = {}
    for start in re.finditer(r"\blambda\b", text):
        for end in range(len(text), start.end(), -1):
            with contextlib.suppress(SyntaxError):
                tree = ast.parse(f"({text[start.start() : end]})")
                found |= {ast.unparse(n): n for n in ast.walk(tree) if isinstance(n, ast.Lambda) and _same(n, fn)}
                break
    if len(found) != 1:
        raise _unknown(op, "its lambda cannot be told from what stands beside it")
    return next(iter(found.values()))


def _same(node: ast.Lambda, fn: Any) -> bool:
    """Whether a lambda takes and uses the very names that a function does."""
    compiled = compile(ast.Expression(node), "<operation>", "eval").co_consts
    (code,) = [part for part in compiled if inspect.iscode(part)]
    return code.co_varnames == fn.__code__.co_varnames and _names(code) == _names(fn.__code__)


def _names(code: CodeType) -> set[str]:
    return {*code.co_names, *code.co_freevars}


def _unknown(op: Operation, why: str) -> ArithjaxError:
    return ArithjaxError(
        f"operation '{op.name}' cannot be written into a script ({why}); give it a function of its own, with `def`, "
        f"that uses jax.numpy and numbers alone."
    )
