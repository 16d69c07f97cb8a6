"""Selection: which rows of a table nets train on, which they are judged on, and what is said of both."""

import jax
import numpy as np
import pytest

import arithjax as aj
from arithjax import OPERATIONS, ArithjaxError, Operation, Setup
from arithjax.task.points import Task
from arithjax.training.specs import specs_of
from arithjax.training.tile import NetId, Tile
from arithjax.training.trainer import Trainer

QUICK = {"widths": [16], "activation": "relu", "learning_rate": 0.01, "schedule": "cosine", "steps": 3000}


def trained_on(setup, nets=2):
    """Arguments and targets of every net, in original units: `[examples, arity, nets]`, `[examples, nets]`."""
    tile = Tile(specs_of(setup, 16), tuple(NetId(0, seed, setup) for seed in range(nets)))
    found = jax.tree.map(np.asarray, Trainer(tile, 0).examples)
    x = found.x * found.input_fit.scale[None] + found.input_fit.shift[None]
    t = found.t * found.target_fit.scale[None] + found.target_fit.shift[None]
    return x[..., :nets], t[..., :nets]


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("examples='most' is not allowed; it has to be a whole number below 2\\*\\*31, or all", {"examples": "most"}),
        ("split=1 is not allowed; .* above 0 and below 1", {"split": 1}),
        ("split=0.0001 of 2,500 rows leaves nothing|split=0.0001 of 2500 rows leaves nothing", {"split": 0.0001}),
        ("holdout=0.2 is for data sets; split=0.8", {"holdout": 0.2}),
        ("split=0.5 needs a table of all arguments", {"split": 0.5, "integers": False}),
        ("examples=all needs a table of all arguments", {"examples": "all", "high": 5000}),
        ("fresh=True draws from ranges, and examples=all", {"examples": "all", "fresh": True}),
        ("balanced=True draws some rows more often", {"examples": "all", "balanced": True}),
        ("balanced=True .* add has 99 of them here; .* no more than 64 for 64", {"balanced": True, "examples": 64}),
        ("noise=-1", {"noise": -1}),
        ("target_transform=log needs", {"noise": 1.0, "low": 1, "target_transform": "log"}),
        ("content=abc is asked for", {"content": "abc"}),
    ],
)
def test_what_cannot_be_selected_is_refused(words, changes):
    with pytest.raises(ArithjaxError, match=words):
        Setup(op="add", **{"low": 0, "high": 50, **changes})


def test_all_examples_are_every_number_once_for_all_nets_and_in_every_table():
    setup = Setup(op="square", low=0, high=100, examples="all")
    x, t = trained_on(setup)
    for net in range(2):
        np.testing.assert_allclose(np.sort(x[:, 0, net]), np.arange(100), atol=1e-4)
    np.testing.assert_allclose(t, x[:, 0] ** 2, rtol=1e-4, atol=0.01)
    assert setup.example_count == 100
    assert Setup(op="square", low=0, high=10, examples="all").batch == 10, "a batch has no more than all"
    assert setup.row()["examples"] is None
    assert Setup.from_row(setup.row()) == setup
    assert Setup(**setup.to_dict()) == setup


def test_half_of_a_table_is_trained_on_and_the_other_judged():
    setup = Setup(op="add", low=0, high=20, examples="all", split=0.5)
    task, (x, _) = Task.of(setup), trained_on(setup)
    own, held = ({tuple(row) for row in np.rint(rows)} for rows in (x[..., 0], task.interpolation_points.x))
    assert (len(own), len(held), len(own & held)) == (200, 200, 0)
    np.testing.assert_array_equal(x[..., 0], x[..., 1])
    more = {tuple(row) for row in np.rint(trained_on(setup.replace(split=0.75))[0][..., 0])}
    assert own < more, "a larger share holds the smaller"
    drawn = {tuple(row) for row in np.rint(trained_on(setup.replace(examples=300))[0][..., 1])}
    assert drawn < own, "fewer or more examples are drawn from the training share alone"


def test_both_halves_have_columns_and_a_net_that_learns_by_heart_shows_it():
    """A sum is learnt for all pairs; a table of chance for those that were seen alone."""
    setup = Setup(op="add", low=0, high=12, examples="all", split=0.5, **QUICK | {"activation": "linear"})
    chance = np.random.default_rng(0).permutation(144).reshape(12, 12)
    OPERATIONS["chance"] = Operation("chance", "t[a, b]", lambda a, b: chance[a.astype(int), b.astype(int)])
    try:
        nets = aj.train([setup, setup.replace(op="chance", activation="relu", widths=[64, 64])], seeds=2)
    finally:
        del OPERATIONS["chance"]
    learnt, heart = nets[nets.trial == 0], nets[nets.trial == 1]
    assert (learnt.grade == "exact").all() and (learnt.train_exact == 1).all()
    assert (learnt.right_at == learnt.train_right_at).all()
    assert (heart.train_relative_rmse < 0.5).all() and (heart.relative_rmse > 0.9).all()
    assert heart.right_at.isna().all() and (nets.program == "fused").all()
    assert aj.train([setup.replace(split=None)], seeds=1).train_exact.isna().all()


def test_balanced_classes_are_drawn_and_judged_equally_often_and_unseen_pairs_are_learnt(add):
    add(OPERATIONS, Operation("same", "a == b", lambda a, b: a == b))
    setup = Setup(op="same", low=0, high=10, balanced=True, split=0.5, examples=500, batch=50, tests=200)
    setup = setup.replace(**QUICK | {"widths": [16, 16]})
    t = trained_on(setup)[1]
    np.testing.assert_allclose(t.mean(0), 0.5, atol=1e-3)
    assert Task.of(setup).interpolation_points.t.mean() == 0.5
    net = aj.fit(setup, seeds=4)
    assert (net.others.grade == "exact").sum() >= 3, "all 100 pairs, of which half were never shown"
    task, pairs = Task.of(setup), aj.fresh_pairs(net, 40)
    trained = {*map(tuple, task.domain[task.trained].tolist())}
    assert not trained & {*map(tuple, pairs[["a", "b"]].to_numpy(float).tolist())}, "the table shows held-out pairs"
    assert 10 <= pairs.value.sum() <= 30, "of both classes"
    assert repr(net).startswith("<Net of same: exact, seed ") and len(repr(net)) < 120


def test_noise_is_on_targets_alone_and_has_its_standard_deviation():
    setup = Setup(op="mul", low=-1, high=1, integers=False, noise=0.05, examples=4000)
    (x, t), (clean, exact) = trained_on(setup), trained_on(setup.replace(noise=0))
    assert setup.identity() != setup.replace(noise=0).identity()
    for net in range(2):
        off = t[:, net] - x[:, 0, net] * x[:, 1, net]
        np.testing.assert_allclose([off.mean(), off.std()], [0, 0.05], atol=0.003)
    np.testing.assert_allclose(exact, clean[:, 0] * clean[:, 1], atol=1e-5)
    points = Task.of(setup).interpolation_points
    np.testing.assert_allclose(points.t, points.x[:, 0].astype(float) * points.x[:, 1])


@pytest.mark.parametrize("fresh", [False, True])
def test_a_net_learns_through_noise(fresh):
    """The error on exact results is far below the noise that it was trained with."""
    setup = Setup(op="mul", low=-1, high=1, integers=False, noise=0.05, fresh=fresh, **QUICK | {"activation": "square"})
    assert (aj.train([setup.replace(widths=[4])], seeds=2).mse < 0.01**2).all()


def test_tables_of_selections_come_back_as_they_were(tmp_path):
    def question(trial):
        share = trial.suggest_categorical("split", [0.25, 0.5])
        return Setup(op="add", low=0, high=9, examples="all", split=share, widths=[2], steps=20)

    nets = aj.run(aj.Study("shares", question, sampler="grid", seeds=2), tmp_path)
    assert sorted(set(nets.split)) == [0.25, 0.5] and nets.examples.isna().all()
    again = aj.retrain(tmp_path / "shares", 3)
    assert again.identical.all() and {"train_exact", "right_at"} <= set(again.index)


@pytest.mark.parametrize(
    ("changes", "rows", "held"),
    [
        ({"op": "add", "high": 12, "examples": "all", "split": 0.5}, 72, 72),
        ({"op": "add", "high": 12, "examples": 50, "batch": 50, "split": 0.25}, 50, 108),
        ({"op": "signed", "high": 9, "examples": 80}, 80, 0),
        ({"op": "signed", "high": 9, "examples": "all", "noise": 0.5}, 162, 0),
        ({"op": "rows"}, 3, 0),
        ({"op": "rows", "holdout": 0.3}, 2, 1),
    ],
)
def test_scripts_make_the_examples_that_nets_train_on(add, changes, rows, held):
    own = (aj.Argument("a"), aj.Argument("b"), aj.Argument("minus", values=(0, 1)))
    add(OPERATIONS, Operation("signed", "a ± b", lambda a, b, minus: a + b - 2 * b * minus, arguments=own))
    add(OPERATIONS, aj.Dataset("rows", [[1, 2.5], [3, 4], [5, 6]], [7, 8, 9]))
    setup = Setup(**changes)
    lines = aj.export.untrained(setup, "keras").split("def shown")[0].partition("\nrng = ")[2]
    names = {"np": np, "seed": 0}
    lines = [line for line in f"rng = {lines}".splitlines() if not line.startswith("utils.")]
    exec("\n".join(lines), names)
    x, t = names["x"], names["t"]
    assert x.shape == (rows, OPERATIONS[setup.op].arity) and t.shape == (rows, 1)
    assert len(names.get("x_held", ())) == held
    kept = {tuple(row) for row in np.vstack([x, names.get("x_held", x)])}
    if setup.examples == "all":
        assert len(kept) == rows + held
    exact = Task.of(setup).op.exact(x, Task.of(setup).integers).t
    np.testing.assert_allclose(t[:, 0], exact, atol=5 * setup.noise)


def test_what_scripts_cannot_hold_is_said():
    with pytest.raises(ArithjaxError, match="balanced=True cannot be written into a script that trains"):
        aj.export.untrained(Setup(op="min", high=20, balanced=True), "keras")
