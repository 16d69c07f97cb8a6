"""A net to keep: files that are refused in one clear line, and formulas that are right."""

import io
import json

import numpy as np
import pytest
import sympy

import arithjax as aj
from arithjax import formula, nets, terminal
from arithjax.task.points import Task
from arithjax.training import curves

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


def test_a_net_comes_back_as_it_was_saved(kept, tmp_path):
    kept.save(tmp_path / "a.net")
    x = [[1, 2], [40, 70]]
    np.testing.assert_array_equal(aj.load_net(tmp_path / "a.net").predict(x), kept.predict(x))


def changed(path, change):
    """The saved net's file with another header."""
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes())
    change(header)
    content = io.BytesIO()
    np.savez(content, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return content.getvalue()


DAMAGES = {
    "empty": (lambda path: b"", "not a net saved by arithjax"),
    "truncated": (lambda path: path.read_bytes()[:500], "not a net saved by arithjax"),
    "text": (lambda path: b"a,b\n1,2\n", "not a net saved by arithjax"),
    "another version": (lambda path: changed(path, lambda h: h.update(format="arithjax net 9")), "arithjax net 9"),
    "no format": (lambda path: changed(path, lambda h: h.pop("format")), "not a net saved by arithjax"),
    "no setup": (lambda path: changed(path, lambda h: h.pop("setup")), "not a net saved by arithjax"),
    "no row": (lambda path: changed(path, lambda h: h.pop("row")), "not a net saved by arithjax"),
    "other names": (lambda path: changed(path, lambda h: h.update(names=["x"] * 6)), "not a net saved by arithjax"),
    "an unknown field": (lambda path: changed(path, lambda h: h["setup"].update(wdths=1)), "did you mean 'widths'"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_get_one_clear_line(kept, tmp_path, name):
    damage, phrase = DAMAGES[name]
    kept.save(tmp_path / "a.net")
    (tmp_path / "a.net").write_bytes(damage(tmp_path / "a.net"))
    with pytest.raises(aj.ArithjaxError, match=phrase) as raised:
        aj.load_net(tmp_path / "a.net")
    assert "\n" not in str(raised.value)


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
        def formula(self, params, names):
            return names[0] * names[1]

    monkeypatch.setattr(nets.Net, "network", Product())
    assert kept.formula().expression.is_polynomial()


def test_a_chart_of_a_training(kept):
    long = aj.fit(POLYNOMIAL.replace(steps=30), seeds=1)
    chart = terminal.curve_chart(curves.curve_of(long, 0))
    assert "relative RMSE" in chart
    assert max(map(len, chart.splitlines())) <= 72
    assert terminal.curve_chart(curves.curve_of(kept, 0)) == ""  # one step is no curve
