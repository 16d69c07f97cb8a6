"""Study fingerprints: what is the same question, and how another one is refused."""

import dataclasses
import warnings

import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies import fingerprint, search
from arithjax.studies.study import with_steps


def question(trial):
    return aj.Setup(op=trial.suggest_categorical("op", ["add", "sub"]), widths=(trial.suggest_int("width", 2, 6),))


STUDY = aj.Study("s", question, trials=4, seeds=2)
PARAMS = {"op": "add", "width": 3}


def resolved(study=STUDY, steps=None, **params):
    return fingerprint.resolved(study, steps, {0: search.fixed(study, {**PARAMS, **params}, 0)})


def test_a_resolved_question():
    assert resolved() == {
        "name": "s",
        "seed": 0,
        "sampler": "random",
        "objectives": ["error"],
        "steps": None,
        "setup": {"op": "add", "widths": [3]},
        "space": {
            "op": {"name": "CategoricalDistribution", "attributes": {"choices": ["add", "sub"]}},
            "width": {"name": "IntDistribution", "attributes": {"log": False, "step": 1, "low": 2, "high": 6}},
        },
    }
    assert fingerprint.digest(resolved()) == fingerprint.fingerprint(STUDY, None, PARAMS, 0)


@pytest.mark.parametrize("changes", [{"trials": 9}, {"seeds": 1}, {"about": "words"}, {"by": "op"}, {"curves": 2}])
def test_counts_and_words_are_no_part_of_a_question(changes):
    changed = dataclasses.replace(STUDY, **changes)
    assert fingerprint.fingerprint(changed, None, PARAMS, 0) == fingerprint.fingerprint(STUDY, None, PARAMS, 0)


@pytest.mark.parametrize(
    "changes", [{"name": "t"}, {"seed": 1}, {"sampler": "tpe"}, {"objectives": "steps"}, {"halving": 0.5}]
)
def test_how_it_is_asked_is(changes):
    changed = dataclasses.replace(STUDY, **changes)
    assert fingerprint.fingerprint(changed, None, PARAMS, 0) != fingerprint.fingerprint(STUDY, None, PARAMS, 0)


def test_a_default_is_no_departure():
    assert fingerprint.departures(aj.Setup()) == {"widths": [64, 64]}
    assert fingerprint.departures(aj.Setup(clip=1.0, activation=("relu", "tanh")).replace(clip=None)) == {
        "widths": [64, 64],
        "activation": ["relu", "tanh"],
    }


def refused(before, now):
    with pytest.raises(ArithjaxError) as caught:
        fingerprint.refuse_other_question("there", before, now, "random")
    return str(caught.value)


def test_another_question_is_refused_by_what_differs():
    fingerprint.refuse_other_question("there", resolved(), resolved(), "random")
    assert "differs in op ('add' there, 'sub' asked)" in refused(resolved(), resolved(op="sub"))
    assert "seed (0 there, 1 asked)" in refused(resolved(), resolved(dataclasses.replace(STUDY, seed=1)))
    assert "halving ([] there, [0.5] asked)" in refused(resolved(), resolved(dataclasses.replace(STUDY, halving=0.5)))
    wider = {**resolved(), "space": {**resolved()["space"], "width": {"name": "FloatDistribution"}}}
    assert "differs in space.width (" in refused(resolved(), wider)
    assert refused(resolved(), resolved(with_steps(STUDY, 7), 7)).count("steps") == 2


def test_parameters_that_one_side_has_not_met_are_no_difference():
    narrower = {**resolved(), "space": {"op": resolved()["space"]["op"]}}
    fingerprint.refuse_other_question("there", resolved(), narrower, "random")
    fingerprint.refuse_other_question("there", narrower, resolved(), "random")


def test_descriptions_of_earlier_releases_say_less():
    older = {name: value for name, value in resolved().items() if name not in ("setup", "space", "objectives")}
    fingerprint.refuse_other_question("there", older, resolved(), "random")


def test_a_sampler_of_ones_own_is_hinted_at():
    with pytest.raises(ArithjaxError, match="A sampler of your own needs a fixed seed"):
        fingerprint.refuse_other_question("there", resolved(), resolved(op="sub"), object())


def test_rows_of_other_setups_are_refused():
    one = search.fixed(STUDY, PARAMS, 3)
    rows = pd.DataFrame([{"trial": 3, "seed": seed, **one.setup.row()} for seed in range(2)])
    fingerprint.refuse_other_rows("there", {3: one}, rows)
    other = search.fixed(STUDY, {**PARAMS, "width": 4}, 3)
    with pytest.raises(ArithjaxError, match="trial 3 differs in widths"):
        fingerprint.refuse_other_rows("there", {3: other}, rows)


SOURCE = 'def question(trial):\n    return 1\nstudy = Study("s", question, trials=3, about="x")\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("trials=3", "trials=4, seeds=9"),
        ('about="x"', 'by="op", answer=print'),
        ("    return", '    """Words."""\n    return'),
        ("return 1", "return 1  # one"),
    ],
)
def test_words_and_counts_are_not_the_essence_of_a_file(old, new):
    assert fingerprint.essence(SOURCE.replace(old, new)) == fingerprint.essence(SOURCE)


def test_code_is_the_essence_of_a_file():
    assert fingerprint.essence(SOURCE.replace("return 1", "return 2")) != fingerprint.essence(SOURCE)
    assert fingerprint.essence("study = (") == "study = ("


HERE = {"versions": {"jax": "1"}, "device": "a cpu, 2 cores"}


def test_warnings_of_changes():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fingerprint.warn_of_changes("there", SOURCE, SOURCE, [HERE], HERE)
        fingerprint.warn_of_changes("there", "", SOURCE, [HERE, {**HERE, "versions": {"jax": "0"}}], HERE)
    with pytest.warns(UserWarning, match="code has changed since there was begun"):
        fingerprint.warn_of_changes("there", SOURCE, SOURCE.replace("1", "2"), [HERE], HERE)
    with pytest.warns(UserWarning, match="begun elsewhere .*jax 0 there, 1 here"):
        fingerprint.warn_of_changes("there", SOURCE, SOURCE, [{**HERE, "versions": {"jax": "0"}}], HERE)
