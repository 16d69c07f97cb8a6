"""Engines: the fused one trains as the compiled one, to the same bits in any company; what it has not is left."""

import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest

import arithjax as aj
from arithjax.tables.schema import to_arrow
from arithjax.training.engines import choice, fused
from arithjax.training.outcome import train_tile
from arithjax.training.planning import plan
from arithjax.training.tile import NetId, named_tile
from arithjax.training.trainer import Trainer
from arithjax.training.workers import train_nets

pytestmark = pytest.mark.skipif(not fused.available(), reason=str(fused.obstacle()))

ROOT = 3
TINY = {"low": 0, "high": 10, "examples": 96, "tests": 64, "batch": 16, "steps": 20, "evaluate_every": 10}
ACTIVATIONS, OPTIMIZERS, LOSSES = (tuple(registry) for registry in (aj.ACTIVATIONS, aj.OPTIMIZERS, aj.LOSSES))
LOSSES = tuple(name for name in LOSSES if "entropy" not in name)  # for classes: test_classes.py


def net(seed=0, **changes):
    return NetId(0, seed, aj.Setup(**{**TINY, "widths": (3,), **changes}))


MEMBERS = {
    f"{name}, {optimizer}, {loss}": net(activation=name, optimizer=optimizer, loss=loss)
    for i, name in list(enumerate(ACTIVATIONS))[::3]  # all of them: test_fused.py
    for optimizer, loss in [(OPTIMIZERS[i % len(OPTIMIZERS)], LOSSES[i % len(LOSSES)])]
}
FEATURES = {
    "deep": net(widths=(3, 5, 2, 4), activation=("linear", "relu", "square", "tanh"), output_activation="sigmoid"),
    "wide": net(widths=(40, 70), learning_rate=1e-3),
    "one unit": net(widths=(1,), batch=1),
    "a large batch": net(widths=(8,), batch=96),
    "clipped": net(clip=0.05, clip_value=0.01, optimizer="sgd", learning_rate=0.5),
    "decay": net(weight_decay=0.1, optimizer="adamw", schedule="cosine", warmup=5, end_factor=0.1),
    "fresh": net(fresh=True, integers=False, distribution="normal", input_transform="symlog", bias=False),
    "double": net(precision="float64", widths=(6, 6), schedule="exponential"),
    "own numbers": net(beta1=0.5, beta2=0.9, epsilon=1e-3, initializer="he_normal"),
}
ALL = MEMBERS | FEATURES


def trained(one, layout):
    """Parameters of a net after its steps, and its table row without the program's name."""
    trainer = Trainer(named_tile(layout, one), ROOT)
    trainer.advance_to(one.setup.steps)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[..., 0], trainer.state.params)
    return params, train_tile(named_tile(layout, one), ROOT).rows.drop(columns="program").iloc[0]


@pytest.mark.parametrize("name", ALL)
def test_the_fused_engine_trains_as_the_compiled_one(name):
    (ours, row), (theirs, other) = trained(ALL[name], "fused"), trained(ALL[name], "lanes")
    for a, b in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)  # 20 steps of float32
    assert row.index.equals(other.index) and row.parameters == other.parameters
    np.testing.assert_allclose(row.relative_rmse, other.relative_rmse, rtol=1e-3)


def rows(nets, workers=2):
    """The table of nets that are trained together, exact."""
    return to_arrow(pd.concat([done.rows for done in train_nets(nets, ROOT, workers)])).to_pandas()


def test_a_net_is_the_same_alone_and_in_company():
    together = [replace(one, trial=i, seed=seed) for i, one in enumerate(ALL.values()) for seed in range(3)]
    table = rows(together)
    pd.testing.assert_frame_equal(rows(together, workers=1), table, check_exact=True)
    for place in range(0, len(together), 4):
        alone = rows([together[place]])
        expected = table.iloc[[place]].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)
    assert set(table.program) == {"fused"}


def test_tiles_of_every_size_hold_the_same_nets():
    nets = [net(seed) for seed in range(150)]
    assert sorted(len(tile.nets) for tile in plan(nets, 1)) == [22, 128]
    many = rows(nets).set_index("seed")
    few = rows(nets[100:110]).set_index("seed")
    pd.testing.assert_frame_equal(few, many.loc[few.index], check_exact=True)


def test_no_architecture_is_compiled_or_padded():
    nets = [replace(net(widths=(width, 70 - width)), trial=width) for width in range(1, 70)]
    tiles = plan(nets, 2)
    assert len(tiles) == len(nets)
    assert all(tile.name == "fused" for tile in tiles)


def test_nets_that_stop_stay_as_they_are():
    setup = net(op="add", activation="linear", learning_rate=0.02, steps=400, evaluate_every=20, stop_early=True).setup
    rates = (0.02, 0.05, 1e-6, 1e30)
    nets = [NetId(0, seed, setup.replace(learning_rate=rate)) for seed, rate in enumerate(rates)]
    table = rows(nets)
    assert table.trained_steps.min() < table.trained_steps.max() == 400
    assert table.grade[3] == "diverged"
    for one in nets:
        pd.testing.assert_frame_equal(
            rows([one]), table[table.seed == one.seed].reset_index(drop=True), check_exact=True
        )


def test_nets_that_are_over_take_no_part_and_answer_as_ever():
    changes = {"activation": "relu", "output_activation": "relu", "optimizer": "sgd", "momentum": 0.5, "steps": 1000}
    setup = net(widths=(2,), evaluate_every=100, **changes).setup
    (tile,) = plan([NetId(0, seed, setup) for seed in range(16)], 1)
    often, once = Trainer(tile, ROOT), Trainer(tile, ROOT, longest=1000)  # in one segment nobody leaves
    for trainer in (often, once):
        broken = jax.tree.map(lambda p: p.at[..., 4].set(np.nan), trainer.state.params)
        trainer.state = trainer.state._replace(params=broken)
        trainer.advance_to(1000)
    (course,) = often.state.moments
    assert course.over.any() and not course.over.all()
    for ours, theirs in zip(*(jax.tree.leaves(trainer.state.params) for trainer in (often, once)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert course.over[4] and course.over[np.isfinite(course.params).all(0)].any()
    often.start_again(course.over)
    often.advance_to(1100)
    assert not often.state.moments[0].over.all() and often.state.moments[0].over.sum() < course.over.sum()


def test_a_checkpoint_is_kept_while_training_goes_on():
    setup = net(threshold=1e-9, learning_rate=0.5, steps=60, evaluate_every=1).setup
    table = rows([NetId(0, seed, setup) for seed in range(16)])
    early = table[table.selected_at < 60].iloc[0]
    short = setup.replace(steps=int(early.selected_at), threshold=None)
    (again,) = rows([NetId(0, int(early.seed), short)]).itertuples()
    assert again.mse != early.mse  # another setup is another net
    done = Trainer(named_tile("fused", NetId(0, int(early.seed), setup)), ROOT, longest=1)
    done.advance_to(int(early.selected_at))
    points = np.array([[3.0, 4.0]])
    before = done.predict(points)
    done.advance_to(60)
    assert not np.array_equal(done.predict(points), before)


def test_a_saved_net_and_a_row_come_back_to_the_bit(tmp_path):
    kept = aj.fit(aj.Setup(**TINY, widths=(5,), finish=20), seeds=3)
    assert kept.row["program"] == "fused"
    kept.save(tmp_path / "a.net")
    x = [[3, 4], [9, 0.5]]
    row = kept.others[kept.others.seed == kept.row["seed"]].iloc[0]
    for other in (aj.load_net(tmp_path / "a.net"), aj.net_again(row, 0)):
        np.testing.assert_array_equal(other(x), kept(x))
    assert kept.curve().step.max() == TINY["steps"]


def test_what_the_kernel_has_not_is_left_to_the_compiled_engine(add):
    cube = add(aj.ACTIVATIONS, aj.Activation("cube", "z³", lambda z: z**3))
    assert choice.layout_of(net().setup).name == "fused"
    for changes in ({"activation": cube.name}, {"model": "nmu", "widths": (), "low": 1}):
        assert choice.layout_of(net(**changes).setup).name == "lanes"
    assert choice.layout_of(net(widths=(3, choice.WIDEST + 1)).setup).name == "product"
    classes = aj.Setup(op="add", low=0, high=100, target_transform="onehot", loss="cross_entropy", widths=(4,))
    assert classes.outputs > choice.WIDEST and choice.layout_of(classes).name == "fused"


def test_a_users_member_under_a_name_of_ours_is_the_users(monkeypatch):
    mine = aj.Activation("relu", "2 max(z, 0)", lambda z: 2 * jax.nn.relu(z))
    monkeypatch.setitem(aj.ACTIVATIONS, "relu", mine)
    assert choice.layout_of(net(activation="relu").setup).name == "lanes"
    assert choice.layout_of(net(activation="gelu").setup).name == "fused"


def test_a_users_member_is_the_users_before_anything_was_trained():
    replaced = "aj.ACTIVATIONS['relu'] = aj.Activation('relu', '2 max(z, 0)', lambda z: 2 * z)"
    asked = "choice.layout_of(aj.Setup(activation='relu', widths=(3,))).name"
    program = f"import arithjax as aj; {replaced}; from arithjax.training.engines import choice; print({asked})"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "lanes\n"


def test_a_user_chooses_the_engine(compiled_engine):
    assert choice.layout_of(net().setup).name == "lanes"
    with pytest.raises(aj.ArithjaxError, match="unknown engine 'fussed'; did you mean 'fused'"):
        choice.use("fussed")
