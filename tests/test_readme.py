"""The README's numbers are those of the committed tables."""

import re
from pathlib import Path

import pytest

import arithjax as aj
from arithjax import protocols

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LABELS = {
    **{
        "NAU": "nau",
        "NMU": "nmu",
        "sNMU": "snmu",
        "NRU": "nru",
        "NMRU": "nmru",
        "RealNPU": "realnpu",
        "iNALU": "inalu",
    },
    **{"NALU": "nalu", "NAC+": "nac_add", "NAC•": "nac_mul", "bilinear": "bilinear", "log-exp": "log_exp"},
    **{"linear net": "linear", "ReLU net": "relu"},
}


def cells(pattern):
    return [[cell.strip() for cell in row.strip("| \n").split("|")] for row in re.findall(pattern, README, re.M)]


@pytest.fixture(scope="module")
def units():
    return aj.load(ROOT / "results" / "units")


def test_published_cells(units):
    ours = protocols.compare(units).set_index(["unit", "op", "range"])
    rows = cells(r"^\| (?:nmu|nau) \| .*$")
    assert len(rows) == 9
    for unit, op, interval, rate, published, step, published_step in rows:
        cell = ours.loc[unit, op, interval]
        assert rate == f"{cell.rate:.2f} ({cell.low:.2f}-{cell.high:.2f})" and published == f"{cell.published:.2f}"
        assert (step, published_step) == (f"{cell.solved_at:,.0f}", f"{cell.published_at:,.0f}")


def test_rates_over_all_ranges(units):
    rates = units.groupby(["model", "activation", "op"]).success.mean()
    rows = [row for row in cells(r"^\| .*$") if row[0] in LABELS]
    assert len(rows) == len(LABELS)
    for label, *shown in rows:
        name = LABELS[label]
        key = ("mlp", name) if name in ("linear", "relu") else (name, "linear")
        assert shown == [f"{rates[(*key, op)]:.2f}" for op in ("add", "sub", "mul", "div")]
