"""Intervals of success rates and tests of two rates: of independent nets, and of nets of sampled setups.

Nets of one setup, and of cells that a study names, are independent, as their seeds are. Nets of setups that were
*sampled* are not: those of one setup succeed and fail together. There the setups are the sample, and a few of them say
little, however many seeds each has. `arithjax.tables.statistics` says which of the two some nets are.

`pytest -m slow tests/test_intervals.py` measures how often the intervals hold the true rate, and how often the test
raises a false alarm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

SHUFFLES = 1999
"""Random divisions of the setups that the permutation test compares with."""


def wilson(successes: Any, trials: Any, z: Any = Z95) -> tuple[np.ndarray, np.ndarray]:
    """The Wilson score interval of a success rate (Wilson 1927): arrays of its lower and upper ends.

    successes, trials: numbers or arrays that broadcast; every number of trials is above 0.
    z: the quantile of the confidence level, a number or an array; default: the normal one of 95 %.

    98 of 100 gives (0.930, 0.994); 0 of 100 gives (0, 0.037). It is computed here since `scipy.stats.binomtest` gives
    one interval at a time, at 0.2 ms each, and takes half a second to import.
    """
    k, n, z = (np.asarray(part, float) for part in (successes, trials, z))
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    # where none or all succeed, an end is 0 or 1, which rounding would miss
    low, high = np.where(k == 0, 0.0, centre - half), np.where(k == n, 1.0, centre + half)
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def of_setups(successes: Any, nets: Any, group: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 95 % interval of the rate in each group of sampled setups: Wilson's on the effective number of nets.

    successes, nets: of each setup `[setups]`. group: its group `[setups]`, from 0; every group has at least 2 setups.

    Arrays `[groups]`: the lower ends, the upper ends, and the effective numbers: as many independent nets would be as
    uncertain. That is the number of nets over the design effect, the variance between setups over that of independent
    nets (Kish 1965), which is taken to be at least 1. Where the nets of every setup agree it is the number of setups.

    Of a rate near 0 only the few setups with a success tell how much setups differ. So to these, the *departing* ones,
    a quarter of one is added whose nets all agree, and the quantile is Student's (as in Korn & Graubard 1998) with
    twice as many degrees of freedom as setups depart, or one less than there are setups if that is fewer. Quarter and
    twice are chosen by coverage.
    """
    from scipy.special import stdtrit  # a sixth of a second of start-up, for this alone

    k, m = np.asarray(successes, float), np.asarray(nets, float)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(group, values)

    n, count = total(m), total(np.ones_like(m))
    rate = total(k) / n
    variance = count / (count - 1) * total((k - rate[group] * m) ** 2) / n**2
    independent = rate * (1 - rate) / n
    design = np.maximum(np.divide(variance, independent, out=np.ones_like(n), where=independent > 0), 1.0)
    departing = np.minimum(total(k > 0), total(k < m))
    found = np.where(total((k > 0) & (k < m)) == 0, count, n / design)
    effective = (departing + 0.25) / (departing / found + 0.25 / np.minimum(count, found))
    freedom = np.where(departing == 0, count - 1, np.minimum(count - 1, 2 * departing))
    low, high = wilson(rate * effective, effective, stdtrit(freedom, 0.975))
    return low, high, effective


def newcombe(k1: Any, n1: Any, k2: Any, n2: Any) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a difference of two success rates, `k2 / n2 - k1 / n1` (Newcombe 1998, method 10).

    k1, n1, k2, n2: successes and trials of the first and the second sample, numbers or arrays that broadcast.

    Arrays of its lower and upper ends. 56 of 70 against 48 of 80 gives 0.0524 to 0.3339 for the difference 0.2.
    """
    rate1, rate2 = np.asarray(k1) / np.asarray(n1), np.asarray(k2) / np.asarray(n2)
    return of_difference((rate1, *wilson(k1, n1)), (rate2, *wilson(k2, n2)))


def of_difference(first: tuple[Any, Any, Any], second: tuple[Any, Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The interval of a difference of two rates from those of both (as Newcombe 1998, method 10): arrays of its ends.

    first, second: a rate and its interval, numbers or arrays; the difference is the second less the first.
    """
    (rate1, low1, high1), (rate2, low2, high2) = first, second
    below = np.sqrt((rate2 - low2) ** 2 + (high1 - rate1) ** 2)
    above = np.sqrt((high2 - rate2) ** 2 + (rate1 - low1) ** 2)
    return rate2 - rate1 - below, rate2 - rate1 + above


def fisher(k1: int, n1: int, k2: int, n2: int) -> float:
    """The two-sided p of Fisher's exact test that two rates of independent nets are equal: `k1 / n1`, `k2 / n2`."""
    from scipy.stats import fisher_exact  # half a second of start-up, for this alone

    return float(fisher_exact([[k1, n1 - k1], [k2, n2 - k2]]).pvalue)


def permutation(first: np.ndarray, second: np.ndarray) -> float:
    """The p of a test that two rates over sampled setups are equal: how often chance divides the setups so unequally.

    first, second: successes and nets of each setup of both samples, `[2, setups]`.

    The setups of both are divided at random, `SHUFFLES` times and the same way at every call, and the differences of
    the rates compared; ties count by half (the mid-p of Lancaster 1961), as they are many where rates are small.
    """
    both = np.concatenate([first, second], axis=1).astype(float)
    total, (kinds, counts) = both.sum(axis=1), np.unique(both, axis=1, return_counts=True)
    drawn = np.random.default_rng(0).multivariate_hypergeometric(counts, first.shape[1], SHUFFLES)

    def apart(successes: np.ndarray, nets: np.ndarray) -> np.ndarray:
        return np.abs((total[0] - successes) / (total[1] - nets) - successes / nets)

    found, chance = apart(*first.sum(axis=1).astype(float)), apart(*(drawn @ kinds.T).T)
    ties = np.isclose(chance, found, rtol=1e-9, atol=1e-12)
    larger = (chance > found) & ~ties
    return float((larger.sum() + 0.5 * (ties.sum() + 1)) / (SHUFFLES + 1))
