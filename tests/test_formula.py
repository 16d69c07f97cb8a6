"""Formulas: what they say is what the net computes, and only a right one is called exact."""

import numpy as np
import pytest
import sympy

import arithjax as aj
from arithjax import formula, nets
from arithjax.task.points import Task

POLYNOMIAL = aj.Setup(op="mul", high=50, widths=(2,), activation="square", steps=1, examples=64, tests=64, batch=16)


@pytest.fixture(scope="module")
def kept():
    return aj.fit(POLYNOMIAL, seeds=1)


@pytest.fixture(scope="module")
def exact(kept):
    """a b = ((a + b)² - (a - b)²) / 4, by hand, in the units that the net's transforms show."""
    (shift, scale), (low, high) = kept.fits[0], kept.fits[1]
    kernel = np.array([[1.0, 1.0], [1.0, -1.0]]) * np.asarray(scale)[:, None] / 2
    bias = np.array([[1.0, 1.0], [1.0, -1.0]]).T @ np.asarray(shift) / 2
    params = {
        "Dense_0": {"kernel": kernel, "bias": bias[None]},
        "Dense_1": {"kernel": np.array([[1.0], [-1.0]]) / high, "bias": np.array([[-low / high]])},
    }
    return nets.Net(POLYNOMIAL, kept.row, params, kept.fits)


def test_a_formula_says_what_the_net_computes(kept):
    found = kept.formula()
    x = np.array([[3.0, 4.0], [49.0, 0.0], [70.0, 80.0]])
    told = [float(found.expression.subs(dict(zip(found.arguments, map(float, row), strict=True)))) for row in x]
    np.testing.assert_allclose(told, kept.predict(x), rtol=1e-4, atol=1e-2)


def test_a_right_net_is_read_out_and_certified(exact):
    found = exact.formula()
    assert found.exact() == 0
    assert found.text(0) == "y = a·b"
    assert str(found).startswith("y = 1.000·a·b")
    assert "exact on all 2,500 arguments" in found.summary()


def test_a_wrong_formula_is_not_called_exact():
    a, b = sympy.symbols("a b")
    task = Task.of(POLYNOMIAL)
    close = formula.Formula(1.0004 * a * b - 0.3 * a + 2.0, (a, b), task)
    assert close.text(1) == "y = 1.0·a·b - 0.3·a + 2.0"
    assert close.right(0) == (0, 2500)  # at least a b + 2
    assert close.exact() is None
    assert "right on" in close.summary()
    assert formula.Formula(sympy.Float(0.2), (a, b), task).text(0) == "y = 0"


@pytest.mark.parametrize(
    "changes",
    [{"activation": "relu"}, {"target_transform": "log1p"}, {"input_transform": "sqrt"}, {"widths": (2, 2)}],
    ids=str,
)
def test_what_is_no_short_polynomial_has_no_formula(changes):
    assert aj.fit(POLYNOMIAL.replace(**changes), seeds=1).formula() is None


def test_a_network_may_offer_its_formula(kept, monkeypatch):
    class Product:
        def formula(self, params, x, widths):
            return x[0] * x[1]

    monkeypatch.setattr(nets.Net, "network", Product())
    assert kept.formula().expression.is_polynomial()
