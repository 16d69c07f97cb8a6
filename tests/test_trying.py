"""A user's functions are met before anything trains: each right, or refused in one line that says what to write."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import arithjax as aj
from arithjax.registry import ACTIVATIONS, DISTRIBUTIONS, LOSSES, OPTIMIZERS, RAMPS, REGISTRIES, SCHEDULES, TRANSFORMS
from arithjax.task.transforms import Fitted

TINY = {"op": "mul", "high": 9, "steps": 2, "examples": 64, "batch": 8, "tests": 16}


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        (registry, name)
        for registry in (ACTIVATIONS, DISTRIBUTIONS, LOSSES, OPTIMIZERS, RAMPS, SCHEDULES, TRANSFORMS)
        for name in registry
    ],
    ids=str,
)
def test_every_member_of_ours_passes_its_own_trial(registry, name):
    registry[name].try_out()


def by_number(x):
    return x if x > 0 else 0 * x


def optimizer(rule):
    return aj.Optimizer("mine", "test", rule)


WRONG = {
    "an `if`": (ACTIVATIONS, lambda: aj.Activation("mine", "?", by_number), "activation 'mine' fails .* jnp.where"),
    "softmax": (ACTIVATIONS, lambda: aj.Activation("mine", "?", jax.nn.softmax), "each by itself, without softmax"),
    "booleans": (ACTIVATIONS, lambda: aj.Activation("mine", "?", lambda z: z > 0), "gives shape .* of bool"),
    "a mean": (LOSSES, lambda: aj.Loss("mine", "?", lambda p, t: ((p - t) ** 2).mean()), r"gives shape \(\) .* mean"),
    "one argument": (LOSSES, lambda: aj.Loss("mine", "?", lambda p: p), "loss 'mine' fails"),
    "no inverse": (
        TRANSFORMS,
        lambda: aj.Transform("mine", "?", jnp.cbrt, jnp.square),
        "has to be the inverse of warp",
    ),
    "no fit": (
        TRANSFORMS,
        lambda: aj.Transform("mine", "?", fit=lambda w: Fitted(w.mean(), w.std())),
        "has to reduce the first axis",
    ),
    "no number": (SCHEDULES, lambda: aj.Schedule("mine", "?", lambda progress, end: jnp.zeros(3)), "one real number"),
    "jax alone": (DISTRIBUTIONS, lambda: aj.Distribution("mine", "?", lambda u, low, high, xp: xp.nope(u)), "fails"),
    "a learning rate": (
        OPTIMIZERS,
        lambda: optimizer(lambda n: optax.adam(1e-3)),
        "goes uphill, .*optax.scale_by_adam",
    ),
    "a scalar": (OPTIMIZERS, lambda: optimizer(lambda n: optax.contrib.prodigy()), "optimizer 'mine'"),
    "a norm": (OPTIMIZERS, lambda: optimizer(lambda n: optax.clip_by_global_norm(0.1)), "mixes the numbers"),
    "a start": (OPTIMIZERS, lambda: optimizer(lambda n: optax.scale_by_rss(0.1)), "has to start with zeros"),
    "no rule": (OPTIMIZERS, lambda: optimizer(lambda n: 0.1), "has to make an optax.GradientTransformation"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_right_is_refused_when_it_is_entered(name):
    registry, member, message = WRONG[name]
    with pytest.raises(aj.ArithjaxError, match=message) as raised:
        registry["mine"] = member()
    assert "\n" not in str(raised.value) and "mine" not in registry


def test_a_rule_without_moments_and_a_schedule_of_pythons_train(add):
    add(OPTIMIZERS, optimizer(lambda n: optax.scale(2.0)))
    add(SCHEDULES, aj.Schedule("half", "1/2", lambda progress, end: 0.5))
    assert len(aj.train([aj.Setup(optimizer="mine", schedule="half", widths=(2,), **TINY)])) == 1


def test_a_transform_that_is_not_finite_on_the_range(add):
    add(TRANSFORMS, aj.Transform("inverse", "1/x", lambda x: 1 / x, lambda y: 1 / y, above=-np.inf))
    with pytest.raises(aj.ArithjaxError, match=r"input_transform=inverse is not finite for 0, .* from 0 to 8"):
        aj.Setup(input_transform="inverse", **TINY)


class Dropped(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.Dropout(0.1, deterministic=False)(x))


class Parameterless(nn.Module):
    def __call__(self, x):
        return x.sum(axis=1)


class Plain(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(x)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda setup: Dropped(), "model 'mine': .* draws random numbers .* Dropout"),
        (lambda setup, rngs: nnx.Dropout(0.1, rngs=rngs), "model 'mine': .* keeps state .* Dropout"),
        (lambda setup: Parameterless(), "model 'mine': .* no parameters, so that there is nothing to train"),
        (lambda setup, rngs: nnx.Sequential(lambda x: x[:, 0]), "model 'mine': .* no parameters"),
        (lambda setup: Plain(width=3), "model 'mine': .* fails .*unexpected keyword"),
        (lambda setup: nn.Dense(1, kernel_init=None), "model 'mine': .* fails for inputs of shape"),
    ],
    ids=["linen dropout", "nnx dropout", "linen constant", "nnx constant", "a wrong argument", "no initialiser"],
)
def test_modules_that_cannot_train(add, build, message):
    add(aj.MODELS, aj.FlaxModel("mine", build))
    with pytest.raises(aj.ArithjaxError, match=message):
        aj.train([aj.Setup(model="mine", **TINY)])


def test_an_argument_with_a_default_is_no_rngs(add):
    add(aj.MODELS, aj.FlaxModel("mine", lambda setup, module=Plain: module()))
    assert list(aj.train([aj.Setup(model="mine", **TINY)]).parameters) == [3]


def test_every_registry_of_functions_is_tried():
    tried = {kind for kind, registry in REGISTRIES.items() if all(hasattr(m, "try_out") for m in registry.values())}
    # met when a setup names them, when a network is made, as numbers, and while a question is answered
    others = {"operations", "models", "initializers", "causes"}
    assert tried | others == set(REGISTRIES)
