"""Formulas: what they say is what the net computes, and only a right one is called exact."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

import arithjax as aj
from arithjax import formula, nets
from arithjax.export import portable, script
from arithjax.models import model_of
from arithjax.models.network import Architecture, Network, PlainLayer
from arithjax.models.units import VARIANTS
from arithjax.task.points import Task
from arithjax.task.transforms import Fitted

SHOWN = {"input_transform": "raw", "target_transform": "raw"}
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
    "changes, why",
    [
        ({"activation": "relu"}, "it has layers of relu; formulas are made of linear and square layers"),
        ({"model": "residual"}, "it has layers of Residual"),
        ({"widths": (2, 2, 2)}, "it is a polynomial of 45 terms, and formulas have at most 28"),
        ({"op": "add:10:0-5:5-10", "high": 3}, "it is a polynomial of 66 terms"),
        ({"model": "nmu", "widths": (99,)}, "it has 297 parameters, and formulas are made of at most 200"),
        ({"target_transform": "binary"}, "target_transform=binary is none that formulas are made of"),
        ({"op": "greater", **SHOWN, "loss": "bit_cross_entropy"}, r"its answers are a sigmoid.*bit_cross_entropy"),
    ],
    ids=str,
)
def test_a_net_without_a_formula_says_why(changes, why):
    net = of_halves(POLYNOMIAL.replace(**changes))
    assert net.formula() is None
    assert re.match(why, net.no_formula())


def test_what_is_short_has_a_formula():
    """(a + b + 1)² / 4 of each unit, both of them halved, and a half."""
    net = of_halves(POLYNOMIAL.replace(**SHOWN))
    found = net.formula()
    assert net.no_formula() is None
    a, b = found.arguments
    assert sympy.nsimplify(found.expression) == sympy.expand((a + b + 1) ** 2 / 4 + sympy.Rational(1, 2))


def of_halves(setup):
    """A net that is not trained: all its parameters are 0.5."""
    network, inputs = model_of(setup).network(setup), setup.inputs
    widths = jnp.array([[inputs], *([width] for width in setup.widths), [1]])
    architecture = Architecture(widths, jnp.zeros((), int), aj.INITIALIZERS["he_normal"].scaling())
    shapes = jax.eval_shape(lambda key: network.initial(key, inputs, architecture), jax.random.key(0))
    params = jax.tree.map(lambda p: np.full(p.shape[:-1], 0.5, np.float32), shapes)
    fits = Fitted(np.zeros(inputs), np.ones(inputs)), RAW[1]
    return nets.Net(setup, {"program": "lanes", "seed": 0}, params, fits)


UNITS = [*(name for name, model in aj.MODELS.items() if model.stackable), *VARIANTS]
ABOVE = {"op": "div", "low": 1, "high": 9, "extrapolation": (9, 19), "integers": False}


def said(setup, layers, fits):
    """The formula of layers, without training."""

    class Known(Network):
        def plain(self, params, inputs, widths):
            return layers

    return formula.formulas_of(setup, {}, fits, Known())[0]


RAW = Fitted(np.zeros(2), np.ones(2)), Fitted(np.zeros(()), np.ones(()))


@pytest.mark.parametrize("name", [name for name in UNITS if name not in ("kan", "residual")])  # too long to be read
def test_the_formula_of_a_unit_computes_what_the_unit_does(name):
    setup = aj.Setup(model=name, **ABOVE, **SHOWN)
    network = model_of(setup).network(setup)
    architecture = Architecture(jnp.array([[2], [1]]), jnp.zeros((), int), aj.INITIALIZERS["he_normal"].scaling())
    shapes = jax.eval_shape(lambda key: network.initial(key, 2, architecture), jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda p: rng.normal(size=p.shape[:-1]).astype(np.float32) / 2, shapes)
    layers = network.plain(params, 2, ())
    found = said(setup, layers, RAW)
    x = rng.uniform(1, 9, (20, 2))
    one = portable(setup, layers, RAW, exact=False)
    names = {"__name__": "exported"}
    exec(script(one, "numpy").text, names)
    told = sympy.lambdify(found.arguments, found.sympy(), "numpy")(*x.T)
    np.testing.assert_allclose(told, names["net"](x), rtol=1e-4)


def test_powers_quotients_and_logarithms_are_written_as_such():
    weights = np.array([[2.0], [-1.0]], np.float32)
    power = [PlainLayer("NACMulSigmoid", {"W_hat": np.full((2, 1), 50.0, np.float32)})]
    assert said(aj.Setup(model="nac_mul_sigmoid", **ABOVE, **SHOWN), power, RAW).text(3) == "y = 1.000·a·b"
    logs = aj.Setup(widths=(1,), **ABOVE, input_transform="log", target_transform="log")
    quotient = said(logs, [PlainLayer("Dense", {"kernel": weights})], RAW)
    assert quotient.text(2) == "y = a^2/b" and quotient.latex(2) == r"y = \frac{a^{2}}{b}"
    linear = said(logs.replace(target_transform="raw"), [PlainLayer("Dense", {"kernel": weights})], RAW)
    assert linear.text(1) == "y = 2.0·log(a) - 1.0·log(b)"


def test_a_linear_unit_is_read_out(add):
    add(aj.OPERATIONS, aj.Operation("fahrenheit", "1.8 a + 32", lambda a: 1.8 * a + 32, arity=1))
    setup = aj.Setup(op="fahrenheit", low=-40, high=100, model="dense", **SHOWN)
    fits = Fitted(np.zeros(1), np.ones(1)), RAW[1]
    arrays = {"kernel": np.array([[1.8]], np.float32), "bias": np.array([32.0], np.float32)}
    found = said(setup, [PlainLayer("Dense", arrays)], fits)
    assert found.text(3) == "y = 1.800·a + 32.000"


def test_many_arguments_have_numbered_names():
    setup = aj.Setup(op="add:26:0-13:13-26", high=3, model="nau", **SHOWN)
    row, params = {"program": "lanes", "seed": 0}, {"NAU_0": {"W": np.ones((26, 1), np.float32)}}
    net = nets.Net(setup, row, params, (Fitted(np.zeros(26), np.ones(26)), RAW[1]))
    assert [str(argument) for argument in net.formula().arguments] == [f"x{i}" for i in range(1, 27)]
    assert list(aj.fresh_pairs(net))[:26] == [f"x{i}" for i in range(1, 27)]


def test_a_network_may_offer_its_formula(kept, monkeypatch):
    class Product(Network):
        def formula(self, params, x, widths):
            return x[0] * x[1]

    monkeypatch.setattr(nets.Net, "network", Product())
    assert kept.formula().expression.is_polynomial()
