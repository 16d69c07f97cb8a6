"""The fused engine's forward pass in NumPy, to the same bits: for a few answers without numba, which takes its time.

The kernel's functions (`arithjax.training.engines.functions`) write instructions through a builder of LLVM's. `Numeric`
is a builder that computes at once instead, on arrays: one definition serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from arithjax.training.engines import functions
from arithjax.training.engines.vectors import Vector

ELEMENTS: dict[str, Any] = {"float32": ir.FloatType(), "float64": ir.DoubleType()}
DTYPES = {ir.FloatType(): np.float32, ir.DoubleType(): np.float64, ir.IntType(32): np.int32, ir.IntType(64): np.int64}


class Numeric:
    """What `Vector` needs of LLVM's builder, with arrays for values."""

    module: Any = ir.Module()

    def call(self, function: Any, values: list) -> np.ndarray:
        """One of LLVM's own functions, such as `llvm.fma.v1f32`."""
        name = function.name.split(".")[1]
        with np.errstate(all="ignore"):
            return flushed(CALLS[name](*map(_array, values)))

    def fadd(self, x: Any, y: Any) -> np.ndarray:
        """The sum."""
        return self._of(np.add, x, y)

    def fsub(self, x: Any, y: Any) -> np.ndarray:
        """The difference."""
        return self._of(np.subtract, x, y)

    def fmul(self, x: Any, y: Any) -> np.ndarray:
        """The product."""
        return self._of(np.multiply, x, y)

    def fdiv(self, x: Any, y: Any) -> np.ndarray:
        """The quotient."""
        return self._of(np.divide, x, y)

    def fneg(self, x: Any) -> np.ndarray:
        """The negative."""
        return -_array(x)

    def fcmp_ordered(self, sign: str, x: Any, y: Any) -> np.ndarray:
        """A comparison that is false with a NaN."""
        with np.errstate(invalid="ignore"):
            return {"<": np.less, ">": np.greater, ">=": np.greater_equal}[sign](_array(x), _array(y))

    def or_(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Either."""
        return x | y

    def and_(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Both."""
        return x & y

    def select(self, mask: np.ndarray, x: Any, y: Any) -> np.ndarray:
        """One value where the mask is set, the other elsewhere."""
        return np.where(mask, _array(x), _array(y))

    def fptrunc(self, x: Any, kind: ir.VectorType) -> np.ndarray:
        """Rounded to float32."""
        with np.errstate(all="ignore"):
            return flushed(_array(x).astype(DTYPES[kind.element]))

    fpext = fptrunc

    def bitcast(self, x: Any, kind: ir.VectorType) -> np.ndarray:
        """The same bits as another type."""
        return np.ascontiguousarray(_array(x)).view(DTYPES[kind.element])

    def shl(self, x: np.ndarray, by: Any) -> np.ndarray:
        """Bits moved up."""
        return x << _array(by)

    def _of(self, function: np.ufunc, x: Any, y: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            return flushed(function(_array(x), _array(y)))


def _array(value: Any) -> np.ndarray:
    """A value of the builder's, or one of LLVM's constants, as an array."""
    if not isinstance(value, ir.Constant):
        return value
    return np.array([number.constant for number in value.constant], DTYPES[value.type.element])


def flushed(x: np.ndarray) -> np.ndarray:
    """`x` with denormal numbers as zeros, as the kernel counts them."""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, x * 0, x)


def fma(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """`x * y + z`, rounded once (Boldo & Melquiond 2008)."""
    if x.dtype == np.float32:
        return odd_sum(x.astype(float) * y, z.astype(float)).astype(np.float32)
    high, low = product(x, y)
    inner, rest = two_sum(z, low)
    total, error = two_sum(high, inner)
    exact = total + odd_sum(error, rest)
    return np.where(np.isfinite(exact), exact, x * y + z)


def two_sum(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded sum and what it lacks (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def product(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded product and what it lacks (Dekker, Veltkamp)."""
    (a, b), (c, d) = (_halves(x), _halves(y))
    total = x * y
    return total, b * d - (((total - a * c) - b * c) - a * d)


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaled = x * 134217729.0  # 2^27 + 1
    high = scaled - (scaled - x)
    return high, x - high


def odd_sum(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum rounded to odd: where it is not exact, of the two neighbours the one whose last bit is set."""
    total, error = two_sum(x, y)
    even = (np.atleast_1d(total).view(np.int64) & 1 == 0).reshape(np.shape(total))
    wrong = (error != 0) & even & np.isfinite(total) & np.isfinite(error)
    return np.where(wrong, np.nextafter(total, np.copysign(np.inf, error)), total)


CALLS: dict[str, Callable[..., np.ndarray]] = {"fma": fma, "sqrt": np.sqrt, "fabs": np.abs, "rint": np.rint}
"""LLVM's functions by name."""


def activate(name: str, z: np.ndarray) -> np.ndarray:
    """The kernel's activation of an array; `linear` is none."""
    if name not in functions.ACTIVATIONS:
        return z
    kind = ir.VectorType(ELEMENTS[z.dtype.name], 1)
    result = functions.ACTIVATIONS[name](Vector(Numeric(), kind, z))
    return (result if name in functions.PULLS else result[0]).value


def predict(layers: list[dict[str, np.ndarray]], activations: tuple[str, ...], x: np.ndarray) -> np.ndarray:
    """Outputs of one net for transformed arguments `x [points, inputs]`: the bits of the kernel.

    They are `[points]`, or `[points, outputs]` of several.

    layers: `kernel [inputs, outputs]` and, where there is one, `bias [outputs]` of each. activations: of each layer.
    """
    values = flushed(x)
    with np.errstate(all="ignore"):
        for layer, name in zip(layers, activations, strict=True):
            kernel = flushed(layer["kernel"])
            total = np.zeros((len(x), kernel.shape[1]), x.dtype)
            if "bias" in layer:
                total = total + flushed(layer["bias"].reshape(1, -1))
            for i, weights in enumerate(kernel):
                total = flushed(fma(values[:, i : i + 1], weights[None], total))
            values = activate(name, total)
    return values[:, 0] if values.shape[1] == 1 else values
