"""The speed table: its rows and its file, but no speeds."""

import importlib.util
import json
import math

import jax
import pytest

from arithjax.bench import QUESTION, WAYS, Runner, Way, bench

KEYS = {"net", "batch", "way", "nets", "rate", "ratio", "gflops", "peak_share", "compile_seconds"}
SMALL = QUESTION.replace(examples=200)


def runnable(way: Way) -> bool:
    return way.needs is None or importlib.util.find_spec(way.needs) is not None


def test_the_table_and_its_file(tmp_path, capsys):
    ways = [way._replace(populations=(8,)) for way in WAYS if way.name in ("arithjax", "jit(vmap)")]
    rows = bench(quick=True, file=tmp_path / "speed.json", setups=[SMALL], ways=ways, repetitions=2, seconds=0.01)
    stored = json.loads((tmp_path / "speed.json").read_text())
    assert stored["rows"] == rows
    assert stored["device"] and {"arithjax", "jax", "flax", "optax"} <= set(stored["versions"])
    assert [row["way"] for row in rows] == ["arithjax", "jit(vmap)"]
    for row in rows:
        assert set(row) == KEYS
        assert all(math.isfinite(row[key]) and row[key] > 0 for key in ("rate", "ratio", "gflops", "peak_share"))
        assert row["compile_seconds"] >= 0
    shown = capsys.readouterr().out
    assert "model-steps/s" in shown and "jit(vmap)" in shown


def test_a_missing_package_is_named_in_one_line(capsys):
    there = Way("there", lambda setup, nets: Runner(lambda units: None), slow=False)
    absent = [Way(f"absent {i}", None, needs="no_such_package") for i in (1, 2)]
    rows = bench(setups=[QUESTION], ways=[there, *absent], repetitions=1, seconds=0)
    assert [row["way"] for row in rows] == ["there"]
    lines = [line for line in capsys.readouterr().out.splitlines() if "no_such_package" in line]
    assert len(lines) == 1
    assert "absent 1, absent 2" in lines[0] and "pip install 'arithjax[bench]'" in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if runnable(way)], ids=lambda way: way.name)
@pytest.mark.filterwarnings("default")
def test_every_way_trains(way):
    runner = way.prepare(SMALL, 8 if way.populations != (1,) else 1)
    with jax.numpy_rank_promotion("allow"):  # Keras promotes
        runner.run(2)
    assert runner.nets >= 1 and runner.steps >= 1
