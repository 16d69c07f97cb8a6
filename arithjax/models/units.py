"""Arithmetic units: layers built to compute exactly, lanes last. `arithjax.models.stack` says what a unit is.

To add one, write the class and enter it:

    aj.MODELS["mine"] = aj.UnitModel("mine", "Author year", MyUnit)

Comments cite: [T] Trask et al. 2018, [M] Madsen & Johansen 2020, [S] Schlör et al. 2020, [H] Heim et al. 2020, [N]
Mistry, Farrahi & Hare 2022 (benchmark), [R] the same 2022 (robust NMU), [D] the same 2021 (division), [L] Hoedt et al.
2021 (mass conservation), [J] Jayakumar et al. 2020, [Q] Fan et al. 2020.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from arithjax.models.mlp import contract
from arithjax.models.stack import DenseUnit, Residual, Unit, UnitModel, total

EPSILON = 1e-7
LOG_GOLDEN = math.log((1 + math.sqrt(5)) / 2)
MACHINE_EPSILON = float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float32).tiny)


def uniform(low: float, high: float) -> Callable:
    """An initialiser: uniform on `[low, high)`."""
    return lambda key, shape: jax.random.uniform(key, shape, minval=low, maxval=high)


def normal(mean: float, std: float) -> Callable:
    """An initialiser: normal."""
    return lambda key, shape: mean + std * jax.random.normal(key, shape)


def glorot(inputs: int, features: int) -> Callable:
    """An initialiser: Glorot & Bengio's uniform."""
    bound = math.sqrt(6 / (inputs + features))
    return uniform(-bound, bound)


@functools.cache
def nac_bound(inputs: int, features: int) -> float:
    """The bound r of Ŵ, M̂ ~ U(-r, r) that gives W = tanh(Ŵ) σ(M̂) Glorot's variance: max(in + out, 5) v(r) = 2 ([M])."""
    low, high = 1e-6, 10.0
    for _ in range(60):
        r = (low + high) / 2
        variance = (1 - math.tanh(r) / r) * (r - math.tanh(r / 2)) / (2 * r)
        low, high = (r, high) if max(inputs + features, 5) * variance < 2 else (low, r)
    return low


def product(x: Float[Array, "batch inputs *rest"]) -> Float[Array, " batch *rest"]:
    """`[batch, inputs, ...] -> [batch, ...]`."""
    return functools.reduce(jnp.multiply, (x[:, i] for i in range(x.shape[1])))


def gated(
    w: Float[Array, "inputs features lanes"], x: Float[Array, "batch inputs lanes"]
) -> Float[Array, "batch features lanes"]:
    """The multiplicative unit of [M], `∏ᵢ (Wᵢ xᵢ + 1 - Wᵢ)`: `[batch, inputs, lanes] -> [batch, features, lanes]`."""
    return product(w[None] * x[:, :, None] + 1 - w[None])


def power(
    w: Float[Array, "inputs features lanes"], x: Float[Array, "batch inputs lanes"], epsilon: float = EPSILON
) -> Float[Array, "batch features lanes"]:
    """`exp(W log(|x| + ε))`."""
    return jnp.exp(contract(jnp.log(jnp.abs(x) + epsilon), w))


def log_magnitude(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`log |x|`, finite at 0, of which one drawn number in eight million is and would make every gradient NaN."""
    return jnp.log(jnp.maximum(jnp.abs(x), TINY))


def negative(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 where x < 0, else 0."""
    return (x < 0).astype(x.dtype)


def nac(w: Float[Array, "*shape"], m: Float[Array, "*shape"], scale: float = 1.0) -> Float[Array, "*shape"]:
    """`tanh(Ŵ) σ(M̂)`."""
    return jnp.tanh(scale * w) * jax.nn.sigmoid(scale * m)


class NACAdd(Unit):
    """NAC+: `W x` with `W = tanh(Ŵ) σ(M̂)` ([T])."""

    scale: ClassVar[float] = 1.0  # of Ŵ and M̂
    suffixes: ClassVar[tuple[str, ...]] = ("",)  # one for each W

    def start(self, name: str, inputs: int) -> Callable:
        """How Ŵ, M̂ or G is drawn."""
        if name == "G":
            return glorot(inputs, self.features)
        r = nac_bound(inputs, self.features)
        return uniform(-r, r)

    def weight(
        self, x: Float[Array, "batch inputs lanes"], suffix: str = ""
    ) -> Float[Array, "inputs {self.features} lanes"]:
        """W from its two parameters."""
        names = ("W_hat", "M_hat")
        w, m = (self.param(name + suffix, self.start(name, x.shape[1]), self.shape(x)) for name in names)
        return nac(w, m, self.scale)

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return contract(x, self.weight(x))

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [nac(params["W_hat" + s], params["M_hat" + s], cls.scale) for s in cls.suffixes]


class NACMul(NACAdd):
    """NAC•: `exp(W log(|x| + ε))` with the W of NAC+ ([T])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return power(self.weight(x), x)


class NACMulSigmoid(Unit):
    """NAC•σ: NAC• with `W = σ(Ŵ)` ([M])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        std = math.sqrt(2 / (x.shape[1] + self.features))
        return power(jax.nn.sigmoid(self.param("W_hat", normal(0.0, std), self.shape(x))), x)

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [jax.nn.sigmoid(params["W_hat"])]


class ClampedUnit(Unit):
    """A unit of one W, which is clamped after each step."""

    limits: ClassVar[tuple[float, float]] = (0, 1)

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [params["W"]]

    @classmethod
    def constrain(cls, params: dict) -> dict:
        return params | {"W": jnp.clip(params["W"], *cls.limits)}


class NACMulNMU(ClampedUnit):
    """NAC•,NMU: NAC• with the weights of an NMU, clamped to [0, 1] ([M])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return power(self.param("W", uniform(0.25, 0.75), self.shape(x)), x)


class NALU(NACAdd):
    """NALU: `g ⊙ W x + (1 - g) ⊙ exp(W log(|x| + ε))`, `g = σ(G x)`, one W for both paths ([T])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        adding = self.weight(x)
        g = jax.nn.sigmoid(self.scale * self.gate(x))
        multiplying = self.weight(x, self.suffixes[-1]) if len(self.suffixes) > 1 else adding
        return g * contract(x, adding) + (1 - g) * power(multiplying, x)

    def gate(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        """What the gate is the σ of."""
        return contract(x, self.param("G", self.start("G", x.shape[1]), self.shape(x)))


class NALUSeparate(NALU):
    """NALU with a W of its own for each path ([M])."""

    suffixes: ClassVar[tuple[str, ...]] = ("", "_mul")


class GNALU(NALU):
    """G-NALU: NALU with φ, the golden ratio, for e in tanh and σ (Rana et al. 2019): `f_φ(x) = f(x ln φ)`."""

    scale: ClassVar[float] = LOG_GOLDEN


class NALUGlorot(NALU):
    """NALU of Heim et al.: a NALU that starts as Glorot's layers do, its gate with a bias, `g = σ(G x + b)` ([H])."""

    def start(self, name: str, inputs: int) -> Callable:
        return glorot(inputs, self.features)

    def gate(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return super().gate(x) + self.param("b", self.start("b", 1), (1, self.features, x.shape[2]))


def away_from_zero(params: dict) -> Float[Array, "*lanes"]:
    """The regulariser of [S], `Σ mean(max(min(-v, v) + 20, 0))`: every parameter away from 0."""
    return total(jnp.maximum(20 - jnp.abs(v), 0).mean((0, 1)) for v in params.values())


WIDE = {"G": 0.0, "M_hat": -1.0, "W_hat": 1.0}
"""The means around which the experiments of [S] draw parameters, with a standard deviation of 0.1."""


class NALUWide(NALU):
    """NALU as the experiments of [S] start and regularise it: M̂ around -1, Ŵ around 1, standard deviation 0.1."""

    penalised_below: ClassVar[float] = 1.0

    def start(self, name: str, inputs: int) -> Callable:
        return normal(WIDE[name], 0.1)

    @classmethod
    def penalty(cls, params: dict) -> Float[Array, "*lanes"]:
        return away_from_zero(params)


class INALU(Unit):
    """iNALU: own weights for each path, the product capped, its sign kept, gates that do not see x ([S])."""

    means: ClassVar[dict[str, float]] = {"G": 0.0, "M_hat": 0.5, "W_hat": 0.88}
    std: ClassVar[float] = 0.2
    suffixes: ClassVar[tuple[str, ...]] = ("_add", "_mul")
    penalised_below: ClassVar[float] = 1.0

    def weight(
        self, x: Float[Array, "batch inputs lanes"], suffix: str
    ) -> Float[Array, "inputs {self.features} lanes"]:
        """W from its two parameters."""
        names = ("W_hat", "M_hat")
        w, m = (self.param(name + suffix, self.start(name, x.shape[1]), self.shape(x)) for name in names)
        return nac(w, m)

    def start(self, name: str, inputs: int) -> Callable:
        """How Ŵ, M̂ or G is drawn."""
        return normal(self.means[name], self.std)

    def gate(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "rows {self.features} lanes"]:
        """What the gate is the σ of."""
        return self.param("G", self.start("G", x.shape[1]), (1, self.features, x.shape[2]))

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        weights = [self.weight(x, suffix) for suffix in self.suffixes]
        adding, multiplying = weights[0], weights[-1]
        gate = self.gate(x)
        log = jnp.log(jnp.maximum(jnp.abs(x), EPSILON))
        magnitude = jnp.exp(jnp.minimum(contract(log, multiplying), 20.0))
        sign = jnp.clip(gated(jnp.abs(multiplying), jnp.sign(x)), -1, 1)
        g = jax.nn.sigmoid(gate)
        return g * contract(x, adding) + (1 - g) * magnitude * sign

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [nac(params["W_hat" + s], params["M_hat" + s]) for s in cls.suffixes]

    @classmethod
    def penalty(cls, params: dict) -> Float[Array, "*lanes"]:
        return away_from_zero(params)


class INALUWide(INALU):
    """iNALU as its experiments start it: M̂ around -1, Ŵ around 1, standard deviation 0.1 ([S])."""

    means: ClassVar[dict[str, float]] = WIDE
    std: ClassVar[float] = 0.1


class INALUShared(INALUWide):
    """iNALU with one W for both paths, started as in the experiments of [S]."""

    suffixes: ClassVar[tuple[str, ...]] = ("",)


class INALUGlorot(INALU):
    """iNALU of Heim et al.: an iNALU that starts as Glorot's layers do, its gate sees x, `g = σ(G x)` ([H])."""

    def start(self, name: str, inputs: int) -> Callable:
        return glorot(inputs, self.features)

    def gate(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return contract(x, self.param("G", self.start("G", x.shape[1]), self.shape(x)))


def nau_start(x: Float[Array, "batch inputs lanes"], features: int) -> Callable:
    """An initialiser: Glorot's uniform within [-0.5, 0.5] ([M])."""
    r = min(0.5, math.sqrt(6 / (x.shape[1] + features)))
    return uniform(-r, r)


class NAU(ClampedUnit):
    """NAU: `W x`, W clamped to [-1, 1] ([M])."""

    limits: ClassVar[tuple[float, float]] = (-1, 1)

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return contract(x, jnp.clip(self.param("W", nau_start(x, self.features), self.shape(x)), -1, 1))


class NMU(ClampedUnit):
    """NMU: `∏ᵢ (Wᵢ xᵢ + 1 - Wᵢ)`, W clamped to [0, 1] ([M])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return gated(self.param("W", uniform(0.25, 0.75), self.shape(x)), x)


class NMUClipped(NMU):
    """NMU of Heim et al.: an NMU whose W starts in [0, 1), and is clipped where it is used, not after steps ([H])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return gated(jnp.clip(self.param("W", uniform(0.0, 1.0), self.shape(x)), 0, 1), x)

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [jnp.clip(params["W"], 0, 1)]

    @classmethod
    def constrain(cls, params: dict) -> dict:
        return params


class SNMU(NMU):
    """sNMU: trained as `NMU(n ⊙ x) / NMU(n)` with noise n ~ U[1, 5] on each input; an NMU afterwards ([R])."""

    trains_apart: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs lanes"], noise: Float[Array, "batch inputs lanes"] | None = None
    ) -> Float[Array, "batch {self.features} lanes"]:
        w = self.param("W", uniform(0.25, 0.75), self.shape(x))
        if noise is None:
            return gated(w, x)
        n = 1 + 4 * noise
        return gated(w, x * n) / gated(w, n)


class RealNPU(Unit):
    """RealNPU: `exp(W log r) cos(W k)`, with `r = g (|x| + ε) + 1 - g` and `k = g π [x < 0]` ([H]).

    Each input has a gate g in [0, 1]; beyond the clip it has no gradient, as in the code of the paper and in [N].
    """

    straight_through: ClassVar[bool] = False

    def relevance(
        self, x: Float[Array, "batch inputs lanes"]
    ) -> tuple[Float[Array, "batch inputs lanes"], Float[Array, "batch inputs lanes"]]:
        """Log r and k, `[batch, inputs, lanes]`."""
        gate = self.param("g", nn.initializers.constant(0.5), (x.shape[1], 1, x.shape[2])).swapaxes(0, 1)
        g = jnp.clip(gate, 0, 1)
        if self.straight_through:
            g = gate + jax.lax.stop_gradient(g - gate)
        return jnp.log(g * (jnp.abs(x) + MACHINE_EPSILON) + 1 - g), g * math.pi * negative(x)

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        log, k = self.relevance(x)
        w = self.param("W", glorot(x.shape[1], self.features), self.shape(x))
        return jnp.exp(contract(log, w)) * jnp.cos(contract(k, w))

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [params["W"]]

    @classmethod
    def penalty(cls, params: dict) -> Float[Array, "*lanes"]:
        """L1 of all parameters ([H])."""
        return total(jnp.abs(v).sum((0, 1)) for v in params.values())


class RealNPUThrough(RealNPU):
    """RealNPU whose gate has the gradient of the unclipped gate (straight through), as in NeuralArithmetic.jl ([H])."""

    straight_through: ClassVar[bool] = True


class NPU(RealNPU):
    """NPU: `exp(W log r - V k) cos(W k + V log r)`, the real part of a complex power W + iV ([H])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        log, k = self.relevance(x)
        w = self.param("W", glorot(x.shape[1], self.features), self.shape(x))
        v = self.param("V", nn.initializers.zeros, self.shape(x))
        return jnp.exp(contract(log, w) - contract(k, v)) * jnp.cos(contract(k, w) + contract(log, v))

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [params["W"], params["V"]]


class NPUThrough(NPU):
    """NPU whose gate has the gradient of the unclipped gate (straight through), as in NeuralArithmetic.jl ([H])."""

    straight_through: ClassVar[bool] = True


class NRU(NAU):
    """NRU: `∏ᵢ (sign(xᵢ) |xᵢ|^Wᵢ tᵢ + 1 - tᵢ)`, W clamped to [-1, 1] ([D]).

    `tᵢ` is `tanh(1000 Wᵢ)²` in training and `|Wᵢ|` afterwards.
    """

    trains_apart: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs lanes"], noise: Float[Array, "batch inputs lanes"] | None = None
    ) -> Float[Array, "batch {self.features} lanes"]:
        w = self.param("W", nau_start(x, self.features), self.shape(x))[None]
        on = jnp.abs(w) if noise is None else jnp.tanh(1000 * w) ** 2
        sign, log = (f[:, :, None] for f in (jnp.sign(x), log_magnitude(x)))
        return product(sign * jnp.exp(w * log) * on + 1 - on)


class NMRU(NMU):
    """NMRU: an NMU on the magnitudes of `(x, 1 / (x + ε))`, with sign `cos(Σ π [x < 0] W)` ([D]); ε in training."""

    trains_apart: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch inputs lanes"], noise: Float[Array, "batch inputs lanes"] | None = None
    ) -> Float[Array, "batch {self.features} lanes"]:
        both = jnp.concatenate([x, 1 / (x if noise is None else x + MACHINE_EPSILON)], 1)
        w = self.param("W", uniform(0.25, 0.75), self.shape(both))
        return gated(w, jnp.abs(both)) * jnp.cos(math.pi * contract(negative(both), w))


class MCFC(Unit):
    """MC-FC: `o ⊙ R x`: x is shared out among the features by a softmax R, and o = σ(w + b) lets it pass ([L])."""

    def passed(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        """The layer's output for `x`."""
        r = self.param("R", junction, self.shape(x))
        row = (1, self.features, x.shape[2])
        w, b = self.param("w", orthogonal, row), self.param("b", nn.initializers.zeros, row)
        return jax.nn.sigmoid(w + b) * contract(x, jax.nn.softmax(r, 1))

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        return self.passed(x)

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [jax.nn.softmax(params["R"], 1), jax.nn.sigmoid(params["w"] + params["b"])]

    @classmethod
    def penalty(cls, params: dict) -> Float[Array, "*lanes"]:
        """`-mean(v²)` of every parameter but the product's bias: away from 0 ([L])."""
        return sum(-(params[name] ** 2).mean((0, 1)) for name in ("R", "w", "b"))


def orthogonal(key: Key[Array, ""], shape: tuple[int, int, int]) -> Float[Array, "inputs features lanes"]:
    """An orthogonal matrix, `[inputs, features, lanes]`, in every lane."""
    return jnp.broadcast_to(jax.nn.initializers.orthogonal()(key, shape[:2])[:, :, None], shape)


def junction(key: Key[Array, ""], shape: tuple[int, int, int]) -> Float[Array, "inputs features lanes"]:
    """How R starts: at the identity where it is square, else orthogonal ([L])."""
    if shape[0] == shape[1]:
        return jnp.broadcast_to(jnp.eye(shape[0])[:, :, None], shape)
    return orthogonal(key, shape)


class MulMCFC(MCFC):
    """MulMCFC: `exp(MC-FC(log |x|) + c)` with the sign of iNALU ([L]; sign [N])."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        log = self.passed(log_magnitude(x)) + self.param("c", nn.initializers.zeros, (1, self.features, x.shape[2]))
        shares = jax.nn.softmax(self.get_variable("params", "R"), 1)
        return jnp.exp(log) * gated(shares, jnp.sign(x))


class Bilinear(Unit):
    """Multiplicative interaction: `xᵀ W x + U x + b` for each feature ([J] with z = x)."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        inputs, features, lanes = self.shape(x)
        pairs = (x[:, :, None] * x[:, None]).reshape(len(x), inputs**2, lanes)
        w = self.param("W", glorot(inputs**2, features), (inputs**2, features, lanes))
        u = self.param("U", glorot(inputs, features), (inputs, features, lanes))
        return contract(pairs, w) + contract(x, u) + self.param("b", nn.initializers.zeros, (1, features, lanes))


class Quadratic(Unit):
    """Quadratic neuron: `(W_r x + b_r) ⊙ (W_g x + b_g) + W_b x² + c` ([Q]).

    It starts as a linear one: W_g = 0, b_g = 1, W_b = 0, c = 0 (Fan et al. 2022).
    """

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        zeros, row = nn.initializers.zeros, (1, self.features, x.shape[2])
        r = self.param("W_r", glorot(x.shape[1], self.features), self.shape(x))
        g, b = (self.param(name, zeros, self.shape(x)) for name in ("W_g", "W_b"))
        b_r, c = (self.param(name, zeros, row) for name in ("b_r", "c"))
        b_g = self.param("b_g", nn.initializers.ones, row)
        return (contract(x, r) + b_r) * (contract(x, g) + b_g) + contract(x**2, b) + c


class LogExp(Unit):
    """Log-exp layer, the advice to take logarithms: `exp(W log(|x| + ε) + b)`.

    Its sign is `∏ᵢ (1 - 2 [xᵢ < 0] min(|Wᵢ|, 1))`.
    """

    @nn.compact
    def __call__(self, x: Float[Array, "batch inputs lanes"]) -> Float[Array, "batch {self.features} lanes"]:
        w = self.param("W", glorot(x.shape[1], self.features), self.shape(x))
        b = self.param("b", nn.initializers.zeros, (1, self.features, x.shape[2]))
        sign = gated(jnp.minimum(jnp.abs(w), 1), 1 - 2 * negative(x))
        return jnp.exp(contract(jnp.log(jnp.abs(x) + EPSILON), w) + b) * sign

    @classmethod
    def weights(cls, params: dict) -> list[Float[Array, "rows features lanes"]]:
        return [params["W"]]


UNITS = [
    UnitModel("dense", "Its activation is the setup's", DenseUnit, ("add", "sub")),
    UnitModel("residual", "He et al. 2016", Residual, ("add", "sub")),
    UnitModel("nac_add", "Trask et al. 2018", NACAdd, ("add", "sub")),
    UnitModel("nac_mul", "Trask et al. 2018", NACMul, ("mul", "div")),
    UnitModel("nac_mul_sigmoid", "Madsen & Johansen 2020", NACMulSigmoid, ("mul",)),
    UnitModel("nac_mul_nmu", "Madsen & Johansen 2020", NACMulNMU, ("mul",)),
    UnitModel("nalu", "Trask et al. 2018", NALU, ("add", "sub", "mul", "div")),
    UnitModel("nalu_separate", "Madsen & Johansen 2020", NALUSeparate, ("add", "sub", "mul", "div")),
    UnitModel("nalu_wide", "Schlör et al. 2020", NALUWide, ("add", "sub", "mul", "div")),
    UnitModel("gnalu", "Rana et al. 2019", GNALU, ("add", "sub", "mul", "div")),
    UnitModel("inalu", "Schlör et al. 2020", INALU, ("add", "sub", "mul", "div")),
    UnitModel("inalu_wide", "Schlör et al. 2020", INALUWide, ("add", "sub", "mul", "div")),
    UnitModel("inalu_shared", "Schlör et al. 2020", INALUShared, ("add", "sub", "mul", "div")),
    UnitModel("nau", "Madsen & Johansen 2020", NAU, ("add", "sub")),
    UnitModel("nmu", "Madsen & Johansen 2020", NMU, ("mul",)),
    UnitModel("snmu", "Mistry et al. 2022", SNMU, ("mul",)),
    UnitModel("npu", "Heim et al. 2020", NPU, ("mul", "div")),
    UnitModel("npu_through", "Heim et al. 2020", NPUThrough, ("mul", "div")),
    UnitModel("realnpu", "Heim et al. 2020", RealNPU, ("mul", "div")),
    UnitModel("realnpu_through", "Heim et al. 2020", RealNPUThrough, ("mul", "div")),
    UnitModel("nru", "Mistry et al. 2021", NRU, ("mul", "div")),
    UnitModel("nmru", "Mistry et al. 2021", NMRU, ("mul", "div")),
    UnitModel("mcfc", "Hoedt et al. 2021", MCFC, ("add",)),
    UnitModel("mulmcfc", "Hoedt et al. 2021", MulMCFC, ("mul",)),
    UnitModel("bilinear", "Jayakumar et al. 2020", Bilinear, ("add", "sub", "mul")),
    UnitModel("quadratic", "Fan et al. 2020", Quadratic, ("add", "sub", "mul")),
    UnitModel("log_exp", "Sign as in Schlör et al. 2020", LogExp, ("mul", "div")),
]

VARIANTS = {
    model.name: model
    for model in (
        UnitModel("nmu:clipped", "Heim et al. 2020", NMUClipped, ("mul",)),
        UnitModel("nalu:glorot", "Heim et al. 2020", NALUGlorot, ("add", "sub", "mul", "div")),
        UnitModel("inalu:glorot", "Heim et al. 2020", INALUGlorot, ("add", "sub", "mul", "div")),
    )
}
"""Units as one paper alone has them, by name; no entries of the registry, but known there."""
