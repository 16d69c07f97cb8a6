"""Encoded results in scripts: what a net's outputs mean is read off them as the net itself does, in every library."""

import json
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from test_export import lacking, module_of

import arithjax as aj
from arithjax.export import untrained

ENCODINGS = {"binary": "bit_cross_entropy", "onehot": "cross_entropy", "thermometer": "bit_cross_entropy"}
ENCODINGS |= {"digits:10": "cross_entropy", "fourier:5": "mse"}
SMALL = {"op": "sub", "low": -3, "high": 9, "widths": (6,), "activation": "tanh", "learning_rate": 0.02}
SMALL |= {"examples": 96, "batch": 16, "steps": 120, "tests": 64, "input_transform": "minmax"}
X = np.stack(np.meshgrid(np.arange(-3, 9), np.arange(-3, 9)), -1).reshape(-1, 2)


@pytest.fixture(scope="module")
def nets():
    """A small net for each encoding of results, of one result and of two with other ranges."""
    aj.OPERATIONS["both"] = aj.Operation("both", "a - b, max(a, b)", lambda a, b: (a - b, jax.numpy.maximum(a, b)))
    setups = {name: aj.Setup(target_transform=name, loss=loss, **SMALL) for name, loss in ENCODINGS.items()}
    setups["both"] = setups["onehot"].replace(op="both", input_transform="binary")
    setups["reals"] = aj.Setup(target_transform="fourier:3", integers=False, **SMALL)
    yield {name: aj.fit(setup, seeds=1) for name, setup in setups.items()}
    del aj.OPERATIONS["both"]


def assert_same(net, said, x=X):
    """Whole numbers are the very same, and so is NaN; real ones to float32 rounding of waves."""
    own = net(x)
    assert said.shape == own.shape
    whole = net.setup.integers
    np.testing.assert_allclose(said, own, rtol=0, atol=0 if whole else 1e-4)
    assert len(np.unique(own)) > 2, "a net that answers one number shows nothing"


@pytest.mark.parametrize("target", ["numpy", "torch", "flax"])
def test_scripts_answer_as_the_nets_do(nets, target):
    if lacking(target):
        pytest.skip("needs PyTorch: pip install -e '.[bench]'")
    for net in nets.values():
        names = module_of(net.export(target))
        with jax.numpy_rank_promotion("allow"):
            assert_same(net, np.asarray(names["net"](X)))
            unknown = np.asarray(names["net"](np.array([[np.nan, 1.0]])))
        assert np.isnan(unknown).all() and np.isnan(net([[np.nan, 1]])).all()


def test_scripts_in_keras_answer_as_the_nets_do_without_arithjax(nets, tmp_path):
    if lacking("keras"):
        pytest.skip("needs Keras and PyTorch: pip install -e '.[bench]'")
    for i, net in enumerate(nets.values()):
        net.export("keras", tmp_path / f"net_{i}.py")
    run = "import sys, json; sys.modules['arithjax'] = sys.modules['jax'] = None; import runpy; "
    run += "print(json.dumps([runpy.run_path(f'net_{i}.py')['net'](json.loads(sys.argv[1])).tolist() "
    run += f"for i in range({len(nets)})]))"
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": ""}
    x = np.array([*X, [9, 0], [0.5, 0]])  # of the last two bits have no code
    command = [sys.executable, "-W", "ignore", "-c", run, json.dumps(x.tolist())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    for net, said in zip(nets.values(), json.loads(done.stdout), strict=True):
        assert_same(net, np.array(said), x)
    assert np.isnan(nets["both"](x)[-2:]).all()


def test_a_script_prints_the_answer(nets, tmp_path):
    for name, numbers in (("binary", [3, 8]), ("both", [3, 8]), ("both", [3, 9])):
        nets[name].export("numpy", tmp_path / "mine.py")
        run = "import sys; sys.modules['arithjax'] = sys.modules['jax'] = None; import runpy; "
        run += "sys.argv[0] = 'mine.py'; runpy.run_path('mine.py', run_name='__main__')"
        command = [sys.executable, "-c", run, *map(str, numbers)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert not done.stderr
        np.testing.assert_array_equal([float(word) for word in done.stdout.split()], np.ravel(nets[name](numbers)))


def test_encodings_of_ones_own_are_refused(add):
    ours = aj.TRANSFORMS["binary"]
    add(aj.TRANSFORMS, aj.Encoding("mine", "bits", ours.numbers, ours.encode, ours.decode))
    setup = aj.Setup(target_transform="mine", **SMALL)
    with pytest.raises(aj.ArithjaxError, match=r"target_transform=mine is your own, .* binary"):
        untrained(setup)
    with pytest.raises(aj.ArithjaxError, match=r"target_transform=mine is your own"):
        aj.fit(setup.replace(steps=1), seeds=1).export("numpy")


LEARNT = {"op": "sub", "low": 0, "high": 6, "widths": (32,), "activation": "relu", "examples": "all", "batch": 36}
LEARNT |= {"learning_rate": 0.03, "steps": 300, "input_transform": "onehot"}


def learnt(name):
    return aj.Setup(target_transform=name, loss=ENCODINGS[name], **LEARNT)


@pytest.fixture
def one_thread():
    """PyTorch in one thread: for nets as small as these, more of them wait for each other longer than they work."""
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install -e '.[bench]'")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ENCODINGS)
def test_an_untrained_script_learns(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    module_of(untrained(learnt(name), "torch"))
    said = capsys.readouterr().out
    assert float(said.rsplit(": ", 1)[1]) == 0, "by heart, every difference is right"
    assert len(re.findall(r", off by [+-]0\n", said)) == 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODINGS)
def test_an_untrained_script_learns_in_keras(name, tmp_path):
    if lacking("keras"):
        pytest.skip("needs Keras and PyTorch: pip install -e '.[bench]'")
    (tmp_path / "train.py").write_text(untrained(learnt(name), "keras"))
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    run = [sys.executable, str(tmp_path / "train.py"), "0"]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout
    assert float(said.rsplit(": ", 1)[1]) == 0
