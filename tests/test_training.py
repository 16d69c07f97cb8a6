"""Training: a net's numbers are its own to the last bit, optimisers follow optax, and nets learn what they should."""

import functools
import itertools
import os
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

import arithjax as aj
from arithjax.models.mlp import layer_activations
from arithjax.registry import OPERATIONS
from arithjax.task.examples import order
from arithjax.task.operations import Operation
from arithjax.training import compiled, workers
from arithjax.training.forecast import forecast, plan_text
from arithjax.training.memory import bytes_of
from arithjax.training.outcome import train_tile
from arithjax.training.planning import plan
from arithjax.training.specs import specs_of
from arithjax.training.tile import NetId, Tile, named_tile
from arithjax.training.trainer import Trainer

ROOT = 7
pytestmark = pytest.mark.usefixtures("compiled_engine")
TINY = {"low": 0, "high": 10, "examples": 64, "tests": 64, "batch": 16, "steps": 20, "evaluate_every": 10}


def net(seed=0, **changes):
    return NetId(0, seed, aj.Setup(**{**TINY, "widths": (3,), **changes}))


HOW = [  # beside activations, every optimiser, loss and all else that is chosen has to keep a net to itself
    {
        **{"optimizer": "sgd", "loss": "huber", "learning_rate": 0.02, "momentum": 0.8, "weight_decay": 0.1},
        **{"widths": (16, 12, 4), "batch": 96, "examples": 192},  # which is summed in blocks
    },
    {
        **{"optimizer": "rmsprop", "loss": "relative", "beta2": 0.95, "weight_decay": 0.1, "schedule": "exponential"},
        **{"batch": 10},  # which fills no vector
    },
    {"optimizer": "lion", "loss": "mae", "schedule": "cosine", "end_factor": 0.1, "warmup": 5},
    {"optimizer": "adamw", "weight_decay": 0.1, "learning_rate": 0.01, "widths": (20, 2, 4)},
]
THREES = [tuple(aj.ACTIVATIONS)[start:][:3] for start in range(0, len(aj.ACTIVATIONS), 3)]
"""Every activation, three layers to a net."""
LAYERED = {
    "-".join(names): net(**how | {"activation": names, "widths": how.get("widths", (3, 2, 4))[: len(names)]})
    for names, how in zip(THREES, itertools.cycle(HOW), strict=False)
}
EXACT = LAYERED | {
    "gelu": net(),
    "half a block, clipped": net(
        **{"widths": (8,), "batch": 136, "examples": 192, "activation": "relu"},
        **{"clip": 0.05, "optimizer": "sgd", "learning_rate": 0.5},
    ),
    "fresh": net(
        fresh=True, weight_decay=0.1, integers=False, input_transform="symlog", target_transform="log1p", bias=False
    ),
    "units": net(
        **{"model": ("nau", "dense", "snmu"), "widths": (2, 3), "activation": "sin", "fresh": True, "integers": False},
        **{"low": 1, "input_transform": "raw", "target_transform": "raw", "regularizer": 0.1, "regularizer_end": 10},
        **{"clip_value": 0.5, "threshold": 1e-3, "learning_rate": 0.01},
    ),
    "double adam": net(precision="float64", activation="tanh", widths=(4,), batch=64, examples=192, learning_rate=0.03),
}
"""Nets that are trained alone, and some again beside others."""


def rows(trained, *nets):
    """The rows of these nets, without the name of the program, as exact text."""
    table = trained.rows.drop(columns="program")
    places = [trained.tile.nets.index(one) for one in nets]
    return [{name: repr(cell) for name, cell in table.iloc[place].items()} for place in places]


def beside(one, place, places):
    """A tile with `one` at `place`, beside other seeds, other numbers, and nets that diverge."""
    wild = replace(one, setup=one.setup.replace(learning_rate=1e10))
    slow = replace(one, seed=50, setup=one.setup.replace(learning_rate=1e-4))
    others = [replace(wild if i % 2 else slow, seed=100 + i) for i in range(places - 1)]
    return Tile(specs_of(one.setup, places), (*others[:place], one, *others[place:]))


ORDINARY = [n for n, one in EXACT.items() if not (one.setup.fresh or "double" in n)]


PLACES = [
    ("gelu", 7, 32),
    pytest.param("gelu", 100, 128, marks=pytest.mark.slow),
    ("double adam", 50, 64),
    ("fresh", 20, 64),
    pytest.param("units", 3, 64, marks=pytest.mark.slow),
]
"""Nets beside others, and where they stand."""


class Alone(dict):
    """Nets alone in their exact programs, each trained when it is first asked for."""

    def __missing__(self, one):
        self[one] = train_tile(named_tile("lanes", one), ROOT)
        return self[one]


@pytest.fixture(scope="module")
def exact():
    return Alone()


@pytest.fixture(scope="module")
def ordinary():
    return Alone()


@pytest.mark.optimized
@pytest.mark.parametrize(("name", "place", "places"), PLACES)
def test_a_net_is_its_own_in_every_lane(exact, name, place, places):
    one = EXACT[name]
    trained = train_tile(beside(one, place, places), ROOT)
    assert rows(trained, one) == rows(exact[one], one)
    assert np.isfinite(exact[one].rows.mse[0])
    wild = trained.rows[trained.rows.learning_rate == 1e10]
    assert set(wild.grade) <= {"diverged", "failed", "dead"}
    assert trained.rows.diverged.equals(trained.rows.grade == "diverged")


@pytest.mark.optimized
def test_nets_differ_by_seed_and_root(exact):
    one = EXACT["gelu"]
    other = replace(one, seed=1)
    again = train_tile(named_tile("lanes", other), ROOT)
    elsewhere = train_tile(named_tile("lanes", one), ROOT + 1)
    assert len({trained.rows.mse[0] for trained in (exact[one], again, elsewhere)}) == 3


@pytest.mark.optimized
def test_other_numbers_compile_nothing(exact):
    assert exact[EXACT["gelu"]]  # compiled by now
    before = compiled.statistics.programs
    changes = {"learning_rate": 0.123, "beta1": 0.5, "schedule": "cosine", "initializer": "he_normal", "low": 2}
    for name, value in changes.items():
        changed = net(activation="gelu", **{name: value})
        trained = train_tile(named_tile("lanes", changed), ROOT)
        assert trained.rows.mse[0] != exact[EXACT["gelu"]].rows.mse[0]
    assert compiled.statistics.programs == before


@pytest.mark.optimized
def test_another_operation_compiles_its_examples_alone(exact, monkeypatch):
    monkeypatch.setitem(OPERATIONS, "twice", Operation("twice", "2a + b", lambda a, b: 2 * a + b))
    assert exact[EXACT["gelu"]]  # compiled by now
    before = compiled.statistics.programs
    train_tile(named_tile("lanes", net(op="twice")), ROOT)
    assert compiled.statistics.programs == before + 1


def optax_rule(setup):
    """The same training in optax's own words."""
    steps, rate = setup.steps, setup.learning_rate
    if setup.schedule == "cosine":
        rate = optax.join_schedules(
            [
                optax.linear_schedule(rate / setup.warmup, rate, setup.warmup - 1),
                optax.cosine_decay_schedule(rate, steps - setup.warmup, setup.end_factor),
            ],
            [setup.warmup],
        )
    if setup.schedule == "exponential":
        rate = optax.exponential_decay(rate, steps, 0.01)
    decay = setup.weight_decay
    match setup.optimizer:
        case "adam":
            rule = optax.adam(rate, setup.beta1 or 0.9, setup.beta2 or 0.999)
        case "adamw":
            rule, decay = optax.adamw(rate, weight_decay=decay), None
        case "lion":
            rule, decay = optax.lion(rate, weight_decay=1e-3), None
        case "sgd":
            rule = optax.sgd(rate, setup.momentum or 0.9)
        case "rmsprop":
            rule = optax.rmsprop(rate, setup.beta2 or 0.9)
    before = [optax.clip_by_global_norm(setup.clip)] if setup.clip else []
    before += [optax.add_decayed_weights(decay)] if decay else []
    return optax.chain(*before, rule)


def optax_loss(setup, p, t):
    match setup.loss:
        case "mse":
            return 2 * optax.l2_loss(p, t).mean()
        case "huber":
            return optax.huber_loss(p, t).mean()
        case "mae":
            return jnp.abs(p - t).mean()
        case "relative":
            return ((p - t) ** 2 / (1 + jnp.abs(t)) ** 2).mean()


@pytest.mark.parametrize("name", ORDINARY)
def test_training_follows_optax(ordinary, name):
    one = EXACT[name]
    setup, final, trainer = one.setup, ordinary[one].params, Trainer(ordinary[one].tile, ROOT)
    start, data = trainer.state.params, trainer.examples
    activations, rule = [aj.ACTIVATIONS[name].fn for name in layer_activations(setup)], optax_rule(setup)

    def loss(params, x, t):
        for activation, layer in zip(activations, params.values(), strict=True):
            x = activation(x @ layer["kernel"] + layer["bias"])
        return optax_loss(setup, x[:, 0], t)

    @functools.partial(jax.jit, compiler_options=compiled.quick_options() | {"xla_backend_optimization_level": "0"})
    def step(params, state, x, t):
        updates, state = rule.update(jax.grad(loss)(params, x, t), state, params)
        return optax.apply_updates(params, updates), state

    params = jax.tree.map(lambda leaf: leaf[..., 0], start)
    state = rule.init(params)
    for number in range(setup.steps):
        epoch, position = divmod(number, setup.examples // setup.batch)
        batch = order(setup.examples, epoch)[position * setup.batch :][: setup.batch]
        params, state = step(params, state, data.x[batch, :, 0], data.t[batch, 0])
    for ours, theirs, first in zip(*map(jax.tree.leaves, (final, params, start)), strict=True):
        np.testing.assert_allclose(ours[..., 0], theirs, rtol=1e-4, atol=1e-5)  # 20 steps of float32
        assert not np.allclose(ours[..., 0], first[..., 0], rtol=1e-4, atol=1e-5)


MIXED = [
    net(0),
    net(1, learning_rate=0.01),
    net(0, widths=(40,)),
    net(1, widths=(40,)),
    net(0, widths=(48,), activation="relu", optimizer="sgd", loss="huber"),
]


@pytest.fixture(scope="module")
def mixed():
    """Narrow and wide nets trained together by one worker and by two."""
    nets = [replace(one, trial=trial) for trial, one in enumerate(MIXED)]
    return nets, [list(workers.train_nets(nets, ROOT, count)) for count in (1, 2)]


@pytest.mark.optimized
def test_the_number_of_workers_changes_nothing(mixed):
    one, two = (workers.in_order(pd.concat([trained.rows for trained in run])) for run in mixed[1])
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert list(one.trial) == [*range(len(MIXED))]
    assert {name.split("*")[0] for name in one.program} == {"lanes", "product"}


@pytest.mark.optimized
@pytest.mark.parametrize("trial", range(len(MIXED)))
def test_a_net_trains_again_to_the_same_bits(mixed, trial):
    nets, (first, _) = mixed
    (trained,) = [trained for trained in first if nets[trial] in trained.tile.nets]
    again = train_tile(named_tile(trained.tile.name, nets[trial]), ROOT)
    assert again.tile.name == trained.tile.name
    assert rows(again, nets[trial]) == rows(trained, nets[trial])


def test_plans_hold_every_net_once():
    tiles = plan([replace(one, trial=trial) for trial, one in enumerate(MIXED * 50)], 2)
    planned = [one for tile in tiles for one in tile.nets]
    assert sorted(one.trial for one in planned) == [*range(len(MIXED) * 50)]
    assert all(len(tile.nets) <= tile.places for tile in tiles)


def test_a_plan_that_does_not_fit_is_split(monkeypatch):
    big = [replace(net(examples=100_000, widths=widths), trial=i) for i in range(200) for widths in [(3,), (100,)]]
    whole = plan(big, 2)
    assert {tile.places for tile in whole} == {128, 8}
    monkeypatch.setattr("arithjax.training.memory.memory", lambda: 2 * 1e8)  # 2.4 MB of examples a net
    split = plan(big, 2)
    assert {tile.places for tile in split} == {32, 8} and len(split) > len(whole)
    assert all(bytes_of(tile.specs.train, tile.places) <= 1e8 for tile in split)
    assert {one for tile in split for one in tile.nets} == set(big)
    monkeypatch.setattr("arithjax.training.memory.memory", lambda: 2e6)
    with pytest.raises(aj.ArithjaxError, match=r"examples=100,000 and batch=16 needs 0\.08 GB.* take fewer examples"):
        plan(big, 2)


def test_memory_enough_changes_no_plan(monkeypatch):
    nets = [replace(one, trial=trial) for trial, one in enumerate(MIXED * 50)]
    here = plan(nets, 2)
    monkeypatch.setattr("arithjax.training.memory.memory", lambda: np.inf)
    assert plan(nets, 2) == here


def test_a_forecast_tells_what_a_plan_costs():
    nets = [replace(one, trial=trial) for trial, one in enumerate(MIXED * 50)]
    tiles = plan(nets, 2)
    table = forecast(tiles)
    assert table.nets.sum() == len(nets) and table.runs.sum() == len(tiles)
    assert table["empty"].between(0, 1, inclusive="left").all()
    assert (table.compile_seconds > 0).all() and (table.train_seconds > 0).all()
    assert f"{len(table)} programs, {len(tiles)} runs, {len(nets)} nets" in plan_text(tiles, 2)


@pytest.mark.parametrize(
    ("one", "layers"), [(net(), "2-3-1"), (EXACT["units"], "nau,dense,snmu 2-2-3-1")], ids=["mlp", "units"]
)
def test_a_forecast_of_a_full_program_has_no_empty_places(one, layers):
    (row,) = forecast(plan([replace(one, seed=seed) for seed in range(32)], 1)).itertuples()
    assert (row.form, row.layers, row.places, row.empty) == ("lanes", layers, 32, 0)


ADDING = {"op": "add", "activation": ("linear", "linear"), "widths": (3, 2), "learning_rate": 0.02, "tests": 1024}


@pytest.mark.optimized
@pytest.mark.parametrize("every", [1, 20])
def test_stopped_nets_are_frozen_whatever_their_neighbours_do(every):
    setup = net(**ADDING, steps=20 * every, evaluate_every=every, stop_early=True).setup
    rates = (0.02, 0.05, 0.1, 1e-6, 1e6, 1e8, 1e9, 1e10)
    nets = [NetId(0, seed, setup.replace(learning_rate=rate)) for seed, rate in enumerate(rates)]
    tile = replace(named_tile("lanes", nets[0]), nets=tuple(nets))
    together = train_tile(tile, ROOT)
    stopped = together.rows.trained_steps
    assert stopped.max() == setup.steps and stopped.min() < setup.steps
    assert "diverged" in set(together.rows.grade[stopped < setup.steps])
    for one in nets:
        alone = train_tile(replace(tile, nets=(one,)), ROOT)
        assert rows(together, one) == rows(alone, one)


def test_a_linear_net_learns_to_add():
    table = aj.train([net(**ADDING | {"steps": 1000, "evaluate_every": 20}).setup], seeds=4)
    assert (table.relative_rmse < 0.01).all()
    assert table.extrapolation_solved.all()
    assert (table.solved_at <= 1000).all()
    assert table.grade.isin(["learned", "exact"]).all()


@pytest.mark.optimized
def test_a_square_net_multiplies_exactly():
    setup = aj.Setup(widths=(8,), activation="square", learning_rate=0.02, schedule="cosine", examples=400, steps=4000)
    table = aj.train([setup], seeds=4)
    assert list(table.grade) == ["exact"] * 4
    assert table.extrapolation_solved.all()
    assert (table.exact == 1).all()


def test_a_relu_net_does_not_extrapolate_products():
    setup = aj.Setup(high=20, widths=(8,), activation="relu", learning_rate=0.02, examples=400, steps=2000, batch=16)
    table = aj.train([setup], seeds=4)
    assert (table.r2 > 0.9).all()
    assert not table.extrapolation_solved.any()
    assert (table.extrapolation_relative_rmse > 5 * table.relative_rmse).all()
    assert (table.beats == "plane").all()


def test_nets_that_diverge_are_rows():
    one = net(learning_rate=1e30)
    (row,) = train_tile(named_tile("lanes", one), ROOT).rows.itertuples()
    assert (row.grade, row.diverged, row.dead, row.exact, row.beats) == ("diverged", True, False, 0, "none")
    assert np.isnan(row.solved_at) and not row.extrapolation_solved


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"setups": [5]}, "setups holds a int"),
        ({"setups": aj.Setup()}, "setups"),
        ({"setups": [aj.Setup()], "seeds": 0}, "seeds=0 is not allowed"),
        ({"setups": [aj.Setup()], "seeds": 1.5}, "seeds=1.5 is not allowed"),
        ({"setups": [aj.Setup()], "seed": -1}, "seed=-1 is not allowed"),
        ({"setups": [aj.Setup()], "seed": 2**32}, "seed=4294967296 is not allowed"),
    ],
    ids=lambda value: str(value)[-20:],
)
def test_mistakes_are_told_before_anything_compiles(arguments, message):
    before = compiled.statistics.programs
    with pytest.raises(aj.ArithjaxError, match=message):
        aj.train(**arguments)
    assert compiled.statistics.programs == before


CORES = """
import arithjax as aj
few = {"low": 0, "high": 40, "examples": 8192, "tests": 64}
wide = aj.Setup(widths=(144,), batch=512, steps=40, **few)  # not for the kernel
finished = aj.Setup(widths=(8,), activation="tanh", batch=32, steps=50, finish=20, **few)
print(aj.train([wide, finished], seeds=2).drop(columns="program").map(repr).to_csv(), end="")
"""


def on_cores(count, programs):
    """Rows of a wide net at a large batch and of a finished one, with as many threads as so many cores bring.

    programs: a folder in which there are none yet, since compiling has these threads, too.
    """
    there = {"NPROC": count, "OPENBLAS_NUM_THREADS": count, "JAX_COMPILATION_CACHE_DIR": str(programs)}
    words = [sys.executable, "-c", CORES]
    return subprocess.run(words, env=os.environ | there, stdout=subprocess.PIPE, check=True).stdout


def test_the_number_of_cores_changes_nothing(tmp_path):
    one, many = (on_cores(count, tmp_path / count) for count in ("1", "16"))
    assert one == many and one.count(b"\n") == 5
