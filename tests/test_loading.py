"""Loading: trial parameters as columns, conditions, descriptions."""

import json

import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.tables import loading, schema
from arithjax.tables.store import Store


@pytest.fixture
def folder(tmp_path):
    """A folder whose trials have these parameters, two nets each."""

    def write(*trials):
        cells = [
            {"trial": t, "seed": seed, **aj.Setup().row(), "grade": "failed", "choices": text}
            for t, text in enumerate(given if isinstance(given, str) else json.dumps(given) for given in trials)
            for seed in range(2)
        ]
        store = Store(tmp_path)
        store.add(pd.DataFrame(cells))
        store.finish()
        return tmp_path

    return write


def test_parameters_are_columns(folder):
    nets = aj.load(folder({"change": "none", "rate": 0.5}, {"change": "wider", "width": 3}))
    assert list(nets.columns) == [*schema.SCHEMA.names, "change", "rate", "width"]
    assert list(nets.change) == ["none", "none", "wider", "wider"]
    assert list(nets.rate.dropna()) == [0.5, 0.5] and list(nets.width.dropna()) == [3, 3]
    assert nets.loc[nets.change == "wider", "rate"].isna().all()


def test_a_column_wins_over_a_parameter_of_its_name(folder):
    there = folder({"op": "mine", "seed": 7, "trial": 9, "exact": "x", "choices": 1})
    nets = aj.load(there)
    pd.testing.assert_frame_equal(nets, Store(there).rows())
    assert json.loads(nets.choices[0])["op"] == "mine"


def test_lists_can_be_grouped_by(folder):
    nets = aj.load(folder({"shape": [64, 64]}, {"shape": []}, {"shape": {"a": 1}}))
    assert list(nets["shape"].unique()) == ["64,64", "", '{"a": 1}']


def test_loading_twice_adds_nothing(folder):
    nets = aj.load(folder({"change": "none"}))
    pd.testing.assert_frame_equal(loading.with_choices(nets), nets)


def test_rows_keep_their_index(folder):
    rows = Store(folder({"change": "a"}, {"change": "b"})).rows().iloc[::-1]
    assert list(loading.with_choices(rows).change) == ["b", "b", "a", "a"]


@pytest.mark.parametrize("text", ["", "{", "3", "[1]", "null", "[" * 100_000])
def test_damaged_parameters_are_one_line(folder, text):
    with pytest.raises(ArithjaxError, match=r"choices=.* is no JSON object.*restore it") as caught:
        aj.load(folder(text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "condition", ["seed > 0", "op == 'mul' and not seed < 1", "change in ['a', 'b'] and seed == 1"]
)
def test_a_condition_on_columns(folder, condition):
    nets = aj.load(folder({"change": "a"}))
    assert list(loading.where(nets, condition, "--where").seed) == [1]


@pytest.mark.parametrize("condition", ["nothing > 1", "seed", "seed.max()", "@pd", "__import__('os')", "seed >", ""])
def test_a_condition_that_is_none(folder, condition):
    nets = aj.load(folder({"change": "a"}))
    with pytest.raises(ArithjaxError, match="--where"):
        loading.where(nets, condition, "--where")


def test_no_folder_and_no_results(tmp_path):
    with pytest.raises(ArithjaxError, match="there is no folder"):
        aj.load(tmp_path / "nowhere")
    with pytest.raises(ArithjaxError, match="holds no results yet"):
        aj.load(tmp_path)
    with pytest.raises(ArithjaxError, match=r"there is no .*study\.json"):
        loading.description(tmp_path)
    assert loading.load_curves(tmp_path) is None


@pytest.mark.parametrize(
    "changes", [{"seed": -1}, {"seed": True}, {"trials": 2**63}, {"by": "op"}, {"name": None}, {"told": "2"}]
)
def test_a_damaged_description_names_the_entry(tmp_path, changes):
    described = {"name": "s", "seed": 0, "trials": 1, "seeds": 1}
    (tmp_path / "study.json").write_text(json.dumps(described))
    assert loading.description(tmp_path) == described
    (tmp_path / "study.json").write_text(json.dumps({**described, **changes}))
    with pytest.raises(ArithjaxError, match=rf"is damaged \({next(iter(changes))}="):
        loading.description(tmp_path)
