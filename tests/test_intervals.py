"""Intervals and tests of rates: known answers, and how often they hold over many resamplings (slow)."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

import arithjax as aj
from arithjax.tables import intervals

RESULTS = Path(__file__).parents[1] / "results"


def test_wilson_interval():
    for k, n in [(98, 100), (31, 100), (0, 100), (25, 25), (1, 3)]:
        expected = binomtest(k, n).proportion_ci(method="wilson")
        np.testing.assert_allclose(intervals.wilson(k, n), expected, atol=1e-12)


def test_wilson_takes_arrays_and_stays_within_0_and_1():
    k = np.arange(17)
    low, high = intervals.wilson(k, 16 + 0 * k)
    assert ((low >= 0) & (low <= k / 16) & (k / 16 <= high) & (high <= 1)).all()
    np.testing.assert_allclose(low, 1 - high[::-1], atol=1e-12)


def test_ends_of_none_and_of_all_are_exact():
    n = np.arange(1, 200)
    assert not intervals.wilson(0 * n, n)[0].any() and (intervals.wilson(n, n)[1] == 1).all()


def test_newcombe_interval():
    """The example of Newcombe (1998), table II, (a), method 10."""
    np.testing.assert_allclose(intervals.newcombe(48, 80, 56, 70), (0.0524, 0.3339), atol=5e-5)


def test_the_interval_of_sampled_setups():
    """By hand: 12 of 40 nets, of which 4 of 10 setups have some. The variance between setups is 10/9 of the squares of
    (4, 2, 4, 2, 0, ...) - 1.2 over 40², that of 40 independent nets 0.3 0.7 / 40; a quarter of a setup is added."""
    k = np.array([4, 2, 4, 2, 0, 0, 0, 0, 0, 0])
    design = (10 / 9 * (2 * 2.8**2 + 2 * 0.8**2 + 6 * 1.2**2) / 40**2) / (0.3 * 0.7 / 40)
    low, high, effective = intervals.of_setups(k, np.full(10, 4), np.zeros(10, int))
    assert effective[0] == pytest.approx(4.25 / (4 * design / 40 + 0.25 / 10))
    t8 = 2.306004135204166  # 2 * 4 degrees of freedom
    np.testing.assert_allclose((low[0], high[0]), intervals.wilson(0.3 * effective[0], effective[0], t8), rtol=1e-9)


def test_setups_that_agree_count_once():
    low, high, effective = intervals.of_setups([4, 0, 0, 0, 0], [4] * 5, [0, 0, 0, 1, 1])
    assert effective == pytest.approx([3, 2]) and low[1] == 0.0
    assert high[1] == pytest.approx(intervals.wilson(0, 2, 12.706204736432095)[1])  # t of 1 degree of freedom


def test_the_design_effect_is_at_least_1():
    """Setups less apart than by chance: 40 nets, with a quarter of a setup added to the ten that depart."""
    effective = intervals.of_setups([2] * 10, [4] * 10, [0] * 10)[2].item()
    assert effective == pytest.approx(10.25 / (10 / 40 + 0.25 / 10))


def test_permutation_test():
    """By hand: 3 setups that succeed and 3 that do not are divided so in 1 of 20 ways, and turned round in another."""
    good, bad = np.array([[4, 4, 4], [4, 4, 4]]), np.array([[0, 0, 0], [4, 4, 4]])
    assert intervals.permutation(good, bad) == pytest.approx(0.5 * 2 / 20, abs=0.015)
    assert intervals.permutation(good, good) == pytest.approx(0.5)
    assert intervals.permutation(good, bad) == intervals.permutation(good, bad)


def planted(rate, agreement, nets):
    """Successes of many setups, whose rates follow a beta distribution with this mean and intraclass correlation."""
    generator, size = np.random.default_rng(0), 100_000
    if agreement in (0, 1):
        return generator.binomial(nets, rate, size) if agreement == 0 else nets * generator.binomial(1, rate, size)
    a, b = (part * (1 - agreement) / agreement for part in (rate, 1 - rate))
    return generator.binomial(nets, generator.beta(a, b, size))


def populations():
    """Successes by setup, and the number of nets of each: of a published study, and planted."""
    nets = aj.load(RESULTS / "multiplication")
    trials = nets.groupby("trial").agg(
        {
            "success": "sum",
            **dict.fromkeys(["input_transform", "target_transform", "activation", "output_activation"], "first"),
        }
    )
    scaled = trials[trials.target_transform.isin(["scale", "standardize"]) & (trials.input_transform != "log1p")]
    square = scaled[(scaled.activation == "square") & (scaled.output_activation == "linear")]
    found = {"all": (trials.success.to_numpy(), 4), "scaled": (scaled.success.to_numpy(), 4)}
    found["square"] = square.success.to_numpy(), 4
    for rate, agreement, m in itertools.product((0.02, 0.06, 0.1, 0.2, 0.35, 0.5), (0, 0.3, 0.67, 1), (2, 4, 16)):
        found[f"{rate}, {agreement}, {m}"] = planted(rate, agreement, m), m
    return found


RESAMPLINGS = 1500


@pytest.mark.slow
def test_intervals_of_sampled_setups_hold_the_true_rate():
    generator, table = np.random.default_rng(1), {}
    for name, (successes, m) in populations().items():
        for setups in (5, 10, 20, 50, 93, 200):
            drawn = generator.choice(successes, (RESAMPLINGS, setups))
            group = np.repeat(np.arange(RESAMPLINGS), setups)
            low, high, _ = intervals.of_setups(drawn.ravel(), np.full(drawn.size, m), group)
            truth = successes.mean() / m
            covered = ((low <= truth) & (truth <= high)).mean()
            table[name, setups] = covered
            assert covered > 0.92, (name, setups, covered)
            assert covered < 0.99 or truth <= 0.05 or setups < 20, (name, setups, covered)
    for name in ("all", "scaled", "square"):
        print(name, {setups: round(float(table[name, setups]), 3) for setups in (5, 10, 20, 50, 93, 200)})
    planted_ones = [covered for (name, _), covered in table.items() if "," in name]
    print("planted", round(float(min(planted_ones)), 3), "to", round(float(max(planted_ones)), 3))


@pytest.mark.slow
def test_intervals_of_independent_nets_hold_the_true_rate():
    """The mean over rates: for single ones Wilson's coverage goes up and down with the number of nets."""
    for n in (10, 25, 100, 400):
        k = np.arange(n + 1)
        low, high = intervals.wilson(k, n)
        rates = np.linspace(0.02, 0.5, 97)
        covered = [binomial(k, n, rate)[(low <= rate) & (rate <= high)].sum() for rate in rates]
        assert 0.94 < np.mean(covered) < 0.97


def binomial(k, n, rate):
    from scipy.stats import binom

    return binom.pmf(k, n, rate)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["square", "scaled", "0.1, 0.67, 4", "0.2, 0.3, 4", "0.35, 0, 4", "0.5, 0.67, 4", "0.5, 0.67, 16"]
)
def test_false_alarms_and_intervals_of_differences(name):
    """Two samples of one population: the test rejects at 5 % in 3 to 7 %, the interval holds 0 in over 92 %."""
    successes, m = populations()[name]
    generator = np.random.default_rng(2)
    for first, second in ((50, 50), (93, 93), (30, 120)):
        rejected, held = 0, 0
        for _ in range(RESAMPLINGS):
            a, b = (np.stack([generator.choice(successes, n), np.full(n, m)]) for n in (first, second))
            rejected += intervals.permutation(a, b) < 0.05
            ends = [intervals.of_setups(*cells, np.zeros(cells.shape[1], int))[:2] for cells in (a, b)]
            rates = [cells[0].sum() / cells[1].sum() for cells in (a, b)]
            low, high = intervals.of_difference(*((rate, *pair) for rate, pair in zip(rates, ends, strict=True)))
            held += bool(low[0] <= 0 <= high[0])
        print(name, first, second, rejected / RESAMPLINGS, held / RESAMPLINGS)
        assert 0.03 <= rejected / RESAMPLINGS <= 0.07, (first, second, rejected / RESAMPLINGS)
        assert held / RESAMPLINGS > 0.92, (first, second, held / RESAMPLINGS)
