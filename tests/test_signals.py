"""Signals: a run that is asked to stop stops, whatever the moment, and says so in its exit status."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import arithjax as aj
from arithjax.errors import Interrupted
from arithjax.studies import signals
from arithjax.training import planning, workers
from arithjax.training.tile import NetId, Tile

TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}


class InFinaliser:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(100):  # the handler runs here, and what it raises is dropped
            pass


@pytest.fixture
def in_collector():
    """A callback of the garbage collector, as jax has one, during which a signal comes, once."""

    def callback(phase, info):
        if came:
            came.pop()
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(100):
                pass

    came = [True]
    gc.callbacks.append(callback)
    yield
    gc.callbacks.remove(callback)


@pytest.mark.parametrize("provoke", [gc.collect, InFinaliser], ids=["collector", "finaliser"])
def test_an_interruption_that_python_drops_comes_again(in_collector, provoke):
    with pytest.raises(KeyboardInterrupt), signals.in_order():
        provoke()
        for _ in range(1000):
            time.sleep(0.01)
        pytest.fail("the signal was lost")


def test_other_dropped_exceptions_are_reported_as_ever(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)

    class Fails:
        def __del__(self):
            raise RuntimeError("mine")

    with signals.in_order():
        Fails()
    assert [str(error.exc_value) for error in reported] == ["mine"]


def test_workers_that_leave_do_not_make_anybody_wait():
    """The stop was asked for before any tile is begun, and nobody else raises anything."""
    stop, nets = threading.Event(), [NetId(0, seed, aj.Setup(op="add", **TINY)) for seed in range(2)]
    stop.set()
    with pytest.raises(Interrupted):
        next(workers.train_nets(nets, 0, workers=2, stop=stop))


def test_a_worker_that_fails_is_heard_at_once():
    class Broken(Tile):
        @property
        def specs(self):
            raise MemoryError("no more")

    devices = workers.devices_and_workers()[0]
    with pytest.raises(MemoryError):
        list(workers.train_tiles([Broken.__new__(Broken)], 0, 2, devices, lambda steps: None, threading.Event()))


ENDING = """
import atexit, os, signal, sys, time
from arithjax import cli
from arithjax.studies import signals
def long(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(9)
cli.arithjax.main = long
atexit.register(lambda: os.kill(os.getpid(), signal.SIGKILL))
cli.main()
"""


def test_an_interrupted_process_is_over_with_its_last_line():
    """What Python does at its end, where signals have their usual effect, is not waited for."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "arithjax: interrupted.\n")


def test_planned_tiles_are_trained_once():
    nets = [NetId(0, seed, aj.Setup(op="add", **TINY)) for seed in range(3)]
    tiles = planning.plan(nets, 2)
    devices = workers.devices_and_workers()[0]
    trained = list(workers.train_tiles(tiles, 0, 2, devices, lambda steps: None, threading.Event()))
    assert sorted(seed for one in trained for seed in one.rows["seed"]) == [0, 1, 2]
