"""What was published: every cell that the library can run, with its source, beside our own nets.

`published.csv` holds a row a cell: the call that gives its setup, how many runs it has and the share of them that
succeeded, and when these were solved. `published_errors.csv` holds those where no successes were counted: the mean of
an error over the runs, and its standard error. Numbers are the authors' own: tables and runs in their repositories, and
points of their figures, whose vectors are exact. Of Madsen & Johansen's runs (2020) the table `sft-last.csv` gives the
step at which each was solved; medians and means are computed from these, since the means printed in the paper are those
of fitted gamma distributions, and some of the fits failed (NAU, addition: 390,919 printed, 189,570 the mean of the
runs).

For the cells of Schlör et al. (2020) a remark says in how many of ten runs an independent port of their published
script succeeded. In 19 of the 84 that is far from their table of results, which seems to be of another version of it.

Of Heim et al. (2020) these are the errors of the simple arithmetic task. The caption of that table says median and
median absolute deviation; the script that writes it computes mean and standard error, which they are taken for here.

Left out, since they cannot be run here as they were: gated NAU/NMU, hidden layers without clamping, Nesterov momentum,
MulMCFC with other signs, and the large-scale task of Heim et al., medians of the ten runs with the smallest test errors
of all that a folder held, of several versions of a script. A port of the last one, with its Sobol sequence of examples,
gives 3e-5 where 1.4e-6 is published (RealNPU, 1 / a), and 0.4 for 0.006 (NMU, a + b). What only figures without numbers
show, such as most of Mistry et al. (2022), is left out, too.
"""

from __future__ import annotations

import functools
import json
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from arithjax.protocols import setups
from arithjax.setup import Setup
from arithjax.tables import statistics

OURS = ("steps", "until", "tests", "stop_early", "threshold")
"""Fields in which a net may differ from the setup of its published cell; its threshold has to be near."""


@dataclass(frozen=True)
class Published:
    """A published cell.

    paper, source: where it was published, and where the numbers are: repository and path.
    protocol, arguments: the function of this module, and its arguments, that give the cell's setup.
    runs: how many there were; None where the source does not say. rate: the share of them that succeeded; NaN where the
        cell is about an error.
    median, mean: of the steps at which these were solved; None where not published.
    solved: these steps, where each was published. remark: what is known about a disagreement with ours.
    measure: the error that a cell without a rate is about, a column of tables or a metric; else empty.
    value, standard_error: of that the mean over the runs, and its standard error; NaN of a cell with a rate.
    """

    paper: str
    source: str
    protocol: str
    arguments: dict[str, Any]
    runs: int | None
    remark: str
    rate: float = math.nan
    median: float | None = None
    mean: float | None = None
    solved: tuple[int, ...] = ()
    measure: str = ""
    value: float = math.nan
    standard_error: float = math.nan

    def setup(self, **changes: Any) -> Setup:
        """The cell's setup; `changes` are fields that replace the protocol's."""
        protocol: Callable[..., Setup] = getattr(setups, self.protocol)
        return protocol(**self.arguments, **changes)

    @property
    def name(self) -> str:
        """The cell in words, such as `nmu mul interpolation=1,2` or `npu error_add`."""
        given = {k: ",".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in self.arguments.items()}
        words = [value if name in ("unit", "op") else f"{name}={value}" for name, value in given.items()]
        return " ".join([*words, self.measure]).rstrip()

    def until(self, steps: float) -> Published:
        """The cell as its first `steps` steps alone would have made it.

        Its rate is missing where it is not known when each of its runs was solved.
        """
        known = self.solved or not self.rate
        solved = tuple(step for step in self.solved if step <= steps)
        rate = len(solved) / self.runs if known and self.runs else math.nan
        median, mean = (float(of(solved)) if solved else None for of in (np.median, np.mean))
        return Published(**{**vars(self), "rate": rate, "median": median, "mean": mean, "solved": solved})


def _rows(name: str) -> list[dict[str, str]]:
    """The rows of a file of this folder, all of them text."""
    with resources.files("arithjax.protocols").joinpath(name).open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False).to_dict("records")


def _cell(row: dict[str, str], **numbers: Any) -> Published:
    """A cell from what rows of both files have, and the numbers of one."""
    return Published(
        paper=row["paper"],
        source=row["source"],
        protocol=row["protocol"],
        arguments=json.loads(row["arguments"]),
        runs=int(row["runs"]) if row["runs"] else None,
        remark=row["remark"],
        **numbers,
    )


def _of_rates(row: dict[str, str]) -> Published:
    """A cell of `published.csv`."""
    median, mean = (float(row[name]) if row[name] else None for name in ("median", "mean"))
    solved = tuple(1000 * int(step) for step in row["solved"].split())
    return _cell(row, rate=float(row["rate"]), median=median, mean=mean, solved=solved)


def _of_errors(row: dict[str, str]) -> Published:
    """A cell of `published_errors.csv`."""
    value, standard_error = float(row["value"]), float(row["standard_error"])
    return _cell(row, measure=row["measure"], value=value, standard_error=standard_error)


PUBLISHED: list[Published] = [
    *map(_of_rates, _rows("published.csv")),
    *map(_of_errors, _rows("published_errors.csv")),
]
"""Every published cell that the library can run."""


def compare(nets: pd.DataFrame, cells: Sequence[Published] | None = None) -> pd.DataFrame:
    """Our nets beside the published cells, disagreements first.

    nets: rows of a results table. A cell has the nets whose setup is its own, whatever the number of steps; cells that
        have none are left out. Where ours were trained for fewer steps, `until` says for how many, both sides are
        those solved by then, and cells of which that is not published are left out.
    cells: some of `PUBLISHED`; default: all.

    Where no cell has nets to compare with, a warning says why: of cells that nets have the setup of, what else keeps
    them apart, or else the nearest cell and the fields in which it differs.

    Returns a row a cell, in columns: `cell`; `nets` and `runs`, ours and theirs; our success `rate` and its Wilson 95 %
    interval `low high`, the `published` rate, whether that lies `inside`; `p` of Fisher's exact test that both rates
    are one; median and mean of the steps at which our successful nets were solved, each beside the published one;
    `until`; what is known of a disagreement, `remark`; `paper` and `source`; and of cells about an error alone
    `measure`, `value` and `lost`.

    Cells about an error have no rate, but its name, `measure`; of the mean over our nets, `value`, are then `low high`,
    Student's 95 % interval, `published`, `inside` and `p`, that of Welch's test. They have the nets that are judged
    after the very step after which the published ones are: none with a threshold, stopped early, or trained for another
    number of steps. Nets without a finite error, as diverged ones, are in no mean, and `nets` does not count them:
    `lost` does. Where there are some, the mean flatters our nets.
    """
    nets = nets.reset_index(drop=True)
    groups = _by_setup(nets)
    asked = [(cell, key) for cell, key in zip(PUBLISHED, _fields(), strict=True) if cells is None or cell in cells]
    found = [(cell, _row(cell, nets.loc[groups[key]])) for cell, key in asked if key in groups]
    rows = [row for _, row in found if not isinstance(row, str)]
    if len(nets) and asked and not rows:
        first = {why: cell.name for cell, why in reversed(found) if isinstance(why, str)}  # of each reason
        why = "; ".join(f"{name} {why}" for why, name in first.items()) or _nearest(asked, groups, nets)
        warnings.warn(f"none of {len(asked)} published cells compares with these nets: {why}.", stacklevel=2)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["inside", "p"], ignore_index=True, na_position="last", kind="stable")


COLUMNS = [
    *("cell", "nets", "lost", "runs", "measure", "value", "rate", "low", "high", "published", "inside", "p"),
    *("median", "published_median", "mean", "published_mean", "until", "remark", "paper", "source"),
]
"""The columns of `compare`."""

MOST_SETUPS = 100
"""Setups of a table among which the nearest to a published one is looked for."""


def _nearest(asked: list[tuple[Published, tuple]], groups: dict[tuple, pd.Index], nets: pd.DataFrame) -> str:
    """The cell whose setup is nearest to one of those that nets have, and the fields in which they differ.

    asked: cells, each with its fields but for `OURS`. groups: rows of the table `nets`, by the same fields.
    """
    pairs = ((cell, theirs, ours) for cell, theirs in asked for ours in list(groups)[:MOST_SETUPS])
    cell, theirs, ours = min(pairs, key=lambda pair: sum(a != b for a, b in zip(*pair[1:], strict=True)))
    both = [*zip(_key_names(), theirs, ours, strict=True)]
    both.append(("steps", cell.setup(threshold=1.0).steps, nets["steps"][groups[ours][0]]))
    differ = ", ".join(f"{name}={there} (here {here})" for name, there, here in both if there != here)
    return f"the nearest is {cell.name}, which has {differ}; its setup() has all fields"


def _row(cell: Published, nets: pd.DataFrame) -> dict[str, Any] | str:
    """A row of `compare`, from the nets of the cell's setup, or why there is nothing to compare."""
    return _of_error(cell, nets) if cell.measure else _of_rate(cell, nets)


def _of_rate(cell: Published, nets: pd.DataFrame) -> dict[str, Any] | str:
    """A row of `compare`, from the nets whose threshold is the cell's, or why there is nothing to compare."""
    threshold = float(cell.setup().threshold or 0)
    nets = nets[np.isclose(nets["threshold"].astype(float), threshold, rtol=1e-6, atol=0)]
    if not len(nets):
        return "is of another threshold; leave the protocol's"
    trained = int(nets["until"].fillna(nets["steps"]).min())
    planned = cell.setup(threshold=1.0).steps
    short = trained < planned
    theirs = cell.until(trained) if short else cell
    if math.isnan(theirs.rate):
        return f"was not published for fewer steps than {planned:,}; train them all"
    success = nets["solved_at"].notna() if short else statistics.success(nets)
    steps = nets["solved_at"][success]
    low, high = (float(end) for end in statistics.wilson(success.sum(), len(nets)))
    return {
        **{"cell": cell.name, "nets": len(nets), "runs": cell.runs, "rate": success.mean(), "low": low, "high": high},
        "published": theirs.rate,
        "inside": _between(low, theirs.rate, high),
        "p": _fisher(int(success.sum()), len(nets), theirs.rate, cell.runs) if cell.runs else math.nan,
        **{"median": steps.median(), "published_median": theirs.median, "mean": steps.mean()},
        **{"published_mean": theirs.mean, "until": trained if short else None},
        **{"remark": cell.remark, "paper": cell.paper, "source": cell.source},
    }


def _of_error(cell: Published, nets: pd.DataFrame) -> dict[str, Any] | str:
    """A row of `compare` about an error, from the nets judged after the cell's last step, two at least that have it.

    Or why there is nothing to compare.
    """
    if cell.measure not in nets:
        return "is about a metric that these nets have not; enter those of aj.protocols.grid_errors() before training"
    nets = nets[nets["threshold"].isna() & (nets["trained_steps"] == (steps := cell.setup().steps))]
    if nets.empty:
        return f"is judged after step {steps:,}, and none of these nets is; train so many, without a threshold"
    errors = nets[cell.measure].to_numpy(float)
    errors = errors[np.isfinite(errors)]
    if len(errors) < 2:
        return "has fewer than two nets with a finite error; take more seeds"
    low, high = _interval(errors)
    return {
        **{"cell": cell.name, "nets": len(errors), "lost": len(nets) - len(errors), "runs": cell.runs},
        **{"measure": cell.measure, "value": errors.mean(), "low": low, "high": high},
        **{"published": cell.value, "inside": _between(low, cell.value, high), "p": _welch(errors, cell)},
        **{"remark": cell.remark, "paper": cell.paper, "source": cell.source},
    }


def _between(low: float, value: float, high: float) -> bool:
    return bool(low - 1e-9 <= value <= high + 1e-9)


def _interval(errors: np.ndarray) -> tuple[float, float]:
    """Student's 95 % interval of the mean of errors `[nets]`."""
    half = float(stats.t.ppf(0.975, len(errors) - 1) * errors.std(ddof=1)) / math.sqrt(len(errors))
    return float(errors.mean()) - half, float(errors.mean()) + half


def _welch(errors: np.ndarray, cell: Published) -> float:
    """P of Welch's test that the mean of errors `[nets]` and a published one are the same."""
    assert cell.runs, "who published a standard error said of how many runs"
    ours = errors.mean(), errors.std(ddof=1), len(errors)
    theirs = cell.value, cell.standard_error * math.sqrt(cell.runs), cell.runs
    return float(stats.ttest_ind_from_stats(*ours, *theirs, equal_var=False).pvalue)


def _fisher(good: int, nets: int, rate: float, runs: int) -> float:
    """P of Fisher's exact test that our rate and a published one are the same."""
    theirs = round(rate * runs)
    return float(stats.fisher_exact([[good, nets - good], [theirs, runs - theirs]]).pvalue)


def _key_names() -> list[str]:
    """The fields that a net and its published cell have to agree in."""
    return [name for name in Setup.field_names() if name not in OURS]


def _by_setup(nets: pd.DataFrame) -> dict[tuple, pd.Index]:
    """The rows of each setup, by the values of these fields."""
    names = _key_names()
    codes = nets[names].astype(object).where(nets[names].notna(), None)
    keys = pd.Series([tuple(row) for row in codes.to_numpy()], nets.index, dtype=object)
    return {key: keys.index[rows] for key, rows in keys.groupby(keys, sort=False).indices.items()}


@functools.cache
def _fields() -> list[tuple]:
    """The same fields of every published cell, as a table has them."""
    rows = [cell.setup(threshold=1.0).row() for cell in PUBLISHED]
    return [tuple(row[name] for name in _key_names()) for row in rows]
