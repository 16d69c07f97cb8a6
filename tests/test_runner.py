"""Running studies: asked, trained, recorded, continued. `test_survival.py` kills them."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies import runner, samplers, study
from arithjax.tables import schema
from arithjax.tables.store import Store

TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}


def rates(trial):
    return aj.Setup(op="add", learning_rate=trial.suggest_float("rate", 1e-3, 1e-1, log=True), **TINY)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    tiny = aj.Study("tiny", rates, trials=6, seeds=2)
    return tiny, out, aj.run(tiny, out)


def count_training(progress_calls):
    class Counting(study.Progress):
        def nets(self, rows):
            progress_calls.append(len(rows))

    return Counting()


def test_every_net_is_a_row_once(finished):
    _, out, nets = finished
    assert list(zip(nets.trial, nets.seed, strict=True)) == [(t, s) for t in range(6) for s in range(2)]
    pd.testing.assert_frame_equal(Store(out / "tiny").rows(), nets)
    assert set(schema.SCHEMA.names) == set(nets.columns)


def test_second_run_trains_nothing_and_changes_nothing(finished):
    tiny, out, _ = finished
    before = {path.name: path.read_bytes() for path in (out / "tiny").glob("*.*")}
    calls = []
    aj.run(tiny, out, progress=count_training(calls))
    assert calls == []
    assert {path.name: path.read_bytes() for path in (out / "tiny").glob("*.*")} == before


def test_more_trials_and_seeds_keep_what_is_there(finished, tmp_path):
    tiny, _, nets = finished
    aj.run(tiny, tmp_path, trials=4, seeds=1)
    calls = []
    more = aj.run(tiny, tmp_path, progress=count_training(calls))
    assert sum(calls) == 12 - 4
    pd.testing.assert_frame_equal(more, nets)


@pytest.mark.parametrize("sampler", ["tpe", "random", "quasi-random"])
def test_interrupted_study_ends_in_the_same_bytes(tmp_path, monkeypatch, sampler, in_parts):
    monkeypatch.setattr(samplers, "ADAPTIVE", 3)
    asked = aj.Study("same", rates, trials=7, seeds=2, sampler=sampler)
    aj.run(asked, tmp_path / "whole")
    moments = itertools.cycle([True, False])
    assert in_parts(asked, tmp_path / "parts", lambda rows: next(moments))
    assert (tmp_path / "whole/same/nets.parquet").read_bytes() == (tmp_path / "parts/same/nets.parquet").read_bytes()


def test_another_question_in_the_folder_is_refused(finished):
    _, out, _ = finished
    before = (out / "tiny/nets.parquet").read_bytes()

    def other(trial):
        return rates(trial).replace(widths=(4,))

    with pytest.raises(ArithjaxError, match="differs in widths"):
        aj.run(aj.Study("tiny", other, trials=6, seeds=2), out)
    with pytest.raises(ArithjaxError, match="seed"):
        aj.run(aj.Study("tiny", rates, trials=6, seeds=2, seed=5), out)
    assert (out / "tiny/nets.parquet").read_bytes() == before


def test_a_second_writer_is_refused(finished):
    tiny, out, _ = finished
    with Store(out / "tiny").lock(), pytest.raises(ArithjaxError, match="another run"):
        aj.run(tiny, out)


@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense", b"\x00" * 100])
def test_broken_tables_are_refused_and_left_alone(finished, tmp_path, content):
    tiny, out, _ = finished
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "study.json").write_bytes((out / "tiny/study.json").read_bytes())
    (folder / "nets.parquet").write_bytes(content)
    for use in (lambda: aj.load(folder), lambda: aj.run(tiny, tmp_path)):
        with pytest.raises(ArithjaxError, match=r"nets\.parquet"):
            use()
    assert (folder / "nets.parquet").read_bytes() == content


def test_retrain_is_identical(finished):
    _, out, _ = finished
    assert aj.retrain(out / "tiny", 3)["identical"].all()


def test_a_saved_net_answers_as_before(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = aj.fit(aj.Setup(op="add", **TINY), seeds=2)
    net.save(tmp_path / "a.net")
    again = aj.load_net(tmp_path / "a.net")
    x = np.array([[1, 2], [300, 4], [499, 499]])
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    assert again.setup == net.setup
    whole = (tmp_path / "a.net").read_bytes()
    for broken in (b"", whole[:50], whole[: len(whole) // 2], b"x" * 300):
        (tmp_path / "b.net").write_bytes(broken)
        with pytest.raises(ArithjaxError, match=r"b\.net"):
            aj.load_net(tmp_path / "b.net")


def test_run_refuses_what_is_no_study_and_no_count(tmp_path):
    with pytest.raises(ArithjaxError, match="study is a str; it has to be an arithjax Study"):
        aj.run("question", tmp_path)
    tiny = aj.Study("tiny", rates, trials=2, seeds=1)
    for changes in ({"trials": 0}, {"seeds": 1.5}, {"steps": -1}):
        with pytest.raises(ArithjaxError, match=f"{next(iter(changes))}=.*at least 1"):
            aj.run(tiny, tmp_path, **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sampler", ["tpe", "random", "quasi-random"])
def test_asked_nets_are_those_of_a_run(finished, sampler):
    asked = aj.Study("asked", rates, trials=40, seeds=3, sampler=sampler)
    batches = list(runner.asked_nets(asked, seeds=2, steps=20))
    assert [len(nets) for nets in batches] == {"tpe": [64], "random": [80], "quasi-random": [2, 78]}[sampler]
    assert {net.setup.steps for nets in batches for net in nets} == {20}
    if sampler == "random":
        _, _, nets = finished
        assert [net.setup.learning_rate for net in batches[0][:12]] == list(nets.learning_rate)


def test_progress_is_told_how_much_there_is(finished, tmp_path):
    tiny, _, _ = finished
    said = []

    class Listen(study.Progress):
        def begin(self, *counts):
            said.append(counts)

        def steps(self, count):
            said.append(count)

    aj.run(tiny, tmp_path, trials=2)
    assert said == []
    aj.run(tiny, tmp_path, progress=Listen())
    assert said[0] == (12, 4, 8 * 30)
    assert sum(said[1:]) == 8 * 30
