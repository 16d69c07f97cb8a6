"""Models: hand-set weights, true initial weights under padding, flax's own layers, and a user's modules."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import arithjax as aj
from arithjax.models import initializers
from arithjax.models.mlp import MLP, count_parameters
from arithjax.models.network import Architecture
from arithjax.training import compiled
from arithjax.training.planning import plan
from arithjax.training.tile import NetId

SETUP = {"op": "add", "high": 10, "examples": 64, "tests": 16, "batch": 16, "steps": 4, "evaluate_every": 4}
FLAX = {
    "glorot_uniform": nn.initializers.glorot_uniform(),
    "glorot_normal": nn.initializers.glorot_normal(),
    "he_uniform": nn.initializers.he_uniform(),
    "he_normal": nn.initializers.he_normal(),
    "lecun_uniform": nn.initializers.lecun_uniform(),
    "lecun_normal": nn.initializers.lecun_normal(),
}


def architecture(*widths, lanes):
    scaling = aj.INITIALIZERS["glorot_uniform"].scaling()
    return Architecture(jnp.tile(jnp.asarray(widths)[:, None], lanes), jnp.zeros((), int), scaling)


def drawn(network, key, shape):
    """Initial parameters of one net."""
    return jax.jit(network.initial, static_argnums=1, compiler_options=compiled.quick_options())(key, 2, shape)


def mlp(*names, features, **options):
    return MLP(features, tuple(aj.ACTIVATIONS[name] for name in names), **options)


@pytest.mark.parametrize("name", aj.ACTIVATIONS)
def test_activations_have_shapes_and_finite_gradients(name):
    fn, z = aj.ACTIVATIONS[name].fn, jnp.asarray([[-1e4, -30, -1, -1e-8, 0, 1e-8, 1, 30, 1e4]])
    assert fn(z).shape == z.shape
    assert np.isfinite(fn(z)).all()
    assert np.isfinite(jax.grad(lambda z: fn(z).sum())(z)).all()


@pytest.mark.parametrize(("shape", "padding"), [((2, 3), (0, 0)), ((5, 40), (3, 5))])
@pytest.mark.parametrize("name", aj.INITIALIZERS)
def test_a_padded_kernel_is_the_true_one(name, shape, padding):
    key = jax.random.key(3)
    padded = tuple(n + more for n, more in zip(shape, padding, strict=True))
    kernel = initializers.kernel(key, padded, *map(jnp.int32, shape), aj.INITIALIZERS[name].scaling())
    np.testing.assert_allclose(kernel[: shape[0], : shape[1]], FLAX[name](key, shape), rtol=1e-6, atol=1e-6)
    assert not kernel[shape[0] :].any() and not kernel[:, shape[1] :].any()


@pytest.mark.parametrize(("lanes", "bias"), [(1, False), (3, True)])
def test_every_lane_is_a_stack_of_flax_layers(lanes, bias):
    names, sizes = ("gelu", "tanh", "linear"), (2, 5, 4, 1)
    network, shape = mlp(*names, features=sizes[1:], use_bias=bias), architecture(*sizes, lanes=lanes)
    nets = [drawn(network, jax.random.key(lane), architecture(*sizes, lanes=1)) for lane in range(lanes)]
    params = jax.tree.map(lambda *leaves: np.concatenate(leaves, -1) + np.float32(0.1), *nets)  # biases are not zero
    x = np.random.default_rng(9).normal(size=(16, 2, lanes)).astype(np.float32)
    y = jax.jit(network.predict, compiler_options=compiled.quick_options())(params, x, shape)
    assert y.shape == (16, lanes)
    for lane in range(lanes):
        h = np.asarray(x)[:, :, lane]
        for name, layer in zip(names, params.values(), strict=True):
            weights = {key: leaf[..., lane] if key == "kernel" else leaf[0, :, lane] for key, leaf in layer.items()}
            dense = nn.Dense(weights["kernel"].shape[1], use_bias=bias, precision="highest")
            h = np.asarray(aj.ACTIVATIONS[name].fn(dense.apply({"params": weights}, h)))
        np.testing.assert_allclose(y[:, lane], h[:, 0], rtol=1e-5, atol=1e-6)  # sums in another order
    assert sum(leaf.size for leaf in jax.tree.leaves(nets[0])) == count_parameters(sizes, bias)


def test_two_squares_multiply_exactly():
    network = mlp("square", "linear", features=(2, 1), use_bias=False)
    first, second = jnp.asarray([[1.0, 1.0], [1.0, -1.0]]), jnp.asarray([[0.25], [-0.25]])
    params = {f"Dense_{i}": {"kernel": jnp.tile(w[:, :, None], 8)} for i, w in enumerate((first, second))}
    a, b = np.meshgrid(np.arange(500.0), np.arange(0.0, 500.0, 7))
    x = jnp.asarray(np.stack([a.ravel(), b.ravel()], 1), jnp.float32)
    y = network.predict(params, jnp.tile(x[:, :, None], 8), architecture(2, 2, 1, lanes=8))
    np.testing.assert_array_equal(y, np.tile((a * b).ravel()[:, None], 8))


class Compact(nn.Module):
    """A user's Linen module."""

    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.tanh(nn.Dense(self.width)(x)))


class Stateful(nn.Module):
    """A Linen module with running statistics."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.BatchNorm(use_running_average=False)(x))


class Classic(nnx.Module):
    """A user's NNX module; it answers `[batch]`."""

    def __init__(self, width, rngs):
        self.hidden, self.out = nnx.Linear(2, width, rngs=rngs), nnx.Linear(width, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.tanh(self.hidden(x)))[:, 0]


class Normed(nnx.Module):
    """An NNX module with running statistics."""

    def __init__(self, rngs):
        self.norm, self.out = nnx.BatchNorm(2, rngs=rngs), nnx.Linear(2, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(self.norm(x))


MODULES = {
    "linen": lambda setup: Compact(setup.widths[0]),
    "sequential": lambda setup: nn.Sequential([nn.Dense(setup.widths[0]), nn.tanh, nn.Dense(1)]),
    "nnx": lambda setup, rngs: Classic(setup.widths[0], rngs),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_users_module_trains(add, name):
    add(aj.MODELS, aj.FlaxModel(f"my_{name}", MODULES[name]))
    setup = aj.Setup(model=f"my_{name}", widths=(4,), learning_rate=0.05, **SETUP | {"steps": 60})
    assert len(plan([NetId(0, seed, setup) for seed in range(3)], 1)) == 1, "one program holds all seeds"
    rows = aj.train([setup], seeds=3)
    assert list(rows.parameters) == [2 * 4 + 4 + 4 + 1] * 3
    assert rows.relative_rmse.nunique() == 3
    assert (rows.relative_rmse < 0.5).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda setup: Stateful(), "keeps state besides parameters: .*batch_stats"),
        (lambda setup, rngs: Normed(rngs), "keeps state besides parameters: .*mean"),
        (lambda setup: nn.Dense(3), r"returned shape \(16, 3\) for a batch of 16"),
        (lambda setup: "nothing", "build gives a str; it has to be a flax.linen.Module"),
    ],
    ids=["linen state", "nnx state", "shape", "type"],
)
def test_what_cannot_be_trained_is_refused(add, build, message):
    add(aj.MODELS, aj.FlaxModel("odd", build))
    with pytest.raises(aj.ArithjaxError, match=message):
        aj.train([aj.Setup(model="odd", **SETUP)])
