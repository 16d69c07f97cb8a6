"""Answers: plain data that come back as they were, as text, and pictures of rates that pool no operations."""

import json

import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.report import pictures
from arithjax.report.answer import default_answer, restored
from arithjax.report.picture import Picture


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


def test_an_answer_comes_back_from_json():
    dots = aj.dots("rates", "Who learns it", {"sums": table(1, 2)})
    rates = pd.DataFrame({"rate": [0.5, float("nan")]}, index=pd.Index(["a", "b"], name="who"))
    answer = aj.Answer(
        "It does.", ["Once.", "Twice."], dots, [dots], {"Rates": rates}, {"As a command": "arithjax fit"}
    )
    again = restored(json.loads(json.dumps(answer.stored())))
    assert (again.finding, again.sentences, again.recipes) == ("It does.", ["Once.", "Twice."], answer.recipes)
    assert again.picture.table["rate"].tolist() == [0.5] and len(again.charts) == 1
    assert again.tables["Rates"].columns.tolist() == ["who", "rate"] and pd.isna(again.tables["Rates"]["rate"][1])
    assert list(again.figures) == ["rates"]


def test_an_answer_as_text():
    answer = aj.Answer(
        "It does.", ["Once."], aj.dots("r", "", {"sums": table(98, 100)}), recipes={"As a command": "arithjax fit"}
    )
    assert str(answer).splitlines() == ["It does.", "Once.", "", "  sums      98 % (93-99 %)", "", "arithjax fit"]
    assert "<h3>It does.</h3>" in answer._repr_html_()


def test_words_are_an_answer_too():
    assert restored("It does.\n\nIn half of the nets.") == aj.Answer("It does.", ["In half of the nets."])
    long = "word " * 50
    assert restored(long).finding == "" and restored(long).sentences == [long.strip()]
    assert restored("").finding == ""


@pytest.mark.parametrize("data", [{}, {"finding": "a"}, 3, {"finding": "", "sentences": [], "pictures": [{}]}])
def test_damaged_answers_are_refused(data):
    with pytest.raises(ArithjaxError, match=r"the answer in study\.json is damaged"):
        restored(data)


def test_an_unknown_kind_of_picture_is_refused():
    with pytest.raises(ArithjaxError, match="unknown kind of picture 'pie'; there are dots, lines"):
        pictures.panels(Picture("a", "", pd.DataFrame(), "pie"))


def test_a_study_without_an_answer_has_the_rates_of_its_first_group():
    nets = table(2, 4, activation=["relu", "relu", "tanh", "tanh"], until=None, solved_at=1.0)
    answer = default_answer(nets, ["activation"])
    assert answer.finding.startswith("50 % (15-85 %) of 4 nets learned it")
    assert answer.picture.table["what"].tolist() == ["relu", "tanh"]
    assert default_answer(nets.assign(success=False), ["activation"]).picture is None  # all agree


def test_names_at_the_ends_of_lines_keep_apart():
    ends = pd.DataFrame({"x": 1.0, "y": [5.0, 5.0, 5.0, 0.0], "who": ["a", "b", "c", "d"]})
    placed = pictures._ends(pd.concat([ends.assign(x=0.0, y=0.0), ends]), ["a", "b", "c", "d"])
    gaps = placed["place"].sort_values().diff().dropna()
    assert (gaps > 0.05 * 5).all() and placed["place"].max() == 5


def test_the_median_net_is_of_one_operation():
    assert aj.median_net(table(1, 5))["relative_rmse"] == 0.4
    with pytest.raises(ArithjaxError, match="of 2 operations have no median"):
        aj.median_net(pd.concat([table(1, 2), table(1, 2, "mul")]))
