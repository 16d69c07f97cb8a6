"""Callbacks: told of every evaluation, in the thread that asked, without touching a bit; three trackers offline."""

import struct
import threading
import warnings

import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError

TINY = {"op": "add", "widths": (3,), "batch": 10, "steps": 30, "examples": 64, "tests": 64}
SETUP = aj.Setup(**TINY)


@pytest.fixture(scope="module")
def told():
    """Evaluations of three setups' nets, the threads in which they were told, and the finished table."""
    setups = [SETUP, SETUP.replace(learning_rate=0.01), SETUP.replace(threshold=1.0, evaluate_every=7)]
    seen, threads = [], []

    def callback(evaluation):
        seen.append(evaluation)
        threads.append(threading.current_thread())

    return setups, seen, threads, aj.train(setups, seeds=2, callback=callback)


def test_a_callback_changes_no_bit(told):
    setups, *_, nets = told
    pd.testing.assert_frame_equal(nets, aj.train(setups, seeds=2), check_exact=True)


def test_every_net_is_told_of_after_each_evaluation_in_the_thread_that_asked(told):
    setups, seen, threads, _ = told
    steps = {}
    for evaluation in seen:
        assert {net.setup for net in evaluation.nets} == set(evaluation.setups) and evaluation.steps == 30
        for net in evaluation.nets:
            assert net.setup == setups[net.trial]
            steps.setdefault((net.trial, net.seed), []).append(evaluation.step)
    assert steps == {(t, s): setup.evaluation_steps for t, setup in enumerate(setups) for s in range(2)}
    assert set(threads) == {threading.main_thread()}


def test_the_last_evaluation_has_the_numbers_of_the_table(told):
    _, seen, _, nets = told
    last = pd.concat([one.rows for one in seen if one.step == 30]).sort_values(["trial", "seed"], ignore_index=True)
    assert {"mse", "relative_rmse", "max_error", "exact", "extrapolation_mse"} <= set(last)
    ends = nets.trial < 2  # one with a threshold is judged at its best evaluation
    for column in ("mse", "relative_rmse", "max_error", "exact"):
        assert np.array_equal(last[column][ends], nets[column][ends].astype(float))
    assert last["extrapolation_mse"].notna().tolist() == [False] * 4 + [True] * 2


def test_what_a_callback_writes_into_its_arrays_changes_nothing(told):
    def spoil(evaluation):
        for values in evaluation.measured.values():
            values[:] = 0

    setups, *_, nets = told
    pd.testing.assert_frame_equal(nets, aj.train(setups, seeds=2, callback=spoil), check_exact=True)


def test_after_finishing_nets_are_told_of_once_more():
    seen = []
    net = aj.fit(SETUP.replace(finish=5), seeds=2, callback=seen.append)
    ends = [one for one in seen if one.step > 30]
    assert ends and all(30 < one.step <= one.steps == 35 for one in ends)
    assert max(one.step for one in ends) == net.others["trained_steps"].max()


def test_a_callback_that_fails_is_said_once_and_nothing_is_lost(told):
    setups, *_, nets = told
    calls = []

    def broken(evaluation):
        calls.append(evaluation)
        raise ValueError("no route\nto host")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert aj.train(setups, seeds=2, callback=broken).equals(nets)
    (message,) = [str(one.message) for one in caught]
    assert "the callback raised ValueError: no route to host (test_callbacks.py, line" in message
    assert "training goes on without it" in message and len(calls) == 1


def test_a_callback_may_stop_a_run_which_goes_on_later(tmp_path):
    def stop(evaluation):
        raise KeyboardInterrupt

    study = aj.Study("tiny", lambda trial: SETUP, trials=1, seeds=2)
    with pytest.raises(KeyboardInterrupt):
        aj.run(study, tmp_path, callback=stop)
    seen = []
    nets = aj.run(study, tmp_path, callback=seen.append)
    assert {one.step for one in seen} == set(SETUP.evaluation_steps) and len(nets) == 2
    aj.run(study, tmp_path, callback=pytest.fail)  # nothing is left to train


@pytest.mark.parametrize("start", [lambda **k: aj.train([SETUP], **k), lambda **k: aj.fit(SETUP, **k)])
def test_what_is_no_function_is_refused_before_anything_trains(start):
    with pytest.raises(ArithjaxError, match="callback is a str; it has to be a function of an evaluation"):
        start(callback="print")


def test_with_a_cluster_a_callback_is_refused(tmp_path):
    study = aj.Study("tiny", lambda trial: SETUP, trials=1, seeds=1)
    with pytest.raises(ArithjaxError, match=r"callback is not called .* on a cluster \(local:1\); leave one"):
        aj.run(study, tmp_path, cluster="local:1", callback=print)


def test_an_unknown_column_is_named(told):
    _, seen, *_ = told
    with pytest.raises(ArithjaxError, match="unknown column 'mes'; did you mean 'mse'"):
        seen[0].series("mes")


def test_tensorboard(tmp_path):
    tensorboard = pytest.importorskip("tensorboardX")
    writer = tensorboard.SummaryWriter(str(tmp_path))

    def callback(evaluation):
        for name, error in evaluation.series("relative_rmse").items():
            writer.add_scalar(name, error, evaluation.step)

    net = aj.fit(SETUP, seeds=2, callback=callback)
    writer.close()
    (file,) = tmp_path.glob("events*")
    written = {(value.tag, event.step): value.simple_value for event in events(file) for value in event.summary.value}
    for seed, error in zip(net.others["seed"], net.others["relative_rmse"], strict=True):
        assert written[f"relative_rmse/0.{seed}", 30] == np.float32(error)
    assert len(written) == 2 * len(SETUP.evaluation_steps)


def events(path):
    """The events in a file of TensorBoard's: each has its length, a checksum, itself and another checksum."""
    from tensorboardX.proto.event_pb2 import Event

    content = path.read_bytes()
    while content:
        size = struct.unpack("<Q", content[:8])[0]
        yield Event.FromString(content[12 : 12 + size])
        content = content[16 + size :]


@pytest.mark.filterwarnings("ignore")  # its own
def test_mlflow(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")

    def callback(evaluation):
        mlflow.log_metrics(evaluation.series("relative_rmse"), step=evaluation.step)

    with mlflow.start_run() as run:
        mlflow.log_params(SETUP.to_dict())
        net = aj.fit(SETUP, seeds=2, callback=callback)
    client = mlflow.MlflowClient()
    for seed, error in zip(net.others["seed"], net.others["relative_rmse"], strict=True):
        history = client.get_metric_history(run.info.run_id, f"relative_rmse/0.{seed}")
        assert {one.step: one.value for one in history}[30] == error


@pytest.mark.filterwarnings("ignore")  # its own
def test_weights_and_biases(tmp_path):
    wandb = pytest.importorskip("wandb")
    with wandb.init(mode="offline", dir=str(tmp_path), project="arithmetic", config=SETUP.to_dict()) as tracked:
        tracked.define_metric("*", step_metric="steps")  # groups of nets train side by side, each at its own step

        def callback(evaluation):
            tracked.log({"steps": evaluation.step, **evaluation.series("relative_rmse")})

        net = aj.fit(SETUP, seeds=2, callback=callback)
        summary = dict(tracked.summary)
    for seed, error in zip(net.others["seed"], net.others["relative_rmse"], strict=True):
        assert summary[f"relative_rmse/0.{seed}"] == error
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
