"""Activations, transforms and arithmetic units once more, as plain functions of NumPy arrays of one net.

Exported scripts hold the source of these functions, with `np.` read as `torch.` in PyTorch; so they use only what both
have under one name. Tests compare each with its namesake in the registries. To add a member, write its function and
name it in its table.

A unit's function takes `x [points, inputs]` and its parameters, `[inputs, features]` or a row `[1, features]`, and
gives `[points, features]`. Sources are in `arithjax/models/units.py`.
"""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

# ---- activations


def linear(z):
    """Equal to z."""
    return z


def relu(z):
    """max(z, 0)."""
    return np.clip(z, 0, None)


def leaky_relu(z):
    """max(z, 0.01 z)."""
    return np.maximum(z, 0.01 * z)


def relu6(z):
    """min(max(z, 0), 6)."""
    return np.clip(z, 0, 6)


def elu(z):
    """Equal to z where z > 0, to e^z - 1 elsewhere."""
    return np.clip(z, 0, None) + np.expm1(np.clip(z, None, 0))


def gelu(z):
    """GELU in its tanh form."""
    return 0.5 * z * (1 + np.tanh(0.7978845608028654 * (z + 0.044715 * z**3)))


def silu(z):
    """Equal to z σ(z)."""
    return z * sigmoid(z)


def tanh(z):
    """The hyperbolic tangent."""
    return np.tanh(z)


def sigmoid(z):
    """1 / (1 + e^-z)."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def softplus(z):
    """ln(1 + e^z)."""
    return np.clip(z, 0, None) + np.log1p(np.exp(-np.abs(z)))


def sin(z):
    """The sine."""
    return np.sin(z)


def square(z):
    """z²."""
    return z * z


ACTIVATIONS: dict[str, Callable] = {
    function.__name__: function
    for function in (linear, relu, leaky_relu, relu6, elu, gelu, silu, tanh, sigmoid, softplus, sin, square)
}

# ---- transforms, without their shift and scale


def symlog(x):
    """Sign(x) ln(1 + |x|)."""
    return np.sign(x) * np.log1p(np.abs(x))


def symexp(y):
    """The inverse of symlog."""
    return np.sign(y) * np.expm1(np.abs(y))


def log1p(x):
    """Equal to ln(1 + x)."""
    return np.log1p(x)


def expm1(y):
    """e^y - 1."""
    return np.expm1(y)


def sqrt(x):
    """The square root."""
    return np.sqrt(x)


def square_positive(y):
    """y², where y is positive."""
    return np.square(np.clip(y, 0, None))


def log(x):
    """The logarithm."""
    return np.log(x)


def exp(y):
    """e^y."""
    return np.exp(y)


WARPS: dict[str, tuple[Callable, Callable]] = {
    "raw": (linear, linear),
    "scale": (linear, linear),
    "standardize": (linear, linear),
    "minmax": (linear, linear),
    "log1p": (log1p, expm1),
    "symlog": (symlog, symexp),
    "sqrt": (sqrt, square_positive),
    "log": (log, exp),
}
"""What a transform does before its shift and scale, and what undoes it."""

# ---- units


def negative(x):
    """1 where x < 0, else 0."""
    return np.clip(-np.sign(x), 0, 1)


def softmax(r):
    """Shares of each row, `[inputs, features]`, which add up to 1."""
    e = np.exp(r)
    return e / np.sum(e, axis=1, keepdims=True)


def nac(w, m):
    """W = tanh(Ŵ) σ(M̂)."""
    return np.tanh(w) * sigmoid(m)


def power(w, x):
    """exp(W log(|x| + ε))."""
    return np.exp(np.log(np.abs(x) + 1e-7) @ w)


def gated(w, x):
    """∏ᵢ (Wᵢ xᵢ + 1 - Wᵢ)."""
    return np.prod(w * x[:, :, None] + 1 - w, 1)


def log_magnitude(x):
    """Log |x|, finite at 0."""
    return np.log(np.clip(np.abs(x), 1.1754944e-38, None))


def nac_add(x, W_hat, M_hat):
    """NAC+: W x (Trask et al. 2018)."""
    return x @ nac(W_hat, M_hat)


def nac_mul(x, W_hat, M_hat):
    """NAC•: exp(W log(|x| + ε)) (Trask et al. 2018)."""
    return power(nac(W_hat, M_hat), x)


def nac_mul_sigmoid(x, W_hat):
    """NAC•σ: NAC• with W = σ(Ŵ) (Madsen & Johansen 2020)."""
    return power(sigmoid(W_hat), x)


def nac_mul_nmu(x, W):
    """NAC•,NMU: NAC• with the weights of an NMU (Madsen & Johansen 2020)."""
    return power(W, x)


def nalu(x, W_hat, M_hat, G):
    """NALU: g W x + (1 - g) exp(W log(|x| + ε)) (Trask et al. 2018)."""
    w, g = nac(W_hat, M_hat), sigmoid(x @ G)
    return g * (x @ w) + (1 - g) * power(w, x)


def nalu_glorot(x, W_hat, M_hat, G, b):
    """NALU whose gate has a bias (Heim et al. 2020)."""
    w, g = nac(W_hat, M_hat), sigmoid(x @ G + b)
    return g * (x @ w) + (1 - g) * power(w, x)


def nalu_separate(x, W_hat, M_hat, W_hat_mul, M_hat_mul, G):
    """NALU with a W of its own for each path (Madsen & Johansen 2020)."""
    g = sigmoid(x @ G)
    return g * (x @ nac(W_hat, M_hat)) + (1 - g) * power(nac(W_hat_mul, M_hat_mul), x)


def gnalu(x, W_hat, M_hat, G):
    """G-NALU: NALU with the golden ratio for e in tanh and σ (Rana et al. 2019)."""
    log_golden = 0.48121182505960347
    w, g = nac(log_golden * W_hat, log_golden * M_hat), sigmoid(log_golden * (x @ G))
    return g * (x @ w) + (1 - g) * power(w, x)


def gated_sum(x, adding, multiplying, g):
    """The two paths of an iNALU."""
    magnitude = np.exp(np.clip(np.log(np.clip(np.abs(x), 1e-7, None)) @ multiplying, None, 20.0))
    sign = np.clip(gated(np.abs(multiplying), np.sign(x)), -1, 1)
    return g * (x @ adding) + (1 - g) * magnitude * sign


def inalu(x, W_hat_add, M_hat_add, W_hat_mul, M_hat_mul, G):
    """iNALU: own weights for each path, the product's capped and with its sign (Schlör et al. 2020)."""
    return gated_sum(x, nac(W_hat_add, M_hat_add), nac(W_hat_mul, M_hat_mul), sigmoid(G))


def inalu_glorot(x, W_hat_add, M_hat_add, W_hat_mul, M_hat_mul, G):
    """INALU whose gate sees x (Heim et al. 2020)."""
    return gated_sum(x, nac(W_hat_add, M_hat_add), nac(W_hat_mul, M_hat_mul), sigmoid(x @ G))


def inalu_shared(x, W_hat, M_hat, G):
    """INALU with one W for both paths."""
    return gated_sum(x, nac(W_hat, M_hat), nac(W_hat, M_hat), sigmoid(G))


def nau(x, W):
    """NAU: W x, W within [-1, 1] (Madsen & Johansen 2020)."""
    return x @ np.clip(W, -1, 1)


def nmu(x, W):
    """NMU: ∏ᵢ (Wᵢ xᵢ + 1 - Wᵢ) (Madsen & Johansen 2020)."""
    return gated(W, x)


def nmu_clipped(x, W):
    """NMU whose W is clipped where it is used (Heim et al. 2020)."""
    return gated(np.clip(W, 0, 1), x)


def relevance(x, g):
    """Log r and k of an NPU, from its gates `[inputs, 1]`."""
    gate = np.clip(g[:, 0], 0, 1)
    return np.log(gate * (np.abs(x) + 1.1920929e-07) + 1 - gate), gate * np.pi * negative(x)


def realnpu(x, g, W):
    """RealNPU: exp(W log r) cos(W k) (Heim et al. 2020)."""
    log, k = relevance(x, g)
    return np.exp(log @ W) * np.cos(k @ W)


def npu(x, g, W, V):
    """NPU: exp(W log r - V k) cos(W k + V log r) (Heim et al. 2020)."""
    log, k = relevance(x, g)
    return np.exp(log @ W - k @ V) * np.cos(k @ W + log @ V)


def nru(x, W):
    """NRU: ∏ᵢ (sign(xᵢ) |xᵢ|^Wᵢ |Wᵢ| + 1 - |Wᵢ|) (Mistry et al. 2021)."""
    powers = np.sign(x)[:, :, None] * np.exp(W * log_magnitude(x)[:, :, None])
    return np.prod(powers * np.abs(W) + 1 - np.abs(W), 1)


def nmru(x, W):
    """NMRU: an NMU on the magnitudes of (x, 1/x), with sign cos(Σ π [x < 0] W) (Mistry et al. 2021)."""
    both = np.concatenate([x, 1 / x], 1)
    return gated(W, np.abs(both)) * np.cos(np.pi * (negative(both) @ W))


def mcfc(x, R, w, b):
    """MC-FC: x shared out by a softmax, and σ(w + b) of it let pass (Hoedt et al. 2021)."""
    return sigmoid(w + b) * (x @ softmax(R))


def mulmcfc(x, R, w, b, c):
    """MulMCFC: exp(MC-FC(log |x|) + c), with a sign (Hoedt et al. 2021)."""
    return np.exp(mcfc(log_magnitude(x), R, w, b) + c) * gated(softmax(R), np.sign(x))


def bilinear(x, W, U, b):
    """Bilinear: xᵀ W x + U x + b (Jayakumar et al. 2020)."""
    return (x[:, :, None] * x[:, None]).reshape(len(x), -1) @ W + x @ U + b


def quadratic(x, W_r, W_g, W_b, b_r, b_g, c):
    """Quadratic neuron: (W_r x + b_r) (W_g x + b_g) + W_b x² + c (Fan et al. 2020)."""
    return (x @ W_r + b_r) * (x @ W_g + b_g) + x**2 @ W_b + c


def log_exp(x, W, b):
    """Log-exp: exp(W log(|x| + ε) + b), with a sign."""
    sign = gated(np.clip(np.abs(W), 0, 1), 1 - 2 * negative(x))
    return np.exp(np.log(np.abs(x) + 1e-7) @ W + b) * sign


def residual(x, activation, kernel, bias=0.0, skip=None):
    """Residual layer: x, or a matrix times x, and a dense layer added to it (He et al. 2016)."""
    return (x if skip is None else x @ skip) + activation(x @ kernel + bias)


def spline(v, order):
    """The B-spline of an order on whole knots, at distances v from its middle."""
    total, factor = 0 * v, 1.0
    for j in range(1, order + 1):
        factor = factor / j
    for j in range(order // 2 + 1):
        total = total + factor * np.clip((order + 1) / 2 - j - np.abs(v), 0, None) ** order
        factor = -factor * (order + 1 - j) / (j + 1)
    return total


def kan(x, W_b, W_s, C, knots):
    """KAN layer: sums of w_b silu(x) + w_s Σᵢ cᵢ Bᵢ(x) with B-splines on even knots (Liu et al. 2024)."""
    inputs, bases = len(W_b), len(C) // len(W_b)
    middles, step = (knots[:bases] + knots[-bases:]) / 2, knots[1] - knots[0]
    b = spline((x[:, :, None] - middles) / step, len(knots) - 1 - bases)
    c = (W_s[:, None] * C.reshape(inputs, bases, -1)).reshape(inputs * bases, -1)
    return silu(x) @ W_b + b.reshape(len(x), -1) @ c


UNITS: dict[str, Callable] = {
    **{"NACAdd": nac_add, "NACMul": nac_mul, "NACMulSigmoid": nac_mul_sigmoid, "NACMulNMU": nac_mul_nmu},
    **{"NALU": nalu, "NALUSeparate": nalu_separate, "GNALU": gnalu, "NALUWide": nalu},
    **{"NALUGlorot": nalu_glorot, "INALUGlorot": inalu_glorot, "NMUClipped": nmu_clipped},
    **{"INALU": inalu, "INALUWide": inalu, "INALUShared": inalu_shared},
    **{"NAU": nau, "NMU": nmu, "SNMU": nmu, "NRU": nru, "NMRU": nmru},
    **{"RealNPU": realnpu, "RealNPUThrough": realnpu, "NPU": npu, "NPUThrough": npu},
    **{"MCFC": mcfc, "MulMCFC": mulmcfc, "Bilinear": bilinear, "Quadratic": quadratic, "LogExp": log_exp},
    **{"Residual": residual, "KAN": kan},
}
"""Functions of units by the name of the unit's class."""

ACTIVATED = ("Residual",)
"""Units that apply an activation themselves, and are given it."""

WITHOUT_FORMULA = (*ACTIVATED, "KAN")
"""Units that are not written as one formula."""

# ---- what a script holds of them


def sources(functions: Iterable[Callable]) -> list[str]:
    """The source of plain functions, each after those that it calls, and each once."""
    found: dict[str, str] = {}

    def add(function: Callable) -> None:
        for name in (step.argval for step in dis.get_instructions(function) if step.opname == "LOAD_GLOBAL"):
            called = function.__globals__.get(name)
            if inspect.isfunction(called) and called is not function:
                add(called)
        found.setdefault(function.__name__, textwrap.dedent(inspect.getsource(function)).strip())

    for function in functions:
        add(function)
    return list(found.values())


@functools.cache
def formula(function: Callable) -> tuple[str, str]:
    """The expression that a function of one argument returns, such as `np.tanh(z)`, and the argument's name."""
    (definition,) = ast.parse(inspect.getsource(function)).body
    returned: Any = definition.body[-1]  # type: ignore[attr-defined]
    return ast.unparse(returned.value), function.__code__.co_varnames[0]
