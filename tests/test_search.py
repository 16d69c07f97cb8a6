"""The search: batches, the same trials however a study is interrupted, grids."""

import json

import numpy as np
import optuna
import pandas as pd
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.studies import samplers, search

TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}


def rates(trial):
    op = trial.suggest_categorical("op", ["add", "sub"])
    return aj.Setup(op=op, learning_rate=trial.suggest_float("rate", 1e-3, 1e-1, log=True), **TINY)


def studied(sampler, trials, question=rates, **more):
    return aj.Study("s", question, trials=trials, sampler=sampler, **more)


def test_grid_asks_every_combination_in_order(tmp_path):
    def question(trial):
        op = trial.suggest_categorical("op", ["add", "sub"])
        depth = trial.suggest_int("depth", 1, 2) if op == "add" else 1
        return aj.Setup(**{**TINY, "op": op, "widths": (3,) * depth})

    grid = aj.Study("grid", question, sampler="grid", seeds=1)
    expected = [{"op": "add", "depth": 1}, {"op": "add", "depth": 2}, {"op": "sub"}]
    assert list(search.combinations(grid)) == expected
    nets = aj.run(grid, tmp_path)
    assert [json.loads(choices) for choices in nets.choices] == expected


def test_a_grid_has_as_many_trials_as_combinations():
    def question(trial):
        depth, scale = trial.suggest_int("depth", 1, 5, step=2), trial.suggest_float("scale", 0.0, 0.3, step=0.1)
        return aj.Setup(widths=(3,) * depth, high=1 + scale, integers=False)

    grid = studied("grid", None, question)
    assert search.Search(grid, None).trials == search.Search(grid, 99).trials == 12
    assert search.Search(grid, 5).trials == 5
    asked = search.Search(grid, None).ask(range(12))
    assert len([one.finished([0.0]) for one in asked.values()]) == 12  # Optuna checks that values are in range
    assert [one.params["depth"] for one in asked.values()] == [1] * 4 + [3] * 4 + [5] * 4
    np.testing.assert_allclose([one.params["scale"] for one in asked.values()], [0, 0.1, 0.2, 0.3] * 3)


@pytest.mark.parametrize(
    ("sampler", "ends"), [("random", [100]), ("quasi-random", [1, 100]), ("tpe", [32, 64, 96, 100])]
)
def test_batches_cover_all_trials(sampler, ends):
    batches = list(search.Search(studied(sampler, 100), 100).batches())
    assert [batch.stop for batch in batches] == ends
    assert [number for batch in batches for number in batch] == list(range(100))


def test_ends_of_batches_do_not_depend_on_how_many_trials_there_are():
    short, long = (list(search.Search(studied("tpe", n), n).batches()) for n in (1000, 3000))
    assert short[:-1] == long[: len(short) - 1]
    assert len(long[-2]) > samplers.ADAPTIVE


def fake(asked):
    """Values of one objective for a batch: the learning rate itself."""
    return pd.DataFrame({"error": {number: one.params["rate"] for number, one in asked.items()}})


def asked_of(sampler, trials):
    found, all_params = search.Search(studied(sampler, trials), trials), []
    for batch in found.batches():
        asked = found.ask(batch)
        all_params += [one.params for one in asked.values()]
        found.tell(asked, fake(asked))
    return all_params


@pytest.mark.parametrize("sampler", ["tpe", "random", "quasi-random"])
def test_the_same_trials_again_and_more_of_them(sampler):
    assert asked_of(sampler, 70)[:64] == asked_of(sampler, 64)


def test_tpe_learns():
    rates_asked = [params["rate"] for params in asked_of("tpe", 96)]
    assert np.median(rates_asked[64:]) < np.median(rates_asked[:32]) / 3


def test_replayed_trials_lead_to_the_same_next_batch():
    again, found = (search.Search(studied("tpe", 64), 64) for _ in range(2))
    asked = found.ask(range(32))
    replayed = again.replay(range(32), [one.choices for one in asked.values()])
    assert {n: one.setup for n, one in replayed.items()} == {n: one.setup for n, one in asked.items()}
    for one, trials in ((found, asked), (again, replayed)):
        one.tell(trials, fake(trials))
    assert [one.params for one in found.ask(range(32, 64)).values()] == [
        one.params for one in again.ask(range(32, 64)).values()
    ]


def test_what_cannot_be_replayed_is_asked():
    assert search.Search(studied("nsga2", 4), 4).replay(range(1), ['{"op": "add", "rate": 0.01}']) is None
    for cell in ("{", "3", '{"op": "add"}', '{"op": "mul", "rate": 0.01}'):
        assert search.Search(studied("tpe", 4), 4).replay(range(1), [cell]) is None


def test_a_long_history_keeps_the_latest_and_the_best(monkeypatch):
    monkeypatch.setattr(search, "HISTORY", 8)
    found = search.Search(studied("tpe", 20), 20)
    distribution = {"rate": optuna.distributions.FloatDistribution(0.0, 99.0)}
    for number in range(20):
        trial = search.AskedTrial(aj.Setup(**TINY), {"rate": float(number)}, distribution)
        found.history.append(trial.finished([float(number % 10)]))
    assert [trial.params["rate"] for trial in found._remembered()] == [0, 10, 14, 15, 16, 17, 18, 19]


def test_a_fixed_trial_is_replayed():
    one = search.fixed(studied("random", 1), {"op": "sub", "rate": 0.01}, 7)
    assert (one.setup.op, one.setup.learning_rate) == ("sub", 0.01)
    assert json.loads(one.choices) == {"op": "sub", "rate": 0.01}
    assert set(one.distributions) == {"op", "rate"}


def leaves(trial):
    raise SystemExit(3)


def speaks(trial):
    raise ValueError("first line\nsecond line")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (leaves, r"its question raised SystemExit: 3 \(test_search.py, line \d+\)"),
        (speaks, r"ValueError: first line second line \(test_search.py"),
        (lambda trial: aj.Setup(op="mull"), "study 's': unknown operation 'mull'; did you mean 'mul'"),
    ],
)
def test_what_goes_wrong_in_a_question_is_one_line(question, words):
    with pytest.raises(ArithjaxError, match=words) as caught:
        search.ask(studied("random", 1, question), None)
    assert "\n" not in str(caught.value)


CHOICES = [(4,), [8, 8], (3, (5, 3)), None, True, 1, "1", 1.5, float("nan"), {"a": (1,)}, "None"]


def test_what_optuna_chose_comes_back_from_a_table_as_it_went_in():
    """Whatever JSON makes of it: lists of tuples, numbers of what equals them."""
    seen = []

    def question(trial):
        seen.append(trial.suggest_categorical("what", CHOICES))
        return aj.Setup(op="add", **TINY)

    asked = search.Search(aj.Study("any", question, trials=40, seeds=1, seed=1), 40).ask(range(40))
    first, seen[:] = list(seen), []
    for number, one in asked.items():
        search.fixed(aj.Study("any", question, trials=40), json.loads(one.choices), number)
    assert [repr(choice) for choice in seen] == [repr(choice) for choice in first]
    assert {repr(choice) for choice in seen} == {repr(choice) for choice in CHOICES}


@pytest.mark.parametrize(
    ("choices", "phrase"),
    [([(1,), [1]], r"both \[1\]"), ([print, "x"], "builtin_function_or_method"), ([np.int64(3), 4], "int64")],
)
@pytest.mark.parametrize("sampler", ["random", "grid", "tpe"])
def test_choices_that_no_table_holds_are_refused_in_the_first_trial(tmp_path, choices, phrase, sampler):
    def question(trial):
        trial.suggest_categorical("what", choices)
        return aj.Setup(op="add", **TINY)

    with pytest.raises(ArithjaxError, match=phrase):
        aj.run(aj.Study("any", question, trials=3, seeds=1, sampler=sampler), tmp_path)
    assert not list(tmp_path.rglob("*.parquet"))
