"""Double precision and finishing: what they make of a net, and that its bits stay its own."""

import flax.linen as nn
import jax
import numpy as np
import pytest

import arithjax as aj
from arithjax import nets
from arithjax.training import compiled
from arithjax.training.tile import NetId, named_tile
from arithjax.training.trainer import Trainer

SMALL = aj.Setup(high=30, widths=(4,), activation="gelu", learning_rate=0.02, schedule="cosine", steps=300, tests=256)
SMALL = SMALL.replace(examples=400, precision="float64", finish=1000)


@pytest.fixture(scope="module")
def kept():
    return aj.fit(SMALL, seeds=4)


@pytest.fixture(scope="module")
def tables(kept):
    """Small nets, with and without finishing and double precision."""
    changes = {"both": {}, "single": {"precision": "float32"}, "plain": {"finish": 0}}
    return {name: aj.train([SMALL.replace(**change)], seeds=4) for name, change in changes.items()}


def test_finishing_makes_small_nets_exact(tables):
    assert not tables["plain"].exact.gt(0.9).any()
    assert (tables["both"].grade == "exact").sum() >= 2
    assert (tables["single"].exact.median(), tables["both"].exact.median()) > (0.9, 0.9)
    assert tables["both"].relative_rmse.min() < tables["single"].relative_rmse.min()


def test_steps_that_finish_count_as_trained(tables):
    plain, both = tables["plain"], tables["both"]
    assert set(plain.trained_steps) == {300}
    assert both.trained_steps.between(301, 1300).all()
    assert both.selected_at.equals(both.trained_steps)


def test_a_finished_net_comes_back_from_its_table_and_its_file(kept, tmp_path):
    again = nets.net_again(kept.others[kept.others.seed == kept.row["seed"]].iloc[0], 0)
    kept.save(tmp_path / "a.net")
    x = [[3, 4], [29, 28], [0.5, 100]]
    assert kept.predict(x).dtype == np.float64
    for other in (again, aj.load_net(tmp_path / "a.net")):
        np.testing.assert_array_equal(other.predict(x), kept.predict(x))
    assert not jax.config.jax_enable_x64


def test_double_precision_is_finer_than_single():
    square = SMALL.replace(activation="square", widths=(2,), finish=100)
    fine, coarse = aj.train([square, square.replace(precision="float32")]).relative_rmse
    assert fine < 1e-12 < 1e-9 < coarse < 1e-5


def test_another_number_of_steps_compiles_nothing(tables):
    before = compiled.statistics.programs
    fewer = aj.train([SMALL.replace(finish=20)], seeds=1)
    assert compiled.statistics.programs == before
    assert fewer.mse[0] > tables["both"].mse.min()


def test_a_linear_net_finishes_at_least_squares():
    setup = SMALL.replace(activation="linear", op="mul", input_transform="raw", finish=50)
    one = aj.fit(setup, seeds=1)
    tile = named_tile("lanes", NetId(0, 0, setup))
    examples = Trainer(tile, 0).examples
    x, t = (np.asarray(a)[..., 0] for a in (examples.x, examples.t))
    plane = np.column_stack([x, np.ones(len(x))])
    best = plane @ np.linalg.lstsq(plane, t)[0]
    ours = (one.predict(x) - np.asarray(one.fits[1].shift)) / np.asarray(one.fits[1].scale)
    np.testing.assert_allclose(ours, best, rtol=0, atol=1e-7)  # a loss tells no smaller difference than √eps


def test_nets_that_cannot_be_finished_are_rows():
    wild = SMALL.replace(learning_rate=1e30, precision="float32", finish=30)
    dead = SMALL.replace(activation="relu", learning_rate=1e-9, output_activation="relu", finish=30)
    table = aj.train([wild, dead], seeds=2)
    assert table.diverged[:2].all()
    assert np.isfinite(table.mse[2:]).all()


def test_wide_nets_finish_as_well():
    wide = SMALL.replace(widths=(40,), steps=5, finish=12, batch=400)
    plain, finished = aj.train([wide.replace(finish=0), wide], seeds=2).groupby("finish")
    assert set(finished[1].program) == {"fused"}
    assert finished[1].mse.max() < plain[1].mse.min()
    assert nets.net_again(finished[1].iloc[0], 0).row["mse"] == finished[1].mse.iloc[0]


def test_a_users_own_module_is_finished_in_double_precision(add):
    class Small(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(1)(nn.tanh(nn.Dense(6)(x)))

    add(aj.MODELS, aj.FlaxModel("small", lambda setup: Small()))
    one = aj.fit(SMALL.replace(model="small", steps=50, finish=300), seeds=2)
    assert {leaf.dtype for leaf in jax.tree.leaves(one.params)} == {np.dtype(float)}
    assert one.row["relative_rmse"] < 1e-3


def test_finishing_after_selection_and_early_stopping():
    setup = SMALL.replace(stop_early=True, finish=5, evaluate_every=10, threshold=1e-3, extrapolation=(0, 30))
    table = aj.train([setup], seeds=4)
    assert (table.trained_steps > table.steps).any()
    assert (table.selected_at <= table.trained_steps).all()


def test_curves_of_a_finished_net_end_with_its_optimiser(kept):
    curve = kept.curve()
    assert curve.step.max() == SMALL.steps
    assert curve.mse.iloc[-1] > kept.row["mse"]


def test_the_share_that_is_exact_inside_and_outside(kept):
    assert nets.exact_share(kept, 0, 30) == 1
    assert nets.exact_share(kept, 30, 3000) < 0.5
    with pytest.raises(aj.ArithjaxError, match="low=5 has to be smaller than high=5"):
        nets.exact_share(kept, 5, 5)


def test_large_nets_are_refused_before_anything_compiles():
    with pytest.raises(aj.ArithjaxError, match="finish=3 is for nets of up to 1024 parameters, and these have 4417"):
        aj.Setup(finish=3)
