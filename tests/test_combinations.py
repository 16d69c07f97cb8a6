"""Combinations: changes by the names that `why` gives them, each alone and some in every combination."""

import itertools

import pandas as pd
import pytest
from optuna.trial import FixedTrial

import arithjax as aj
from arithjax.errors import ArithjaxError

SETUP = aj.protocols.question(tests=64)
FIXES = {"linear output": "linear output", "square": "layer 2 square", "no relus": "all layers linear"}
DEEP = {"widths": (3, 5, 3, 5, 2), "activation": "relu"}
OTHERS = {"long": "10x the steps", "deep": DEEP, "linear": FIXES["no relus"]}


@pytest.fixture(scope="module")
def tried():
    return aj.Combinations(SETUP, FIXES, OTHERS | {"both": ("layer 2 square", {"learning_rate": 0.01})})


def test_every_combination_is_there_once_and_the_others_after_them(tried):
    assert list(tried.setups) == [
        *("none", "linear output", "square", "no relus"),
        *("all but no relus", "all but square", "all but linear output", "all three", "long", "deep", "linear", "both"),
    ]
    assert tried.called(["no relus", "linear output"]) == "all but square"
    assert list(aj.Combinations(SETUP, {"square": "layer 2 square", "b": {"steps": 50}}).setups)[1:] == [
        "square",
        "b",
        "all two",
    ]
    of_six = aj.Combinations(SETUP, {**FIXES, "a": {"batch": 20}, "b": {"steps": 50}})
    assert of_six.called(["square", "linear output"]) == "linear output + square" and len(of_six.setups) == 32


def test_changes_are_made_in_the_order_of_their_kinds(tried):
    assert tried.setups["none"] == SETUP
    assert tried.setups["all but linear output"].activation == ("linear", "square", "linear", "linear")
    assert tried.setups["all three"].output_activation == "linear"
    assert tried.setups["long"] == SETUP.replace(steps=100_000)
    assert tried.setups["deep"] == SETUP.replace(**DEEP)
    assert tried.setups["both"] == SETUP.replace(activation=("linear", "square", "relu", "relu"), learning_rate=0.01)


def test_a_trial_chooses_an_operation_and_a_change(tried):
    asked = FixedTrial({"op": "add", "change": "square"})
    assert tried.suggest(asked, ["mul", "add"]) == tried.setups["square"].replace(op="add")
    assert asked.distributions["change"].choices == tuple(tried.setups)


@pytest.fixture
def table(tried):
    """What nets of the combinations come to: squares help, then a linear output; without a square nothing does."""
    learns = {"square": 2, "all but no relus": 3, "all but linear output": 2, "all three": 4}
    rows = [
        {"op": op, "change": change, "success": op == "mul" and seed < learns.get(change, 0), "relative_rmse": 1.0}
        for op, change, seed in itertools.product(("add", "mul"), tried.setups, range(4))
    ]
    return pd.DataFrame(rows)


def test_the_best_order_is_that_whose_combinations_learn_most(tried, table):
    of = tried.of(table, "mul")
    assert tried.path(of) == [(), ("square",), ("square", "linear output"), ("square", "linear output", "no relus")]
    assert tried.ranked(of)[:2] == [tuple(FIXES), ("linear output", "square")]
    best = max(  # by trying all orders
        itertools.permutations(FIXES),
        key=lambda order: sum(of[tried.called(order[:i])].success.sum() for i in range(4)),
    )
    assert tried.path(of)[-1] == best


def test_what_mends_is_the_best_on_the_way_and_not_all_fixes(tried, table):
    nets = table.assign(success=(table.op == "mul") & (table.change == "square"))
    assert tried._way(tried.of(nets, "mul")) == [(), ("square",)]
    assert tried._way(tried.of(nets, "add")) == [()]


def test_a_study_of_one_change_has_it_and_the_setup_as_it_is():
    assert list(aj.Combinations(SETUP, {"square": "layer 2 square"}).setups) == ["none", "square"]


def test_an_operation_that_the_study_has_not_is_said(tried, table):
    with pytest.raises(ArithjaxError, match="no nets of div; it has some of add and mul"):
        tried.of(table, "div")


def test_single_changes_that_come_to_one_setup_count_once(tried, table):
    of = tried.of(table, "mul")
    assert tried.singles(of) == ["linear output", "square", "linear", "long", "deep"]
    del of["long"]
    assert "long" not in tried.singles(of)


def test_an_unknown_error_is_infinite(tried, table):
    of = tried.of(table.assign(relative_rmse=[None] + [1.0] * (len(table) - 1)), "add")
    assert of["none"]["relative_rmse"].max() == float("inf")


def test_the_answer_is_that_of_why_from_a_studys_table():
    """What the nets do instead is recorded of those of the table; what changes come to is the table's."""
    tried = aj.Combinations(
        aj.protocols.question(steps=200, tests=64), {"square": FIXES["square"], "long": {"steps": 400}}
    )
    asked = [(op, change) for op in ("mul", "add") for change in tried.setups]
    nets = aj.train([tried.setups[change].replace(op=op) for op, change in asked], seeds=8)
    nets = nets.assign(change=[asked[trial][1] for trial in nets.trial])
    of = tried.of(nets, "mul")
    found = tried.findings(of)
    assert list(found.evidence.rows.mse) == list(of["none"].mse) and found.before.nets == 8
    dead = sum(one.count for one in found.told if one.id in ("dead_at_start", "died"))
    assert dead == of["none"].dead.sum() > 0
    *_, made = tried._way(of)
    assert [one.change for one in found.without] == [f"without {name}" for name in made]
    assert found.after.error == of[tried.called(made)].relative_rmse.median()
    assert found.after.error == min(one.error for one in [found.before, *found.path])
    answer = tried.answer(nets, "mul", note="This is so.")
    assert answer.finding.startswith("This net does not learn a · b: ")
    assert len(answer.sentences) <= 3 and answer.sentences[-1].endswith(" This is so.")
    assert [one.name for one in answer.pictures] == ["along", "ladder", "alone", "together"]
    assert len(answer.tables["Every change"]) == len(asked)
    assert set(answer.pictures[1].table.panel) == {"mul", "add"}


@pytest.mark.parametrize(
    ("fixes", "message"),
    [
        ({"a": "layer 2 squar"}, "a: there is no change 'layer 2 squar'; did you mean 'layer 2 square'"),
        ({"a": {"width": 3}}, "a: unknown field 'width' of a setup; did you mean 'widths'"),
        ({"a": ("layer 2 square", "layer 2 sin")}, "a: two of its changes are of one kind"),
        ({"a": {"steps": 0}}, "a: steps=0 is not allowed"),
        ({str(i): {"steps": 10 + i} for i in range(10)}, "fixes has 10 changes, too many for every combination"),
    ],
)
def test_what_there_is_not_is_said(fixes, message):
    with pytest.raises(ArithjaxError, match=message):
        aj.Combinations(SETUP, fixes)
