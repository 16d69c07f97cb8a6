"""Results in words: rates with their intervals, what is missing, and the command that goes on."""

import math

import pandas as pd
import pytest

import arithjax as aj
from arithjax.cli import text
from arithjax.report import sections, words
from arithjax.report.answer import default_answer
from arithjax.tables import groups
from arithjax.tables import words as errors

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


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        ((0.0158, 0.0141, 0.0176), "1.6 % (1.4-1.8 %)"),
        ((1, 0.992, 1), "100 % (99.2-100 %)"),
        ((1 / 240, 0.0007, 0.0232), "0.4 % (0-2 %)"),
        ((0.00002, 0.00001, 0.0003), "0.002 % (0.00-0.03 %)"),
        ((0.315, 0.236, 0.406), "32 % (24-41 %)"),
    ],
)
def test_a_rate_has_the_digits_that_its_interval_allows(share, shown):
    assert words.percent(*share) == shown


def test_a_share_of_sampled_setups_has_their_interval():
    nets = groups.marked(
        table(8, 16, trial=[i // 4 for i in range(16)], learning_rate=[float(i // 4) for i in range(16)]), True
    )
    assert words.share(nets.success) == "50 % (28-72 %)"
    assert words.share(nets.success, nets) == words.rate_of(nets) == "50 % (8-92 %)"  # 2 of 4, t of 3


def test_rates_of_rows_whose_labels_repeat_are_those_of_the_rows():
    nets = table(1, 4, seed=range(4), trial=0, mse=[1.0, 2.0, 3.0, 4.0], change=["a", "a", "b", "b"])
    nets = nets.set_index("change")
    assert words.rate_of(nets) == words.rate_of(nets.reset_index()) == "25 % (5-70 %)"
    assert words.share(nets.success, nets) == words.rate_of(nets)


def test_the_default_answer_names_the_best_and_the_worst_group():
    nets = table(2, 4, op=["add", "add", "mul", "mul"])
    said = words.default_words(nets, ["op"])
    assert said.startswith("Learned (relative RMSE of at most 1 %): add in 100 % (34-100 %) of 2 nets, mul in 0 %")
    assert said.endswith("mul in 0 % (0-66 %) of 2 nets.")  # which is all there is to say
    of_widths = words.default_words(table(2, 4, widths=["8", "8", "4", "4"]), ["widths"])
    assert of_widths.endswith("Best: widths 8 with 100 % (34-100 %); worst: widths 4 with 0 % (0-66 %).")
    of_lows = words.default_words(table(2, 4, low=[-5, -5, -1, -1]), ["low"])
    assert of_lows.endswith("Best: low -5 with 100 % (34-100 %); worst: low -1 with 0 % (0-66 %).")
    assert words.default_words(table(2, 4), []).startswith("50 % (15-85 %) of 4 nets learned it")
    assert words.default_words(nets[:0], ["op"]) == "There are no nets yet."
    assert words.default_words(nets[:1], []).startswith("The net learned it (relative RMSE of at most 1 %)")


@pytest.mark.parametrize(
    ("columns", "meaning"),
    [
        ({"certificate": "real arguments"}, "relative RMSE of at most 1 %"),
        ({"certificate": "a wrong answer"}, "relative RMSE of at most 1 %, or every result rounds right"),
        ({"certificate": "certified"}, "relative RMSE of at most 1 %, or every result rounds right"),
        ({"certificate": "all rows"}, "relative RMSE of at most 1 %, or every result rounds right"),
        (
            {"accuracy": 0.995, "certificate": "real arguments"},
            "relative RMSE of at most 1 %, or at most 1 % wrong classes, and a tenth of what the commonest class gets "
            "wrong",
        ),
        ({"threshold": 0.1, "certificate": "certified"}, "an error beyond the range below the threshold"),
    ],
)
def test_what_counts_as_learned_is_said(columns, meaning):
    assert f"4 nets learned it ({meaning})." in words.default_words(table(2, 4, **columns), [])


def test_what_counts_as_learned_is_told_from_the_tables_of_nets():
    small = {"low": 0, "high": 3, "integers": True, "widths": (3,), "steps": 1, "tests": 16, "examples": 16, "batch": 8}
    said = words.default_words(aj.train([aj.Setup(op="equal", activation="relu", **small)], seeds=2), [])
    assert "at most 1 %, or every result rounds right, or at most 1 % wrong classes" in said


def test_all_groups_that_do_equally_well_are_named():
    """Numbers ascend, whatever the order of their texts."""

    def said(good, each=2, **columns):
        widths = [w for w in good for _ in range(each)]
        nets = pd.concat([table(k, each) for k in good.values()], ignore_index=True).assign(w=widths, **columns)
        return words.default_words(nets, ["w"]).partition("). ")[2]

    assert said({7: 1, 18: 2, 17: 2}) == (
        "Best: w 17 and w 18 with 100 % (34-100 %) each; worst: w 7 with 50 % (9-91 %)."
    )
    assert said({7: 2, 18: 0, 17: 0, 9: 0}) == (
        "Best: w 7 with 100 % (34-100 %); worst: w 9, w 17 and w 18 with 0 % (0-66 %) each."
    )
    assert said({7: 2, 8: 0, 9: 0, 10: 0, 11: 0}) == (
        "Best: w 7 with 100 % (34-100 %); worst: 4 of 5 groups with 0 % (0-66 %) each."
    )
    assert said({7: 2, 18: 2}) == "None differs in that: 100 % in each of the 2 groups."
    assert said({7: 0, 9: 0, 18: 0}, relative_rmse=[0.5, 0.5, 0.25, 0.25, 0.25, 0.25]) == (
        "None differs in that: 0 % in each of the 3 groups. Their median relative RMSE is smallest with w 9 and w 18 "
        "(0.25) and largest with w 7 (0.5)."
    )
    assert said({7: 2}) == ""
    unlike = pd.concat([table(2, 2, w=7), table(4, 4, w=17), table(0, 4, w=18)], ignore_index=True)
    assert words.default_words(unlike, ["w"]).endswith(
        "Best: w 7 and w 17 with 100 % each; worst: w 18 with 0 % (0-49 %)."  # intervals of 2 nets, and of 4
    )


def test_the_default_answer_of_a_search_begins_with_what_it_searched_for():
    """The median of each trial's nets, and the parameters of the trial that has the smallest."""
    choices = ['{"width": 12345, "rate": 0.012345}'] * 3 + ['{"width": 2, "rate": 0.1}'] * 3
    metrics = ['{"mape": 0.5}', '{"mape": 0.25}', "{}", '{"mape": 9}', '{"mape": 0.125}', '{"mape": 0.25}']
    nets = table(2, 6, op="add", trial=[0, 0, 0, 1, 1, 1], choices=choices, metrics=metrics, steps=10)
    nets = nets.assign(parameters=[33.0] * 3 + [9.0] * 3)
    said = default_answer(nets, [], ("mape", "parameters"))
    assert said.finding == "Smallest mape: 0.25, with width 2 and rate 0.1."
    assert said.sentences[0].startswith("33 % (10-70 %) of 6 nets learned it")
    for name in ("error", "extrapolation", "parameters", "steps"):
        assert words.default_words(nets, [], (name,)) == words.default_words(nets, []), "a small net may learn nothing"
    assert words.default_words(nets, [], ("nothing",)) == words.default_words(nets, []), "in a study.json of others"
    of_two = words.default_words(nets.assign(op=["add"] * 3 + ["mul"] * 3), [], ["mape"])
    assert of_two.startswith(
        "Smallest mape of add: 0.5, with width 12345 and rate 0.0123; smallest mape of mul: 0.25, with "
    )
    none = words.default_words(nets.assign(metrics='{"mape": null}'), [], ["mape"])
    assert none.startswith("Smallest mape: none, as half of the nets of every setup have none.")


def test_groups_that_do_not_differ_are_not_ranked_by_success():
    nets = table(0, 4, activation=["relu", "relu", "tanh", "tanh"])
    said = words.default_words(nets, ["activation"])
    assert said.endswith("None differs in that: 0 % in each of the 2 groups.")
    nets["relative_rmse"] = [0.5, 0.5, 0.25, 0.25]
    assert words.default_words(nets, ["activation"]).endswith(
        "Their median relative RMSE is smallest with tanh (0.25) and largest with relu (0.5)."
    )


def test_what_a_rate_is_over_is_said():
    nets = table(2, 4, low=[0, 0, 1, 1], high=[9, 9, 10, 10])
    assert "It is a rate of these 2 ranges of numbers, and of no others." in words.default_words(nets, [])
    halved = table(0, 4, until=[None, None, 50, 50])
    assert "as other setups did better (2 of 4), count" in words.default_words(halved, [])
    for said in (text.note(aj.summarise(halved)), sections._how(halved)):
        assert "Nets that halving stopped (2) count as they were there." in said
    continuous = table(0, 40, learning_rate=[1.316285806174481e-08 * (i + 1) for i in range(40)])
    assert "0 % in each of the 6 groups" in words.default_words(continuous, ["learning_rate"])


@pytest.mark.parametrize(("count", "phrase"), [(0, "0 of 12 nets are there"), (5, "5 of 12 nets are there")])
def test_an_unfinished_study_says_how_to_go_on(count, phrase):
    said = words.missing(table(0, count), DESCRIBED)
    assert phrase in said and said.endswith("arithjax run mine --trials 4 --seeds 3")


def test_a_finished_study_misses_nothing():
    assert words.missing(table(0, 12), DESCRIBED) == ""
    repeats = {"3": {"of": 0, "choices": {}}, "7": {"of": 0, "choices": {}}}  # the latter is not asked for here
    assert words.missing(table(0, 9), {**DESCRIBED, "repeats": repeats}) == ""


def test_words_and_tables_of_an_answer():
    frame = pd.DataFrame({"a": [306, 486], "value": [38250.0, 229878.0], "error": [21147.2, -97219.6]})
    text = f"It fails. \nTen pairs:\n{frame.to_string(index=False)}\n\nSo 1 % (0-2 %) learn."
    kinds = [kind for kind, _ in words.blocks(text.splitlines())]
    assert kinds == ["words", "words", "table", "words"]


def row(relative, mse, beyond=math.nan, beyond_mse=math.nan):
    return {
        **{"relative_rmse": relative, "mse": mse},
        **{"extrapolation_relative_rmse": beyond, "extrapolation_mse": beyond_mse},
    }


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (row(0.0123, 4.0), "relative RMSE 0.012"),
        (row(math.inf, 4e-6), "RMSE 0.002 (results that are all 0 have no spread)"),
        (row(0.0, 0.0), "relative RMSE 0"),
        (row(math.nan, math.nan), "no finite error"),
        (row(math.inf, math.inf), "no finite error"),
    ],
)
def test_the_error_of_a_net_is_relative_where_results_have_a_spread(net, said):
    assert errors.error(net) == said


def test_the_error_beyond_the_range_in_words():
    assert errors.extrapolating(row(0.1, 1.0), " (beyond {})") == ""
    assert errors.extrapolating(row(0.1, 1.0, 0.25, 9.0), " (beyond {})") == " (beyond 0.25)"
    assert errors.extrapolating(row(0.1, 1.0, math.inf, 9.0), " (beyond {})") == " (beyond RMSE 3)"
    assert errors.extrapolating(row(0.1, 1.0, math.inf, math.inf), " (beyond {})") == " (beyond no finite error)"
    assert (errors.size(0.0123), errors.size(math.inf)) == ("0.012", "infinite")


def test_nothing_that_is_said_of_nets_of_zeros_is_infinite():
    zeros = {"op": "times:0", "integers": False, "widths": (3,), "steps": 20, "tests": 16, "examples": 16, "batch": 8}
    net = aj.fit(aj.Setup(**zeros, activation="relu"), seeds=2)
    assert net.row["relative_rmse"] == math.inf and math.isfinite(net.row["mse"])
    assert "inf" not in repr(net) and f"RMSE {math.sqrt(net.row['mse']):.2g} (results" in repr(net)
    answer = aj.why(net.setup, seconds=1, seeds=16)
    assert " inf" not in str(answer) and "where all results are 0" in str(answer)
