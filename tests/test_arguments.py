"""Arguments: what is wrong with one is said in one line, and ranges of their own are known to the setup."""

import jax.numpy as jnp
import numpy as np
import pytest

from arithjax import OPERATIONS, Argument, ArithjaxError, Operation, Setup, fit, fresh_pairs
from arithjax.task.points import Task
from arithjax.training.specs import specs_of
from arithjax.training.tile import NetId, Tile
from arithjax.training.trainer import Trainer

BODY = (Argument("kg", 40, 120), Argument("m", 1.4, 2.1), Argument("age", 20, 80, integers=True))


@pytest.fixture
def own(add):
    """`own(name, fn, ...)` enters an operation until the test ends."""
    return lambda name, fn, **more: add(OPERATIONS, Operation(name, name, fn, **more))


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("name=''", {"name": ""}),
        ("name=3", {"name": 3}),
        ("'kg': low=120, high=40", {"name": "kg", "low": 120, "high": 40}),
        ("'kg': has one end", {"name": "kg", "low": 40}),
        ("'kg': low='a'", {"name": "kg", "low": "a", "high": 4}),
        ("'n': low=0.2, high=0.9: no whole number", {"name": "n", "low": 0.2, "high": 0.9, "integers": True}),
        ("'s': values is empty", {"name": "s", "values": ()}),
        ("'s': values=3", {"name": "s", "values": 3}),
        ("'s': has values and a range", {"name": "s", "values": (0, 1), "low": 0, "high": 2}),
        ("'s': values=nan", {"name": "s", "values": (0, float("nan"))}),
        ("'s': integers='yes'", {"name": "s", "integers": "yes"}),
    ],
)
def test_what_is_wrong_with_an_argument_is_named(words, given):
    with pytest.raises(ArithjaxError, match=words):
        Argument(**given)


def test_arguments_fit_their_function(own):
    with pytest.raises(ArithjaxError, match="names 3, and its function takes 1"):
        own("one", lambda a: a, arguments=BODY)
    with pytest.raises(ArithjaxError, match="two arguments are called 'a'"):
        own("two", lambda a, b: a, arguments=(Argument("a"), Argument("a")))
    with pytest.raises(ArithjaxError, match="holds a str"):
        own("three", lambda a: a, arguments=("a",))


def test_each_argument_has_its_own_bounds(own):
    own(
        "switched",
        lambda a, b, s: a + b * s,
        arguments=(Argument("a"), Argument("b", 1, 2), Argument("s", values=(1, 0))),
    )
    assert Setup(op="switched", low=0, high=100).argument_bounds == ((0, 99), (1, 2), (0, 1))
    assert Setup(op="mul", low=0, high=100).argument_bounds == ((0, 99), (0, 99))
    assert Setup(op="mul", low=0, high=9, integers=False).argument_bounds == ((0, 9), (0, 9))


def test_ranges_apart_are_drawn_judged_and_extrapolated_each_for_itself(add):
    own = (Argument("kg", 40, 120), Argument("m", 1.4, 2.1), Argument("year", 1, 5, integers=True))
    add(OPERATIONS, Operation("bmi", "kg/m² + year", lambda kg, m, year: kg / m**2 + year, arguments=own))
    setup = Setup(op="bmi", examples=500)
    task, trainer = Task.of(setup), Trainer(tile(setup), 0)
    for x in (task.interpolation_points.x, drawn(trainer)):
        assert (x >= np.float32([40, 1.4, 1]) - 1e-6).all() and (x <= np.float32([120, 2.1, 4]) + 1e-6).all()
        assert (np.ptp(x, 0) > [75, 0.65, 2.9]).all()
        np.testing.assert_allclose(x[:, 2], np.rint(x[:, 2]), atol=1e-5)
    beyond = task.extrapolation_points.x
    assert (beyond.min(0) > [119, 2.09, 4]).all() and (beyond.max(0) <= np.float32([200, 2.8001, 8])).all()
    assert (setup.low, setup.high, setup.integers, task.uncertain) == (1, 120, False, "real arguments")
    assert setup == Setup(op="bmi", examples=500, low=3, high=7, integers=True), "the setup's range is not used"
    with pytest.raises(ArithjaxError, match="extrapolation=2,3 is for arguments that take the setup's range"):
        Setup(op="bmi", extrapolation=(2, 3))


def test_listed_values_are_certified_with_whole_numbers(add):
    own = (Argument("a"), Argument("b"), Argument("minus", values=(1, 0)))
    add(OPERATIONS, Operation("both", "a ± b", lambda a, b, minus: a + b - 2 * b * minus, arguments=own))
    setup = Setup(op="both", low=0, high=5, widths=[8], activation="square", learning_rate=0.02, steps=3000)
    net = fit(setup.replace(schedule="cosine", batch=32), seeds=4)
    assert Task.of(setup).arguments == 5 * 5 * 2
    assert (net.row["grade"], net.row["certificate"], net.row["program"]) == ("exact", "certified", "fused")
    np.testing.assert_allclose(net([[4, 3, 0], [4, 3, 1]]), [7, 1], atol=0.4)
    assert list(fresh_pairs(net, 2)) == ["a", "b", "minus", "value", "result", "error"]
    assert net.inside([[4, 3, 1], [4, 3, 2], [5, 3, 1]]).tolist() == [True, False, False]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_condition_holds_for_all_examples_and_points(add, fresh):
    """Arguments are drawn again until it does, so that few are the same."""
    real = add(OPERATIONS, Operation("root", "√(b² - 4c)", _root, where=lambda b, c: b**2 >= 4 * c))
    setup = Setup(op="root", low=-10, high=10, integers=False, examples=500, fresh=fresh)
    task, trainer = Task.of(setup), Trainer(tile(setup), 0)
    x = drawn(trainer)
    for points in (x, task.interpolation_points.x, task.extrapolation_points.x):
        assert real.holds(points.astype(float)).all()
    assert len(np.unique(x, axis=0)) == len(x)
    assert Task.of(Setup(op="root", low=0, high=3)).domain.tolist() == [[0, 0], [1, 0], [2, 0], [2, 1]]


def _root(b, c):
    return jnp.sqrt(b * b - 4 * c)


def test_a_net_draws_the_same_arguments_beside_others_that_take_longer(add):
    add(OPERATIONS, Operation("rare", "a + b", lambda a, b: a + b, where=lambda a, b: a > 9 * b))
    setup = Setup(op="rare", low=0, high=100, integers=False, examples=200)
    together = np.asarray(Trainer(tile(setup, 3), 0).examples.x)
    for seed in range(3):
        alone = np.asarray(Trainer(Tile(specs_of(setup, 16), (NetId(0, seed, setup),)), 0).examples.x)
        np.testing.assert_array_equal(together[..., seed], alone[..., 0])


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("rare .* holds for 0 of all arguments", lambda a, b: a > 1000 * (b + 1)),
        ("where fails for arrays .* & for and", lambda a, b: a > b and b > 0),
        ("where has to give true or false", lambda a, b: a - b),
    ],
)
def test_conditions_that_cannot_be_met_are_refused(add, words, where):
    add(OPERATIONS, Operation("rare", "a + b", lambda a, b: a + b, where=where))
    with pytest.raises(ArithjaxError, match=words):
        Setup(op="rare", low=0, high=50)


def tile(setup, nets=2):
    return Tile(specs_of(setup, 16), tuple(NetId(0, seed, setup) for seed in range(nets)))


def drawn(trainer):
    """The first net's arguments, in original units."""
    x, fit = np.asarray(trainer.examples.x)[..., 0], trainer.examples.input_fit
    return x * np.asarray(fit.scale)[:, 0] + np.asarray(fit.shift)[:, 0]
