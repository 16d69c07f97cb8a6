"""Data sets: examples of one's own wherever an operation goes, known by their content, from arrays and from files."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax import OPERATIONS, ArithjaxError, Dataset, Setup
from arithjax.cli import main
from arithjax.report import recipes
from arithjax.studies import files
from arithjax.tables import loading
from arithjax.task.points import Task

PAIRS = [[0, 5], [1, 1], [2, 3], [3, 7], [4, 3], [5, 9], [7, 7], [13, 13]]
PRODUCTS = [a * b for a, b in PAIRS]
QUICK = {"widths": [4], "activation": "square", "learning_rate": 0.02, "schedule": "cosine", "steps": 4000}
MEASURED = [0.1, 0.9, 4.2, 8.8, 16.3, 24.9, 36.2, 48.7, 64.4, 80.6, 100.3, 121.2, 143.7]


@pytest.fixture
def pairs(add):
    """Eight products."""
    return add(OPERATIONS, Dataset("pairs", PAIRS, PRODUCTS))


def body(count=60):
    """Weight, height and sex of people by chance, and an index of them."""
    generator = np.random.default_rng(0)
    kg, m, male = generator.uniform(40, 120, count), generator.uniform(1.4, 2.1, count), generator.integers(0, 2, count)
    return pd.DataFrame({"kg": kg, "m": m, "male": male, "bmi": kg / m**2 + male})


@pytest.mark.parametrize(
    ("words", "x", "y", "more"),
    [
        ("x is not all numbers", [["a", 1]], [1], {}),
        ("x has shape \\(2, 1, 1\\)", np.zeros((2, 1, 1)), [1, 2], {}),
        ("x has shape \\(2, 1\\) and y \\(3,\\)", [1, 2], [1, 2, 3], {}),
        ("has 1 row;", [1], [1], {}),
        ("row 1, column 'b' holds nan", [[1, 2], [3, np.nan]], [1, 2], {}),
        ("row 0, column 'y' holds inf", [1, 2], [np.inf, 2], {}),
        ("names has 1 for 2 columns", [[1, 2], [3, 4]], [1, 2], {"names": ["a"]}),
        ("two arguments are called 'a'", [[1, 2], [3, 4]], [1, 2], {"names": ["a", "a"]}),
    ],
)
def test_what_is_no_data_set_is_refused(words, x, y, more):
    with pytest.raises(ArithjaxError, match=words):
        Dataset("mine", x, y, **more)


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("fresh=True is for operations; pairs is a data set", {"fresh": True}),
        ("split=0.5 is for operations", {"split": 0.5}),
        ("balanced=True is for operations", {"balanced": True}),
        ("extrapolation=.* is for", {"extrapolation": (20, 30)}),
        ("examples=5 is for operations; every row", {"examples": 5}),
        ("holdout=0.01 of 8 rows leaves nothing", {"holdout": 0.01}),
        ("threshold=0.1 is for errors beyond the training range, and pairs has nothing", {"threshold": 0.1}),
        ("target_transform=log needs", {"target_transform": "log"}),
    ],
)
def test_what_a_data_set_lacks_is_refused(pairs, words, changes):
    with pytest.raises(ArithjaxError, match=words):
        Setup(op="pairs", **changes)


def test_eight_own_products_are_learnt_and_five_times_five_is_25(pairs):
    net = aj.fit(Setup(op="pairs", **QUICK), seeds=8)
    assert round(float(net([5, 5]))) == 25
    row = net.row
    assert (row["program"], row["grade"], row["certificate"]) == ("fused", "exact", "all rows")
    assert np.isnan(row["extrapolation_relative_rmse"]) and row["extrapolation_solved"] is None
    shown = aj.fresh_pairs(net, 5)
    assert ((shown["a"] * shown["b"]) == shown["value"]).all()
    assert str(net.formula()).startswith("y = 1.000·a·b")


def test_thirteen_measured_pairs_are_a_parabola(add):
    """Nothing beyond the rows is judged."""
    add(OPERATIONS, Dataset("measured", range(13), MEASURED))
    net = aj.fit(Setup(op="measured", **QUICK | {"widths": [2]}), seeds=4)
    assert net.row["grade"] == "learned" and net.row["certificate"] == "results not whole"
    np.testing.assert_allclose(net(np.arange(13)), np.square(np.arange(13)), atol=0.8)


def test_held_out_rows_are_the_same_for_all_nets_and_are_judged(add):
    table = body()
    add(OPERATIONS, Dataset("body", table.drop(columns="bmi"), table["bmi"]))
    setup = Setup(op="body", holdout=0.2, **QUICK | {"widths": [8]})
    task = Task.of(setup)
    assert (len(task.interpolation_points.x), len(task.training_points.x), setup.example_count) == (12, 48, 48)
    both = np.vstack([task.interpolation_points.x, task.training_points.x])
    assert len(np.unique(both, axis=0)) == 60
    assert setup.batch == 48 and setup.argument_bounds[2] == (0, 1) and not setup.integers
    nets = aj.train([setup], seeds=2)
    assert (nets.relative_rmse > nets.train_relative_rmse).all() and (nets.program == "fused").all()


def test_other_numbers_are_another_setup_and_old_ones_are_refused(pairs):
    before = Setup(op="pairs")
    OPERATIONS["pairs"] = Dataset("pairs", PAIRS, [*PRODUCTS[:-1], 170])
    after = Setup(op="pairs")
    assert before.identity() != after.identity() and before.row()["content"] != after.row()["content"]
    with pytest.raises(ArithjaxError, match=f"op=pairs is not what it was: .* content={before.content} is asked for"):
        Setup.from_row(before.row())
    with pytest.raises(ArithjaxError, match="op=pairs is not what it was"):
        aj.train([before], seeds=1)
    assert Dataset("pairs", PAIRS, PRODUCTS).content == before.content, "the same anywhere"
    assert after.replace(op="mul", examples=10).content is None


def test_a_saved_net_answers_without_its_data_and_a_table_says_what_it_lacks(tmp_path, pairs):
    net = aj.fit(Setup(op="pairs", **QUICK | {"steps": 200}), seeds=2)
    net.save(tmp_path / "p.net")
    rows = aj.train([net.setup], seeds=1)
    kept = OPERATIONS["pairs"]
    del OPERATIONS["pairs"]
    with pytest.raises(ArithjaxError, match="op=pairs is not there, the data set"):
        Setup.from_row(rows.iloc[0])
    again = aj.load_net(tmp_path / "p.net")
    assert again([3, 4]) == net([3, 4]) and again.setup == net.setup
    with pytest.raises(ArithjaxError, match="does not hold the function of operation 'pairs'"):
        aj.fresh_pairs(again)
    del OPERATIONS["pairs"]
    OPERATIONS["pairs"] = kept
    assert list(aj.fresh_pairs(aj.load_net(tmp_path / "p.net"), 1)) == ["a", "b", "value", "result", "error"]


def test_several_results_are_learnt_together(tmp_path, add):
    table = pd.DataFrame({"a": range(12), "b": [n % 5 for n in range(12)]})
    table.assign(sum=table.a + table.b, difference=table.a - table.b).to_csv(tmp_path / "two.csv", index=False)
    both = add(OPERATIONS, Dataset.read(tmp_path / "two.csv", "sum,difference"))
    assert (both.symbol, both.y.shape) == ("sum, difference", (12, 2))
    assert both.content == Dataset("other", table, np.column_stack([both.y[:, 0], both.y[:, 1]])).content
    setup = Setup(op="two.csv", **QUICK | {"activation": "linear", "steps": 2000}, holdout=0.25)
    net = aj.fit(setup, seeds=2)
    assert (net.row["grade"], net.row["certificate"], net.row["program"]) == ("exact", "all rows", "fused")
    np.testing.assert_allclose(net([[7, 2]]), [[9, 5]], atol=0.1)
    assert len(aj.fresh_pairs(net, 3)) == 3


# files


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_are_read_to_the_last_bit(tmp_path, ending):
    table = body()
    if ending == "csv":
        table.to_csv(tmp_path / "body.csv", index=False)
    else:
        table.to_parquet(tmp_path / "body.parquet")
    found = Dataset.read(tmp_path / f"body.{ending}", "bmi")
    np.testing.assert_array_equal(found.x, table.drop(columns="bmi"))
    np.testing.assert_array_equal(found.y, table["bmi"])
    assert (found.name, found.symbol, found.argument_names) == (f"body.{ending}", "bmi", ["kg", "m", "male"])
    assert found.content == Dataset("other", table.drop(columns="bmi"), table["bmi"]).content


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("line 3, column 'm' holds 'tall'", "kg,m,bmi\n70,1.8,21\n80,tall,24\n"),
        ("line 2, column 'bmi' is empty", "kg,bmi\n70,\n80,2\n"),
        ("line 3, column 'kg' holds 'nan'", "kg,bmi\n70,1\nnan,2\n"),
        ("target='bmi' is no column of it; did you mean 'bmy'\\? It has kg, bmy", "kg,bmy\n1,2\n"),
        ("target=bmi leaves no column of arguments. It has bmi", "bmi\n1\n2\n"),
        ("has ';' and no comma", "kg;bmi\n1;2\n"),
        ("has two columns 'kg'", "kg,kg,bmi\n1,2,3\n4,5,6\n"),
        ("line 4 has 3 cells, and its first line names 2", "kg,bmi\n1,2\n\n1,2,3\n"),
        ("line 5, column 'kg' holds 'x'", "kg,bmi\n1,2\n\n1,2\nx,4"),
        ("holds no rows", "kg,bmi\n"),
        ("holds no rows", ""),
        ("cannot be read as a table", 'kg,bmi\n"1,2\n'),
        ("has 1 row;", "kg,bmi\n1,2\n"),
    ],
)
def test_bad_files_are_one_line_with_line_and_column(tmp_path, words, text):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ArithjaxError, match=words):
        Dataset.read(path, "bmi")
    with pytest.raises(ArithjaxError, match="there is no file"):
        Dataset.read(tmp_path / "none.csv", "bmi")


def test_a_target_named_twice_is_refused(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("a,p,q\n1,2,3\n2,4,6\n")
    with pytest.raises(ArithjaxError, match="target names 'p' twice"):
        Dataset.read(path, "p,p")
    assert Dataset.read(path, "p,q").targets == ("p", "q")


@pytest.fixture
def arithjax(monkeypatch, tmp_path, capsys):
    """The command line in a folder of its own: exit status, output, and what went to the error stream."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["arithjax", *map(str, words)])
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return call


def test_a_file_is_fitted_from_the_command_line(arithjax, add):
    pd.DataFrame(PAIRS, columns=["first", "second"]).assign(product=PRODUCTS).to_csv("p.csv", index=False)
    quick = [word for name, value in QUICK.items() for word in (f"--{name.replace('_', '-')}", value)]
    quick[1] = 4
    status, out, err = arithjax(
        "fit", "--data", "p.csv", "--target", "product", "--no-curve", "--save", "p.net", *quick
    )
    del OPERATIONS["p.csv"]
    assert status == 0, err
    assert "first" in out and "exact" in out and "all 8 rows" in out and "--holdout" in out
    assert " right on " not in out, "the grade says it"
    short = ["--quiet", "--steps", 1, "--seeds", 1]
    status, out, err = arithjax("fit", "--data", "p.csv", "--target", "product", "--holdout", 0.5, *short)
    del OPERATIONS["p.csv"]
    assert status == 0 and " % of the rows that it was not trained on" in out
    status, out, err = arithjax("fit", "equal", "--high", 10, "--balanced", *short)
    assert status == 0 and " % of the test points." in out
    status, out, err = arithjax("predict", "p.net", 5, 5)
    assert (status, float(out)) == (0, 25)
    for words, message in (
        (["fit", "mul", "--data", "p.csv", "--target", "product"], "either OP or --data"),
        (["fit", "--data", "p.csv"], "--target"),
        (["fit"], "either OP or --data"),
        (["why", "--target", "x"], "either OP or --data"),
        (["predict", "p.net", 5], "2 numbers (first, second)"),
    ):
        status, out, err = arithjax(*words)
        assert status == 2 and message in err and "Traceback" not in err and len(err.strip().splitlines()) <= 4


def test_what_is_told_to_copy_reads_the_file(arithjax, add):
    body().to_csv("body mass.csv", index=False)
    add(OPERATIONS, Dataset.read("body mass.csv", "bmi"))
    setup = Setup(op="body mass.csv", holdout=0.25, batch=16)
    assert recipes.command(setup) == "arithjax fit --data 'body mass.csv' --target bmi --holdout 0.25 --batch 16"
    names = {}
    exec(recipes.code(setup).split("net = ")[0], names)
    assert names["setup"] == setup


# studies

SOURCE = """
import arithjax as aj
aj.OPERATIONS["own"] = aj.Dataset.read("body.csv", "bmi", "own")
def question(trial):
    return aj.Setup(
        op="own", holdout=0.25, widths=[trial.suggest_int("width", 2, 5)], activation="square", steps=2000, batch=8)
study = aj.Study("people", question, trials=4, seeds=2, sampler="random")
"""


@pytest.fixture
def people(tmp_path, monkeypatch):
    """A study of a file, and the folder that both are in."""
    monkeypatch.chdir(tmp_path)
    body().to_csv("body.csv", index=False)
    (tmp_path / "people.py").write_text(SOURCE)
    yield files.load_study(tmp_path / "people.py"), tmp_path
    del OPERATIONS["own"]


def test_own_data_travel_to_the_same_bytes(people, in_parts):
    """Through a run, an interruption, retraining, a report and an export; `test_cluster.py` takes some to workers."""
    study, folder = people
    nets = aj.run(study, "whole")
    assert nets["content"].nunique() == 1 and nets["train_relative_rmse"].notna().all()
    moments = iter([True, *[False] * 99])
    assert in_parts(study, folder / "parts", lambda rows: next(moments)) == 1
    assert table_of(folder / "parts") == table_of(folder / "whole")
    assert aj.retrain("whole/people", 3).identical.all()
    page = aj.report.write(folder / "whole/people", nets, loading.description("whole/people"), 1)
    assert "own" in page.read_text()
    assert "X_MEAN" in aj.net("whole/people", 3).export("numpy")
    body().assign(bmi=lambda table: table["bmi"] + 1).to_csv("body.csv", index=False)
    with pytest.raises(ArithjaxError, match=r"holds the answers to another question.*content"):
        aj.run(files.load_study(folder / "people.py"), "whole")


def table_of(out):
    return (out / "people/nets.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_own_data_survive_a_killed_process_and_a_cluster(people):
    study, folder = people
    aj.run(study, "whole")
    _killed_and_gone_on(folder)
    assert table_of(folder / "killed") == table_of(folder / "whole")
    aj.run(study, "cluster", cluster="local:2")
    assert table_of(folder / "cluster") == table_of(folder / "whole")


def _killed_and_gone_on(folder):
    """A run that is killed when its first chunk is written, and the same command again."""
    words = [sys.executable, "-c", "from arithjax.cli import main; main()", "run", "people.py", "--out", "killed"]
    first = subprocess.Popen([*words, "--quiet"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while first.poll() is None and not list((folder / "killed").glob("people/chunks/*.parquet")):
        pass
    if first.poll() is None:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    done = subprocess.run([*words, "--quiet", "--portraits", "0"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    json.loads((folder / "killed/people/study.json").read_text())


def test_only_results_of_0_and_1_train_by_bit_cross_entropy(add):
    x, bits = np.arange(100.0), {"loss": "bit_cross_entropy", "target_transform": "raw"}
    add(aj.OPERATIONS, aj.Dataset("bits", x, x % 2))
    assert not Task.of(aj.Setup(op="bits", **bits)).classes
    add(aj.OPERATIONS, aj.Dataset("numbers", x, x))
    with pytest.raises(aj.ArithjaxError, match="loss=bit_cross_entropy is for targets of 0 and 1"):
        aj.Setup(op="numbers", **bits)
