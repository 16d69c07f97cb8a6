"""The README's numbers are those of the committed tables."""

import re
from pathlib import Path

import numpy as np
import pytest

import arithjax as aj
from arithjax import protocols, results
from arithjax.report import share

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


def test_the_answer():
    """Every rate of the opening, in its order, from the table of `why`."""
    nets = results.with_choices(aj.load(ROOT / "results" / "why"))
    of = dict(list(nets[nets.op == "mul"].groupby("change")))
    living = of["none"][~of["none"].dead]
    a, b = np.indices((500, 500))
    holds = [
        nets[(nets.op == "add") & (nets.change == "none")].success,
        of["none"].success,
        of["none"].dead,
        *((living.mse / loss_of(x, a * b) - 1).abs() < 0.05 for x in (a + b, np.minimum(a, b))),
        of["squared layer"].success,
        of["linear output + squared layer + no other relus"].success,
        of["all six"].grade == "exact",
    ]
    opening = README[: README.index("(`arithjax run why`")]
    rates = [share(some) for some in holds]
    assert re.findall(r"\d+ % \(\d+-\d+ %\)", opening) == rates
    several = (" + ", "all six", "all but", "none", "mended")
    single = [name for name in of if not any(words in name for words in several)]
    assert f"of {len(single)} single changes" in opening
    assert [name for name in single if of[name].success.sum() > 1] == ["squared layer"]


def test_the_main_study():
    assert f"\n> {results.description(ROOT / 'results' / 'multiplication')['answer']}\n" in README


def loss_of(x, t):
    """That of the best multiple of x as an answer for t."""
    return np.mean(t**2) - np.mean(x * t) ** 2 / np.mean(x**2)


def test_sizes_of_studies():
    rows = cells(r"^\| `arithjax run \w+` .*$")
    assert len(rows) >= 7
    for command, count, _ in rows:
        assert count == f"{len(aj.load(ROOT / 'results' / command.strip('`').split()[-1])):,}"


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
