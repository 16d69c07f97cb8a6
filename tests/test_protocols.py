"""Protocols: published thresholds, ready setups, refusals, and the committed tables beside the published numbers."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import arithjax as aj
from arithjax import protocols
from arithjax.protocols import setups
from arithjax.tables import statistics
from arithjax.task.points import Task

RESULTS = Path(__file__).parents[1] / "results"
THRESHOLDS = {  # extrapolation range: mul, add and sub, div (Mistry et al. 2022)
    (20, 40): (3.4844e-4, 3.6667e-7, 4.6666e-10),
    (-40, -20): (3.4844e-4, 3.6667e-7, 4.6666e-10),
    (2, 6): (1.2018e-7, 6.6667e-9, 5.7777e-10),
    (-6, -2, 2, 6): (1.2018e-7, 6.6667e-9, 5.7777e-10),
    (-6.1, -1.2): (9.3921e-8, 5.7292e-9, 8.3732e-10),
    (1.2, 6): (8.8565e-8, 5.5680e-9, 8.2665e-10),
    (0.2, 2): (8.7615e-10, 5.3800e-10, 1.4800e-9),
}


@pytest.mark.parametrize("interval", THRESHOLDS)
def test_thresholds_in_closed_form(interval):
    mul, add, div = THRESHOLDS[interval]
    ours = [protocols.threshold(op, interval) for op in ("mul", "add", "sub", "div")]
    np.testing.assert_allclose(ours, [mul, add, add, div], rtol=1e-4)


SUMS = [pytest.param(op, n, marks=pytest.mark.slow if n == 100 else ()) for op, n in protocols.ARITHMETIC_THRESHOLDS]


@pytest.mark.parametrize(("op", "n"), SUMS)
def test_simulated_thresholds_are_the_published_ones(op, n):
    long = {100: ((0, 26), (13, 39)), 10: ((0, 3), (1, 4)), 4: ((0, 2), (1, 3))}[n]
    name = setups._name(op, n, long[: aj.OPERATIONS[op].arity])
    np.testing.assert_allclose(
        protocols.simulated_threshold(name, (2, 6)), protocols.ARITHMETIC_THRESHOLDS[op, n], rtol=0.01
    )


def test_the_simple_dataset():
    setup = protocols.arithmetic_dataset("nmu", "mul", simple=True)
    assert (setup.op, setup.model, setup.steps) == ("mul:4:0-4:0-2", ("nau", "nmu"), 200_000)
    np.testing.assert_allclose(setup.threshold, 2.15698e-6, rtol=0.01)
    x = np.array([[1, 2, 3, 4]], np.float32)
    assert aj.OPERATIONS[setup.op](x) == 10 * 3


@pytest.mark.parametrize(
    ("n", "subset", "overlap", "name"),
    [(100, 0.25, 0.5, "mul:100:0-25:13-38"), (10, 0.25, 0.5, "mul:10:0-2:1-3"), (8, 0.5, 0, "mul:8:0-4:4-8")],
)
def test_slices_of_the_dataset(n, subset, overlap, name):
    assert protocols.arithmetic_dataset("nmu", "mul", n=n, subset=subset, overlap=overlap).op == name


def test_everything_can_be_overridden():
    setup = protocols.single_module(
        "nmu", "mul", (1, 2), (3, 5), steps=7, learning_rate=0.1, regularizer=0, epsilon=0.1
    )
    assert (setup.steps, setup.learning_rate, setup.regularizer, setup.extrapolation) == (7, 0.1, 0, (3, 5))
    assert setup.threshold == protocols.threshold("mul", (3, 5), 0.1)
    assert protocols.single_module("nmu", "mul", (1, 2), threshold=0.5).threshold == 0.5


def test_minimal_arithmetic():
    setup = protocols.minimal_arithmetic("inalu", "mul", ("normal", -3, 3), ("normal", 8, 10))
    assert (setup.distribution, setup.optimizer, setup.steps, setup.alternate) == ("normal", "rmsprop:1", 100_000, True)
    exponential = protocols.minimal_arithmetic("nmu", "mul", ("exponential", 0.2), ("exponential", 0.5))
    assert (exponential.low, exponential.high, exponential.extrapolation) == (0, 0.2, (0, 0.5))


@pytest.mark.parametrize(("unit", "model"), [("nalu", "nalu_wide"), ("inalu", "inalu_wide"), ("inalu_shared",) * 2])
def test_every_unit_of_the_minimal_arithmetic_is_trained_as_inalu_is(unit, model):
    setup = protocols.minimal_arithmetic(unit, "sub", ("uniform", -1, 1), ("uniform", -10, -5))
    assert (setup.model, setup.clip_value, setup.restart_by, setup.alternate) == (model, 0.1, "batches", True)
    assert (setup.regularizer, setup.regularizer_apart, setup.selection) == (0.05, True, "last")


def test_division_on_ranges_that_hold_0_leaves_0_out():
    holds = protocols.minimal_arithmetic("nalu", "div", ("uniform", -5, 5), ("uniform", -10, -5))
    assert (holds.op, protocols.minimal_arithmetic("nalu", "div", ("uniform", 2, 3), ("uniform", 4, 5)).op) == (
        "quotient",
        "div",
    )
    x = jnp.asarray([[7, 0], [1, 2], [3, 0], [4, 0], [5, -4]], jnp.float32)
    op, left = aj.OPERATIONS["quotient"], [[1, 2], [1, 2], [1, 2], [1, 2], [5, -4]]
    np.testing.assert_array_equal(op.usable(x), left)
    np.testing.assert_array_equal(op.usable(jnp.stack([x, x[::-1]], -1))[..., 0], left, "lanes")
    whole = aj.Setup(op="quotient", low=-2, high=3, tests=64, examples=64, extrapolation=(3, 6), steps=1)
    points = Task.of(whole).interpolation_points
    assert np.isfinite(points.t).all() and (points.x[:, 1] != 0).all() and (points.x < 0).any()
    assert np.isfinite(aj.train([whole], seeds=2).mse).all()


@pytest.mark.parametrize(("unit", "op"), [("mcfc", "add"), ("mulmcfc", "mul"), ("nmu", "mul")])
def test_the_regulariser_of_the_benchmark(unit, op):
    setup = protocols.single_module(unit, op, (1, 2))
    assert (setup.regularizer, setup.regularizer_start, setup.regularizer_end) == (10, 20_000, 35_000)


def test_simple_runs_end_before_their_regulariser_starts():
    setup = protocols.arithmetic_dataset("nmu", "mul", simple=True)
    assert setup.regularizer_start == 1_000_000 > setup.steps


@pytest.mark.parametrize(
    ("call", "phrase"),
    [
        (lambda: protocols.single_module("nmuu", "mul", (1, 2)), "did you mean 'nmu'"),
        (lambda: protocols.single_module("nmu", "mull", (1, 2)), "did you mean 'mul'"),
        (lambda: protocols.single_module("nmu", "mul", (3, 4)), "give extrapolation="),
        (lambda: protocols.single_module("nmu", "div", (-2, 2)), "b ≠ 0"),
        (lambda: protocols.single_module("nmu", "div", (0, 2), (2, 6)), "b ≠ 0"),
        (lambda: protocols.single_module("nmu", "mul", (1, 2, 3)), "two numbers"),
        (lambda: protocols.single_module("nmu", "hypot", (1, 2)), "closed form"),
        (lambda: protocols.arithmetic_dataset("nmu", "mul", n=10, subset=0.9), "do not fit"),
        (lambda: protocols.arithmetic_dataset("nmu", "mul", n=2), "do not fit"),
        (lambda: protocols.arithmetic_dataset("nmu", "mul", overlap=1.5), "from 0 to 1"),
        (lambda: protocols.arithmetic_dataset("nmu", "max"), "is not one of"),
        (lambda: protocols.arithmetic_dataset(("nau", "nmu", "nmu"), "mul"), "3 layers"),
        (lambda: protocols.minimal_arithmetic("nmu", "mul", ("uniform", 0, 1), ("exponential", 2)), "one distribution"),
        (
            lambda: protocols.minimal_arithmetic("nmu", "mul", ("cauchy", 0, 1), ("cauchy", 2, 3)),
            "unknown distribution",
        ),
        (lambda: aj.Setup(model=("nmu", "mlp"), widths=(2,)), "no unit to stack"),
        (lambda: aj.Setup(op="mul:4:0-9:0-2"), "slices"),
        (lambda: aj.Setup(op="mul:x"), "slices"),
        (lambda: aj.Setup(regularizer=1.0), "for arithmetic units"),
        (lambda: aj.Setup(model="nmu", regularizer_start=9, regularizer_end=3), "regularizer_end=3"),
        (lambda: aj.Setup(distribution="normal"), "integers=False"),
    ],
)
def test_refusals_are_one_clear_line(call, phrase):
    with pytest.raises(aj.ArithjaxError) as error:
        call()
    assert phrase in str(error.value) and "\n" not in str(error.value)


def test_the_identity_of_older_setups_stays():
    """New fields have defaults that do not count, and the default of widths counts as if it were given."""
    assert aj.Setup().identity() == aj.Setup(widths=(64, 64)).identity()
    assert aj.Setup(model="nmu").widths == () and aj.Setup().widths == (64, 64)


def test_published_cells_are_setups_and_agree_with_themselves():
    """Every cell's setup is one, and the numbers that follow from its runs are those it gives."""
    cells = protocols.PUBLISHED
    assert len(cells) == len({(cell.source, cell.name) for cell in cells})
    for cell in cells:
        assert cell.setup(threshold=1.0).threshold == 1.0 and cell.source and cell.paper
        if cell.measure:
            assert np.isnan(cell.rate) and cell.value > 0 and cell.standard_error > 0 and cell.runs
        else:
            assert 0 <= cell.rate <= 1
        if cell.solved:
            assert cell.rate == len(cell.solved) / cell.runs
            assert cell.median == np.median(cell.solved) and abs(cell.mean - np.mean(cell.solved)) <= 0.5
    counts = pd.Series([cell.protocol for cell in cells]).value_counts()
    assert counts["single_module"] == 36 and counts["minimal_arithmetic"] == 84 and counts["simple_arithmetic"] == 24


@pytest.mark.parametrize(
    ("name", "source", "rate", "median", "mean"),
    [  # as printed in the papers' tables, or measured on their figures
        ("nmu mul", "sft-last", 0.98, 1_434_500, 1_502_245),
        ("nau add", "sft-last", 1.0, 18_000, 189_570),
        ("nac_add add", "sft-last", 1.0, 248_500, 301_600),
        ("nmu mul simple=True", "simple_mul", 0.94, 14_000, 14_000),
        ("nmu mul interpolation=-1.2,-1.1", "MCFC", 0.68, None, 2000),
        ("nac_mul mul learning_rate=0.01", "learning", 0.88, None, None),
        ("nalu mul train=uniform,-1,1 extrapolation=uniform,-10,-5", "inalu", 0.8, None, None),
        ("inalu mul train=normal,-4,2 extrapolation=normal,8,10", "inalu", 0.0, None, None),
    ],
)
def test_known_published_numbers(name, source, rate, median, mean):
    (cell,) = [cell for cell in protocols.PUBLISHED if cell.name == name and source in cell.source]
    assert (cell.rate, cell.median, cell.mean) == (rate, median, mean)


@pytest.mark.parametrize(
    ("name", "value", "standard_error"),
    [  # as printed in the paper's table
        *[("npu error_mul", 0.37, 0.23), ("realnpu error_add", 0.08, 0.021), ("nmu error_div", 11.399, 0.035)],
        *[("nalu error_sqrt", 0.034, 0.006), ("inalu error_add", 2.18, 0.13), ("sigmoid error_div", 14.16, 0.23)],
    ],
)
def test_known_published_errors(name, value, standard_error):
    (cell,) = [cell for cell in protocols.PUBLISHED if cell.name == name]
    assert (cell.value, cell.standard_error, cell.runs) == (value, standard_error, 20)


@pytest.mark.parametrize(
    ("unit", "model", "optimizer", "rate"),
    [
        *[("npu", ("npu", "dense"), "adam", 0.005), ("nmu", ("nmu:clipped", "dense"), "adam", 0.005)],
        *[("nalu", "nalu:glorot", "rmsprop", 0.005), ("inalu", "inalu:glorot", "rmsprop", 0.001)],
        *[("snmu", ("snmu", "dense"), "adam", 0.005), ("sigmoid", "mlp", "adam", 0.005)],
    ],
)
def test_simple_arithmetic(unit, model, optimizer, rate):
    setup = protocols.simple_arithmetic(unit)
    assert (setup.model, setup.optimizer, setup.learning_rate) == (model, optimizer, rate)
    assert (setup.steps, setup.batch, setup.fresh, setup.low, setup.high) == (20_000, 100, True, 0.1, 2.1)
    assert setup.widths == ((10, 10) if unit == "sigmoid" else (6,)) and setup.bias == (model[-1] != "dense")
    assert setup.results == 4 and setup.regularizer == 0
    assert protocols.simple_arithmetic(unit, widths=(3,) * len(setup.widths)).widths[0] == 3


def test_errors_on_the_grids_are_those_of_numpy():
    """Of a net's own answers, by loops over the numbers as the paper's table has them."""
    for metric in protocols.grid_errors():
        aj.METRICS[metric.name] = metric
    net = aj.fit(protocols.simple_arithmetic("sigmoid", steps=20, widths=(3, 2), tests=16), seeds=1)
    mixed, positive = [i / 10 for i in range(-41, 40, 2)], [i / 10 for i in range(1, 41)]
    exact = {"add": lambda a, b: a + b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b}
    exact["sqrt"] = lambda a, b: a**0.5
    assert len(mixed) == 41 and 0 not in mixed
    for place, (name, of) in enumerate(exact.items()):
        numbers = positive if name == "sqrt" else mixed
        pairs = [(a, b) for a in numbers for b in numbers]
        answers = np.asarray(net(pairs), float)[:, place]
        expected = np.mean([abs(answer - of(*pair)) for answer, pair in zip(answers, pairs, strict=True)])
        assert net.row[f"error_{name}"] == pytest.approx(expected, rel=1e-5)


def test_means_stand_beside_means_with_students_interval_and_welchs_test():
    setup, random = protocols.simple_arithmetic("npu"), np.random.default_rng(0)
    (cell,) = [cell for cell in protocols.PUBLISHED if cell.name == "npu error_add"]
    near = cell.value + cell.standard_error * random.normal(size=30)
    nets = table(setup, [np.nan] * 30).assign(error_add=near, error_mul=9.0 + near)
    ours = protocols.compare(nets).set_index("measure")
    assert list(ours.index) == ["error_mul", "error_add"] and list(ours.inside) == [False, True]
    low, high = stats.t.interval(0.95, 29, near.mean(), near.std(ddof=1) / np.sqrt(30))
    found = ours.loc["error_add"]
    np.testing.assert_allclose([found.value, found.low, found.high, found.published], [near.mean(), low, high, 0.2])
    theirs = 0.11 * np.sqrt(20)
    expected = stats.ttest_ind_from_stats(near.mean(), near.std(ddof=1), 30, 0.2, theirs, 20, equal_var=False)
    assert found.p == pytest.approx(expected.pvalue) and ours.p["error_mul"] < 1e-5 and np.isnan(found.rate)
    nothing(nets.drop(columns=["error_add", "error_mul"]), r"npu error_add is about a metric that .*grid_errors\(\)")
    nothing(nets.assign(steps=100, trained_steps=100), "npu error_add is judged after step 20,000, and none of these")


MODULE, MINIMAL = protocols.single_module, protocols.minimal_arithmetic
RIGHT = {
    protocols.question: ("mul",),
    MODULE: ("nmu", "mul", (1, 2)),
    protocols.arithmetic_dataset: ("nmu", "mul"),
    MINIMAL: ("nalu", "mul", ("uniform", 1, 2), ("uniform", 2, 3)),
    protocols.simple_arithmetic: ("npu",),
}


@pytest.mark.parametrize("protocol", RIGHT, ids=lambda protocol: protocol.__name__)
def test_every_protocol_says_in_one_line_what_it_is_given_wrongly(protocol):
    given, name = RIGHT[protocol], protocol.__name__
    for changes, why in (
        ({"step": 5}, "unknown field 'step' of a setup; did you mean 'steps'"),
        ({"steps": "5"}, "steps='5' is not allowed; it has to be a whole number"),
        ({"optimizer": 5}, "optimizer=5 is not allowed; it has to be a name"),
        ({"threshold": "low"}, "threshold='low' is not allowed"),
    ):
        with pytest.raises(aj.ArithjaxError, match=f"^{name}: {why}"):
            protocol(*given, **changes)
    for place in range(len(given)):
        with pytest.raises(aj.ArithjaxError, match=rf"^{name}: \w+=5 is not allowed; (it has to be|give) "):
            protocol(*given[:place], 5, *given[place + 1 :])


@pytest.mark.parametrize(
    "call, why",
    [
        (
            lambda: protocols.simple_arithmetic(steps=5),
            "missing a required argument: 'unit'; it takes unit, and fields",
        ),
        (lambda: MODULE("nmu", "mul", (1, 2), unit="nau"), "multiple values for argument 'unit'"),
        (lambda: MODULE("nmu", "mul", (1, 2), ((2, 6), (6, "x"))), "extrapolation=.* has to be pairs of numbers"),
        (lambda: MODULE("nmu", "mul", (1, 2), epsilon="x"), "epsilon='x' is not allowed; it has to be a number"),
        (
            lambda: protocols.arithmetic_dataset("nmu", "mul", n=2.5),
            "n=2.5 is not allowed; it has to be a whole number",
        ),
        (lambda: MINIMAL("nalu", "mul", ("uniform", "a", 2), ("uniform", 2, 3)), r"train\[1:\]=.* pairs of numbers"),
        (lambda: MINIMAL("nalu", "mul", ("uniform",), ("uniform", 2, 3)), "give a distribution and its ends"),
    ],
)
def test_arguments_of_protocols_are_of_their_kinds(call, why):
    with pytest.raises(aj.ArithjaxError, match=why):
        call()
    assert MODULE("nmu", "mul", (1, 2), ((2, 6), (6, 8))).extrapolation == (2, 6, 6, 8)


def nothing(nets, why):
    """No published cell compares with these nets, and a warning says why."""
    with pytest.warns(UserWarning, match=f"none of {len(protocols.PUBLISHED)} published cells .*{why}") as warned:
        assert not len(protocols.compare(nets))
    assert len(warned) == 1


def test_where_nothing_compares_a_warning_says_why():
    name, short = "nmu mul interpolation=1,2", protocols.single_module("nmu", "mul", (1, 2), steps=20)
    nothing(table(short, [np.nan]), rf"{name}, which has evaluate_every=1000 \(here 20\), steps=50000 \(here 20\)")
    other = protocols.single_module("nmu", "mul", (1, 2), learning_rate=0.1)
    nothing(table(other, [np.nan]), rf"{name}, which has learning_rate=0.001 \(here 0.1\); its setup\(")
    nothing(table(short.replace(steps=50_000, evaluate_every=1000, threshold=3.0), [np.nan]), "is of another threshold")
    unknown = next(cell for cell in protocols.PUBLISHED if cell.rate > 0 and not cell.solved)
    nothing(table(unknown.setup(steps=10_000), [np.nan]), f"{unknown.name} was not published for fewer steps than ")
    assert not len(protocols.compare(table(short, [np.nan])[:0])), "nothing is said of no nets"


def test_means_are_of_nets_judged_after_the_published_step_and_count_those_without_a_finite_error():
    nets = table(protocols.simple_arithmetic("npu"), [np.nan] * 6).assign(
        error_add=[0.1, 0.2, 0.3, 0.4, np.nan, np.inf]
    )
    (found,) = protocols.compare(nets).to_dict("records")
    assert (found["nets"], found["lost"], found["value"]) == (4, 2, pytest.approx(0.25))
    longer = nets.assign(steps=40_000, trained_steps=40_000)
    others = [nets.assign(threshold=1.0), nets.assign(stop_early=True, trained_steps=7000), longer]
    for other in others:
        nothing(other, "npu error_add is judged after step 20,000")
    pd.testing.assert_frame_equal(
        protocols.compare(pd.concat([nets, *others], ignore_index=True)), protocols.compare(nets)
    )
    cut = longer.assign(until=20_000, trained_steps=20_000)
    assert protocols.compare(cut).value.tolist() == [found["value"]], "trained for as long, whatever was planned"
    nothing(nets[3:], "fewer than two nets with a finite error")


def test_a_published_cell_cut_off():
    """NAC+ subtracts in 83 of 100 runs within 500,000 steps, half of these within 9,000."""
    (cell,) = [cell for cell in protocols.PUBLISHED if cell.name == "nac_add sub" and cell.solved]
    assert (cell.until(500_000).rate, cell.until(500_000).median) == (0.83, 9000)


def table(setup, solved_at, **columns):
    """Rows as of nets of a setup, solved at these steps or, at NaN, never."""
    solved_at = np.array(solved_at, float)
    rows = pd.DataFrame([setup.row()] * len(solved_at))
    return rows.assign(solved_at=solved_at, success=np.isfinite(solved_at), trained_steps=setup.last_step, **columns)


def test_disagreements_come_first_and_medians_stand_beside_medians():
    agree = table(protocols.single_module("nmu", "mul", (1, 2)), [3000] * 10)
    apart = table(protocols.single_module("mulmcfc", "mul", (1, 2)), [np.nan] * 9 + [4000])
    early = table(protocols.arithmetic_dataset("nau", "add", steps=20_000), [1000, 5000, 9000, np.nan])
    other = table(protocols.single_module("nmu", "mul", (1, 2), learning_rate=0.1), [3000])
    nets = pd.concat([agree, early, apart, other], ignore_index=True)
    ours = protocols.compare(nets).set_index("cell")
    assert list(ours.index) == [
        *("mulmcfc mul interpolation=1,2", "nau add", "nmu mul interpolation=1,2"),
    ], "another learning rate is another experiment"
    assert list(ours.inside) == [False, True, True] and ours.p.iloc[0] < 1e-5
    adding = ours.loc["nau add"]
    assert (adding.until, adding["median"], adding["mean"], adding.nets) == (20_000, 5000, 5000, 4)
    (cell,) = [cell for cell in protocols.PUBLISHED if cell.name == "nau add" and cell.solved]
    assert (adding.published, adding.published_median) == (cell.until(20_000).rate, cell.until(20_000).median)


def test_success_against_epsilon():
    """Nets whose weights are off by 1e-4 are successes for larger ε only."""
    setup = protocols.single_module("nmu", "mul", (1, 2))
    errors = [protocols.threshold("mul", (2, 6), 1e-4)] * 3 + [0.0, np.nan]
    nets = table(setup, [np.nan] * 5, extrapolation_mse=errors)
    np.testing.assert_allclose(protocols.epsilon_of(nets)[:4], [1e-4] * 3 + [0], rtol=1e-3)
    found = protocols.by_epsilon(nets, ["op"], [1e-5, 0.99e-4, 1.01e-4])
    assert list(found.rate) == [0.2, 0.2, 0.8] and list(found.nets) == [5] * 3
    np.testing.assert_allclose(found.low, statistics.wilson([1, 1, 4], 5)[0])
    with pytest.raises(aj.ArithjaxError, match="without a threshold"):
        protocols.epsilon_of(nets.assign(threshold=np.nan))


def test_success_against_steps_is_that_of_kaplan_and_meier():
    """Without nets that stop early it is the share solved by then; one that stopped unsolved counts until then."""
    setup = protocols.single_module("nmu", "mul", (1, 2))
    nets = table(setup, [1000, 1000, 3000, np.nan])
    found = protocols.by_steps(nets, ["op"])
    assert list(found.step) == [0, 1000, 3000, 50_000] and list(found.solved) == [0, 0.5, 0.75, 0.75]
    assert (found.low <= found.solved).all() and (found.solved <= found.high).all()
    nets.loc[3, "trained_steps"] = 2000
    early = protocols.by_steps(nets, ["op"])
    expected = 1 - stats.ecdf(stats.CensoredData(uncensored=[1000, 1000, 3000], right=[2000])).sf.evaluate(3000)
    assert early.solved[early.step == 3000].iloc[0] == expected == 1.0
    assert list(protocols.by_steps(nets[3:], ["op"]).solved) == [0, 0]
    for of in (protocols.by_steps, protocols.by_epsilon):
        none, some = (of(part.assign(extrapolation_mse=1.0), ["op"]) for part in (nets[:0], nets))
        assert list(none) == list(some) and none.empty and len(some)


@pytest.mark.skipif(not RESULTS.is_dir(), reason="a source distribution has no results")
@pytest.mark.parametrize("unit", ["nmu", "nau"])
def test_published_cells_come_out_in_the_committed_table(unit):
    ours = protocols.compare(aj.load(RESULTS / "units"))
    cells = ours[ours.cell.str.startswith(unit)]
    assert len(cells) == 9 and cells.inside.all()
    assert ((cells["mean"] / cells.published_mean - 1).abs() <= 0.1).all()
