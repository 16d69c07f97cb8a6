"""Statistics: intervals with known answers, summaries by groups, comparisons."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.tables import statistics


def test_wilson_interval():
    for k, n in [(98, 100), (31, 100), (0, 100), (25, 25), (1, 3)]:
        expected = binomtest(k, n).proportion_ci(method="wilson")
        np.testing.assert_allclose(statistics.wilson(k, n), expected, atol=1e-12)


def test_wilson_takes_arrays_and_stays_within_0_and_1():
    k = np.arange(17)
    low, high = statistics.wilson(k, 16 + 0 * k)
    assert ((low >= 0) & (low <= k / 16) & (k / 16 <= high) & (high <= 1)).all()
    np.testing.assert_allclose(low, 1 - high[::-1], atol=1e-12)


def test_newcombe_interval():
    """The example of Newcombe (1998), table II, (a), method 10."""
    np.testing.assert_allclose(statistics.newcombe(48, 80, 56, 70), (0.0524, 0.3339), atol=5e-5)


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
    assert list(summary.rate) == [1.0, 0.0]
    assert list(summary.dead_rate) == [0.0, 0.5]
    assert summary.solved_at["add"] == 15.0
    assert aj.summarise(nets).nets.item() == 4
    with pytest.raises(ArithjaxError, match="did you mean 'grade'"):
        aj.summarise(nets, by=["grad"])


def test_groups_by_a_parameter_with_the_name_of_a_summarys_column():
    summary = aj.summarise(table(rate=[0.1, 0.2, 0.1, 0.2]), by=["rate"])
    assert list(summary.index) == [0.1, 0.2]
    assert list(summary["rate"]) == [0.5, 0.5]


def test_missing_values_are_a_group():
    assert len(aj.summarise(table(clip=[1.0, np.nan, 1.0, np.nan]), by="clip")) == 2


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
    a, b = table(), table(success=[True, True, True, True])
    compared = statistics.compare(a, b).iloc[0]
    assert (compared.rate_a, compared.rate_b, compared.difference) == (0.5, 1.0, 0.5)
    np.testing.assert_allclose((compared.low, compared.high), statistics.newcombe(2, 4, 4, 4))
    assert compared.p == pytest.approx(3 / 7)  # by hand: 2 * C(4,2) * C(4,4) / C(8,6)
    only = statistics.compare(a[a.op == "add"], b, ["op"])
    assert only.loc["mul"].isna().tolist() == [True, True, False, False, True, True, True, True]
