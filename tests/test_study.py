"""Studies: what one may be is checked when it is made."""

import dataclasses

import optuna
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies import search, study

TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}


def rates(trial):
    return aj.Setup(op="add", learning_rate=trial.suggest_float("rate", 1e-3, 1e-1, log=True), **TINY)


def returns_no_setup(trial):
    return 3


def raises(trial):
    return 1 / 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: aj.Study("s", rates, trials=0), "trials=0"),
        (lambda: aj.Study("s", rates, trials=2, seeds=0), "seeds=0"),
        (lambda: aj.Study("s", rates, trials=2, sampler="tpee"), "did you mean 'tpe'"),
        (lambda: aj.Study("a/b", rates, trials=2), "name='a/b'"),
        (lambda: aj.Study("s", "no function", trials=2), "question"),
        (lambda: aj.Study("s", rates, sampler="grid"), "'rate' is continuous"),
        (lambda: aj.Study("s", returns_no_setup, trials=1), "returned a int"),
        (lambda: aj.Study("s", raises, trials=1), "ZeroDivisionError"),
    ],
)
def test_bad_studies(make, words, tmp_path):
    with pytest.raises(ArithjaxError, match=words):
        aj.run(make(), tmp_path)
    assert not list(tmp_path.rglob("*.parquet"))


def only_at_times(trial):
    """A second parameter in one trial of eight, and never in the first."""
    if trial.number and trial.suggest_categorical("kind", list("abcdefgh")) == "h":
        return aj.Setup(op="add", learning_rate=trial.suggest_float("slow rate", 1e-4, 1e-3), **TINY)
    return aj.Setup(op="add", **TINY)


@pytest.mark.parametrize(
    ("question", "changes", "words"),
    [
        (rates, {"by": "activaton"}, "by: there is no column 'activaton'; did you mean 'activation'?"),
        (rates, {"by": ("op", "rat")}, "by: there is no column 'rat'; did you mean 'rate'?"),
        (rates, {"by": "cell"}, r"by: there is no column 'cell'.*choice of the question \(rate\)"),
        (rates, {"show": {"Dead": "ded and op == 'add'"}}, "show=.*there is no column 'ded'; did you mean 'dead'?"),
        (only_at_times, {"by": "slow rte"}, "did you mean 'slow rate'?"),
    ],
)
@pytest.mark.parametrize("sampler", ["random", "tpe", "quasi-random"])
def test_unknown_columns_are_told_before_anything_trains(question, changes, words, sampler, tmp_path):
    asked = aj.Study("s", question, trials=3, seeds=1, sampler=sampler, **changes)
    with pytest.raises(ArithjaxError, match=words.replace("?", r"\?")) as caught:
        aj.run(asked, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.parquet"))


def test_what_only_some_trials_choose_may_be_grouped_by():
    shown = {"Slow": "`slow rate` < 0.1 and relative_rmse > 0.5 and index > 3", "No condition": "op =="}
    asked = aj.Study("s", only_at_times, trials=9, by=("op", "slow rate", "relative_rmse"), show=shown)
    assert search.Search(asked, 9).ask(range(1))[0].params == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampler": 3}, "sampler is a int; it has to be one of tpe, nsga2, random, quasi-random, grid, or an Optuna"),
        ({"sampler": optuna.samplers.RandomSampler}, "sampler is a .*; it has to be"),
        ({"by": 3}, "by=3 is not allowed; it has to be names of columns"),
        ({"by": (3,)}, r"by=\(3,\) is not allowed"),
        ({"by": {"op"}}, "by={'op'} is not allowed"),
        ({"objectives": 3}, "objectives=3 is not allowed"),
        ({"objectives": ("eror",)}, "did you mean 'error'"),
        ({"objectives": ()}, "objectives=.*name one or several"),
        ({"answer": "it learns"}, "answer is a str; it has to be a function"),
        ({"show": ["dead"]}, "show is a list; it has to map headings to conditions"),
        ({"show": {"Dead": 3}}, "show={'Dead': 3} is not allowed; it has to map headings to conditions, both text"),
        ({"about": 3}, "about is a int; it has to be text"),
        ({"about": None}, "about is a NoneType"),
        ({"curves": -1}, "curves=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"name": ""}, "name=''"),
        ({"name": ".hidden"}, "name='.hidden'"),
        ({"trials": None}, "trials=None"),
    ],
)
def test_wrong_entries_are_found_when_a_study_is_made(changes, words):
    with pytest.raises(ArithjaxError, match=words) as caught:
        aj.Study(**{"name": "s", "question": rates, "trials": 2, **changes})
    assert "\n" not in str(caught.value)


def test_every_entry_is_checked():
    unchecked = {field.name for field in dataclasses.fields(study.Study)} - set(study._CHECKS)
    assert unchecked == {"trials", "source", "path"}


def test_entries_have_one_type():
    made = aj.Study("s", rates, trials=2, by="op", objectives="error", halving=0.5)
    assert (made.by, made.objectives, made.halving) == (("op",), ("error",), (0.5,))
    assert aj.Study("s", rates, trials=2, by=["op", "bias"]).by == ("op", "bias")


def test_a_samplers_name():
    assert aj.Study("s", rates, trials=2, sampler="tpe").sampler_name == "tpe"
    own = optuna.samplers.RandomSampler(seed=1)
    assert aj.Study("s", rates, trials=2, sampler=own).sampler_name == "RandomSampler"


def test_other_steps_cut_what_counts_steps():
    def question(trial):
        return aj.Setup(widths=(3,), steps=100, warmup=50, evaluate_every=20, until=70, finish=30)

    made = aj.Study("s", question, trials=1)
    assert study.with_steps(made, None) is made
    setup = study.with_steps(made, 10).question(None)
    assert (setup.steps, setup.warmup, setup.evaluate_every, setup.until, setup.finish) == (10, 10, 10, None, 10)
    assert study.with_steps(made, 1000).question(None) == question(None).replace(steps=1000)
