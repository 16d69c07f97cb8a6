"""Charts: the tables behind them, with known answers, and a valid specification from each."""

from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.report import charts, sections
from arithjax.tables import statistics

RESULTS = Path(__file__).parents[1] / "results"


@pytest.fixture(scope="module")
def nets():
    return aj.load(RESULTS / "multiplication")[:800]


def test_the_front_falls_and_ends_at_the_largest_net():
    nets = pd.DataFrame({"parameters": [5, 5, 9, 20, 30], "relative_rmse": [0.5, 0.3, 0.4, 1e-12, np.nan]})
    front = charts.front(nets)
    assert front.parameters.tolist() == [5, 20, 30]
    assert front.error.tolist() == [0.3, charts.SMALLEST, charts.SMALLEST]


def test_a_sample_leaves_the_grades_their_shares():
    nets = pd.DataFrame({"grade": ["exact"] * 300 + ["rough"] * 5000 + ["dead"] * 9000})
    drawn = charts.sample(nets)
    assert len(drawn) == charts.MOST_POINTS and drawn.index.is_unique
    shares = drawn.grade.value_counts(normalize=True)
    for grade, share in nets.grade.value_counts(normalize=True).items():
        assert abs(shares[grade] - share) < 4 * np.sqrt(share * (1 - share) / len(drawn))  # four standard errors
    assert charts.sample(nets[:10]) is not None and len(charts.sample(nets[:10])) == 10


def test_significant_digits():
    table = charts.significant(pd.DataFrame({"a": [1234.567, np.inf], "b": ["x", "y"]}), 3)
    assert table.a[0] == 1230 and np.isnan(table.a[1]) and table.b.tolist() == ["x", "y"]


DRAW = {
    "heat map": lambda nets: charts.heat_map(nets, "activation", "optimizer"),
    "grades": lambda nets: charts.grades(nets, "activation"),
    "grades of all": lambda nets: charts.grades(nets, None),
    "parameters": lambda nets: charts.parameters(nets, ["activation"]),
    "fronts": lambda nets: charts.fronts(nets, "activation"),
    "importances": lambda nets: charts.importances({"learning_rate": (0.75, 0.5, 0.9), "activation": (0.25, 0.1, 0.5)}),
    "importances of before": lambda nets: charts.importances({"learning_rate": 0.75, "activation": 0.25}),
    "best of choices": lambda nets: charts.best_of_choices(statistics.best_of_choices(nets, ["activation", "width1"])),
}


@pytest.mark.parametrize("name", DRAW)
def test_every_chart_has_a_valid_specification(nets, name):
    with alt.data_transformers.disable_max_rows():
        spec = DRAW[name](nets).to_dict()  # raises where the specification is not valid
    assert spec["width"] == "container" and spec["height"] > 0


@pytest.mark.parametrize("column", charts.CURVES)
def test_every_curve_has_a_valid_specification(column):
    curves = pd.read_parquet(RESULTS / "why" / "curves.parquet")
    chart = charts.curve(curves[curves.trial < 2].assign(group="some"), column, ["some"])
    assert chart.to_dict()["height"] == 260


def test_nothing_finite_gives_no_curve():
    curves = pd.DataFrame({"group": ["a"], "step": [0], "gradient_norm": [np.nan]})
    assert charts.curve(curves, "gradient_norm", ["a"]) is None


def test_one_activation_gives_no_fronts(nets):
    assert charts.fronts(nets[nets.activation == "gelu"], "activation") is None


def test_two_columns_are_cells_only_where_rows_have_several(nets):
    """A column as fine as the operation gives a diagonal, a finer one a cell a row, which dots say better."""

    def drawn(ops, by):
        some = nets.assign(op=nets.activation.map(ops), success=nets.trial % 3 == 0)
        found = next(sections.of_table(Path("none"), some, by, {}, {})).figures
        specs = {figure.name: figure.chart.to_dict() for figure in found}
        return {name: {layer["encoding"]["y"]["field"] for layer in spec["layer"][:1]} for name, spec in specs.items()}

    assert drawn(str.upper, ["activation"]) == {"rates": {"group0"}}
    assert drawn(lambda name: name[:1], ["activation"]) == {"grades": {"group0"}, "rates": {"what"}}
    assert drawn(str.upper, ["optimizer"]) == {"grades": {"group0"}, "rates": {"group0"}}
