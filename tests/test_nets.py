"""Nets that are kept: saved and loaded, refused in one clear line where damaged, and trained again to the same bits."""

import io
import json

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax import nets, saved

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
    assert kept([1, 2]).shape == () and kept([1, 2]) == kept([[1, 2]])[0]
    with pytest.raises(aj.ArithjaxError, match=r"x has shape \(3,\); mul takes \[points, 2\]"):
        kept([1, 2, 3])


@pytest.mark.parametrize("x", [[["a", "b"]], [[1, 2], [3]], {"a": 1}, [[1, object()]], [[1, 2j]]])
@pytest.mark.parametrize("asked", ["predict", "inside"])
def test_what_is_no_numbers_is_told_in_one_line(kept, asked, x):
    with pytest.raises(aj.ArithjaxError, match=r"x=.* is not allowed; it has to be numbers, \[points, 2\]") as raised:
        getattr(kept, asked)(x)
    assert "\n" not in str(raised.value)


def test_a_net_shows_its_weights(kept):
    weights = kept.weights()
    assert {name: {part: p.shape for part, p in layer.items()} for name, layer in weights.items()} == {
        "1 Dense": {"kernel": (2, 2), "bias": (2,)},
        "2 Dense": {"kernel": (2, 1), "bias": (1,)},
    }
    np.testing.assert_array_equal(weights["1 Dense"]["kernel"], kept.params["Dense_0"]["kernel"])


@pytest.fixture
def own_net(add, tmp_path):
    """The file of a net of an operation of the user's, which is there no more."""
    add(aj.OPERATIONS, aj.Operation("cube", "a³", lambda a: a**3, arity=1))
    net = aj.fit(POLYNOMIAL.replace(op="cube", target_transform="log1p"), seeds=1)
    net.save(tmp_path / "cube.net")
    return tmp_path / "cube.net", net(np.array([1.0, 2.0]))


def test_a_net_of_an_operation_that_is_not_there_answers_and_says_what_is_missing(own_net):
    path, answers = own_net
    del aj.OPERATIONS["cube"]
    try:
        again = aj.load_net(path)
        np.testing.assert_array_equal(again([1.0, 2.0]), answers)
        with pytest.raises(aj.ArithjaxError, match=r"does not hold the function of operation 'cube'; add it as aj"):
            aj.fresh_pairs(again)
    finally:
        aj.OPERATIONS["cube"] = aj.Operation("cube", "a³", lambda a: a**3, arity=1)
    assert aj.fresh_pairs(aj.load_net(path)).value.notna().all()


def test_a_net_of_an_own_activation_needs_it(add, tmp_path):
    add(aj.ACTIVATIONS, aj.Activation("cube", "z³", lambda z: z**3))
    aj.fit(POLYNOMIAL.replace(activation="cube"), seeds=1).save(tmp_path / "a.net")
    member = aj.ACTIVATIONS["cube"]
    del aj.ACTIVATIONS["cube"]
    with pytest.raises(aj.ArithjaxError, match=r"needs the activation 'cube' that was added .* --study FILE"):
        aj.load_net(tmp_path / "a.net")
    aj.ACTIVATIONS["cube"] = member
    aj.load_net(tmp_path / "a.net")


@pytest.mark.optimized
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"activation": ("gelu",), "input_transform": "minmax", "target_transform": "scale"},
        {"activation": "sin", "input_transform": "raw", "bias": False, "precision": "float64"},
    ],
    ids=str,
)
def test_a_dense_net_answers_from_its_file_alone_to_the_same_bits(tmp_path, changes):
    net = aj.fit(POLYNOMIAL.replace(**changes), seeds=1)
    net.save(tmp_path / "a.net")
    x = np.random.default_rng(0).uniform(-50, 100, (64, 2))
    np.testing.assert_array_equal(saved.read(tmp_path / "a.net").answer(x), net(x))


def test_a_file_whose_answers_are_not_its_own_does_not_answer_alone(kept, tmp_path):
    kept.save(tmp_path / "a.net")
    (tmp_path / "a.net").write_bytes(changed(tmp_path / "a.net", lambda h: h["answers"]["y"].reverse()))
    assert saved.read(tmp_path / "a.net").answer([[1, 2]]) is None


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
