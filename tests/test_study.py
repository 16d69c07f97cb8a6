"""Studies: asked, trained, recorded, continued."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies import files, samplers, search, study
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
def test_interrupted_study_ends_in_the_same_bytes(tmp_path, monkeypatch, sampler):
    monkeypatch.setattr(samplers, "ADAPTIVE", 3)
    asked = aj.Study("same", rates, trials=7, seeds=2, sampler=sampler)
    aj.run(asked, tmp_path / "whole")

    class Stop(study.Progress):
        left = 3

        def nets(self, rows):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    while True:
        try:
            aj.run(asked, tmp_path / "parts", progress=Stop())
            break
        except KeyboardInterrupt:
            continue
    assert (tmp_path / "whole/same/nets.parquet").read_bytes() == (tmp_path / "parts/same/nets.parquet").read_bytes()


def test_torn_chunk_is_named_and_trained_again(finished, tmp_path):
    tiny, _, nets = finished
    store = Store(tmp_path / "tiny")
    store.folder.mkdir()
    store.add(nets.iloc[:4])
    chunk = next(store.chunks.glob("*.parquet"))
    chunk.write_bytes(chunk.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=chunk.name):
        again = aj.run(tiny, tmp_path)
    pd.testing.assert_frame_equal(again, nets)


def test_grid_asks_every_combination_in_order(tmp_path):
    def question(trial):
        op = trial.suggest_categorical("op", ["add", "sub"])
        depth = trial.suggest_int("depth", 1, 2) if op == "add" else 1
        return aj.Setup(**{**TINY, "op": op, "widths": (3,) * depth})

    grid = aj.Study("grid", question, sampler="grid", seeds=1)
    expected = [{"op": "add", "depth": 1}, {"op": "add", "depth": 2}, {"op": "sub"}]
    assert list(search.combinations(grid)) == expected
    nets = aj.run(grid, tmp_path)
    assert [json.loads(choices) for choices in nets.choices] == expected


def test_study_file_with_an_operation_of_its_own(tmp_path):
    """The file of 25 lines that README promises: by path, with a new operation, searching widths."""
    file = tmp_path / "cubes.py"
    file.write_text(
        "import arithjax as aj\n"
        'aj.OPERATIONS["cubes"] = aj.Operation("cubes", "a³ + b³", lambda a, b: a**3 + b**3)\n'
        "def question(trial):\n"
        '    widths = [trial.suggest_int("width", 2, 6)]\n'
        '    return aj.Setup(op="cubes", low=0, high=9, widths=widths, steps=30, examples=64, tests=64)\n'
        'study = aj.Study("cubes", question, trials=2, seeds=1)\n'
    )
    command = [sys.executable, "-c", "from arithjax.cli import main; main()", "run", str(file), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "cubes/report.html").exists(), done.stdout
    assert list(aj.load(tmp_path / "cubes").op) == ["cubes", "cubes"]


@pytest.mark.parametrize("path", sorted(files.sweeps().glob("*.py")), ids=lambda path: path.stem)
def test_built_in_studies_run_in_miniature(path, tmp_path):
    built_in = files.load_study(path)
    nets = aj.run(built_in, tmp_path, trials=2, seeds=1, steps=20)
    assert len(nets) == 2
    assert len(aj.load(tmp_path / path.stem)) == 2


def returns_no_setup(trial):
    return 3


def raises(trial):
    return 1 / 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: aj.Study("s", rates, trials=0), "trials=0"),
        (lambda: aj.Study("s", rates, trials=2, seeds=0), "seeds=0"),
        (lambda: aj.Study("s", rates, trials=2, sampler="tpee"), "did you mean 'tpe'"),
        (lambda: aj.Study("a/b", rates, trials=2), "name='a/b'"),
        (lambda: aj.Study("s", "no function", trials=2), "question"),
        (lambda: aj.Study("s", rates, sampler="grid"), "'rate' is continuous"),
        (lambda: aj.Study("s", returns_no_setup, trials=1), "returned a int"),
        (lambda: aj.Study("s", raises, trials=1), "ZeroDivisionError"),
    ],
)
def test_bad_studies(make, words, tmp_path):
    with pytest.raises(ArithjaxError, match=words):
        aj.run(make(), tmp_path)
    assert not list(tmp_path.rglob("*.parquet"))


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
    from arithjax.nets import retrain

    _, out, _ = finished
    assert retrain(out / "tiny", 3)["identical"].all()


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
