"""The lines of `bench --device`: a dry run of those that are cheap, and what becomes of lines that fail."""

import json
import time

import pytest

from arithjax.bench import device
from arithjax.bench.device import DRY, Line, check_device


@pytest.fixture
def chosen(monkeypatch):
    """`chosen(lines)` is all that is checked until the test ends."""
    return lambda lines: monkeypatch.setattr(device, "lines", lambda size: list(lines.items()))


def test_a_dry_run(tmp_path, chosen, capsys):
    dry = dict(device.lines(DRY))
    assert [name for name in dry if name.startswith("answers")] == [f"answers, {name}" for name in device.ANSWERS]
    assert [name for name in dry if name.startswith("speed")] == ["speed, question, batch 10"]
    names = ["device", "answers, sin, fresh examples", "several devices"]
    chosen({name: dry[name] for name in names})
    assert check_device(tmp_path / "new" / "device.json", size=DRY)
    written = json.loads((tmp_path / "new" / "device.json").read_text())
    assert written["dry"] and list(written["lines"]) == names and written["device"]
    answers = written["lines"]["answers, sin, fresh examples"]
    assert answers["said"].startswith("onchip") and answers["close"] == 1 and answers["median"] < 1e-4
    assert "3 of 3 lines passed" in capsys.readouterr().out


@pytest.mark.slow
def test_all_of_a_dry_run(tmp_path):
    assert check_device(tmp_path / "device.json", size=DRY)


def test_one_line_that_fails_leaves_the_others(tmp_path, chosen, capsys):
    def breaks():
        raise ValueError("no such instruction\nand more")

    chosen({"bad": lambda: Line(False, "0 of 2"), "broken": breaks, "good": lambda: Line(True, "2 of 2", {"found": 2})})
    assert not check_device(tmp_path / "device.json", size=DRY)
    lines = json.loads((tmp_path / "device.json").read_text())["lines"]
    assert [line["passed"] for line in lines.values()] == [False, False, True]
    assert lines["broken"]["said"] == "ValueError: no such instruction" and lines["good"]["found"] == 2
    said = capsys.readouterr().out
    assert "FAIL  bad: 0 of 2" in said and "pass  good: 2 of 2" in said and "1 of 3 lines passed" in said


def test_what_takes_too_long_is_given_up(tmp_path, chosen):
    chosen({"long": lambda: time.sleep(20), "after": lambda: Line(True, "never asked")})
    started = time.monotonic()
    assert not check_device(tmp_path / "device.json", seconds=0.2, size=DRY)
    assert time.monotonic() - started < 15
    lines = json.loads((tmp_path / "device.json").read_text())["lines"]
    assert [line["said"] for line in lines.values()] == ["no time was left"] * 2
