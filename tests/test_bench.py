"""The speed table: its rows and its file, but no speeds."""

import importlib
import importlib.util
import io
import json
import math
import time
from pathlib import Path

import jax
import pytest
from rich.console import Console

from arithjax.bench import QUESTION, WAYS, WIDE, Runner, Way, bench, compare_study, scale, stages, write
from arithjax.bench import study as studies
from arithjax.bench.fresh import measure
from arithjax.bench.page import page
from arithjax.bench.peak import fma_peak
from arithjax.bench.table import rate_table
from arithjax.environment import devices_and_workers
from arithjax.errors import ArithjaxError
from arithjax.studies.runner import run
from arithjax.studies.study import Study
from arithjax.training.engines import fused

KEYS = {"net", "batch", "way", "nets", "rate", "ratio", "gflops", "peak_share", "fma_share", "compile_seconds"}
SMALL = QUESTION.replace(examples=64)


def runnable(way: Way) -> bool:
    return way.needs is None or importlib.util.find_spec(way.needs) is not None


def test_the_table_and_its_file(tmp_path, capsys):
    ways = [way._replace(populations=(8,)) for way in WAYS if way.name in ("arithjax", "jit(vmap)")]
    measured = bench(quick=True, setups=[SMALL], ways=ways, repetitions=2, seconds=0.01)
    write(tmp_path / "speed.json", measured)
    stored, rows = json.loads((tmp_path / "speed.json").read_text()), measured["rows"]
    assert stored["rows"] == rows and stored["peak_gflops"] > 0
    assert stored["device"] and {"arithjax", "jax", "flax", "optax"} <= set(stored["versions"])
    assert [row["way"] for row in rows] == ["arithjax", "jit(vmap)"]
    for row in rows:
        assert set(row) == KEYS
        assert all(math.isfinite(row[key]) and row[key] > 0 for key in ("rate", "ratio", "gflops", "peak_share"))
        assert row["compile_seconds"] >= 0
    shown = capsys.readouterr().out
    assert "model-steps/s" in shown and "jit(vmap)" in shown


def test_the_peak_of_multiply_adds_is_above_what_is_reached():
    assert fma_peak() is None or fma_peak() > 1  # GFLOP/s: even one slow core does more
    if fused.available():
        chains = importlib.import_module("arithjax.bench.chains")
        doubled = [chains.run(loops, 1.0) for loops in (1, 2, 5)]  # 16 sums of 1 that grow by 1
        assert doubled == [16 * (loops + 1) for loops in (1, 2, 5)]


def test_the_stages_of_a_run(tmp_path):
    """Each stage has its own time, and together they have no more than the threads had."""

    def question(trial):
        return QUESTION.replace(op="add", examples=64, batch=8, tests=64, steps=10)

    started = time.perf_counter()
    with stages.watched() as seconds:
        run(Study("staged", question, trials=2, seeds=2), tmp_path)
    spent = time.perf_counter() - started
    assert list(seconds) == ["compile", "train", "judge", "ask", "write"]
    assert all(seconds[name] > 0 for name in ("train", "judge", "ask", "write")) and seconds["compile"] >= 0
    assert sum(seconds.values()) <= spent * (devices_and_workers()[1] + 1)
    again = dict(seconds)
    run(Study("staged again", question, trials=1, seeds=1), tmp_path)
    assert seconds == again  # nothing is timed any more


def test_a_missing_package_is_named_in_one_line(capsys):
    there = Way("there", lambda setup, nets: Runner(lambda units: None), slow=False)
    absent = [Way(f"absent {i}", None, needs="no_such_package") for i in (1, 2)]
    measured = bench(setups=[QUESTION], ways=[there, *absent], repetitions=1, seconds=0)
    assert [row["way"] for row in measured["rows"]] == ["there"]
    lines = [line for line in capsys.readouterr().out.splitlines() if "no_such_package" in line]
    assert len(lines) == 1
    assert "absent 1, absent 2" in lines[0] and "pip install '" in lines[0] and "'torch" in lines[0]


def test_the_rows_of_the_table():
    assert [(setup.widths[0], setup.batch) for setup in WIDE] == [
        (width, batch) for width in (8, 16, 32, 64, 128, 256) for batch in (10, 128)
    ]


def test_the_usual_way_trains_setups_of_the_space():
    setups = [net.setup for net in studies.nets_of(8, 1, 20)]
    assert studies.one_program(min(setups, key=lambda setup: len(setup.widths)), 2).shape == (2,)


def test_the_usual_way_learns():
    setup = QUESTION.replace(op="add", widths=(4,), activation="linear", output_activation="linear", batch=32)
    setup = setup.replace(input_transform="standardize", target_transform="standardize", learning_rate=0.02, steps=800)
    assert (studies.one_program(setup, 2) < 0.02).all()


def test_parts_of_a_file_join(tmp_path):
    write(tmp_path / "speed.json", {"rows": []})
    write(tmp_path / "speed.json", {"scale": [1]})
    assert {"rows", "scale", "device", "versions"} <= set(json.loads((tmp_path / "speed.json").read_text()))


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(ArithjaxError, match=r"cannot write .*speed\.json .*choose another file"):
        write(tmp_path / "nowhere" / "speed.json", {})


def test_a_mistake_in_another_process_is_one_line():
    with pytest.raises(ArithjaxError, match=r"measuring usual.* ended with status 1: .*trials=0 is not allowed"):
        measure(studies.usual, None, 0, 1, 1, [])


@pytest.mark.slow
def test_a_study_and_its_scale():
    found = compare_study(3, 2, 20, 2)
    assert found["sample"] == sorted(set(found["sample"])) and len(found["sample_seconds"]) == 2
    assert found["usual_seconds"] == pytest.approx(sum(found["sample_seconds"]) * 3 / 2)
    assert list(found["cold"]["stages"]) == ["import", *stages.STAGES]
    assert found["warm"]["programs"] == found["cold"]["programs"] and found["ratio"] > 0
    (row,) = scale((4,), 20)
    assert row["nets"] == 4 and row["memory"] > 2**26


@pytest.mark.slow
@pytest.mark.parametrize("way", [way for way in WAYS if runnable(way)], ids=lambda way: way.name)
@pytest.mark.filterwarnings("default")
def test_every_way_trains(way):
    runner = way.prepare(SMALL, 8 if way.populations != (1,) else 1)
    with jax.numpy_rank_promotion("allow"):  # Keras promotes
        runner.run(2)
    assert runner.nets >= 1 and runner.steps >= 1


def test_the_page_of_measurements():
    """The committed page is that of the committed measurements, and holds every rate of theirs."""
    folder = Path(__file__).parents[1] / "results" / "bench"
    text = (folder / "README.md").read_text()
    assert page(folder) == text
    of_question = [row for row in json.loads((folder / "cpu.json").read_text())["rows"] if row["net"] == "question"]
    assert len(of_question) > 5 and all(
        f"| {row['way']} | {row['nets']:,} | {row['rate']:,.0f} |" in text for row in of_question
    )


def test_the_table_fits_80_columns():
    row = {
        "net": "2-256-256-1",
        "batch": 128,
        "way": "arithjax, compiled engine",
        "nets": 1024,
        "rate": 16_293_022.0,
        "ratio": 10_588.1,
    }
    row |= {"peak_share": 0.329, "fma_share": 0.306, "compile_seconds": 11.5}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(rate_table([row]))
    heads, _, said = console.export_text().splitlines()
    assert "…" not in heads + said and "of FMA peak" in heads and said.split()[-3:] == ["30.6%", "11.5", "s"]
