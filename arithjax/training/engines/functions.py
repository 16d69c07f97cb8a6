"""The fused engine's members: activations, losses and optimisers as functions of vectors, and the tables they stand in.

Each is what its namesake in `arithjax.ACTIVATIONS`, `LOSSES` or `OPTIMIZERS` is; tests compare them. exp, tanh, sin and
so on are polynomials of their own, within a few units in the last place, so that they are the same on every processor.
To add a member, write its function and name it in its table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from arithjax.training.engines.vectors import (
    Vector,
    absolute,
    fma,
    nearest,
    polynomial,
    power_of_two,
    sqrt,
    where,
)

# Coefficients, highest power first, for float32 and for float64.
# (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2: Cephes (Moshier 1989), and Taylor
EXP = (
    (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
    tuple(1 / math.factorial(k) for k in range(13, 1, -1)),
)
# (artanh(s) / s - 1) / s^2 = 1/3 + s^2/5 + ... for s <= 1/3
ARTANH = (tuple(1 / k for k in range(15, 1, -2)), tuple(1 / k for k in range(35, 1, -2)))
# (sin(r) / r - 1) / r^2 and (cos(r) - 1 + r^2 / 2) / r^4 for |r| <= pi / 4: Cephes
SIN = (
    (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1),
    (
        *(1.58962301576546568060e-10, -2.50507477628578072866e-8, 2.75573136213857245213e-6),
        *(-1.98412698295895385996e-4, 8.33333333332211858878e-3, -1.66666666666666307295e-1),
    ),
)
COS = (
    (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2),
    (
        *(-1.13585365213876817300e-11, 2.08757008419747316778e-9, -2.75573141792967388112e-7),
        *(2.48015872888517045348e-5, -1.38888888888730564116e-3, 4.16666666666665929218e-2),
    ),
)
LN_2, LN_2_SINGLE = 0.6931471805599453, 0.693147182464599609375  # rounded to float64 and to float32
LN_2_REST = (-1.904654299957768e-9, 2.3190468138462996e-17)  # what those lack
HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33)  # three parts, 159 bits


def clamp(x: Vector, low: float, high: float) -> Vector:
    """`x` within two limits; a NaN stays a NaN."""
    return where(x < low, low, where(x > high, high, x))


def exp_parts(x: Vector) -> tuple[Vector, Vector]:
    """`(q, p)` with e^x = q (1 + p) and q a power of two; limited to where q is a normal number."""
    x = clamp(x, -87.3, 88.3) if x.single else clamp(x, -708.3, 709.0)
    n = nearest(x * (1 / LN_2))
    r = fma(-n, LN_2_SINGLE if x.single else LN_2, x)
    r = fma(-n, LN_2_REST[not x.single], r)
    return power_of_two(n), fma(polynomial(r, EXP[not x.single]), r * r, r)


def exp(x: Vector) -> Vector:
    """e^x."""
    q, p = exp_parts(x)
    return fma(q, p, q)


def expm1(x: Vector) -> Vector:
    """e^x - 1."""
    q, p = exp_parts(x)
    return fma(q, p, q - 1.0)


def log1p(x: Vector) -> Vector:
    """ln(1 + x) for x in [0, 1]."""
    s = x / (x + 2.0)
    q = s * s
    return fma(polynomial(q, ARTANH[not x.single]) * q, s + s, s + s)


def tanh(x: Vector) -> Vector:
    """The hyperbolic tangent."""
    e = expm1(x + x)
    return e / (e + 2.0)


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + e^-x)."""
    return 1.0 / (exp(-x) + 1.0)


def sin_cos(x: Vector) -> tuple[Vector, Vector]:
    """Sine and cosine. The angle is reduced in float64: pre-activations pass 1e5 with sin and SGD."""
    wide = x.to(ir.DoubleType())
    n = nearest(wide * (1 / HALF_PI[0]))
    for part in HALF_PI[: 2 if x.single else 3]:
        wide = fma(-n, part, wide)
    r = clamp(wide.to(x.kind.element), -1.0, 1.0)  # where the angle cannot be reduced: any, but a bounded one
    n = fma(nearest(n * 0.25), -4.0, n).to(x.kind.element)  # quarters of a turn, from -2 to 2
    q = r * r
    sine = fma(polynomial(q, SIN[not x.single]) * q, r, r)
    cosine = fma(polynomial(q, COS[not x.single]), q * q, fma(q, -0.5, 1.0))
    swapped = (absolute(n) > 0.5) & (absolute(n) < 1.5)
    s, c = where(swapped, cosine, sine), where(swapped, sine, cosine)
    return where((n < -0.5) | (n > 1.5), -s, s), where((n > 0.5) | (n < -1.5), -c, c)


def sign(x: Vector) -> Vector:
    """1, -1, or what it was if that is 0 or NaN."""
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, x))


# ---- activations: z -> value and slope. Those whose slope can be read off the value give the value alone, and stand in
# `PULLS` too: value and the loss's slope by it -> the loss's slope by z.


def relu(z: Vector) -> Vector:
    """max(z, 0)."""
    return where(z < 0.0, 0.0, z)


def leaky_relu(z: Vector) -> Vector:
    """max(z, 0.01 z)."""
    return where(z >= 0.0, z, z * 0.01)


def relu6(z: Vector) -> Vector:
    """min(max(z, 0), 6)."""
    return clamp(z, 0.0, 6.0)


def elu(z: Vector) -> Vector:
    """Equal to z where z > 0, to e^z - 1 elsewhere."""
    return where(z > 0.0, z, expm1(where(z > 0.0, 0.0, z)))


def gelu(z: Vector) -> tuple[Vector, Vector]:
    """Tanh form: z (1 + tanh(c (z + a z^3))) / 2."""
    c, a = math.sqrt(2 / math.pi), 0.044715
    q = z * z
    t = tanh(fma(q * z, a, z) * c)
    h = fma(t, 0.5, 0.5)
    return z * h, fma(fma(-t, t, 1.0) * (z * 0.5), fma(q, 3 * a, 1.0) * c, h)


def silu(z: Vector) -> tuple[Vector, Vector]:
    """Equal to z sigmoid(z)."""
    t = sigmoid(z)
    return z * t, fma(z * t, 1.0 - t, t)


def softplus(z: Vector) -> tuple[Vector, Vector]:
    """ln(1 + e^z)."""
    e = exp(-absolute(z))
    return where(z < 0.0, 0.0, z) + log1p(e), where(z > 0.0, 1.0, e) / (e + 1.0)


def square(z: Vector) -> tuple[Vector, Vector]:
    """z^2."""
    return z * z, z + z


# ---- losses: prediction and target -> the loss's slope by the prediction


def mse(y: Vector, t: Vector) -> Vector:
    """Slope of (y - t)^2."""
    return (y - t) * 2.0


def mae(y: Vector, t: Vector) -> Vector:
    """Slope of |y - t|."""
    return sign(y - t)


def huber(y: Vector, t: Vector) -> Vector:
    """Slope of Huber's loss, which is linear from an error of 1."""
    return clamp(y - t, -1.0, 1.0)


def relative(y: Vector, t: Vector) -> Vector:
    """Slope of ((y - t) / (1 + |t|))^2."""
    s = absolute(t) + 1.0
    return (y - t) / s / s * 2.0


def bit_cross_entropy(y: Vector, t: Vector) -> Vector:
    """Slope of the cross entropy of one probability by its logit."""
    return sigmoid(y) - t


# ---- optimisers: gradient, moments m and v, numbers -> direction and the new moments
#
# numbers: beta1, 1 - beta1, beta2, 1 - beta2, momentum, epsilon, 1 / (1 - beta1^t), 1 / (1 - beta2^t)

Moved = tuple[Vector, Vector, Vector]


def adam(g: Vector, m: Vector, v: Vector, numbers: Sequence[Vector]) -> Moved:
    """Kingma & Ba 2015; a reciprocal for each bias correction, 1.3 times as fast as optax's two divisions."""
    m = fma(m, numbers[0], g * numbers[1])
    v = fma(v, numbers[2], g * g * numbers[3])
    return (m * numbers[6]) / (sqrt(v * numbers[7]) + numbers[5]), m, v


def sgd(g: Vector, m: Vector, v: Vector, numbers: Sequence[Vector]) -> Moved:
    """Gradient descent with momentum."""
    m = fma(m, numbers[4], g)
    return m, m, v


def rmsprop(g: Vector, m: Vector, v: Vector, numbers: Sequence[Vector]) -> Moved:
    """Tieleman & Hinton 2012, epsilon under the root; its one moment is of squares."""
    m = fma(m, numbers[2], g * g * numbers[3])
    return g / sqrt(m + numbers[5]), m, v


def lion(g: Vector, m: Vector, v: Vector, numbers: Sequence[Vector]) -> Moved:
    """Chen et al. 2023."""
    return sign(fma(m, numbers[0], g * numbers[1])), fma(m, numbers[2], g * numbers[3]), v


ACTIVATIONS: dict[str, Callable[[Vector], Any]] = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "relu6": relu6,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "sin": sin_cos,
    "square": square,
}
LINEAR = len(ACTIVATIONS)  # the code of the identity: no case of any switch
PULLS: dict[str, Callable[[Vector, Vector], Vector]] = {
    "relu": lambda y, d: where(y > 0.0, d, 0.0),
    "leaky_relu": lambda y, d: where(y >= 0.0, d, d * 0.01),
    "relu6": lambda y, d: where((y > 0.0) & (y < 6.0), d, 0.0),
    "elu": lambda y, d: where(y > 0.0, d, d * (y + 1.0)),
    "tanh": lambda y, d: d * fma(-y, y, 1.0),
    "sigmoid": lambda y, d: d * (y * (1.0 - y)),
}
LOSSES = {"mse": mse, "mae": mae, "huber": huber, "relative": relative, "bit_cross_entropy": bit_cross_entropy}
SHARED = "cross_entropy"  # of all classes of a result: no slope of one prediction; `loops.share_out` has it
OPTIMIZERS = {"adam": adam, "adamw": adam, "sgd": sgd, "rmsprop": rmsprop, "lion": lion}
