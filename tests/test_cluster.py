"""Clusters: the same bytes from any number of workers, in any order, and when workers die."""

import contextlib
import os
import random
import signal
import threading
import time

import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies import cluster, files, fingerprint, samplers, search, study
from arithjax.training import planning
from arithjax.training.planning import NetId

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

SOURCE = """
import arithjax as aj
aj.OPERATIONS["cubes"] = aj.Operation("cubes", "a³ + b³", lambda a, b: a**3 + b**3)
aj.OPERATIONS["own"] = aj.Dataset("own", [[a, a % 7] for a in range(64)], [a * a % 50 for a in range(64)])
aj.METRICS["worst"] = lambda prediction, target: abs(prediction - target).max()
def question(trial):
    op = trial.suggest_categorical("op", ["add", "cubes", "own"])
    return aj.Setup(
        op=op, high=10, widths=[trial.suggest_int("width", 2, 4)], activation="relu", batch=10, steps=200,
        examples="all" if op == "own" else 64, holdout=0.2 if op == "own" else 0.0, tests=64)
study = aj.Study("cubes", question, trials=12, seeds=2, sampler="tpe", objectives=("error", "parameters"))
"""


@pytest.fixture(scope="module")
def asked():
    yield files.study_of(SOURCE, "cubes.py")
    del aj.OPERATIONS["cubes"], aj.OPERATIONS["own"], aj.METRICS["worst"]


@pytest.fixture(scope="module")
def local(asked, tmp_path_factory):
    """The table's bytes without a cluster."""
    return table(asked, tmp_path_factory.mktemp("local"))


def table(asked, out, **how):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samplers, "ADAPTIVE", 6)
        aj.run(asked, out, **how)
    return (out / asked.name / "nets.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_workers_give_the_same_bytes(asked, local, tmp_path, workers):
    assert table(asked, tmp_path, cluster=f"local:{workers}") == local


class Kill(study.Progress):
    """Kills a process when the first nets are finished."""

    def __init__(self, victim):
        self.victim = victim

    def nets(self, rows):
        if self.victim:
            os.kill(self.victim, signal.SIGKILL)
            self.victim = None


def test_two_workers_give_the_same_bytes_and_so_does_one_when_the_other_is_killed(asked, local, tmp_path):
    """The processes of `local:2` are used at their address, as those of a cluster of somebody's own are."""
    with cluster.Cluster("local:2") as there:
        assert there.workers() == 2
        kill = Kill(next(iter(there.client.run(os.getpid).values())))
        assert table(asked, tmp_path, cluster=there.here.scheduler_address, progress=kill) == local
        assert kill.victim is None


def test_a_worker_that_is_killed_as_it_starts_is_one_line():
    """As by a system that has no memory left."""
    psutil = pytest.importorskip("psutil")
    before, over = set(psutil.Process().children()), threading.Event()

    def hunt():
        while not over.wait(0.01):
            for child in set(psutil.Process().children()) - before:
                with contextlib.suppress(psutil.Error):
                    if "spawn_main" in " ".join(child.cmdline()):
                        child.kill()

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        with (
            pytest.raises(ArithjaxError, match="--cluster local:1: no cluster answers there"),
            cluster.Cluster("local:1"),
        ):
            pass
    finally:
        over.set()
        hunter.join()


def test_order_of_tiles_changes_nothing(asked, local, tmp_path, monkeypatch):
    planned = planning.plan
    monkeypatch.setattr(planning, "plan", lambda *given: random.Random(3).sample(tiles := planned(*given), len(tiles)))
    assert table(asked, tmp_path) == local


def nets():
    changes = [
        {"widths": (3,)},
        {"widths": (5, 4), "activation": ("relu", "tanh")},
        {"widths": (40,), "optimizer": "sgd"},
    ]
    setups = [aj.Setup(op="add", batch=10, steps=20, examples=64, tests=64, **change) for change in changes]
    return [NetId(trial, seed, setup) for trial, setup in enumerate(setups) for seed in range(12)]


def test_tiles_travel_as_plain_data():
    tiles = planning.plan(nets(), 2)
    jobs = cluster.jobs_of(tiles, 2)
    assert_plain(jobs)
    there = [tile for job in jobs for tile in cluster.unpacked(job)]
    assert sorted(there, key=repr) == sorted(tiles, key=repr)


def assert_plain(value):
    if isinstance(value, dict):
        assert_plain(list(value) + list(value.values()))
    elif isinstance(value, list | tuple):
        assert type(value) in (list, tuple)
        for part in value:
            assert_plain(part)
    else:
        assert value is None or type(value) in (str, int, float, bool), value


def test_workers_refuse_other_versions_and_other_questions(asked):
    about = cluster.about_study(asked, None, {0: search.fixed(asked, {"op": "add", "width": 3}, 0)})
    cluster.prepare(about)
    with pytest.raises(ArithjaxError, match=r"jax \S+ there, 0.1 here"):
        cluster.prepare({**about, "versions": {**about["versions"], "jax": "0.1"}})
    with pytest.raises(ArithjaxError, match="asks another question"):
        cluster.prepare({**about, "hash": "0" * 64})
    assert fingerprint.fingerprint(asked, None, about["params"], 0) == about["hash"]


@pytest.mark.parametrize("address", ["local:", "local:0", "local:x", "local:-1", "local:2:3", "nonsense://x", "tcp://"])
def test_bad_addresses(asked, tmp_path, address):
    with pytest.raises(ArithjaxError, match="--cluster"):
        aj.run(asked, tmp_path, cluster=address)
    assert not list(tmp_path.iterdir())


def test_no_scheduler_at_the_address(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "WAIT_SECONDS", 1)
    with pytest.raises(ArithjaxError, match="no cluster answers"):
        aj.run(asked, tmp_path, cluster="tcp://127.0.0.1:9")


@pytest.mark.slow
def test_a_job_costs_little(asked, monkeypatch):
    """Sending a job and taking its rows costs driver and scheduler, here one process, less than a twentieth of the
    least that a job trains; `-s` shows how much that is for a job, and for a row."""
    trials, least = search.Search(asked, 12).ask(range(12)), cluster.JOB_SECONDS[0]
    monkeypatch.setattr(cluster, "JOB_SECONDS", (0.0, 0.0))  # every tile is a job
    each = {}
    with cluster.Cluster("local:1") as there:
        for seeds in (16, 128):
            tile = planning.plan([NetId(0, seed, trials[0].setup) for seed in range(seeds)], 1)[0]
            rows = there.run_tiles([tile] * 100, asked, None, trials, lambda steps: None)
            next(rows)  # by now everything is imported and compiled
            began = time.process_time()
            assert sum(1 for _ in rows) == 99
            each[seeds] = (time.process_time() - began) / 99
    row = (each[128] - each[16]) / (128 - 16)
    print(f"{1e3 * (each[16] - 16 * row):.1f} ms of processor time a job, {1e3 * row:.2f} ms a row")
    assert each[16] < least / 20
