"""Objectives: bounded numbers a trial, and the Pareto front."""

import itertools

import numpy as np
import pandas as pd
import pytest

from arithjax.errors import ArithjaxError
from arithjax.tables import objectives


def nets(**columns):
    given = {
        "trial": [0, 0, 1, 1],
        "grade": ["exact", "learned", "dead", "learned"],
        "op": ["add", "add", "mul", "mul"],
        "parameters": [9, 9, 5, 5],
        "steps": 100,
        "solved_at": [10.0, 20.0, np.nan, np.nan],
        "relative_rmse": [0.001, 0.1, 1.0, 10.0],
        "extrapolation_relative_rmse": [1.0, 1.0, np.nan, np.inf],
    }
    return pd.DataFrame({**given, **columns})


def test_objective_is_bounded():
    rows = pd.DataFrame({"trial": [0, 0, 1, 1], "relative_rmse": [np.nan, np.inf, 0.0, 0.0]})
    assert list(objectives.objectives(rows).error) == [objectives.WORST, objectives.BEST]


def test_objectives_are_medians_over_a_trials_nets():
    values = objectives.objectives(nets(), list(objectives.OBJECTIVES))
    np.testing.assert_allclose(values["error"], [-2.0, 0.5])
    np.testing.assert_allclose(values["extrapolation"], [0.0, objectives.WORST])
    assert list(values["parameters"]) == [9, 5]
    assert list(values["steps"]) == [15, 200]


def test_front_is_what_nothing_dominates():
    generator = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "trial": range(200),
            "grade": "dead",
            "parameters": generator.integers(1, 9, 200),
            "relative_rmse": 10.0 ** generator.integers(-4, 2, 200),
        }
    )
    values = objectives.objectives(table, ("error", "parameters")).to_numpy()
    front = objectives.front(table)
    for trial, point in enumerate(values):
        dominated = any((other <= point).all() and (other < point).any() for other in values)
        assert (trial in front.index) != dominated
    assert front["error"].is_monotonic_increasing


def test_front_has_rates_and_the_fields_that_vary():
    front = objectives.front(nets())
    assert list(front.index) == [0, 1]
    assert list(front.columns) == ["error", "parameters", "rate", "op"]
    assert list(front["rate"]) == [1.0, 0.5]


@pytest.mark.parametrize("names", ["error", (), ("error", "error"), 3, None, {"error"}])
def test_names_that_are_none(names):
    with pytest.raises(ArithjaxError, match=r"objectives=.*name one or several"):
        objectives.check_objectives(names)


def test_unknown_names():
    with pytest.raises(ArithjaxError, match="unknown objective 'eror'; did you mean 'error'"):
        objectives.check_objectives(("eror",))
    with pytest.raises(ArithjaxError, match="name one or several of error, extrapolation, parameters, steps, mape"):
        objectives.check_objectives((), {"mape": None})
    for names in itertools.permutations(objectives.OBJECTIVES, 2):
        assert objectives.check_objectives(list(names)) == names


def test_a_front_over_a_field_with_the_name_of_an_objective():
    measured = {"solved_at": [5.0, 50.0], "relative_rmse": [0.1, 0.01], "grade": "rough"}
    nets = pd.DataFrame({"trial": [0, 1], "seed": 0, "steps": [10, 100], **measured})
    front = objectives.front(nets, ("error", "steps"))
    assert front["steps"].to_list() == [50.0, 5.0] and front["steps (field)"].to_list() == [100, 10]
