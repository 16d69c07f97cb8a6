"""The accelerators' kernel: interpreted it trains as the compiled engine, and every member compiles as far as it goes
without a device. What is planned for accelerators holds thousands of nets and never waits for its host."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arithjax as aj
from arithjax import environment
from arithjax.models.network import LAYOUTS
from arithjax.task.examples import Examples
from arithjax.task.transforms import Fitted
from arithjax.training import specs as specs_module
from arithjax.training import step
from arithjax.training.engines import choice, onchip, primitives
from arithjax.training.initial import initial_params, resting
from arithjax.training.planning import plan
from arithjax.training.specs import specs_of
from arithjax.training.tile import FEWEST_LANES, NetId, Tile, named_tile, per_net_arrays, shared_arrays
from arithjax.training.trainer import Trainer

ROOT = 3
TINY = {"low": 0, "high": 10, "examples": 64, "tests": 64, "batch": 8, "steps": 12, "evaluate_every": 12}
ACTIVATIONS, OPTIMIZERS, LOSSES = (tuple(registry) for registry in (aj.ACTIVATIONS, aj.OPTIMIZERS, aj.LOSSES))
LOSSES = tuple(name for name in LOSSES if "entropy" not in name)  # for classes
PLATFORMS = {"gpu": "cuda", "tpu": "tpu"}


def setup(**changes):
    return aj.Setup(**{**TINY, "widths": (2,), **changes})


CASES = {
    "clipped, with momentum and decay": setup(
        **{"optimizer": "sgd", "learning_rate": 0.3, "weight_decay": 0.1, "clip": 0.5, "clip_value": 0.2, "warmup": 5},
        **{"activation": "square", "loss": "huber", "bias": False},
    ),
    "Adam, fresh examples": setup(fresh=True, activation="tanh", loss="relative"),
}


def params(trainer, place=0):
    return [np.asarray(leaf)[..., place] for leaf in jax.tree.leaves(trainer.state.params)]


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_trains_as_the_compiled_engine(name):
    trained = []
    for layout in ("onchip", "lanes"):
        trainer = Trainer(named_tile(layout, NetId(0, 0, CASES[name])), ROOT)
        trainer.advance_to(CASES[name].steps)
        trained.append(params(trainer))
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)  # 12 steps of float32


def test_a_net_is_the_same_in_every_block_and_launch(monkeypatch):
    one = setup(widths=(1,), activation="relu")
    specs = specs_of(one, nets=140, layout=LAYOUTS["onchip"])  # a block of 128, and one that is not full
    nets = tuple(NetId(0, seed, one) for seed in range(140))
    monkeypatch.setattr(specs_module, "PORTION", 6)  # launches of six steps
    company = Trainer(Tile(specs, nets), ROOT)
    company.advance_to(one.steps)
    assert company.step == 12
    alone = Trainer(Tile(specs, nets[::-1]), ROOT)
    alone.advance_to(one.steps)
    for place in (0, 139):
        for ours, theirs in zip(params(company, place), params(alone, 139 - place), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def shapes_of(one, nets, steps, layout="onchip"):
    """A spec, and the arguments of the programs that train it."""
    specs = specs_of(one, nets=nets, layout=LAYOUTS[layout])
    tile = Tile(specs, tuple(NetId(0, seed, one) for seed in range(nets)))
    spec, shared, per_net = specs.train, shared_arrays(tile), per_net_arrays(tile)
    state = resting(spec, initial_params(spec.evaluation, jnp.uint32(0), shared, per_net), shared)
    fits = Fitted(*[jnp.ones((spec.inputs, nets))] * 2), Fitted(*[jnp.ones(nets)] * 2)
    examples = Examples(jnp.ones((spec.examples, spec.inputs, nets)), jnp.ones((spec.examples, nets)), *fits)
    segment = step.segment_of(spec, 0, steps, steps, shared.pace)
    return spec, (state, examples, segment, jnp.uint32(0), shared, per_net)


MEMBERS = {
    name: setup(
        **{"activation": name, "optimizer": OPTIMIZERS[i % len(OPTIMIZERS)], "loss": LOSSES[i % len(LOSSES)]},
        **{"fresh": i % 3 == 0, "clip": 1.0 if i % 2 else None, "weight_decay": 0.1 if i % 2 else 0.0},
    )
    for i, name in enumerate(ACTIVATIONS)
}


@pytest.mark.parametrize(
    "name, backend", [(name, "gpu") for name in MEMBERS] + [(name, "tpu") for name in (*list(MEMBERS)[::4], "softplus")]
)
def test_every_member_compiles_for_accelerators(name, backend):
    """To the intermediate code of Mosaic."""
    one = MEMBERS[name]
    if backend == "tpu" and one.optimizer == "lion":  # whose sign is compiled for the TPU at hand
        one = one.replace(optimizer="adam")
    with environment.made_for(backend):
        assert choice.layout_of(one).name == "onchip"
        spec, arrays = shapes_of(one, 40, 5)
        program = jax.jit(lambda *arrays: onchip.train.__wrapped__(spec, *arrays))
        text = program.trace(*arrays).lower(lowering_platforms=(PLATFORMS[backend],)).as_text()
    assert {"gpu": "mosaic_gpu", "tpu": "tpu_custom_call"}[backend] in text


@pytest.mark.parametrize("function", [jnp.expm1, jnp.log1p, jnp.sqrt, jax.nn.sigmoid, jax.nn.elu, jax.nn.softplus])
def test_what_a_kernel_computes_instead(function):
    """Functions that Mosaic has not on a GPU, from the smallest numbers to infinity."""
    small = np.logspace(-35, 1.5, 300, dtype=np.float32)
    x = np.concatenate([[0, np.inf, -np.inf, np.nan], small, -small]).astype(np.float32)
    np.testing.assert_allclose(primitives.plain(function, x), function(x), rtol=5e-7, atol=1e-38)


def test_what_all_nets_share_is_inverted_once():
    x, count = np.float32([1, -2, 0, np.inf]), np.int32([7, -7])
    np.testing.assert_allclose(primitives.plain(lambda x: x / 3.0, x), x / np.float32(3), rtol=2e-7)
    np.testing.assert_array_equal(primitives.plain(lambda n: jax.lax.div(n, jnp.int32(2)), count), [3, -3])


UNITS = {
    "an MLP": setup(widths=(40, 40)),
    "an NMU": setup(model="nmu", widths=(), low=1, regularizer=1.0, fresh=True, integers=False),
    "a NALU, clipped": setup(model="nalu", widths=(), low=1, clip=1.0),
}


@pytest.mark.parametrize("name", UNITS)
def test_no_step_waits_for_the_host_of_an_accelerator(name):
    """Loops have as many steps as the program says, and nothing is chosen while it runs."""
    one = UNITS[name]
    with environment.made_for("gpu"):
        layout = choice.layout_of(one).name
        assert layout == ("product" if name == "an MLP" else "lanes")
        spec, arrays = shapes_of(one, 40, 5, layout)
        program = str(jax.make_jaxpr(lambda *arrays: step.advance.__wrapped__(spec, *arrays))(*arrays))
    assert "scan[" in program and "while[" not in program and "cond[" not in program


def test_programs_of_accelerators_hold_thousands_of_nets():
    with environment.made_for("gpu"):
        for one, name, most in (
            (setup(), "onchip", 1 << 16),
            (UNITS["an NMU"], "lanes", 1 << 16),
            (UNITS["an MLP"], f"product*{1 << 16}", 1 << 16),
        ):
            nets = [NetId(0, seed, one) for seed in range(most + 1000)]
            tiles = plan(nets, 1)
            assert {tile.name for tile in tiles} == {name}
            assert max(tile.places for tile in tiles) == most
            assert len(plan(nets[:1000], 4)) == 4  # one for each of four devices
            few = plan(nets[:3], 1)
            assert [tile.places for tile in few] == [FEWEST_LANES]
