"""Results in words: rates with their intervals, what is missing, and the command that goes on."""

import pandas as pd
import pytest

from arithjax.report import words

DESCRIBED = {"name": "mine", "trials": 4, "seeds": 3}


def table(successes, nets, **columns):
    """A results table with what sentences read of it."""
    holds = [i < successes for i in range(nets)]
    measured = {"grade": "rough", "relative_rmse": 0.5, "extrapolation_relative_rmse": 2.0, "solved_at": 1.0}
    return pd.DataFrame({"success": holds, "until": [None] * nets, **measured, **columns})


def test_a_rate_comes_with_its_wilson_interval():
    assert words.percent(0.98, 0.93, 0.994) == "98 % (93-99 %)"
    assert words.share(pd.Series([True] * 98 + [False] * 2)) == "98 % (93-99 %)"
    assert words.rate_of(table(0, 100)) == "0 % (0-4 %)"
    assert words.share(pd.Series([], dtype=bool)) == "none (there are no such nets)"


def test_the_default_answer_names_the_best_and_the_worst_group():
    nets = table(2, 4, op=["add", "add", "mul", "mul"])
    said = words.default_words(nets, ["op"])
    assert said.startswith("50 % (15-85 %) of 4 nets learned it")
    assert said.endswith("Best: add with 100 % (34-100 %); worst: mul with 0 % (0-66 %).")
    assert words.default_words(nets[:0], ["op"]) == "There are no nets yet."
    assert "1 net learned it" in words.default_words(nets[:1], [])


@pytest.mark.parametrize(("count", "phrase"), [(0, "0 of 12 nets are there"), (5, "5 of 12 nets are there")])
def test_an_unfinished_study_says_how_to_go_on(count, phrase):
    said = words.missing(table(0, count), DESCRIBED)
    assert phrase in said and said.endswith("arithjax run mine --trials 4 --seeds 3")


def test_a_finished_study_misses_nothing():
    assert words.missing(table(0, 12), DESCRIBED) == ""


def test_words_and_tables_of_an_answer():
    frame = pd.DataFrame({"a": [306, 486], "value": [38250.0, 229878.0], "error": [21147.2, -97219.6]})
    text = f"It fails. \nTen pairs:\n{frame.to_string(index=False)}\n\nSo 1 % (0-2 %) learn."
    kinds = [kind for kind, _ in words.blocks(text)]
    assert kinds == ["words", "words", "table", "words"]
