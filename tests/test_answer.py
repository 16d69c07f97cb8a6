"""Answers: plain data that come back as they were, as text."""

import json

import pandas as pd
import pytest
from test_pictures import table

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.report.answer import default_answer, restored
from arithjax.tables.described import wrong_entry


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


def test_a_table_whose_columns_are_called_by_numbers_may_stand_in_a_study_json():
    sizes = aj.Answer("Four do.", tables={"By size": pd.DataFrame([[0.5, 1.0]], ["mul"], [2, 4])})
    stored = sizes.stored()
    described = {"name": "sizes", "seed": 0, "trials": 1, "seeds": 1, "answer": stored}
    assert wrong_entry(described) is None
    assert restored(json.loads(json.dumps(stored))).tables["By size"].columns.tolist() == ["index", "2", "4"]
    stored["tables"]["By size"]["columns"] = ["index", 2, 4]  # as earlier versions wrote it
    assert wrong_entry(described) is None
    stored["tables"]["By size"]["columns"] = [["index"]]
    assert wrong_entry(described) == "answer"


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


def test_a_study_without_an_answer_has_the_rates_of_its_first_group():
    nets = table(2, 4, activation=["relu", "relu", "tanh", "tanh"], until=None, solved_at=1.0)
    answer = default_answer(nets, ["activation"])
    assert answer.finding.startswith("50 % (15-85 %) of 4 nets learned it")
    assert answer.picture.table["what"].tolist() == ["relu", "tanh"]
    assert default_answer(nets.assign(success=False), ["activation"]).picture is None  # all agree


def test_the_median_net_is_of_one_operation():
    assert aj.median_net(table(1, 5))["relative_rmse"] == 0.4
    with pytest.raises(ArithjaxError, match="of 2 operations have no median"):
        aj.median_net(pd.concat([table(1, 2), table(1, 2, "mul")]))
