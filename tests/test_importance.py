"""Importance of parameters: what matters most, with an interval, and when nothing is said."""

import dataclasses

import pandas as pd
import pytest

import arithjax as aj
from arithjax.studies import search
from arithjax.studies.importance import FEWEST, importance

TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}


def question(trial):
    trial.suggest_float("idle", 0.0, 1.0)
    loss = trial.suggest_categorical("loss", ["mse", "mae"])
    high = trial.suggest_categorical("high", [50, 500])
    return aj.Setup(
        op="add", loss=loss, high=high, learning_rate=trial.suggest_float("rate", 1e-3, 1e-1, log=True), **TINY
    )


STUDY = aj.Study("s", question, trials=60)


@pytest.fixture(scope="module")
def rows():
    """A table whose errors are the learning rates."""
    asked = search.Search(STUDY, 60).ask(range(60))
    cells = [
        {**one.setup.row(), "trial": n, "choices": one.choices, "relative_rmse": one.params["rate"]}
        for n, one in asked.items()
    ]
    return pd.DataFrame(cells)


def test_importance_of_what_matters(rows):
    shares = importance(rows, STUDY)
    assert set(shares) == {"loss", "rate", "idle"}  # not the range of numbers
    assert next(iter(shares)) == "rate" and sum(share for share, *_ in shares.values()) == pytest.approx(1)
    assert all(0 <= low <= high <= 1 for _, low, high in shares.values())
    assert shares["rate"][1] > 0.5 and shares["idle"][2] - shares["idle"][1] > 0.01


def test_nothing_is_said_of_few_setups_of_searches_and_of_several_operations(rows):
    assert importance(rows[: FEWEST - 1], STUDY) == {}
    for changes in ({"sampler": "tpe"}, {"halving": (0.5,)}):
        assert importance(rows, dataclasses.replace(STUDY, **changes)) == {}
    assert importance(rows.assign(op=["add", "mul"] * 30), STUDY) == {}
