"""Engines: the fused one trains as the compiled one, to the same bits in any company; what it has not is left."""

import hashlib
import os
import platform
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
from arithjax.training.tile import FEWEST_LANES, NetId, named_tile
from arithjax.training.trainer import Trainer
from arithjax.training.workers import train_nets

pytestmark = pytest.mark.skipif(not fused.available(), reason=str(fused.obstacle()))

ROOT = 3
TINY = {"low": 0, "high": 10, "examples": 96, "tests": 64, "batch": 16, "steps": 20, "evaluate_every": 10}
ACTIVATIONS, OPTIMIZERS, LOSSES = (tuple(registry) for registry in (aj.ACTIVATIONS, aj.OPTIMIZERS, aj.LOSSES))
LOSSES = tuple(name for name in LOSSES if "entropy" not in name)  # for classes: test_classes.py


def net(seed=0, **changes):
    return NetId(0, seed, aj.Setup(**{**TINY, "widths": (3,), **changes}))


ALL = {  # every optimiser and loss, and some activations; all of them together: test_fused.py
    "deep": net(widths=(3, 5, 2, 4), activation=("linear", "relu", "square", "tanh"), output_activation="sigmoid"),
    "wide": net(widths=(40, 70), learning_rate=1e-3),
    "one unit": net(widths=(1,), batch=1, activation="relu6", optimizer="rmsprop", loss="relative"),
    "a large batch": net(widths=(8,), batch=96, activation="softplus", optimizer="lion", loss="mae"),
    "clipped": net(clip=0.05, clip_value=0.01, optimizer="sgd", learning_rate=0.5),
    "decay": net(
        **{"weight_decay": 0.1, "optimizer": "adamw", "schedule": "cosine", "warmup": 5, "end_factor": 0.1},
        **{"activation": "silu", "loss": "huber"},
    ),
    "fresh": net(fresh=True, integers=False, distribution="normal", input_transform="symlog", bias=False),
    "double": net(precision="float64", widths=(6, 6), schedule="exponential"),
    "own numbers": net(beta1=0.5, beta2=0.9, epsilon=1e-3, initializer="he_normal", activation="linear"),
}


def trained(one, layout):
    """Parameters of a net after its steps, and its table row without the program's name."""
    trainer = Trainer(named_tile(layout, one), ROOT)
    trainer.advance_to(one.setup.steps)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[..., 0], trainer.state.params)
    return params, train_tile(named_tile(layout, one), ROOT).rows.drop(columns="program").iloc[0]


@pytest.mark.parametrize(("field", "members"), [("optimizer", OPTIMIZERS), ("loss", LOSSES)])
def test_every_optimiser_and_loss_is_compared(field, members):
    assert {getattr(one.setup, field) for one in ALL.values()} == set(members)


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


# ---- every member, for hundreds of steps

DEPTHS, BATCHES, SEEDS, CLOSE = range(1, 6), (1, 7, 16, 17, 100, 500), 16, 1e-5
TASKS = {
    "cross_entropy": {"op": "addmod:5", "target_transform": "onehot"},
    "bit_cross_entropy": {"op": "addmod:5", "target_transform": "binary"},
    "relative": {"op": "add", "target_transform": "raw"},
}


def cell(depth, i, precision):
    """A setup of a covering array: every activation with every optimiser and every loss, and each with every depth."""
    loss = list(aj.LOSSES)[(i + 2 * depth) % len(aj.LOSSES)]
    return aj.Setup(
        **{"low": 1, "high": 6, "examples": 500, "tests": 64, "steps": 200, "evaluate_every": 200},
        **TASKS.get(loss, {"op": "mul", "target_transform": "standardize"}),
        input_transform="standardize",
        widths=(5, 3, 7, 4, 6)[:depth],
        activation=ACTIVATIONS[i % len(ACTIVATIONS)],
        optimizer=OPTIMIZERS[(i + depth) % len(OPTIMIZERS)],
        loss=loss,
        precision=precision,
        batch=BATCHES[(i + depth) % len(BATCHES)],
        bias=bool((i + depth) % 4),
        clip=0.5 if i % 3 == 0 else None,
        clip_value=0.1 if i % 4 == 1 else None,
        weight_decay=0.01 if (i + depth) % 2 else None,
        warmup=50 if depth % 2 else 0,
        schedule="cosine" if i % 2 else "constant",
        learning_rate=3e-3,
    )


def tile_of(setup, seeds, layout="fused"):
    """A setup's tile of these seeds, with as many places as the compiled engine needs at least."""
    tile = named_tile(layout, NetId(0, 0, setup))
    places = FEWEST_LANES * -(-len(seeds) // FEWEST_LANES)
    return replace(tile, specs=tile.specs.with_nets(places), nets=tuple(NetId(0, seed, setup) for seed in seeds))


def weights_of(tile, nudge=None):
    """Parameters `[parameters, nets]` after all steps; from first weights that `nudge` has moved."""
    trainer = Trainer(tile, ROOT)
    if nudge is not None:
        with tile.arithmetic:
            params = jax.tree.map(lambda leaf: jax.device_put(nudge(np.asarray(leaf))), trainer.state.params)
        trainer.state = trainer.state._replace(params=params)
    trainer.advance_to(tile.setup.steps)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(trainer.state.params)]
    return np.concatenate([leaf.reshape(-1, leaf.shape[-1]) for leaf in leaves])[:, : len(tile.nets)]


def departed(these, others):
    """How far nets are apart, `[nets]`, over the largest of their parameters."""
    return np.abs(these.astype(float) - others).max(0) / np.abs(others).max(0)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("i", range(max(map(len, (ACTIVATIONS, OPTIMIZERS, aj.LOSSES)))))
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_member_at_every_depth_trains_as_in_the_compiled_engine(depth, i, precision):
    """Parameters after 200 steps, to 1e-5. In float32 chaotic nets are left out, and named: those that the compiled
    engine itself brings as far apart from weights that differ by a rounding."""
    setup, random = cell(depth, i, precision), np.random.default_rng(i)
    tile = tile_of(setup, range(SEEDS), "lanes")
    ours, theirs = weights_of(tile_of(setup, range(SEEDS))), weights_of(tile)
    assert np.isfinite(theirs).all()
    apart = departed(ours, theirs)
    if precision == "float32":

        def nudge(leaf):
            return np.nextafter(leaf, random.choice([-np.inf, np.inf], leaf.shape).astype(leaf.dtype))

        chaos = np.max([departed(weights_of(tile, nudge), theirs) for _ in range(10)], axis=0)
        print(f"{setup.activation}, {setup.optimizer}, {setup.loss}: {(chaos > CLOSE).sum()} of {SEEDS} are chaotic")
        apart = apart[chaos <= CLOSE]
    assert (apart <= CLOSE).all(), f"{apart.max():.1e} with {setup.activation}, {setup.optimizer}, {setup.loss}"


# ---- the same bits


def any_setup(random):
    """A dense setup at random, of few steps."""

    def pick(members):
        return list(members)[random.integers(len(members))]

    depth = random.integers(1, 6)
    return aj.Setup(
        **{"low": 1, "high": pick([5, 30, 500]), "examples": 40, "tests": 64, "steps": 12, "evaluate_every": 12},
        op=pick(["add", "mul", "max"]),
        widths=[int(2 ** random.uniform(0, 5)) for _ in range(depth)],
        activation=[pick(ACTIVATIONS) for _ in range(depth)],
        output_activation=pick(["linear", "linear", "relu", "tanh"]),
        bias=bool(random.integers(4)),
        initializer=pick(aj.INITIALIZERS),
        optimizer=pick(OPTIMIZERS),
        loss=pick(LOSSES),
        learning_rate=float(10 ** random.uniform(-4, 0)),
        weight_decay=pick([None, 0.1]),
        clip=pick([None, None, 0.1]),
        clip_value=pick([None, None, 0.1]),
        schedule=pick(aj.SCHEDULES),
        batch=int(random.integers(1, 41)),
        fresh=bool(random.integers(8) == 0),
        input_transform=pick(["raw", "scale", "standardize", "log1p", "binary"]),
        target_transform=pick(["raw", "scale", "standardize", "log1p", "binary"]),
        precision=pick(["float32", "float32", "float64"]),
    )


def some_setups(part, count):
    random = np.random.default_rng([part, 17])
    return [any_setup(random) for _ in range(count)]


def digests_alone(part, count):
    """Of the weights that a net of each setup is trained to."""
    return [hashlib.sha256(weights_of(tile_of(setup, [0])).tobytes()).hexdigest() for setup in some_setups(part, count)]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_random_nets_are_the_same_bits_in_any_company_on_any_workers_and_processor(part, count=250):
    setups, random, alone = some_setups(part, count), np.random.default_rng(part), digests_alone(part, count)
    for setup, expected in zip(setups, alone, strict=True):
        seeds = random.permutation(random.integers(2, 80)).tolist()
        own = np.ascontiguousarray(weights_of(tile_of(setup, seeds))[:, seeds.index(0)])
        assert hashlib.sha256(own.tobytes()).hexdigest() == expected, setup
    nets = [NetId(trial, seed, setup) for trial, setup in enumerate(setups) for seed in range(2)]
    pd.testing.assert_frame_equal(rows(nets, workers=1), rows(nets, workers=2), check_exact=True)
    if platform.machine() == "x86_64" and fused.lanes() > 8:
        there = os.environ | {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"}
        there["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = [sys.executable, __file__, str(part), str(count)]
        said = subprocess.run(command, env=there, capture_output=True, text=True, check=True).stdout
        assert said.split() == ["8", *alone]


def test_a_net_is_the_same_alone_and_in_company():
    together = [replace(one, trial=i, seed=seed) for i, one in enumerate(ALL.values()) for seed in range(3)]
    table = rows(together)
    pd.testing.assert_frame_equal(rows(together, workers=1), table, check_exact=True)
    for place in range(0, len(together), 4):
        alone = rows([together[place]])
        expected = table.iloc[[place]].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)
    assert set(table.program) == {"fused"}


@pytest.mark.optimized
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


if __name__ == "__main__":
    print(fused.lanes(), *digests_alone(*map(int, sys.argv[1:])))
