"""A user's own metrics and losses: known values, one line for what is wrong, and columns that travel everywhere."""

import json
import warnings

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import arithjax as aj
from arithjax.cli import arithjax
from arithjax.errors import ArithjaxError
from arithjax.report import page
from arithjax.studies import samplers
from arithjax.studies.files import find_study
from arithjax.tables import loading, objectives, schema, statistics
from arithjax.task.points import Task

TINY = {"op": "add", "widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}
SETUP = aj.Setup(**TINY)


def share_within_a_tenth(prediction, target):
    """Share of answers within a tenth of the result."""
    return np.mean(np.abs(prediction - target) <= 0.1 * target)


@pytest.fixture
def mine():
    aj.METRICS["near"] = share_within_a_tenth
    aj.METRICS["worst"] = aj.Metric("worst", "largest error", lambda p, t: np.abs(p - t).max())


def test_metrics_are_those_of_the_answers_on_the_test_points(mine):
    net = aj.fit(SETUP, seeds=2)
    points = Task.of(SETUP).interpolation_points
    assert net.row["near"] == share_within_a_tenth(net(points.x).astype(float), points.t)
    assert net.row["worst"] == pytest.approx(net.row["max_error"], rel=1e-6)
    assert json.loads(net.row["metrics"]) == {"near": net.row["near"], "worst": net.row["worst"]}


def test_metrics_of_several_results_get_all_of_them():
    shapes = []
    aj.OPERATIONS["both"] = aj.Operation("both", "a+b, a-b", lambda a, b: (a + b, a - b))
    aj.METRICS["shape"] = lambda prediction, target: shapes.append((prediction.shape, target.shape)) or 1
    nets = aj.train([SETUP.replace(op="both")])
    assert nets["shape"].tolist() == [1.0] and set(shapes[1:]) == {((64, 2), (64, 2))}


def test_a_metric_may_have_points_of_its_own_and_be_about_one_operation():
    """Points beyond the range, whole or not; nets of other operations have none of it, and train all the same."""
    x = [[100, 200], [-3, 0.5], [7, 7]]
    aj.METRICS["far"] = aj.Metric("far", "mean error", lambda p, t: np.mean(np.abs(p - t)), "add", x)
    aj.METRICS["sums"] = aj.Metric("sums", "of sums alone", lambda p, t: np.mean(t), op="add")
    net = aj.fit(SETUP, seeds=2)
    expected = np.abs(net(x).astype(float) - [300, -2.5, 14]).mean()
    assert net.row["far"] == pytest.approx(expected, rel=1e-6)
    assert net.row["sums"] == pytest.approx(Task.of(SETUP).interpolation_points.t.mean())
    nets = aj.train([SETUP.replace(op="mul"), SETUP], seeds=2)
    assert nets["far"].isna().tolist() == [True, True, False, False]
    assert json.loads(nets["metrics"][0]) == {"far": None, "sums": None}


@pytest.mark.parametrize(
    ("op", "x", "message"),
    [
        (None, [[1, 2]], "metric 'far' has points x of its own; say with op= whose arguments they are"),
        ("add", [1, 2], r"x has shape \(2,\); it has to be a table .* a column for each of the 2 arguments of add"),
        ("add", [[1, 2, 3]], r"x has shape \(1, 3\)"),
        ("add", [[1, np.nan]], "a table of finite numbers"),
        ("add", "here", "a table of finite numbers"),
        ("addd", [[1, 2]], "did you mean 'add'"),
    ],
)
def test_points_that_are_none_are_refused_when_a_metric_is_made(op, x, message):
    with pytest.raises(ArithjaxError, match=message):
        aj.Metric("far", "mean error", lambda p, t: np.mean(np.abs(p - t)), op, x)


def test_points_without_a_finite_result_are_refused_before_anything_trains():
    aj.METRICS["far"] = aj.Metric("far", "error", lambda p, t: np.abs(p - t).mean(), "div", [[1, 0]])
    with pytest.raises(ArithjaxError, match=r"div has no finite result at a = 1, b = 0, .* leave it out"):
        aj.train([SETUP.replace(op="div", low=1)])


def test_points_that_a_condition_leaves_out_are_refused_before_anything_trains(add):
    add(aj.OPERATIONS, aj.Operation("less", "b - a", lambda a, b: b - a, where=lambda a, b: a < b))
    aj.METRICS["far"] = aj.Metric("far", "error", lambda p, t: np.abs(p - t).mean(), "less", [[1, 2], [300, 2]])
    with pytest.raises(ArithjaxError, match=r"condition of less does not hold at a = 300, b = 2, .* leave it out"):
        aj.train([SETUP.replace(op="less")])


def test_a_data_set_has_no_results_at_other_points(add):
    x = np.arange(20.0).reshape(10, 2)
    add(aj.OPERATIONS, aj.Dataset("own", x, x.sum(1)))
    with pytest.raises(ArithjaxError, match=r"op=own is a data set, which has rows and no function .* leave x out"):
        aj.Metric("far", "error", lambda p, t: np.abs(p - t).mean(), "own", x)
    aj.METRICS["rows"] = aj.Metric("rows", "error", lambda p, t: np.abs(p - t).mean(), "own")
    assert aj.train([aj.Setup(op="own", widths=(3,), steps=20, batch=5)])["rows"].notna().all()


def test_points_of_a_metric_are_made_once_for_each_task():
    task, x = Task.of(SETUP), np.array([[100.0, 200.0], [3.0, 4.0]])
    points = task.at(x)
    assert task.at(x.copy()) is points and Task.of(SETUP.replace(widths=(5,))).at(x) is points
    assert task.at(x[::-1]) is not points and task.at(x[::-1]).t.tolist() == [7, 300] == points.t[::-1].tolist()


def test_nets_are_the_same_with_metrics(mine):
    nets = aj.train([SETUP], seeds=2)
    aj.METRICS.clear()
    plain = aj.train([SETUP], seeds=2)
    pd.testing.assert_frame_equal(nets.drop(columns=["near", "worst", "metrics"]), plain.drop(columns="metrics"))
    assert plain["metrics"].isna().all()


FILE = """
import numpy as np
import arithjax as aj
aj.METRICS["near"] = lambda p, t: np.mean(np.abs(p - t) <= 0.1 * t)
aj.LOSSES["fourth"] = lambda p, t: (p - t) ** 4
def question(trial):
    return aj.Setup(loss=trial.suggest_categorical("loss", ["mse", "fourth"]), op="add", widths=(3,), activation="relu",
        batch=10, steps=30, examples=64, tests=64)
study = aj.Study("mine", question, sampler="grid", seeds=2)
"""


def test_metrics_and_losses_travel_with_a_study(tmp_path, monkeypatch, in_parts):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FILE)
    assert CliRunner().invoke(arithjax, ["run", "./mine.py", "--portraits", "0"]).exit_code == 0
    nets = aj.load("runs/mine")
    assert nets["near"].notna().all() and nets["near"].between(0, 1).all()
    assert "metrics" in loading.measured_there("runs/mine") and "near" not in schema.COLUMNS

    moments = iter([True, False, False, False, False])
    assert in_parts(find_study("./mine.py"), tmp_path / "parts", lambda rows: next(moments))
    whole, parts = (tmp_path / folder / "mine/nets.parquet" for folder in ("runs", "parts"))
    assert whole.read_bytes() == parts.read_bytes()

    again = aj.retrain("runs/mine", 3)
    assert again["identical"].all() and again["again"]["near"] == nets["near"][3]
    del aj.METRICS["near"]
    assert "near" not in aj.retrain("runs/mine", 3).index and aj.load("runs/mine")["near"].equals(nets["near"])

    summary = aj.summarise(nets, ["loss"])
    assert summary["near"]["mse"] == nets[nets.loss == "mse"]["near"].median()
    assert "near" in [column["name"] for column in page._table(nets)["columns"]]
    table = CliRunner().invoke(arithjax, ["table", "runs/mine", "--where", "near >= 0"])
    assert " near" in table.output


def search(trial):
    width = trial.suggest_int("width", 2, 5)
    return SETUP.replace(widths=(width,), learning_rate=trial.suggest_float("rate", 1e-3, 1e30, log=True))


def test_a_search_minimises_a_metric(tmp_path, monkeypatch, in_parts):
    monkeypatch.setattr(samplers, "ADAPTIVE", 4)
    aj.METRICS["mae"] = lambda prediction, target: np.abs(prediction - target).mean()
    study = aj.Study("mine", search, trials=12, seeds=2, sampler="tpe", objectives=("mae", "parameters"))
    nets = aj.run(study, tmp_path / "whole")
    told = objectives.objectives(nets, study.objectives)
    known = nets.groupby("trial")["mae"].apply(lambda of: np.median(of.fillna(np.inf)))
    assert np.isinf(known).any() and np.isfinite(known).any(), "some rates are too large, and some are not"
    assert told["mae"].tolist() == known.clip(upper=objectives.LARGEST).tolist()
    front = aj.front(aj.load(tmp_path / "whole/mine"), study.objectives)
    assert front["mae"].min() == known.min()

    moments = iter([False, True, False, False, False])
    assert in_parts(study, tmp_path / "parts", lambda rows: next(moments, False))
    whole, parts = (tmp_path / folder / "mine/nets.parquet" for folder in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


def test_a_metric_is_no_objective_before_it_is_entered():
    with pytest.raises(ArithjaxError, match=r"unknown objective 'mae'. There are .* entered in aj.METRICS"):
        aj.Study("mine", search, trials=2, objectives=("mae", "parameters"))
    for name in objectives.OBJECTIVES:
        with pytest.raises(ArithjaxError, match=f"metric '{name}' has the name of a column of tables, or of an objec"):
            aj.METRICS[name] = share_within_a_tenth


def test_a_metric_of_one_operation_is_no_objective_of_a_search_over_several(tmp_path):
    aj.METRICS["sums"] = aj.Metric("sums", "error of sums", lambda p, t: np.abs(p - t).mean(), op="add")

    def over(ops):
        def question(trial):
            return SETUP.replace(op=trial.suggest_categorical("op", ops), widths=(trial.suggest_int("width", 2, 9),))

        return aj.Study("over", question, trials=6, seeds=1, objectives=("sums", "parameters"))

    with pytest.raises(ArithjaxError, match=r"objective 'sums' is of nets of add alone, and a trial asks for mul"):
        aj.run(over(["add", "mul"]), tmp_path)
    assert aj.run(over(["add"]), tmp_path / "one").sums.notna().all()


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("mse", share_within_a_tenth, "has the name of a column of tables"),
        ("rate_low", share_within_a_tenth, "has the name of a column of tables"),
        ("my metric", share_within_a_tenth, "has to be called by letters"),
        ("each", lambda p, t: p - t, r"gives shape \(12,\) for arrays of shape \(12,\); it has to give one number"),
        ("text", lambda p, t: "good", "gives a str for arrays"),
        ("none", lambda p, t: None, "gives a NoneType for arrays"),
        ("one", lambda p: 1.0, "metric 'one' fails .TypeError"),
        ("lost", lambda p, t: np.log(-p).mean(), "metric 'lost' is nan for answers near the exact results"),
    ],
)
def test_what_is_no_metric_is_refused_when_it_is_entered(name, function, message):
    with pytest.raises(ArithjaxError, match=message):
        aj.METRICS[name] = function
    assert name not in aj.METRICS


def test_a_metric_that_an_operation_does_not_allow_is_refused_before_anything_trains():
    aj.METRICS["mape"] = lambda prediction, target: np.mean(np.abs(prediction / target - 1))
    aj.METRICS["square"] = lambda prediction, target: target.reshape(8, -1).mean() if target.size != 12 else 1
    seen = []
    with pytest.raises(ArithjaxError, match=r"metric 'mape' is inf on mul for answers near .* results of 0"):
        aj.train([SETUP, SETUP.replace(op="mul", low=-2, high=3)], callback=seen.append)
    del aj.METRICS["mape"]
    with pytest.raises(ArithjaxError, match=r"metric 'square' fails on add .ValueError: cannot reshape"):
        aj.train([SETUP, SETUP.replace(tests=63)], callback=seen.append)
    assert not seen


def test_a_metric_that_fails_for_a_net_is_missing_and_costs_nothing():
    calls = []

    def moody(prediction, target):
        calls.append(prediction)
        return 1.0 if len(calls) < 3 else 1 // 0

    aj.METRICS["moody"] = moody
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nets = aj.train([SETUP])
    assert nets["moody"].isna().all() and json.loads(nets["metrics"][0]) == {"moody": None}
    assert "metric 'moody' fails for a net (ZeroDivisionError" in str(caught[0].message)


def test_a_diverged_net_has_no_metrics(mine):
    nets = aj.train([SETUP.replace(optimizer="sgd", learning_rate=1e30)])
    assert nets["diverged"].all() and nets["near"].isna().all()


@pytest.mark.parametrize("cell", ["[]", "{", '{"near": "high"}', "nonsense"])
def test_damaged_metrics_are_refused(cell):
    with pytest.raises(ArithjaxError, match=r"metrics.* is damaged|metrics holds what is no number"):
        loading.with_choices(pd.DataFrame({"metrics": [cell]}))


def test_tables_without_metrics_have_no_columns_of_them(mine):
    nets = pd.DataFrame({"metrics": [None, '{"near": 0.5}', '{"near": null, "far": 2}']})
    assert loading.with_choices(nets)["near"].tolist()[1:] == [0.5, pytest.approx(np.nan, nan_ok=True)]
    assert list(loading.with_choices(nets[:1])) == ["metrics"]
    assert set(statistics.COMPUTED).isdisjoint(aj.METRICS)


def quartic(p, t):
    """(p - t)⁴"""
    return (p - t) ** 4


def test_a_function_is_a_loss_under_its_own_name():
    setup = SETUP.replace(loss=quartic)
    assert setup.loss == "quartic" and aj.LOSSES["quartic"].about == "(p - t)⁴"
    assert aj.Setup(**TINY, loss=quartic) == setup and not aj.LOSSES.ours("quartic")
    net = aj.fit(setup, seeds=1)
    aj.LOSSES["same"] = aj.Loss("same", "?", lambda p, t: (p - t) * (p - t) * (p - t) ** 2)
    assert net.row["mse"] != aj.fit(SETUP, seeds=1).row["mse"]
    assert aj.fit(SETUP.replace(loss="same"), seeds=1).row["parameters"] == net.row["parameters"]


def made(power):
    def loss(p, t):
        return jnp.abs(p - t) ** power

    return loss


def test_two_functions_of_one_name_are_told_apart_and_one_defined_again_is_taken():
    assert SETUP.replace(loss=made(2)).loss == "loss"
    with pytest.raises(ArithjaxError, match=r"another loss is called 'loss'; .* aj.LOSSES\['loss'\] = function"):
        SETUP.replace(loss=made(4))
    aj.LOSSES["loss"] = four = made(4)
    assert aj.LOSSES["loss"].fn is four and SETUP.replace(loss=four).loss == "loss"
    cell = "def again(p, t):\n    return (p - t) ** 2\n"
    for _ in range(2):
        names = {"__name__": "cell"}
        exec(cell, names)
        assert SETUP.replace(loss=names["again"]).loss == "again" and aj.LOSSES["again"].fn is names["again"]


def mse(p, t):
    return (p - t) ** 2


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda p, t: p - t, r"a loss needs a name: write it with def, or as aj.LOSSES\['mine'\] = function"),
        (mse, "another loss is called 'mse'; give the function another name"),
    ],
)
def test_functions_without_a_name_of_their_own_are_refused(loss, message):
    with pytest.raises(ArithjaxError, match=message):
        SETUP.replace(loss=loss)
    with pytest.raises(ArithjaxError, match=r"activation=<function .* is not allowed; it has to be a name"):
        SETUP.replace(activation=mse)


@pytest.mark.parametrize(
    ("fn", "fields", "message"),
    [
        (
            lambda p, t: jnp.abs(p / t - 1),
            {},
            "loss=own cannot train mul: it is nan for the prediction 0 and the target 0",
        ),
        (lambda p, t: jnp.log(t / p) ** 2, {"low": 1}, "targets go from -1.7.* as the net is shown them .*standardize"),
        (lambda p, t: jnp.sqrt((p - t) ** 2), {}, "its gradient is nan for the prediction"),
    ],
)
def test_a_loss_that_is_not_finite_for_the_targets_is_refused_with_the_setup(fn, fields, message):
    aj.LOSSES["own"] = fn
    shown = {"target_transform": "standardize" if fields else "raw"}
    with pytest.raises(ArithjaxError, match=message):
        aj.Setup(op="mul", loss="own", **shown, **fields)


def test_a_loss_is_tried_on_targets_as_they_are_shown():
    aj.LOSSES["own"] = lambda p, t: jnp.log(t / p) ** 2
    setup = aj.Setup(op="mul", low=1, loss="own", target_transform="raw")
    assert setup.loss == "own"
    low, high = aj.TRANSFORMS["minmax"].shown(10, 30)
    assert (low, high) == (0, 1)
    with pytest.raises(ArithjaxError, match=r"targets go from 0 to 1 as the net is shown them .*onehot"):
        aj.Setup(op="add", low=1, high=9, loss="own", target_transform="onehot")
