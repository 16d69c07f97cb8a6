"""Racing: setups trained from a few seeds each, more for the better ones, within a budget of planned arithmetic.

Nets are trained in groups of 16 seeds, the fewest that a program trains at the speed of one. What training costs is
computed before (`arithjax.training.cost`), so that which setups are tried does not depend on how fast the machine is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from arithjax.environment import devices_and_workers
from arithjax.errors import ArithjaxError
from arithjax.setup import Setup
from arithjax.tables import statistics
from arithjax.training import cost, workers
from arithjax.training.callbacks import NOTHING, Callback
from arithjax.training.planning import plan
from arithjax.training.tile import NetId, Tile

GROUP = 16
"""Seeds trained together."""
CHOOSING, JUDGING = 1 << 16, 1 << 17
"""Numbers of the first groups that choose among changes, and that judge what was chosen. Group k has the seeds from
16 k on; those of lower numbers tell of the net as it is."""
CHOOSERS = range(CHOOSING, CHOOSING + 3)
"""The groups that choose among finalists; the first one chooses among all."""
TILE_SECONDS = 0.06
"""Seconds of a group besides its steps: examples, and evaluations of a thousand points (measured)."""
CORES = 2
"""Cores that a budget in seconds is planned for."""

Asked = tuple[Setup, int]
"""A setup and the number of a group of its seeds."""


@dataclass
class Budget:
    """Seconds on one core that may be planned, and the time after which nothing more is begun.

    seconds: what the user allows, on `CORES` cores. A fifth is for starting and for the answer.
    patience: how many times longer it may take, where the machine has other work and the plan is to be kept.
    share: the share of the time after which nothing more is begun.
    """

    seconds: float
    patience: float = 1.0
    spent: float = 0.0
    share: float = 1.0
    began: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> float:
        """All that may be planned."""
        return 0.8 * CORES * self.seconds

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    @property
    def over(self) -> bool:
        """Whether the time is up, as on a machine that is slower than planned or busy with other work."""
        return self.elapsed > self.share * self.patience * self.seconds


MERITS = ["grade", "success", "relative_rmse"]
"""What nets are compared by, also where none was trained."""


class Race:
    """Setups in a race: what each group of their seeds came to.

    root: the seed of all randomness. callback: is told of all nets that train. rows: what has been trained, by setup
    and group. trials: the number of each setup, in the order in which they were asked for.
    """

    def __init__(self, budget: Budget, root: int = 0, callback: Callback = NOTHING):
        self.budget, self.root, self.callback = budget, root, callback
        self.devices, self.workers = devices_and_workers()
        self.rows: dict[Asked, pd.DataFrame] = {}
        self.trials: dict[Setup, int] = {}
        self.refused: dict[Setup, str] = {}

    def price(self, setup: Setup) -> float:
        """Planned seconds of a group on one core; infinite for a setup that cannot be trained."""
        try:
            return sum(map(tile_seconds, self.tiles([(setup, 0)])))
        except ArithjaxError as error:
            self.refused[setup] = str(error)
            return float("inf")

    def price_again(self, setup: Setup) -> float:
        """Planned seconds of a further group on one core, once its program is compiled."""
        return sum(cost.seconds(tile) + TILE_SECONDS for tile in self.tiles([(setup, 0)]))

    def affordable(self, setups: Iterable[Setup], share: float) -> list[Setup]:
        """The first setups whose groups together cost at most a share of the budget; dearer ones are passed over."""
        left, kept = share * self.budget.total, []
        for setup in setups:
            price = self.price(setup)
            if price <= left:
                left -= price
                kept.append(setup)
        return kept

    def train(self, setups: Iterable[Setup], groups: Sequence[int] = CHOOSERS[:1], even_late: bool = False) -> None:
        """Train groups of seeds of each setup that are not trained yet, as long as there is time, or `even_late`."""
        setups = dict.fromkeys(setups)
        for setup in setups:
            self.trials.setdefault(setup, len(self.trials))
        asked = [(setup, group) for group in groups for setup in setups]
        tiles = self.tiles([one for one in asked if one not in self.rows])
        self.budget.spent += sum(map(tile_seconds, tiles))
        stop = threading.Event()
        if tiles and (even_late or not self.budget.over):
            how = self.root, self.workers, self.devices, lambda steps: None, stop, self.callback
            for done in workers.train_tiles(tiles, *how):
                self.rows[done.tile.setup, done.tile.nets[0].seed // GROUP] = done.rows
                if self.budget.over and not even_late:
                    break

    def nets(self, setup: Setup, groups: Sequence[int] = CHOOSERS) -> pd.DataFrame:
        """The rows of a setup's nets in groups, by default in those that choose."""
        wanted = [self.rows[setup, group] for group in groups if (setup, group) in self.rows]
        return pd.concat(wanted, ignore_index=True) if wanted else pd.DataFrame(columns=MERITS)

    def score(self, setup: Setup) -> float:
        """How good a setup is, by the nets that choose: the mean merit of a net; -1 for one that was not trained."""
        nets = self.nets(setup)
        return float(merit(nets).mean()) if len(nets) else -1.0

    def tiles(self, asked: Sequence[Asked]) -> list[Tile]:
        """A tile for each group; planned one by one, so that all have one size and are compiled once."""
        return [tile for one in asked for tile in plan(self._nets(*one), 1)]

    def _nets(self, setup: Setup, group: int) -> list[NetId]:
        trial = self.trials.get(setup, 0)
        return [NetId(trial, seed, setup) for seed in range(GROUP * group, GROUP * (group + 1))]


def tile_seconds(tile: Tile) -> float:
    """Planned seconds of a tile on one core, its compiling included."""
    return cost.seconds(tile) + TILE_SECONDS + cost.compile_seconds(tile.specs.train)


def merit(nets: pd.DataFrame) -> np.ndarray:
    """How far each net has come: 0 for none of it to 1 for an error of 1 %, 2 for success, 3 for exact."""
    error = nets["relative_rmse"].to_numpy(float)
    decades = np.where(np.isfinite(error), -np.log10(np.clip(error, 1e-9, 1e9)), -1)
    exact = (nets["grade"] == "exact").to_numpy(float)
    return np.clip(decades / 2, 0, 1) + statistics.success(nets).to_numpy(float) + exact
