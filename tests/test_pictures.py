"""Pictures: rates that pool no operations, as data; and names that keep apart, as drawn."""

import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.report import along, pictures
from arithjax.report.picture import Picture
from arithjax.terminal import lines_chart


def table(successes, nets, op="add", **columns):
    """A results table with what pictures read of it."""
    measured = {"grade": "rough", "relative_rmse": [i / nets for i in range(nets)], "extrapolation_relative_rmse": 2.0}
    return pd.DataFrame({"success": [i < successes for i in range(nets)], "op": op, **measured, **columns})


def test_dots_have_wilson_intervals_and_a_panel_an_operation():
    both = pd.concat([table(98, 100), table(0, 100, "mul")], ignore_index=True)
    drawn = aj.dots("rates", "Who learns it", {"some": both}).table
    assert drawn["panel"].tolist() == ["add", "mul"] and drawn["rate"].tolist() == [0.98, 0]
    assert drawn[["low", "high"]].round(3).to_numpy().tolist() == [[0.930, 0.994], [0, 0.037]]
    alone = aj.dots("rates", "Who learns it", {"sums": table(1, 2), "products": table(0, 2, "mul")})
    assert "panel" not in alone.table  # a row an operation needs no panels


def test_a_grid_holds_one_operation_a_cell():
    nets = pd.concat([table(1, 4, who="a"), table(0, 4, "mul", who="a")], ignore_index=True)
    assert aj.grid("cells", "", nets, "who", "op").table["rate"].tolist() == [0.25, 0]
    with pytest.raises(ArithjaxError, match="would hold several operations"):
        aj.grid("cells", "", nets.assign(all="x"), "who", "all")


def test_an_unknown_kind_of_picture_is_refused():
    with pytest.raises(ArithjaxError, match="unknown kind of picture 'pie'; there are dots, lines"):
        pictures.panels(Picture("a", "", pd.DataFrame(), "pie"))


@pytest.mark.parametrize(
    ("op", "integers", "kind"),
    [
        *(("gcd", True, "points"), ("gcd", False, "points"), ("parity", True, "points"), ("addmod:7", True, "points")),
        *(("equal", True, "points"), ("equal", False, "lines"), ("greater", True, "points")),
        *(("mul", True, "lines"), ("mul", False, "lines"), ("max", True, "lines")),
    ],
)
def test_results_are_drawn_at_whole_numbers_only_where_nothing_lies_between(op, integers, kind):
    setup = aj.Setup(op=op, high=9, integers=integers)
    line = along.line_of(setup)
    assert along.kind_of(setup) == kind
    assert (line[:, :1] == line).all() and line.min() == 0
    if integers or kind == "points":
        assert line[:, 0].tolist() == list(range(7 if op == "addmod:7" else 9))
    else:
        assert len(line) == along.POINTS and line.max() == 9


def test_arguments_of_ranges_of_their_own_go_across_them_together():
    aj.OPERATIONS["own"] = aj.Operation(
        "own", "a b", lambda a, b: a * b, arguments=(aj.Argument("a", 0, 2, True), aj.Argument("b", -1.0, 1.0))
    )
    line = along.line_of(aj.Setup(op="own"))
    assert line[0].tolist() == [0, -1] and line[-1].tolist() == [1, 1] and set(line[:, 0]) == {0, 1}


def test_points_are_joined_by_nothing():
    line = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 0.0], "who": "exact"})
    marks = {
        kind: pictures.panels(Picture("a", "", line, kind))[0][2].to_dict()["layer"][0]["mark"]["type"]
        for kind in ("points", "lines")
    }
    assert marks == {"points": "point", "lines": "line"}
    axes = [pictures.panels(Picture("a", "", some, "lines"))[0][2].to_dict() for some in (line, line.assign(who="sgd"))]
    assert [axis["layer"][0]["encoding"]["y"]["axis"]["format"] for axis in axes] == [",.6~r", "%"]
    texts = [lines_chart(line, joined).count(".") for joined in (True, False)]
    assert texts[0] > texts[1]


def test_names_at_the_ends_of_lines_keep_apart():
    ends = pd.DataFrame({"x": 1.0, "y": [5.0, 5.0, 5.0, 0.0], "who": ["a", "b", "c", "d"]})
    placed = pictures._ends(pd.concat([ends.assign(x=0.0, y=0.0), ends]), ["a", "b", "c", "d"])
    gaps = placed["place"].sort_values().diff().dropna()
    assert (gaps > 0.05 * 5).all() and placed["place"].max() == 5


def test_a_name_of_several_lines_stays_above_the_axis():
    ends = pd.DataFrame({"x": [1.0, 1.0], "y": [0.0, 100.0], "who": ["dead before the first step", "b"]})
    lowest = pictures._ends(ends, list(ends["who"]))["place"].min()
    assert 0.05 * 100 * 2 < lowest < 0.06 * 100 * 2, "two lines more than the first"
