"""Programs of one size for all shapes: what they compute, and that training other shapes compiles nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arithjax as aj
from arithjax.training import blocks, compiled
from arithjax.training.compiled import compiled as program
from arithjax.training.initial import initial_params, keys_of
from arithjax.training.specs import specs_of
from arithjax.training.tile import NetId, Tile, architecture_of, per_net_arrays, shared_arrays


@program()
def scaled(factor, rows, shift):
    return factor * rows + shift, rows.sum(0)


@pytest.mark.parametrize("nets", [3, 16, 48, 80, 128, 144, 272])
def test_blocks_of_lanes_give_what_all_lanes_give(nets):
    x = np.arange(5 * nets, dtype=np.float32).reshape(5, nets)
    y, total = blocks.by_lanes(scaled, 2, x, np.float32(1))
    assert np.array_equal(y, 2 * x + 1) and np.array_equal(total, x.sum(0))


@pytest.mark.parametrize("rows", [1, 7, 8, 9])
def test_the_last_block_of_rows_is_filled_up_and_cut(rows):
    x, sizes = np.arange(3 * rows).reshape(rows, 3), []
    y = blocks.by_rows(lambda block: (sizes.append(len(block)), -block)[1], 4, x)
    assert np.array_equal(y, -x) and set(sizes) == {4}


@pytest.mark.parametrize("initializer, precision", [("glorot_uniform", "float32"), ("he_normal", "float64")])
def test_first_weights_are_those_that_flax_draws(initializer, precision):
    setup = aj.Setup(op="mul", widths=(40, 50, 2), activation="relu", initializer=initializer, precision=precision)
    tile = Tile(specs_of(setup, 16), tuple(NetId(0, seed, setup) for seed in range(16)))
    spec = tile.specs.train.evaluation
    with tile.arithmetic:
        shared, per_net, root = shared_arrays(tile), per_net_arrays(tile), jnp.uint32(1)
        ours = initial_params(spec, root, shared, per_net)
        own = architecture_of(shared, per_net)
        own = own._replace(widths=own.widths[:, :1])
        keys = keys_of(per_net.identity, root, 0)
        draw = jax.vmap(lambda key: spec.network.initial(key, spec.inputs, own), out_axes=-1)
        theirs = jax.jit(draw, compiler_options=compiled.quick_options())(keys)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b[..., 0, :], rtol=1e-6)
        assert a.dtype == precision


def test_nets_of_other_shapes_compile_nothing():
    def trained(widths, seeds, **fields):
        given = {"op": "mul", "high": 9, "examples": 50, "batch": 10, "steps": 4, "evaluate_every": 2} | fields
        return aj.train([aj.Setup(widths=widths, activation="relu", **given)], seeds=seeds)

    trained((4,), 2, evaluate_every=4)
    before = compiled.statistics.programs
    trained((7, 3), 2)
    trained((1, 2, 3, 40), 20, bias=False)
    trained((70,), 3, steps=6, initializer="he_normal", input_transform="log1p", learning_rate=0.1)
    assert compiled.statistics.programs == before
    trained((4,), 2, op="add")
    assert compiled.statistics.programs == before + 1, "the operation"
    trained((4,), 2, op="add", input_transform="binary")
    assert compiled.statistics.programs == before + 2, "and the encoding"
