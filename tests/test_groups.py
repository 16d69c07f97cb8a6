"""Groups of nets: labels of columns and parameters, which nets are one, and what marks a sample."""

import json

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.tables import groups


def test_labels_of_numbers_and_names():
    nets = pd.DataFrame({"n": [10, 2, 2], "x": [0.5, np.nan, 2.0], "op": ["mul", "add", "add"], "success": [0, 1, 1]})
    assert [list(part) for part in groups.labels(nets, "n")] == [["10", "2", "2"], ["2", "10", "none"]]
    assert list(groups.labels(nets, "x")[0]) == ["0.5", "none", "2"]
    assert groups.labels(nets, "op")[1] == ["add", "mul"]


@pytest.mark.parametrize("values", [10 ** np.random.default_rng(0).uniform(-4, -1, 60), 1 + 1e-6 * np.arange(60.0)])
def test_bins_begin_and_end_with_what_there_is(values):
    labels, order = groups.labels(pd.DataFrame({"n": values, "success": False}), "n")
    assert len(order) == 6 + 1 and set(labels.value_counts()) == {10}
    ends = [tuple(map(float, name.split(" to "))) for name in order[:-1]]
    assert [high for _, high in ends[:-1]] == [low for low, _ in ends[1:]]
    assert ends[0][0] == pytest.approx(values.min(), rel=0.05) and ends[-1][1] == pytest.approx(values.max(), rel=0.05)
    assert all(low < high for low, high in ends)
    bins = dict(zip(values, labels, strict=True))
    assert bins[values.min()] == order[0] and bins[values.max()] == order[5]


def test_close_numbers_have_different_labels():
    nets = pd.DataFrame({"n": [0.100001, 0.100002, 1.316285806174481e-08], "success": False})
    assert groups.labels(nets, "n")[1] == ["1.31629e-08", "0.100001", "0.100002", "none"]


def test_a_parameter_is_meant_where_it_differs_from_the_column():
    choices = [json.dumps({"seed": "warm", "activation": "relu"}), json.dumps({"activation": "tanh"})]
    nets = pd.DataFrame({"seed": [0, 0], "activation": ["relu", "tanh"], "loss": ["mse", "mae"], "choices": choices})
    assert list(groups.column(nets, "seed").fillna("none")) == ["warm", "none"]
    assert groups.column(nets, "activation") is nets["activation"] or list(groups.column(nets, "activation")) == [
        "relu",
        "tanh",
    ]
    assert list(groups.column(nets, "loss")) == ["mse", "mae"]


def test_equal_setups_are_one():
    setups = [aj.Setup(), aj.Setup(loss="mae"), aj.Setup(), aj.Setup(until=5)]
    assert groups.setups(pd.DataFrame([setup.row() for setup in setups])).tolist() == [0, 1, 0, 0]


def test_a_mark_stays_with_parts_of_a_table():
    nets = groups.marked(pd.DataFrame({"op": ["add", "mul"], "choices": "{}"}), False)
    parts = [
        nets[nets.op == "add"],
        nets.assign(x=1),
        nets.query("op == 'mul'"),
        *(part for _, part in nets.groupby("op")),
    ]
    assert not any(map(groups.is_sampled, parts))
    assert groups.is_sampled(pd.DataFrame({"choices": ["{}"]})) and not groups.is_sampled(pd.DataFrame({"op": ["add"]}))
