"""Successive halving: who stops, that the others do not notice, and that an interruption changes nothing."""

import dataclasses

import pandas as pd
import pytest

import arithjax as aj
from arithjax import nets
from arithjax.errors import ArithjaxError
from arithjax.studies import halving, runner, search, study

SHARES = (0.2, 0.5)
TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 40, "evaluate_every": 7, "examples": 64}


def rates(trial):
    rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    return aj.Setup(op="add", tests=64, learning_rate=rate, **TINY)


WHOLE = aj.Study("tiny", rates, trials=9, seeds=2)
HALVED = dataclasses.replace(WHOLE, halving=SHARES)


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    out = tmp_path_factory.mktemp("halved")
    return out, aj.run(HALVED, out)


def content(out):
    return {name: (out / "tiny" / name).read_bytes() for name in ("nets.parquet", "study.json")}


def test_the_worse_half_stops(halved):
    setups = {n: one.setup for n, one in search.Search(HALVED, 9).ask(range(9)).items()}
    left, expected = list(setups), {}
    for share in SHARES:
        step = int(share * 40)
        table = aj.train([setups[n].replace(until=step) for n in left], seeds=2)
        error = table.groupby("trial").relative_rmse.median()
        for place in error.sort_values(kind="stable").index[len(left) - len(left) // 2 :]:
            expected[left[place]] = step
        left = [n for n in left if n not in expected]
    assert sorted(expected.values()) == [8, 8, 8, 8, 20, 20]
    until = halved[1].groupby("trial").until.first().dropna()
    assert until.to_dict() == expected
    assert (halved[1].trained_steps == halved[1].until.fillna(40)).all()


def test_who_goes_on_is_as_without_halving(halved, tmp_path):
    whole = aj.run(WHOLE, tmp_path)
    finalists = halved[1][halved[1].until.isna()].reset_index(drop=True)
    same = whole[whole.trial.isin(finalists.trial)].reset_index(drop=True)
    pd.testing.assert_frame_equal(finalists, same)


def test_who_stops_is_as_it_was_there(halved):
    row = halved[1][halved[1].until == 20].iloc[0]
    again = nets.retrain(halved[0] / "tiny", row.name)
    assert again["identical"].all()
    whole = aj.train([search.Search(HALVED, 9).ask(range(9))[row.trial].setup], seeds=2)
    assert whole.mse[row.seed] != row.mse


@pytest.mark.parametrize("after", [0, 1])
def test_interrupted_at_each_stage_and_continued(halved, tmp_path, after):
    seen = []

    class Stop(study.Progress):
        def nets(self, rows):
            seen.append(len(rows))
            if len(seen) > after:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        aj.run(HALVED, tmp_path, progress=Stop())
    assert len(aj.load(tmp_path / "tiny")) == sum(seen) < 18
    aj.run(HALVED, tmp_path)
    assert content(tmp_path) == content(halved[0])


def test_more_seeds_stop_with_the_others(halved, tmp_path):
    aj.run(HALVED, tmp_path)
    more = aj.run(HALVED, tmp_path, seeds=3)
    pd.testing.assert_frame_equal(more[more.seed < 2].reset_index(drop=True), halved[1])
    assert (more.groupby("trial").until.nunique(dropna=False) == 1).all()
    with pytest.raises(ArithjaxError, match="seeds=1 is fewer than the 2"):
        aj.run(HALVED, tmp_path, seeds=1)


def test_a_search_learns_from_where_setups_stopped(tmp_path):
    adaptive = dataclasses.replace(HALVED, sampler="tpe", trials=40)
    once = aj.run(adaptive, tmp_path / "once", seeds=1)
    assert once[once.trial < 32].until.value_counts().to_dict() == {8: 16, 20: 8}
    assert once[once.trial >= 32].until.value_counts().to_dict() == {8: 4, 20: 2}
    calls = []

    class Count(study.Progress):
        def nets(self, rows):
            calls.append(len(rows))

    pd.testing.assert_frame_equal(aj.run(adaptive, tmp_path / "once", seeds=1, progress=Count()), once)
    assert calls == []


def test_the_work_is_told_before(halved):
    assert halving.work(SHARES) == 0.2 + 0.25 + 0.25
    stages = list(runner.asked_nets(HALVED))
    assert [len(nets) for nets in stages] == [18, 10, 6]
    assert [nets[0].setup.last_step for nets in stages] == [8, 20, 40]


@pytest.mark.parametrize("shares", [(0.5, 0.2), (0,), (1.0,), "half", (0.1, 0.1), 3])
def test_shares_that_are_none(shares):
    with pytest.raises(ArithjaxError, match=r"halving=.*growing shares"):
        aj.Study("tiny", rates, trials=9, halving=shares)


def test_refused(halved, tmp_path):
    with pytest.raises(ArithjaxError, match=r"halving=0\.2 of the steps=4 of trial 0 is no step"):
        aj.run(HALVED, tmp_path, steps=4)
    with pytest.raises(ArithjaxError, match=r"trials=12 is another study .* give --trials 9"):
        aj.run(HALVED, halved[0], trials=12)
    with pytest.raises(ArithjaxError, match="halving"):
        aj.run(WHOLE, halved[0])
