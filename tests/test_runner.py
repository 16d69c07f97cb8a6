"""Running studies: asked, trained, recorded, continued. `test_survival.py` kills them."""

import dataclasses
import itertools
import json
import warnings

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies import runner, samplers, study
from arithjax.studies.search import Search
from arithjax.tables import loading, schema
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


def few(trial):
    trial.suggest_categorical("idle", ["a", "b"])
    return aj.Setup(op="add", loss=trial.suggest_categorical("loss", ["mse", "mae", "huber"]), **TINY)


REPEATED = aj.Study("few", few, trials=12, seeds=2, sampler="tpe")


def files_of(folder):
    return {name: (folder / name).read_bytes() for name in ("nets.parquet", "study.json")}


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """A search that asks for few setups again and again, in batches of three trials."""
    out = tmp_path_factory.mktemp("repeated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samplers, "ADAPTIVE", 3)
        return out, aj.run(REPEATED, out)


def test_a_net_that_is_asked_for_again_is_not_trained_again(repeated):
    out, nets = repeated
    described = loading.description(out / "few")
    setups = nets.drop_duplicates("trial").set_index("trial")["loss"]
    assert setups.is_unique and len(nets) == 2 * len(setups)
    repeats = {int(number): one for number, one in described["repeats"].items()}
    assert sorted([*setups.index, *repeats]) == list(range(12)) and len(repeats) >= 9
    for number, one in repeats.items():
        assert one["of"] < number and one["choices"]["loss"] == setups[one["of"]]
    assert {one["choices"]["idle"] for one in repeats.values()} == {"a", "b"}  # they may differ in what changes nothing
    assert aj.summarise(nets).nets.item() == len(nets)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_repeated_trials_are_rebuilt_after_an_interruption(repeated, tmp_path, monkeypatch, after):
    monkeypatch.setattr(samplers, "ADAPTIVE", 3)
    seen = []

    class Stop(study.Progress):
        def nets(self, rows):
            seen.append(len(rows))
            if len(seen) == after:
                raise KeyboardInterrupt

    try:
        aj.run(REPEATED, tmp_path, progress=Stop())
    except KeyboardInterrupt:
        aj.run(REPEATED, tmp_path)
    assert files_of(tmp_path / "few") == files_of(repeated[0] / "few")
    calls = []
    aj.run(REPEATED, tmp_path, progress=count_training(calls))
    assert calls == [] and files_of(tmp_path / "few") == files_of(repeated[0] / "few")


@pytest.mark.parametrize("changes", [{"sampler": "nsga2"}, {"sampler": "random"}, {"halving": (0.5,), "seeds": 1}])
def test_every_sampler_and_halving_know_repeated_trials(tmp_path, monkeypatch, changes):
    monkeypatch.setattr(samplers, "ADAPTIVE", 6)
    asked = dataclasses.replace(REPEATED, **changes)
    nets = aj.run(asked, tmp_path)
    assert len(nets) == 3 * asked.seeds and (nets.groupby("trial").loss.nunique() == 1).all()
    assert len(loading.description(tmp_path / "few")["repeats"]) == 9
    before = files_of(tmp_path / "few")
    aj.run(asked, tmp_path)
    assert files_of(tmp_path / "few") == before


def test_a_search_is_told_what_a_repeated_trial_achieves():
    found = Search(REPEATED, 12)
    asked = found.ask(range(12))
    repeats = found.first_of(asked, ())
    firsts = [number for number in asked if number not in repeats]
    found.tell(asked, pd.DataFrame({"error": [float(n) for n in firsts]}, firsts), repeats)
    assert [trial.values for trial in found.history] == [[float(repeats.get(n, n))] for n in range(12)]


def test_a_table_of_an_earlier_version_keeps_its_repeated_rows(repeated, tmp_path):
    """Its nets are told to the search as they are, and count once."""
    out, nets = repeated
    described = loading.description(out / "few")
    repeats = {int(number): one for number, one in described.pop("repeats").items()}
    copies = [
        nets[nets.trial == one["of"]].assign(trial=number, choices=json.dumps(one["choices"], sort_keys=True))
        for number, one in repeats.items()
    ]
    store = Store(tmp_path / "few")
    store.folder.mkdir()
    store.write("study.json", json.dumps(described).encode())
    store.add(pd.concat([nets, *copies], ignore_index=True))
    calls = []
    again = aj.run(REPEATED, tmp_path, progress=count_training(calls))
    assert calls == [] and len(again) == 24
    pd.testing.assert_frame_equal(aj.summarise(again), aj.summarise(nets))


def test_fewer_trials_are_a_part_of_what_is_there(finished):
    tiny, out, nets = finished
    part = aj.run(tiny, out, trials=4, seeds=1)
    pd.testing.assert_frame_equal(part, nets[(nets.trial < 4) & (nets.seed < 1)].reset_index(drop=True))
    assert len(aj.load(out / "tiny")) == len(nets)


def test_a_run_knows_whether_its_setups_are_a_sample(finished, repeated, tmp_path):
    assert aj.summarise(finished[2]).interval.item() == "Wilson by setups"
    assert aj.summarise(repeated[1]).interval.item() == "Wilson"  # all 6 combinations were asked for
    grid = aj.run(aj.Study("few", few, sampler="grid", seeds=1), tmp_path)
    assert aj.summarise(grid).interval.item() == aj.summarise(aj.load(tmp_path / "few")).interval.item() == "Wilson"


def test_other_code_is_no_matter_once_all_nets_are_there_those_of_repeated_trials_too(tmp_path):
    def question(trial):
        trial.suggest_categorical("name", ["one", "same"])
        return aj.Setup(op="add", **TINY)

    asked = aj.Study("twice", question, sampler="grid", seeds=1, source="x = 0")
    assert len(aj.run(asked, tmp_path)) == 1
    aj.run(dataclasses.replace(asked, source="x = 1"), tmp_path)  # a warning would be an error
    with pytest.warns(UserWarning, match="code has changed"):
        aj.run(dataclasses.replace(asked, source="x = 2"), tmp_path, seeds=2)
