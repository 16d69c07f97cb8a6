"""Racing: what is trained follows from planned costs; nets that judge took no part in choosing."""

import numpy as np
import pandas as pd

import arithjax as aj
from arithjax.diagnosis.race import CHOOSERS, GROUP, JUDGING, Budget, Race, merit

TINY = aj.Setup(op="add", high=50, widths=(2,), activation="linear", examples=64, batch=8, steps=50, tests=64)


def test_merit_counts_decades_then_learning_then_exactness():
    rows = [("failed", 1.0), ("rough", 0.1), ("learned", 0.01), ("exact", 1e-7), ("diverged", np.nan), ("failed", 5.0)]
    nets = pd.DataFrame(rows, columns=["grade", "relative_rmse"])
    nets["success"] = nets["grade"].isin(["learned", "exact"])
    assert list(merit(nets)) == [0, 0.5, 2, 3, 0, 0]


def test_what_costs_more_than_a_share_is_passed_over():
    race = Race(Budget(1))
    dear = TINY.replace(steps=10_000_000)
    assert race.affordable([TINY, dear, TINY.replace(steps=60)], 0.5) == [TINY, TINY.replace(steps=60)]
    assert race.affordable([TINY] * 100, 0.5) == [TINY] * int(0.5 * race.budget.total / race.price(TINY))


def test_nets_that_judge_are_not_those_that_choose():
    race = Race(Budget(60))
    race.train([TINY])
    race.train([TINY], [JUDGING])
    chose, judge = race.nets(TINY), race.nets(TINY, [JUDGING])
    assert list(chose["seed"]) == list(range(GROUP * CHOOSERS[0], GROUP * (CHOOSERS[0] + 1)))
    assert not set(chose["seed"]) & set(judge["seed"])
    assert len(chose) == len(judge) == GROUP


def test_a_net_in_a_race_is_the_net_of_its_setup_and_seed():
    race = Race(Budget(60))
    race.train([TINY], [0])
    alone = aj.train([TINY], seeds=GROUP)
    pd.testing.assert_series_equal(race.nets(TINY, [0])["relative_rmse"], alone["relative_rmse"])


def test_nothing_is_begun_when_the_time_is_up():
    race = Race(Budget(1e-9))
    race.train([TINY])
    assert race.nets(TINY).empty and race.score(TINY) == -1
    race.train([TINY], even_late=True)
    assert len(race.nets(TINY)) == GROUP
