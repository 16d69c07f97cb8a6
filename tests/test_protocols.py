"""Protocols: published thresholds, ready setups, refusals, and the committed tables beside the published numbers."""

from pathlib import Path

import numpy as np
import pytest

import arithjax as aj
from arithjax import protocols

RESULTS = Path(__file__).parents[1] / "results"
THRESHOLDS = {  # extrapolation range: mul, add and sub, div (Mistry et al. 2022)
    (20, 40): (3.4844e-4, 3.6667e-7, 4.6666e-10),
    (-40, -20): (3.4844e-4, 3.6667e-7, 4.6666e-10),
    (2, 6): (1.2018e-7, 6.6667e-9, 5.7777e-10),
    (-6, -2, 2, 6): (1.2018e-7, 6.6667e-9, 5.7777e-10),
    (-6.1, -1.2): (9.3921e-8, 5.7292e-9, 8.3732e-10),
    (1.2, 6): (8.8565e-8, 5.5680e-9, 8.2665e-10),
    (0.2, 2): (8.7615e-10, 5.3800e-10, 1.4800e-9),
}


@pytest.mark.parametrize("interval", THRESHOLDS)
def test_thresholds_in_closed_form(interval):
    mul, add, div = THRESHOLDS[interval]
    ours = [protocols.threshold(op, interval) for op in ("mul", "add", "sub", "div")]
    np.testing.assert_allclose(ours, [mul, add, add, div], rtol=1e-4)


@pytest.mark.parametrize(("op", "n"), protocols.ARITHMETIC_THRESHOLDS)
def test_simulated_thresholds_are_the_published_ones(op, n):
    long = {100: ((0, 26), (13, 39)), 10: ((0, 3), (1, 4)), 4: ((0, 2), (1, 3))}[n]
    name = protocols._name(op, n, long[: aj.OPERATIONS[op].arity])
    np.testing.assert_allclose(
        protocols.simulated_threshold(name, (2, 6)), protocols.ARITHMETIC_THRESHOLDS[op, n], rtol=0.01
    )


def test_the_simple_dataset():
    setup = protocols.arithmetic_dataset("nmu", "mul", simple=True)
    assert (setup.op, setup.model, setup.steps) == ("mul:4:0-4:0-2", ("nau", "nmu"), 200_000)
    np.testing.assert_allclose(setup.threshold, 2.15698e-6, rtol=0.01)
    x = np.array([[1, 2, 3, 4]], np.float32)
    assert aj.OPERATIONS[setup.op](x) == 10 * 3


@pytest.mark.parametrize(
    ("n", "subset", "overlap", "name"),
    [(100, 0.25, 0.5, "mul:100:0-25:13-38"), (10, 0.25, 0.5, "mul:10:0-2:1-3"), (8, 0.5, 0, "mul:8:0-4:4-8")],
)
def test_slices_of_the_dataset(n, subset, overlap, name):
    assert protocols.arithmetic_dataset("nmu", "mul", n=n, subset=subset, overlap=overlap).op == name


def test_everything_can_be_overridden():
    setup = protocols.single_module(
        "nmu", "mul", (1, 2), (3, 5), steps=7, learning_rate=0.1, regularizer=0, epsilon=0.1
    )
    assert (setup.steps, setup.learning_rate, setup.regularizer, setup.extrapolation) == (7, 0.1, 0, (3, 5))
    assert setup.threshold == protocols.threshold("mul", (3, 5), 0.1)
    assert protocols.single_module("nmu", "mul", (1, 2), threshold=0.5).threshold == 0.5


def test_minimal_arithmetic():
    setup = protocols.minimal_arithmetic("inalu", "mul", ("normal", -3, 3), ("normal", 8, 10))
    assert (setup.distribution, setup.optimizer, setup.steps, setup.alternate) == ("normal", "rmsprop", 100_000, True)
    exponential = protocols.minimal_arithmetic("nmu", "mul", ("exponential", 0.2), ("exponential", 0.5))
    assert (exponential.low, exponential.high, exponential.extrapolation) == (0, 0.2, (0, 0.5))


@pytest.mark.parametrize(
    ("call", "phrase"),
    [
        (lambda: protocols.single_module("nmuu", "mul", (1, 2)), "did you mean 'nmu'"),
        (lambda: protocols.single_module("nmu", "mull", (1, 2)), "did you mean 'mul'"),
        (lambda: protocols.single_module("nmu", "mul", (3, 4)), "give extrapolation="),
        (lambda: protocols.single_module("nmu", "div", (-2, 2)), "b ≠ 0"),
        (lambda: protocols.single_module("nmu", "div", (0, 2), (2, 6)), "b ≠ 0"),
        (lambda: protocols.single_module("nmu", "mul", (1, 2, 3)), "two numbers"),
        (lambda: protocols.single_module("nmu", "hypot", (1, 2)), "closed form"),
        (lambda: protocols.arithmetic_dataset("nmu", "mul", n=10, subset=0.9), "do not fit"),
        (lambda: protocols.arithmetic_dataset("nmu", "mul", n=2), "do not fit"),
        (lambda: protocols.arithmetic_dataset("nmu", "mul", overlap=1.5), "from 0 to 1"),
        (lambda: protocols.arithmetic_dataset("nmu", "max"), "is not one of"),
        (lambda: protocols.arithmetic_dataset(("nau", "nmu", "nmu"), "mul"), "3 layers"),
        (lambda: protocols.minimal_arithmetic("nmu", "mul", ("uniform", 0, 1), ("exponential", 2)), "one distribution"),
        (
            lambda: protocols.minimal_arithmetic("nmu", "mul", ("cauchy", 0, 1), ("cauchy", 2, 3)),
            "unknown distribution",
        ),
        (lambda: aj.Setup(model=("nmu", "mlp"), widths=(2,)), "no unit to stack"),
        (lambda: aj.Setup(op="mul:4:0-9:0-2"), "slices"),
        (lambda: aj.Setup(op="mul:x"), "slices"),
        (lambda: aj.Setup(regularizer=1.0), "for arithmetic units"),
        (lambda: aj.Setup(model="nmu", regularizer_start=9, regularizer_end=3), "regularizer_end=3"),
        (lambda: aj.Setup(distribution="normal"), "integers=False"),
    ],
)
def test_refusals_are_one_clear_line(call, phrase):
    with pytest.raises(aj.ArithjaxError) as error:
        call()
    assert phrase in str(error.value) and "\n" not in str(error.value)


def test_the_identity_of_older_setups_stays():
    """New fields have defaults that do not count, and the default of widths counts as if it were given."""
    assert aj.Setup().identity() == aj.Setup(widths=(64, 64)).identity()
    assert aj.Setup(model="nmu").widths == () and aj.Setup().widths == (64, 64)


@pytest.mark.skipif(not RESULTS.is_dir(), reason="a source distribution has no results")
@pytest.mark.parametrize("unit", ["nmu", "nau"])
def test_published_cells_come_out_in_the_committed_table(unit):
    ours = protocols.compare(aj.load(RESULTS / "units"))
    cells = ours[ours.unit == unit]
    assert len(cells) >= 7 and cells.inside.all()
    assert ((cells.ratio - 1).abs() <= 0.1).all()
