"""Statistics: intervals with known answers, summaries by groups, comparisons."""

import json

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.report import rate_of
from arithjax.tables import groups, intervals, loading, statistics


def table(**columns):
    nets = {
        "op": ["add", "add", "mul", "mul"],
        "grade": ["learned", "exact", "dead", "diverged"],
        "success": [True, True, False, False],
        "relative_rmse": [0.005, 0.0, 1.0, np.nan],
        "extrapolation_relative_rmse": [0.1, 0.0, 1.0, np.nan],
        "solved_at": [10.0, 20.0, np.nan, np.nan],
        "beats": ["plane", "plane", "zero", "none"],
        "trial": [0, 0, 1, 1],
        "parameters": [9, 9, 5, 5],
    }
    return pd.DataFrame({**nets, **columns})


def test_summary_of_grades():
    nets = table()
    summary = aj.summarise(nets, by=["op"])
    assert list(summary.columns[:6]) == ["nets", "rate", "rate_low", "rate_high", "setups", "interval"]
    assert list(summary.rate) == [1.0, 0.0]
    assert list(summary.dead_rate) == [0.0, 0.5]
    assert summary.solved_at["add"] == 15.0
    assert aj.summarise(nets[:0]).empty
    with pytest.raises(ArithjaxError, match="did you mean 'grade'"):
        aj.summarise(nets, by=["grad"])


def test_operations_are_never_pooled():
    nets = table(bias=[True, False, True, True], low=[0, 0, 0, 1], high=[9, 9, 9, 9])
    assert aj.summarise(nets).rate.to_dict() == {"add": 1.0, "mul": 0.0}
    by_bias = aj.summarise(nets, ["bias"])
    assert by_bias.rate.to_dict() == {(False, "add"): 1.0, (True, "add"): 1.0, (True, "mul"): 0.0}
    assert list(aj.summarise(nets).ranges) == [1, 2]
    assert list(aj.summarise(nets[nets.op == "mul"], ["bias"]).index) == [True]


def test_only_successes_have_a_step_at_which_they_were_solved():
    nets = table(op=["mul"] * 4, solved_at=[10.0, 30.0, 500.0, np.nan])
    assert aj.summarise(nets).solved_at.item() == 20.0


def test_nets_that_diverge_have_an_infinite_error_and_those_without_a_range_beyond_have_none():
    nets = table(op=["mul"] * 4, extrapolation_relative_rmse=[np.nan] * 4)
    assert np.isinf(aj.summarise(nets).extrapolation_relative_rmse.item())  # one diverged
    assert np.isnan(aj.summarise(nets[:3]).extrapolation_relative_rmse.item())


@pytest.mark.parametrize("name", ["rate", "nets", "setups", "learning rate", "trial", "seed", "op", "share.of:x"])
def test_groups_by_a_parameter_of_any_name(name):
    """Columns of the table and of the summary have names of their own, even where a study's parameter is called so."""
    choices = [json.dumps({name: value}) for value in ("p", "q", "p", "p")]
    nets = loading.with_choices(table(op=["mul"] * 4, trial=[0, 1, 2, 3], seed=[0] * 4, choices=choices))
    summary = aj.summarise(nets, by=[name])
    assert list(summary.index) == ["p", "q"]
    assert list(summary.reset_index().iloc[:, 0]) == ["p", "q"]  # under a name of its own
    assert list(summary["nets"]) == [3, 1] and list(summary["rate"]) == [1 / 3, 1.0]
    assert aj.compare(nets, nets, [name]).p.tolist() == [1.0, 1.0]


def test_missing_values_are_a_group():
    assert len(aj.summarise(table(op=["mul"] * 4, clip=[1.0, np.nan, 1.0, np.nan]), by="clip")) == 2


def test_baselines_beaten():
    shares = statistics.yardsticks(table(), ["op"])
    assert shares.loc["add"].to_list() == [1.0, 1.0, 1.0]
    assert shares.loc["mul"].to_list() == [0.5, 0.0, 0.0]


def test_what_varies_and_the_default_groups():
    nets = table(until=[None, 8, None, 8], bias=[True] * 4, loss=["mse", "mae", "mse", "mae"], steps=[1, 2, 3, 4])
    assert statistics.varied(nets) == ["op", "loss", "steps", "until"]
    assert statistics.default_by(nets) == ["op", "loss"]


def test_setups_by_success():
    setups = statistics.setups_table(table())
    assert list(setups.index) == [0, 1]
    assert list(setups.columns[:3]) == ["op", "parameters", "nets"]


def test_comparison_of_two_tables():
    a, b = table(op=["add"] * 4), table(op=["add"] * 4, success=[True] * 4)
    compared = statistics.compare(a, b).iloc[0]
    assert (compared.rate_a, compared.rate_b, compared.difference) == (0.5, 1.0, 0.5)
    np.testing.assert_allclose((compared.low, compared.high), statistics.newcombe(2, 4, 4, 4))
    assert compared.p == pytest.approx(3 / 7)  # by hand: 2 * C(4,2) * C(4,4) / C(8,6)
    assert compared.test == "Fisher"
    only = statistics.compare(a, table(), ["op"])
    assert only.loc["mul"].isna().tolist() == [True, True, False, False, True, True, True, True, True]


def sampled(successes, seeds=4):
    """A table of sampled setups with so many successes each."""
    rows = [(trial, seed, seed < good) for trial, good in enumerate(successes) for seed in range(seeds)]
    nets = pd.DataFrame(rows, columns=["trial", "seed", "success"])
    nets["learning_rate"] = 0.1 * (1 + nets.trial)
    measured = {
        "grade": "rough",
        "relative_rmse": 0.5,
        "extrapolation_relative_rmse": 2.0,
        "solved_at": 1.0,
        "mse": 0.1,
    }
    return groups.marked(nets.assign(op="mul", choices="{}", study="s", parameters=3, **measured), True)


def test_rates_know_whether_setups_were_sampled():
    nets = sampled([4, 4, 4, 0, 0, 0, 0, 0, 0, 0])
    assert aj.summarise(nets)[["nets", "rate", "setups", "interval"]].iloc[0].tolist() == [
        40,
        0.3,
        10,
        "Wilson by setups",
    ]
    (low,), (high,), _ = intervals.of_setups(nets.groupby("trial").success.sum(), [4] * 10, [0] * 10)
    assert aj.summarise(nets)[["rate_low", "rate_high"]].iloc[0].tolist() == [low, high]
    assert high - low > 0.5  # from ten setups
    cells = aj.summarise(groups.marked(nets.copy(), False)).iloc[0]
    np.testing.assert_allclose((cells.rate_low, cells.rate_high), statistics.wilson(12, 40))
    one = aj.summarise(nets, ["trial"])
    assert set(one.interval) == {"Wilson"} and list(one.nets) == [4] * 10  # seeds of one setup are independent
    nets["which"] = np.where(nets.trial == 3, "three", "another")  # no part is more certain than the whole
    three = aj.summarise(nets, ["which"]).loc["three"]
    assert [three.setups, three.rate_low, three.rate_high, three.interval] == [1, 0.0, 1.0, "Wilson by setups"]
    unknown = nets.copy()
    unknown.attrs.clear()
    assert aj.summarise(unknown).interval.item() == "Wilson by setups"  # with a study's choices
    assert aj.summarise(unknown.drop(columns="choices")).interval.item() == "Wilson"


def test_a_net_counts_once():
    """A table of an earlier version holds the nets of repeated trials several times."""
    nets = sampled([4, 4, 0])
    nets["mse"] = nets.trial + 0.1 * nets.seed
    again = pd.concat([nets, nets.assign(trial=nets.trial + 3), nets.assign(trial=nets.trial + 6)], ignore_index=True)
    for table_of in (aj.summarise, statistics.setups_table, lambda nets: statistics.compare(nets, nets)):
        pd.testing.assert_frame_equal(table_of(again), table_of(nets))
    assert rate_of(again) == rate_of(nets)
    other_root = nets.assign(mse=nets.mse + 5, trial=nets.trial + 3)  # the same setups from other seeds
    assert aj.summarise(pd.concat([nets, other_root], ignore_index=True)).nets.item() == 24


def test_comparison_of_sampled_setups():
    few, many = sampled([0] * 12), sampled([4] * 12)
    assert statistics.compare(few, many)[["p", "test"]].iloc[0].tolist() == [0.5 / 2000, "permutation"]
    cell = groups.marked(sampled([12], seeds=12), False)
    mixed = statistics.compare(few, cell).iloc[0]  # 12 setups without a success count as 12 nets
    assert mixed.test == "Fisher, effective" and mixed.p == pytest.approx(intervals.fisher(0, 12, 12, 12))


def test_rows_of_a_summary_in_the_order_of_their_labels():
    nets = table(op=["mul"] * 4, bias=["p", "q", "p", "q"], steps=["17", "7", "7", "7"])
    summary = aj.summarise(nets, ["bias", "steps"])
    orders = [["q", "none", "p"], ["7", "17"]]
    assert list(statistics.in_order(summary, orders).index) == [("q", "7"), ("p", "7"), ("p", "17")]
    assert list(statistics.in_order(summary, orders[:1]).index) == [("q", "7"), ("p", "17"), ("p", "7")]
    assert list(statistics.in_order(aj.summarise(nets, ["steps"]), orders[1:]).index) == ["7", "17"]
    pd.testing.assert_frame_equal(statistics.in_order(aj.summarise(nets), []), aj.summarise(nets))


def test_the_best_of_each_choice():
    nets = sampled([4, 0, 0]).assign(activation=np.repeat(["square", "relu", "relu"], 4))
    nets["relative_rmse"] = np.repeat([0.001, 0.5, 0.2], 4)
    best = statistics.best_of_choices(nets, ["activation"])
    assert best.to_dict("records") == [
        {"choice": "activation", "value": "square", "setups": 1, "rate": 1.0, "relative_rmse": 0.001},
        {"choice": "activation", "value": "relu", "setups": 2, "rate": 0.0, "relative_rmse": 0.2},
    ]
