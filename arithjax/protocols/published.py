"""What was published: every cell that the library can run, with its source, beside our own nets.

`published.csv` holds a row a cell: the call that gives its setup, how many runs it has and the share of them that
succeeded, and when these were solved. Numbers are the authors' own: tables and runs in their repositories, and points
of their figures, whose vectors are exact. Of Madsen & Johansen's runs (2020) the table `sft-last.csv` gives the step at
which each was solved; medians and means are computed from these, since the means printed in the paper are those of
fitted gamma distributions, and some of the fits failed (NAU, addition: 390,919 printed, 189,570 the mean of the runs).

For the cells of Schlör et al. (2020) a remark says in how many of ten runs an independent port of their published
script succeeded. In 19 of the 84 that is far from their table of results, which seems to be of another version of it.

Left out, since they cannot be run here as they were: gated NAU/NMU, hidden layers without clamping, Nesterov momentum,
and MulMCFC with other signs; and Heim et al. (2020), whose tables are errors of nets with four outputs, or of layers
that start otherwise. What only figures without numbers show, such as most of Mistry et al. (2022), is left out too.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

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
    runs: how many there were; None where the source does not say. rate: the share of them that succeeded.
    median, mean: of the steps at which these were solved; None where not published.
    solved: these steps, where each was published. remark: what is known about a disagreement with ours.
    """

    paper: str
    source: str
    protocol: str
    arguments: dict[str, Any]
    runs: int | None
    rate: float
    median: float | None
    mean: float | None
    solved: tuple[int, ...]
    remark: str

    def setup(self, **changes: Any) -> Setup:
        """The cell's setup; `changes` are fields that replace the protocol's."""
        protocol: Callable[..., Setup] = getattr(setups, self.protocol)
        return protocol(**self.arguments, **changes)

    @property
    def name(self) -> str:
        """The cell in words, such as `nmu mul interpolation=1,2`."""
        unit, op, *others = self.arguments.values()
        names = list(self.arguments)[2:]
        values = [",".join(map(str, v)) if isinstance(v, list) else str(v) for v in others]
        words = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
        return " ".join([",".join(unit) if isinstance(unit, list) else unit, op, *words])

    def until(self, steps: float) -> Published:
        """The cell as its first `steps` steps alone would have made it.

        Its rate is missing where it is not known when each of its runs was solved.
        """
        known = self.solved or not self.rate
        solved = tuple(step for step in self.solved if step <= steps)
        rate = len(solved) / self.runs if known and self.runs else math.nan
        median, mean = (float(of(solved)) if solved else None for of in (np.median, np.mean))
        return Published(**{**vars(self), "rate": rate, "median": median, "mean": mean, "solved": solved})


def _read() -> list[Published]:
    """The cells of `published.csv`."""
    with resources.files("arithjax.protocols").joinpath("published.csv").open(encoding="utf-8") as file:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False).to_dict("records")
    return [_cell(row) for row in rows]


def _cell(row: dict[str, str]) -> Published:
    median, mean = (float(row[name]) if row[name] else None for name in ("median", "mean"))
    return Published(
        paper=row["paper"],
        source=row["source"],
        protocol=row["protocol"],
        arguments=json.loads(row["arguments"]),
        runs=int(row["runs"]) if row["runs"] else None,
        rate=float(row["rate"]),
        median=median,
        mean=mean,
        solved=tuple(1000 * int(step) for step in row["solved"].split()),
        remark=row["remark"],
    )


PUBLISHED: list[Published] = _read()
"""Every published cell that the library can run."""


def compare(nets: pd.DataFrame, cells: Sequence[Published] | None = None) -> pd.DataFrame:
    """Our nets beside the published cells, disagreements first.

    nets: rows of a results table. A cell has the nets whose setup is its own, whatever the number of steps; cells that
        have none are left out. Where ours were trained for fewer steps, `until` says for how many, both sides are
        those solved by then, and cells of which that is not published are left out.
    cells: some of `PUBLISHED`; default: all.

    Returns a row a cell, in columns: `cell`; `nets` and `runs`, ours and theirs; our success `rate` and its Wilson 95 %
    interval `low high`, the `published` rate, whether that lies `inside`; `p` of Fisher's exact test that both rates
    are one; median and mean of the steps at which our successful nets were solved, each beside the published one;
    `until`; what is known of a disagreement, `remark`; `paper` and `source`.
    """
    groups = _by_setup(nets)
    rows = []
    for cell, fields in zip(PUBLISHED, _fields(), strict=True):
        if (cells is None or cell in cells) and fields in groups:
            found = nets.loc[groups[fields]]
            threshold = float(cell.setup().threshold or 0)
            near = np.isclose(found["threshold"].astype(float), threshold, rtol=1e-6, atol=0)
            if near.any() and (row := _beside(cell, found[near])):
                rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["inside", "p"], ignore_index=True, na_position="last", kind="stable")


COLUMNS = [
    *("cell", "nets", "runs", "rate", "low", "high", "published", "inside", "p"),
    *("median", "published_median", "mean", "published_mean", "until", "remark", "paper", "source"),
]
"""The columns of `compare`."""


def _beside(cell: Published, nets: pd.DataFrame) -> dict[str, Any] | None:
    """A row of `compare`, if there is something to compare."""
    trained = int(nets["until"].fillna(nets["steps"]).min())
    short = trained < cell.setup(threshold=1.0).steps
    theirs = cell.until(trained) if short else cell
    if math.isnan(theirs.rate):
        return None
    success = nets["solved_at"].notna() if short else statistics.success(nets)
    steps = nets["solved_at"][success]
    low, high = (float(end) for end in statistics.wilson(success.sum(), len(nets)))
    return {
        **{"cell": cell.name, "nets": len(nets), "runs": cell.runs, "rate": success.mean(), "low": low, "high": high},
        "published": theirs.rate,
        "inside": bool(low - 1e-9 <= theirs.rate <= high + 1e-9),
        "p": _fisher(int(success.sum()), len(nets), theirs.rate, cell.runs) if cell.runs else math.nan,
        **{"median": steps.median(), "published_median": theirs.median, "mean": steps.mean()},
        **{"published_mean": theirs.mean, "until": trained if short else None},
        **{"remark": cell.remark, "paper": cell.paper, "source": cell.source},
    }


def _fisher(good: int, nets: int, rate: float, runs: int) -> float:
    """P of Fisher's exact test that our rate and a published one are the same."""
    from scipy.stats import fisher_exact  # half a second of start-up

    theirs = round(rate * runs)
    return float(fisher_exact([[good, nets - good], [theirs, runs - theirs]]).pvalue)


def _by_setup(nets: pd.DataFrame) -> dict[tuple, pd.Index]:
    """The rows of each setup, by its fields as `_key` gives them."""
    names = [name for name in Setup.field_names() if name not in OURS]
    codes = nets[names].astype(object).where(nets[names].notna(), None)
    keys = pd.Series([tuple(row) for row in codes.to_numpy()], nets.index, dtype=object)
    return {key: keys.index[rows] for key, rows in keys.groupby(keys, sort=False).indices.items()}


@functools.cache
def _fields() -> list[tuple]:
    """The fields of every published cell as a table has them, but for `OURS`."""
    rows = [cell.setup(threshold=1.0).row() for cell in PUBLISHED]
    return [tuple(value for name, value in row.items() if name not in OURS) for row in rows]
