"""Transforms: they are invertible where they accept data, and fit what they say."""

import jax.numpy as jnp
import numpy as np
import pytest

from arithjax import OPERATIONS, TRANSFORMS, ArithjaxError, Setup, Transform
from arithjax.task.points import evaluate
from arithjax.task.transforms import rescalings

RANGES = [(0, 500), (1, 500), (-20, 30), (-0.9, 0.9), (1e-3, 2e-3), (-6, -2)]
DATA = jnp.asarray([[1.0, -4.0], [2.0, 0.0], [6.0, 4.0]])  # two lanes


def round_trip(transform, x):
    fitted = transform.fit(transform.warp(x))
    return transform.inverse(transform.forward(x, fitted), fitted)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [(member.name, *ends) for member in rescalings() for ends in RANGES if member.accepts(ends[0])],
)
def test_inverse_undoes_forward(name, low, high):
    transform = TRANSFORMS[name]
    x = jnp.linspace(low, high, 1001)
    back = round_trip(transform, x)
    np.testing.assert_allclose(back, x, rtol=1e-5, atol=2e-6 * max(abs(low), abs(high)))  # float32 through exp and log


@pytest.mark.parametrize("name", OPERATIONS)
def test_inverse_undoes_forward_on_targets(name):
    op = OPERATIONS[name]
    values = np.arange(1.0, 10.0 if name == "power" else 100.0)  # 10^10 and more are hardly whole in float32
    x = np.stack(np.meshgrid(*[values] * op.arity), -1).reshape(-1, op.arity)
    t = jnp.asarray(evaluate(op, x))
    accepting = [transform for transform in rescalings() if transform.accepts(float(t.min()))]
    assert {transform.name for transform in accepting} >= {"raw", "scale", "standardize", "minmax", "symlog"}
    for transform in accepting:
        np.testing.assert_allclose(round_trip(transform, t), t, rtol=2e-5, atol=1e-6 * float(jnp.abs(t).max()))


@pytest.mark.parametrize(
    ("name", "shift", "scale"),
    [
        ("raw", [0, 0], [1, 1]),
        ("scale", [0, 0], [6, 4]),
        ("standardize", [3, 0], [np.sqrt(14 / 3), np.sqrt(32 / 3)]),
        ("minmax", [1, -4], [5, 8]),
        ("symlog", [0, 0], [1, 1]),
    ],
)
def test_fits_each_lane_on_its_own(name, shift, scale):
    fitted = TRANSFORMS[name].fit(TRANSFORMS[name].warp(DATA))
    np.testing.assert_allclose(fitted.shift, shift, rtol=1e-6)
    np.testing.assert_allclose(fitted.scale, scale, rtol=1e-6)


@pytest.mark.parametrize("name", [member.name for member in rescalings()])
def test_constant_data_has_a_finite_image(name):
    x = jnp.full((5,), 3.0)
    fitted = TRANSFORMS[name].fit(TRANSFORMS[name].warp(x))
    assert np.isfinite(TRANSFORMS[name].forward(x, fitted)).all()
    np.testing.assert_allclose(round_trip(TRANSFORMS[name], x), x, rtol=1e-6)


@pytest.mark.parametrize(
    ("field", "name", "changes"),
    [
        ("input_transform", "log", {"low": 0}),
        ("input_transform", "log1p", {"low": -1}),
        ("input_transform", "sqrt", {"low": 0, "high": 9, "extrapolation": (-5, 0)}),
        ("target_transform", "log", {"low": 0}),
        ("target_transform", "log", {"op": "sub", "low": 1}),
        ("target_transform", "log", {"op": "square", "low": -3, "high": 5}),
        ("target_transform", "log1p", {"op": "mul", "low": -3, "high": 5}),
        ("target_transform", "sqrt", {"op": "add", "low": -3, "high": 5, "integers": False}),
    ],
)
def test_data_outside_the_domain_is_refused(field, name, changes):
    with pytest.raises(ArithjaxError, match=f"{field}={name} needs x .* choose another transform"):
        Setup(**{field: name}, **changes)


def test_a_users_transform_is_one_entry(add):
    transform = add(TRANSFORMS, Transform("cbrt", "∛x", jnp.cbrt, lambda y: y**3))
    assert Setup(input_transform="cbrt").input_transform == "cbrt"
    x = jnp.linspace(-8, 8, 17)
    np.testing.assert_allclose(round_trip(transform, x), x, rtol=1e-5)
