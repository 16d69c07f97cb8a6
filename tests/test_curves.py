"""Curves over training: of the very nets of a table, kept beside it, and right about what is dead."""

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.studies import recording as keeping
from arithjax.tables import loading
from arithjax.training import curves as recording

QUICK = {"op": "mul", "batch": 16, "steps": 40, "examples": 64, "tests": 64}
NARROW = aj.Setup(**QUICK, widths=(4, 3), activation="relu", input_transform="raw", output_activation="relu")
WIDE = aj.Setup(**QUICK, widths=(96,), activation="tanh")


@pytest.fixture(scope="module")
def curves():
    return recording.curves([NARROW, WIDE], seeds=5, seed=3)


def test_steps_are_even_in_the_logarithm_and_end_at_the_last():
    assert recording.recorded_steps(1) == [0, 1]
    steps = recording.recorded_steps(10_000)
    assert steps[:3] == [0, 1, 2]
    assert steps[-1] == 10_000
    assert np.diff(np.log10(steps[6:])).max() < 0.2


def test_the_recorded_nets_are_those_of_the_table(curves):
    nets = aj.train([NARROW, WIDE], seeds=5, seed=3)
    last = curves[curves["step"] == 40].reset_index(drop=True)
    assert list(zip(last["trial"], last["seed"], strict=True)) == list(zip(nets["trial"], nets["seed"], strict=True))
    np.testing.assert_allclose(last["mse"], nets["mse"], rtol=1e-5)  # summed in float64 here, in float32 there
    assert list(last["constant"]) == list(nets["dead"])


def test_a_row_a_net_and_step(curves):
    assert len(curves) == 2 * 5 * len(recording.recorded_steps(40))
    assert not curves.duplicated(["trial", "seed", "step"]).any()
    assert (curves["gradient_norm"][~curves["constant"]] > 0).all()
    assert curves["dead_units"].between(0, 1).all()


def test_dead_units_are_counted_in_all_hidden_layers(curves):
    narrow = curves[curves["trial"] == 0]
    assert set(narrow["dead_units"].mul(7).round(4)) <= set(range(8))  # of 4 + 3 units
    assert (curves[curves["trial"] == 1]["dead_units"] == 0).all()  # tanh does not die
    dead = narrow[narrow["dead_units"] == 1]
    assert dead["constant"].all()


def test_a_module_of_ones_own_has_no_units_to_count(add):
    import flax.linen as nn

    class Line(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(1)(x)

    add(aj.MODELS, aj.FlaxModel("line", lambda setup: Line()))
    recorded = recording.curves([aj.Setup(**QUICK, model="line")], seeds=2)
    assert recorded["dead_units"].isna().all()
    assert (recorded["gradient_norm"] > 0).all()


def test_a_study_keeps_its_curves_and_records_none_twice(tmp_path, monkeypatch):
    def question(trial):
        return NARROW.replace(op=trial.suggest_categorical("op", ["add", "mul"]))

    study = aj.Study("curved", question, sampler="grid", seeds=3, curves=2)
    aj.run(study, tmp_path)
    kept = loading.load_curves(tmp_path / "curved")
    assert set(zip(kept["trial"], kept["seed"], strict=True)) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    half = kept[(kept["trial"] == 0)]
    half.to_parquet(tmp_path / "curved" / loading.CURVES)
    aj.run(study, tmp_path)
    pd.testing.assert_frame_equal(loading.load_curves(tmp_path / "curved"), kept)
    monkeypatch.setattr(keeping, "record", None)  # would fail if anything were left to record
    aj.run(study, tmp_path)


def test_curves_that_cannot_be_read(tmp_path):
    (tmp_path / loading.CURVES).write_bytes(b"not parquet")
    with pytest.raises(aj.ArithjaxError, match="cannot be read"):
        loading.load_curves(tmp_path)
