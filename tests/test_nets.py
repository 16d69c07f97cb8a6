"""Nets that are kept: saved and loaded, refused in one clear line where damaged, and trained again to the same bits."""

import io
import json

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax import nets

POLYNOMIAL = aj.Setup(op="mul", high=50, widths=(2,), activation="square", steps=1, examples=64, tests=64, batch=16)


@pytest.fixture(scope="module")
def kept():
    return aj.fit(POLYNOMIAL, seeds=1)


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


def test_a_net_is_a_function(kept):
    np.testing.assert_array_equal(kept([[1, 2], [3, 4]]), kept.predict([[1, 2], [3, 4]]))
    assert list(kept.inside([[0, 49], [0, 50]])) == [True, False]
    with pytest.raises(aj.ArithjaxError, match=r"x has shape \(2,\); mul takes \[points, 2\]"):
        kept([1, 2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a finished study of three nets."""
    out = tmp_path_factory.mktemp("runs")
    aj.run(aj.Study("tiny", lambda trial: POLYNOMIAL, trials=1, seeds=3), out)
    return out / "tiny"


@pytest.mark.parametrize("row", [0, 2])
def test_the_net_of_a_row_is_the_tables(folder, row):
    table, again = aj.load(folder), aj.net(folder, row)
    assert again.setup == POLYNOMIAL
    assert (again.row["seed"], again.row["mse"]) == (table.seed[row], table.mse[row])
    assert aj.retrain(folder, row).identical.all()


@pytest.mark.parametrize("row", [-1, 3, 0.5, "0", None])
def test_rows_that_are_not_in_the_table(folder, row):
    for call in (aj.net, aj.retrain):
        with pytest.raises(aj.ArithjaxError, match=f"net={row} is not in the table; it has the nets 0 to 2"):
            call(folder, row)


def test_fresh_pairs_are_in_the_range_and_exact(kept):
    pairs = aj.fresh_pairs(kept, 20)
    assert list(pairs) == ["a", "b", "value", "result", "error"] and len(pairs) == 20
    assert kept.inside(pairs[["a", "b"]]).all()
    np.testing.assert_array_equal(pairs.value, pairs.a * pairs.b)
    np.testing.assert_array_equal(pairs.result, kept(pairs[["a", "b"]]))
    np.testing.assert_array_equal(pairs.error, pairs.result - pairs.value)
    pd.testing.assert_frame_equal(pairs, aj.fresh_pairs(kept, 20))


def test_the_share_of_exact_results():
    class Product(nets.Net):
        """Right wherever both numbers are small."""

        def predict(self, x):
            a, b = np.asarray(x).T
            return a * b + (np.maximum(a, b) >= 50)

    net = Product(POLYNOMIAL, {}, {}, ())
    assert aj.exact_share(net, 0, 50) == 1
    assert aj.exact_share(net, 50, 100) == 0
    assert aj.exact_share(net, 0, 100) == pytest.approx(0.25, abs=0.01)
