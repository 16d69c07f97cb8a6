"""Operations: known answers from numpy, where they are defined, and how one is added."""

import jax.numpy as jnp
import numpy as np
import pytest

from arithjax import OPERATIONS, ArithjaxError, Operation, Setup

REFERENCES = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "square": np.square,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "max": np.maximum,
    "min": np.minimum,
    "mod": np.mod,
    "hypot": np.hypot,
}
INTERVALS = [(0, 50), (1, 50), (-40, -3), (-20, 30)]


def arguments(op, low, high, integers):
    generator = np.random.default_rng(0)
    x = (
        generator.integers(low, high + 1, (500, op.arity))
        if integers
        else generator.uniform(low, high, (500, op.arity))
    )
    return x.astype(np.float32)


@pytest.mark.parametrize("integers", [True, False])
@pytest.mark.parametrize(("low", "high"), INTERVALS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_equals_numpy_where_defined(name, low, high, integers):
    op = OPERATIONS[name]
    if not op.defined(low, high):
        with pytest.raises(ArithjaxError, match=f"low, high: {name} .* is not defined on .* it is defined where"):
            op.check(low, high)
        return
    x = arguments(op, low, high, integers)
    t = op(jnp.asarray(x))
    assert t.shape == (500,)
    np.testing.assert_allclose(t, REFERENCES[name](*x.T), rtol=1e-6)  # a few units in the last place of float32


@pytest.mark.parametrize("name", OPERATIONS)
def test_arguments_may_carry_lanes(name):
    op = OPERATIONS[name]
    x = jnp.asarray(arguments(op, 1, 50, True))
    lanes = jnp.stack([x, x[::-1]], axis=-1)
    np.testing.assert_array_equal(op(lanes), jnp.stack([op(x), op(x[::-1])], axis=-1))


@pytest.mark.parametrize("constant", ["7", "-2.5", "0", "1e-3", "0.12345678"])
def test_operations_with_a_constant(constant):
    x = np.arange(-5, 6, dtype=np.float32)[:, None]
    c = np.float32(constant)
    np.testing.assert_array_equal(OPERATIONS[f"times:{constant}"](jnp.asarray(x)), c * x[:, 0])
    np.testing.assert_array_equal(OPERATIONS[f"plus:{constant}"](jnp.asarray(x)), x[:, 0] + c)


def test_a_constant_names_one_operation():
    assert OPERATIONS["times:7"] == OPERATIONS["times:7"], "programs are compared by their operations"
    assert OPERATIONS["times:0.1234567"].name != OPERATIONS["times:0.1234568"].name


@pytest.mark.parametrize("name", ["times:", "plus:seven", "times:nan", "times:inf", "plus:1e400"])
def test_a_constant_is_a_finite_number(name):
    with pytest.raises(ArithjaxError, match=f"operation '{name}' needs a .*number after the colon, as in"):
        OPERATIONS[name]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("div", 0, 5), ("div", -1, 1), ("div", -5, 0), ("reciprocal", -3, 3), ("sqrt", -1, 4), ("mod", -2, 2)],
)
def test_undefined_ranges_are_refused(name, low, high):
    with pytest.raises(ArithjaxError, match=r"low, high: .* Choose another interval"):
        OPERATIONS[name].check(low, high)
    with pytest.raises(ArithjaxError, match=r"extrapolation: .* is not defined on"):
        Setup(op=name, low=1, high=5, extrapolation=(low, high + 1))


@pytest.mark.parametrize(
    ("op", "low", "high", "smallest"),
    [("mul", -3, 7, -21), ("square", -3, 7, 0), ("sub", 0, 9, -9), ("reciprocal", 1, 4, 0.25), ("min", 2, 9, 2)],
)
def test_smallest_result(op, low, high, smallest):
    assert OPERATIONS[op].smallest(low, high, True) == smallest


def test_integers_leave_the_upper_end_out():
    assert Setup(op="div", low=-5, high=0, extrapolation=(1, 5)).bounds == (-5, -1)
    with pytest.raises(ArithjaxError, match=r"low, high: div .* is not defined"):
        Setup(op="div", low=-5, high=0, extrapolation=(1, 5), integers=False)


def test_a_users_operation_is_one_entry(add):
    op = add(OPERATIONS, Operation("cube", "a³", lambda a: a**3, arity=1))
    assert Setup(op="cube", low=-3, high=4).op == "cube"
    np.testing.assert_array_equal(op(jnp.asarray([[-2.0], [3.0]])), [-8, 27])
