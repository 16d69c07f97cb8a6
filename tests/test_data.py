"""Examples and test points: known yardsticks, inside their intervals, and each net's own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import EMITTERS

from arithjax import OPERATIONS, Setup
from arithjax.registry import DISTRIBUTIONS
from arithjax.task.arguments import Span
from arithjax.task.examples import Range, arguments, draw_batch, order, uniform
from arithjax.task.points import Task, points
from arithjax.training.compiled import quick_options

UNIFORM = DISTRIBUTIONS["uniform"]


AS_USERS = {"xla_backend_optimization_level": "1"} | EMITTERS
"""Without these a product would be of arguments before they are rounded."""


@functools.partial(jax.jit, static_argnames="integers", compiler_options=quick_options() | AS_USERS)
def training(keys, integers=True, low=0.0, high=9.0):
    """Arguments and products of every key's net; one program, where op by op each would be compiled."""
    x = arguments(keys, OPERATIONS["mul"], integers, 64, Range(jnp.float32(low), jnp.float32(high)), UNIFORM)
    return x, OPERATIONS["mul"](x)


@pytest.mark.parametrize(
    ("changes", "unseen"),
    [
        ({"op": "mul"}, True),  # 250,000 pairs, 10,000 examples
        ({"op": "xor", "high": 16}, False),
        ({"op": "mul", "high": 16, "integers": False}, True),
        ({"op": "mul", "fresh": True, "steps": 1000, "batch": 32}, False),  # 32,000 drawn
        ({"op": "mul", "high": 16, "examples": "all"}, False),
        ({"op": "mul", "high": 16, "split": 0.5}, True),
        ({"op": "equal", "balanced": True, "examples": 64}, False),
    ],
)
def test_arguments_are_unseen_where_a_net_is_shown_few_of_them_or_they_are_held_out(changes, unseen):
    setup = Setup(**changes)
    assert Task.of(setup).unseen(setup) == unseen


@pytest.mark.parametrize(
    ("op", "zero", "mean", "plane"),
    [
        ("mul", 6.9029e9, 3.0278e9, 4.3402e8),
        ("square", 1.24376e10, 5.5347e9, 3.4722e8),
        ("add", 2.907e5, 4.167e4, 0.0),
    ],
)
def test_yardsticks_of_the_question(op, zero, mean, plane):
    known = Task.of(Setup(op=op, low=0, high=500)).interpolation_points
    np.testing.assert_allclose([known.zero, known.mean], [zero, mean], rtol=0.01)  # 1,024 Sobol points
    np.testing.assert_allclose(known.plane, plane, rtol=0.01, atol=1e-6)
    np.testing.assert_allclose(known.scale**2, known.mean)


@pytest.mark.parametrize("integers", [True, False])
@pytest.mark.parametrize(
    "intervals", [((0, 500),), ((-6, -2), (2, 6)), ((0.5, 3.2),), ((-1000, -998), (7, 8), (100, 200))]
)
def test_points_cover_their_intervals_and_no_more(intervals, integers):
    spans = tuple(Span(*interval, integers) for interval in intervals)
    x = points(OPERATIONS["add"], (spans, spans), UNIFORM, 300).x
    inside = [(x >= low) & (x < high if integers else x <= np.float32(high)) for low, high in intervals]
    assert x.shape == (300, 2)
    assert np.any(inside, axis=0).all()
    assert np.any(inside, axis=(1, 2)).all(), "an interval without points"
    assert not integers or (x == np.rint(x)).all()


def test_points_are_shared_by_every_net():
    first, second = (Task.of(Setup(op="mul", activation=name)) for name in ("relu", "tanh"))
    assert first == second
    np.testing.assert_array_equal(first.extrapolation_points.x, second.extrapolation_points.x)


@pytest.mark.parametrize(("low", "high", "values"), [(0, 4, range(4)), (-1.5, 2.5, range(-1, 3))])
def test_the_domain_is_all_pairs(low, high, values):
    domain = Task.of(Setup(op="add", low=low, high=high)).domain
    assert {tuple(pair) for pair in domain} == {(a, b) for a in values for b in values}
    assert len(domain) == len(values) ** 2


@pytest.mark.parametrize("changes", [{"integers": False}, {"op": "sqrt"}, {"high": 5000}], ids=str)
def test_only_small_whole_domains_are_certified(changes):
    assert not Task.of(Setup(**changes)).countable
    assert Task.of(Setup(**changes)).uncertain


@pytest.mark.parametrize("op", ["sqrt", "reciprocal", "div", "hypot"])
def test_whole_results_are_not_a_matter_of_chance(op):
    assert not Task.of(Setup(op=op, low=1, high=9, tests=1)).whole


@pytest.mark.parametrize("integers", [True, False])
def test_examples_lie_in_their_range(integers):
    x, t = training(jax.random.split(jax.random.key(0), 20), integers=integers, low=-3, high=9)
    assert x.shape == (64, 2, 20) and t.shape == (64, 20)
    assert x.min() >= -3 and x.max() <= 9
    assert not integers or set(np.unique(x)) == set(range(-3, 10)), "both ends are drawn"
    np.testing.assert_array_equal(t, x[:, 0] * x[:, 1])


def test_examples_depend_on_the_key_alone():
    keys = jax.random.split(jax.random.key(0), 5)
    together, alone = training(keys), training(keys[3:4])
    np.testing.assert_array_equal(together[0][:, :, 3], alone[0][:, :, 0])
    assert not np.array_equal(together[0][:, :, 3], together[0][:, :, 4])


def test_orders_are_permutations():
    orders = np.stack([order(100, epoch) for epoch in range(20)])
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(100), (20, 1)))
    assert len(np.unique(orders, axis=0)) == 20


def test_uniform_is_threefry():
    """The known answer of Salmon et al. 2011 for a key and a counter of zeros, and a flat, independent stream."""
    key = jax.random.wrap_key_data(np.zeros((1, 2), np.uint32))
    first = np.asarray(uniform(key, jnp.int32(0), (2, 1)))[:, 0, 0]
    np.testing.assert_array_equal(first, (np.array([0x6B200159, 0x99BA4EFE]) >> 9) / 2.0**23)
    u = np.asarray(uniform(jax.random.split(jax.random.key(1), 8), jnp.int32(5), (4000, 2)))
    assert u.min() >= 0 and u.max() < 1
    np.testing.assert_allclose(np.histogram(u, 10)[0], 6400, rtol=0.06)  # four standard deviations
    flat = u.reshape(-1, 8)
    np.testing.assert_allclose(np.corrcoef(flat.T) - np.eye(8), 0, atol=0.05)


def test_a_lane_draws_the_same_batch_beside_others():
    keys = jax.random.split(jax.random.key(0), 6)
    how = (33, 2), False, Range(np.float32(1), np.float32(2)), UNIFORM
    draw = jax.jit(lambda keys, step: draw_batch(keys, step, *how), compiler_options=quick_options())
    together, alone = draw(keys, jnp.int32(7)), draw(keys[4:5], jnp.int32(7))
    np.testing.assert_array_equal(together[:, :, 4], alone[:, :, 0])
    assert not np.array_equal(alone, draw(keys[4:5], jnp.int32(8)))


@pytest.mark.parametrize(
    ("name", "mean", "std"), [("uniform", 1.0, 6 / 12**0.5), ("normal", 1.0, 0.9866), ("exponential", 4.0, 6.0)]
)
def test_distributions(name, mean, std):
    """Moments on (-2, 4); a normal cut off at three standard deviations has 0.9866 of its own."""
    x = DISTRIBUTIONS[name].place(np.linspace(0, 1, 200_001)[:-1] + 2.5e-6, -2.0, 4.0, np)
    np.testing.assert_allclose([x.mean(), x.std()], [mean, std], rtol=2e-3)
    assert x.min() >= -2 and (name == "exponential" or x.max() <= 4)
    u = np.float32([0.1, 0.5, 0.9])
    ours = DISTRIBUTIONS[name].place(jax.numpy.asarray(u), -2.0, 4.0, jax.numpy)
    np.testing.assert_allclose(ours, DISTRIBUTIONS[name].place(u.astype(float), -2.0, 4.0, np), rtol=1e-5)
