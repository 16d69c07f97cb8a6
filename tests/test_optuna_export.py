"""Export: Optuna's own tools see the whole study, from SQLite, a journal and PostgreSQL."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import optuna
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies.optuna_export import export, opened
from arithjax.tables import objectives, statistics

TINY = {"activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}


def question(trial):
    op = trial.suggest_categorical("op", ["add", "mul"])
    depth = trial.suggest_int("depth", 1, 2) if op == "mul" else 1
    return aj.Setup(
        op=op,
        widths=(trial.suggest_int("width", 2, 6),) * depth,
        learning_rate=trial.suggest_float("rate", 1e-3, 1e-1, log=True),
        momentum=trial.suggest_categorical("momentum", [None, 0.5]),
        **TINY,
    )


@pytest.fixture(scope="module")
def study():
    return aj.Study("exported", question, trials=12, seeds=2, objectives=("error", "parameters"), about="An example")


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    aj.run(study, out)
    return out / "exported"


def assert_complete(url, folder):
    """Every trial is there with its parameters, distributions, values and attributes."""
    nets = aj.load(folder)
    with opened(url) as storage:
        assert_all_of(optuna.load_study(study_name="exported", storage=storage), nets)


def assert_all_of(loaded, nets):
    assert loaded.metric_names == ["error", "parameters"]
    assert loaded.user_attrs["about"] == "An example"
    values, rates = objectives.objectives(nets, ("error", "parameters")), statistics.summarise(nets, ["trial"])["rate"]
    assert [trial.number for trial in loaded.trials] == list(range(12))
    for trial in loaded.trials:
        row = nets[nets.trial == trial.number].iloc[0]
        assert trial.state == optuna.trial.TrialState.COMPLETE
        assert trial.params == json.loads(row.choices)
        assert set(trial.distributions) == set(trial.params)
        assert trial.distributions["rate"] == optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True)
        assert trial.values == values.loc[trial.number].tolist()
        assert trial.user_attrs["op"] == row.op
        assert trial.user_attrs["rate"] == rates[trial.number]
    assert loaded.best_trials
    with pytest.warns(UserWarning, match="PedAnova"):
        importances = optuna.importance.get_param_importances(loaded, target=lambda trial: trial.values[0])
    assert "rate" in importances


@pytest.mark.parametrize("url", ["sqlite:///{}/s.db", "journal:{}/s.journal"])
def test_files(folder, tmp_path, url):
    url = url.format(tmp_path)
    export(folder, url)
    assert_complete(url, folder)
    with pytest.raises(ArithjaxError, match="'exported' already; choose another name"):
        export(folder, url)
    export(folder, url, name="again")


def test_an_export_that_was_killed_is_made_again(folder, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    export(folder, url)
    with opened(url) as storage:
        optuna.load_study(study_name="exported", storage=storage).set_user_attr("arithjax_complete", False)
    export(folder, url)
    assert_complete(url, folder)


def test_choices_that_study_json_cannot_say_come_from_the_study(tmp_path):
    def moving(trial):
        high = trial.suggest_int("high", 10, 400)
        rate = 1 / trial.suggest_int("slowness", 1, high)
        return aj.Setup(high=high, learning_rate=rate, widths=(3,), **TINY)

    moving_study = aj.Study("moving", moving, trials=8, seeds=1)
    aj.run(moving_study, tmp_path)
    with pytest.raises(ArithjaxError, match=r"'slowness'=\d+ of trial \d was chosen from; give the study"):
        export(tmp_path / "moving", f"sqlite:///{tmp_path}/s.db")
    assert export(tmp_path / "moving", f"sqlite:///{tmp_path}/s.db", study=moving_study) == 8


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite:////nowhere/s.db",
        "mysql://",
        "postgresql://127.0.0.1:9/no",
        "journal:/nowhere/j",
        "x://y",
    ],
)
def test_bad_storages(folder, url):
    with pytest.raises(ArithjaxError, match="--storage") as caught:
        export(folder, url)
    assert "\n" not in str(caught.value)


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def ask(port, path, tries=300):
    for _ in range(tries):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                return answer.read()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("optuna-dashboard does not answer")


def assert_dashboard_serves(url):
    pytest.importorskip("optuna_dashboard")
    port = free_port()
    command = Path(sys.executable).with_name("optuna-dashboard")
    url = url.replace("postgresql:", "postgresql+psycopg:")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([command, url, "--host", "127.0.0.1", "--port", str(port)], **quiet)
    try:
        assert b"<html" in ask(port, "/dashboard/").lower()
        (summary,) = json.loads(ask(port, "/api/studies"))["study_summaries"]
        assert summary["study_name"] == "exported"
        detail = json.loads(ask(port, f"/api/studies/{summary['study_id']}"))
        assert len(detail["trials"]) == 12
        assert {entry["name"] for entry in detail["union_search_space"]} == {"op", "depth", "width", "rate", "momentum"}
    finally:
        server.terminate()
        server.wait()


def test_dashboard_from_sqlite(folder, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    export(folder, url)
    assert_dashboard_serves(url)


def programs():
    """The folder of PostgreSQL's `initdb` and `pg_ctl`, or None."""
    found = [Path(shutil.which(name)).resolve().parent for name in ("initdb", "pg_ctl") if shutil.which(name)]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in found if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


@pytest.fixture
def postgres(tmp_path_factory):
    """The URL of a PostgreSQL server that lives as long as the test; it does not run as root."""
    import os
    import pwd
    import tempfile

    if programs() is None:
        pytest.skip("no initdb and pg_ctl of PostgreSQL found; apt-get install postgresql brings them")
    pytest.importorskip("psycopg")
    data, port = Path(tempfile.mkdtemp(prefix="postgres")), free_port()
    how = {"check": True, "stdout": subprocess.DEVNULL, "cwd": data}
    if os.geteuid() == 0:
        owner = next(
            pwd.getpwnam(name) for name in ("postgres", "nobody") if name in {u.pw_name for u in pwd.getpwall()}
        )
        os.chown(data, owner.pw_uid, owner.pw_gid)
        how |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    subprocess.run([programs() / "initdb", "-D", data / "db", "-U", "arithjax", "--auth=trust", "--no-sync"], **how)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"
    subprocess.run([programs() / "pg_ctl", "-D", data / "db", "-w", "-l", data / "log", "-o", options, "start"], **how)
    yield f"postgresql://arithjax@127.0.0.1:{port}/postgres"
    subprocess.run([programs() / "pg_ctl", "-D", data / "db", "-m", "immediate", "stop"], **how)
    shutil.rmtree(data)


def test_postgresql_and_its_dashboard(folder, postgres):
    export(folder, postgres)
    assert_complete(postgres, folder)
    assert_dashboard_serves(postgres)
