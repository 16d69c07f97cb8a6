"""Arithmetic units: ideal weights compute exactly, ε-perfect ones land on the threshold, training keeps their rules."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from scipy.interpolate import BSpline

import arithjax as aj
from arithjax import protocols
from arithjax.models import UnitModel
from arithjax.models.network import Architecture
from arithjax.models.stack import Stack
from arithjax.models.units import LOG_GOLDEN, VARIANTS, nac_bound
from arithjax.registry import MODELS
from arithjax.task.points import Task
from arithjax.training import compiled, initial
from arithjax.training import step as training_step
from arithjax.training.outcome import train_tile
from arithjax.training.specs import specs_of
from arithjax.training.step import loss_of_batch
from arithjax.training.tile import FEWEST_LANES as LANES
from arithjax.training.tile import NetId, Tile, architecture_of, named_tile, per_net_arrays, shared_arrays
from arithjax.training.trainer import Trainer

DENSE = ("dense", "residual")
UNITS = {name: model for name, model in MODELS.items() if isinstance(model, UnitModel) and name not in DENSE} | VARIANTS
ON = 20.0
"""tanh and σ of this are 1 in float32."""
X = np.random.default_rng(0).uniform(0.5, 3, (200, 2)).astype(np.float32) * np.float32([[1, -1]])
EXACT = {"add": X.sum(1), "sub": X[:, 0] - X[:, 1], "mul": X.prod(1), "div": X[:, 0] / X[:, 1]}
PAIR = {"add": (1.0, 1.0), "sub": (1.0, -1.0), "mul": (1.0, 1.0), "div": (1.0, -1.0)}
"""The weights of a and b."""


KNOTS = MODELS["kan"].kind.fixed()["knots"]
ABSCISSAE = np.mean([KNOTS[1:-3], KNOTS[2:-2], KNOTS[3:-1]], 0)
"""Where the cubic splines of a KAN layer stand: three knots and their mean each."""


def column(*values):
    """`[in, 1, 1]`."""
    return jnp.asarray(values, jnp.float32).reshape(-1, 1, 1)


def nac(op, suffix="", scale=1.0):
    """Ŵ and M̂ of the ideal W."""
    signs = np.array(PAIR[op])
    return {"W_hat" + suffix: column(*(ON / scale * signs)), "M_hat" + suffix: column(*([2 * ON / scale] * 2))}


def gate(op, scale=1.0):
    """G that opens the adding path on all of `X`, or the multiplying one on its magnitudes: σ(±∞)."""
    return column(*(np.array([200, -200] if op in ("add", "sub") else [-200, -200]) / scale))


def ideal(unit, op):
    """Hand-set parameters with which a unit computes an operation."""
    w = column(*PAIR[op])
    if unit in ("nac_add", "nac_mul"):
        return nac(op)
    if unit == "nac_mul_nmu":
        return {"W": w}
    if unit == "nac_mul_sigmoid":
        return {"W_hat": column(ON, ON)}
    if unit in ("nalu", "nalu_wide"):
        return {**nac(op), "G": gate(op)}
    if unit == "nalu:glorot":
        return {**nac(op), "G": gate(op), "b": column(0.0)}
    if unit == "inalu:glorot":  # a gate that sees the signs of `X`
        to = 200.0 if op in ("add", "sub") else -200.0
        return {**nac(op, "_add"), **nac(op, "_mul"), "G": column(to, -to)}
    if unit == "nalu_separate":
        return {**nac(op), **nac(op, "_mul"), "G": gate(op)}
    if unit == "gnalu":
        return {**nac(op, scale=LOG_GOLDEN), "G": gate(op, LOG_GOLDEN)}
    if unit == "inalu_shared":
        return {**nac(op), "G": column(200.0 if op in ("add", "sub") else -200.0)}
    if unit.startswith("inalu"):
        return {**nac(op, "_add"), **nac(op, "_mul"), "G": column(200.0 if op in ("add", "sub") else -200.0)}
    if unit in ("nau", "nmu", "nmu:clipped", "snmu", "nru"):
        return {"W": w}
    if unit.startswith("realnpu"):
        return {"W": w, "g": column(1.0, 1.0)}
    if unit.startswith("npu"):
        return {"W": w, "V": column(0.0, 0.0), "g": column(1.0, 1.0)}
    if unit == "nmru":
        return {"W": column(1.0, 1.0, 0.0, 0.0) if op == "mul" else column(1.0, 0.0, 0.0, 1.0)}
    if unit in ("mcfc", "mulmcfc"):
        return {"R": column(0.3, -0.2), "w": column(ON), "b": column(ON)} | (
            {"c": column(0.0)} if "mul" in unit else {}
        )
    if unit == "bilinear":
        cross, plain = (0.5, (0.0, 0.0)) if op == "mul" else (0.0, PAIR[op])
        return {"W": column(0.0, cross, cross, 0.0), "U": column(*plain), "b": column(0.0)}
    if unit == "quadratic":
        right, left = ((0.0, 1.0), 0.0) if op == "mul" else ((0.0, 0.0), 1.0)
        first = (1.0, 0.0) if op == "mul" else PAIR[op]
        zeros = {"W_b": column(0.0, 0.0), "b_r": column(0.0), "c": column(0.0)}
        return {"W_r": column(*first), "W_g": column(*right), "b_g": column(left), **zeros}
    if unit == "kan":
        splines = [sign * ABSCISSAE for sign in PAIR[op]]  # of a line: Marsden's identity
        return {"W_b": column(0.0, 0.0), "W_s": column(1.0, 1.0), "C": column(*np.concatenate(splines))}
    assert unit == "log_exp", f"no ideal weights for {unit}"
    return {"W": w, "b": column(0.0)}


@functools.partial(jax.jit, static_argnums=0, compiler_options=compiled.quick_options())
def applied(layer, params, x):
    """What a layer makes of `x [batch, inputs, lanes]`; one program, where op by op each would be compiled."""
    return layer.apply({"params": params}, x)


@pytest.mark.parametrize(("unit", "op"), [(name, op) for name, model in UNITS.items() for op in model.represents])
def test_ideal_weights_are_exact(unit, op):
    signless = ("nac_mul", "nac_mul_sigmoid", "nac_mul_nmu", "gnalu")
    positive_only = unit.startswith(("nalu", *signless)) and op in ("mul", "div")
    x, t = X, EXACT[op]
    if positive_only:
        x, t = np.abs(X), np.abs(EXACT[op])
    if unit == "kan":  # on its grid, where it is linear
        x, t = X / 2, EXACT[op] / 2
    y = applied(UNITS[unit].kind(1), ideal(unit, op), x[:, :, None])
    assert y.shape == (len(x), 1, 1)
    np.testing.assert_allclose(y[:, 0, 0], t, rtol=3e-6, atol=2e-6)  # ε = 1e-7 in a logarithm; powers in float32
    for w in UNITS[unit].kind.weights(ideal(unit, op)):
        np.testing.assert_allclose(np.minimum(np.abs(w), np.abs(1 - np.abs(w))), 0, atol=1e-6)


@pytest.mark.parametrize("unit", UNITS)
def test_the_list_says_what_a_unit_represents(unit):
    assert UNITS[unit].represents and all(op in UNITS[unit].about for op in UNITS[unit].represents)


def test_the_list_says_what_a_dense_unit_is():
    assert MODELS["dense"].about.startswith("A dense layer of the MLP family, to mix with units. ")


@pytest.mark.parametrize(
    ("unit", "op", "params"),
    [
        ("nau", "add", lambda e: {"W": column(1 - e, 1 - e)}),
        ("nau", "sub", lambda e: {"W": column(1 - e, -(1 - e))}),
        ("bilinear", "mul", lambda e: ideal("bilinear", "mul") | {"W": column(0, (1 - e) ** 2, 0, 0)}),
    ],
)
@pytest.mark.parametrize("interval", protocols.RANGES)
def test_epsilon_perfect_weights_land_on_the_threshold(unit, op, params, interval):
    """With ε = 1e-3, so that float32 resolves the errors."""
    if op == "sub":  # |a| + |b|, as if they had opposite signs
        interval = (1, 2)
    setup = protocols.single_module(unit, op, interval, epsilon=1e-3)
    points = Task.of(setup).extrapolation_points
    x = points.x * np.float32([[1, -1]]) if op == "sub" else points.x
    t = aj.OPERATIONS[op](jnp.asarray(x)) if op != "sub" else x[:, 0] - x[:, 1]
    y = applied(UNITS[unit].kind(1), params(1e-3), x[:, :, None])[:, 0, 0]
    mse = float(((y - t).astype(jnp.float32) ** 2).mean())
    if interval == (-2, 2) and op == "add":  # signs differ by argument: the threshold counts magnitudes
        assert 0.4 * setup.threshold < mse < setup.threshold
    else:
        np.testing.assert_allclose(mse, setup.threshold, rtol=0.01)


STACKS = [
    ("nau", "nmu"),
    ("nac_add", "nac_mul"),
    ("nalu", "nalu"),
    ("dense", "nmu"),
    ("nau", "dense"),
    ("bilinear", "quadratic"),
    ("kan:3:2", "dense"),
    ("residual", "residual"),
]


@pytest.mark.parametrize("layers", [*((name, name) for name in UNITS), *STACKS], ids=",".join)
def test_stacks_map_shapes_and_have_finite_gradients(layers):
    setup = aj.Setup(op="mul", low=1, high=3, integers=False, model=layers, widths=(3,), activation="tanh", fresh=True)
    tile = named_tile("lanes", NetId(0, 0, setup))
    spec, shared, per_net = tile.specs.train, shared_arrays(tile), per_net_arrays(tile)
    assert isinstance(spec.network, Stack)

    given = jnp.uint32(0), per_net.identity, architecture_of(shared, per_net), jnp.uint32(0)
    shapes = jax.eval_shape(functools.partial(initial.draw.__wrapped__, spec.evaluation), *given)
    random = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: np.float32(random.uniform(0.25, 0.75, leaf.shape)), shapes)
    params = jax.tree.map(lambda leaf: np.concatenate([leaf[..., ::2], -leaf[..., 1::2]], -1), params)
    params = spec.network.constrain(params)  # as after a step: negative where a unit may be

    @functools.partial(jax.jit, compiler_options=compiled.quick_options())
    def judged(params, x):
        noise = jnp.int32(0), jax.random.split(jax.random.key(0), LANES)
        gradient = jax.grad(loss_of_batch, argnums=1)(spec, params, x, x[:, 0] * x[:, 1], noise, shared, per_net)
        return gradient, spec.network.penalty(params), spec.network.sparsity_error(params)

    x = np.float32(random.uniform(1, 3, (16, 2, LANES)))
    x[0, 0] = 0  # among numbers of either sign one in eight million is, so that a training meets it
    gradient, penalty, sparsity = judged(params, x)
    assert [kind for kind, *_ in spec.network.layers(gradient)] == [MODELS[name].kind for name in layers]
    assert all(leaf.shape[-1] == LANES and np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert np.broadcast_to(penalty, LANES).shape == (LANES,)
    assert sparsity is None or sparsity.shape == (LANES,)


@pytest.mark.parametrize("bias", [True, False])
def test_a_residual_layer_adds_what_it_reads(bias):
    """Through itself where sizes agree, through a matrix where they do not."""
    setup = aj.Setup(op="mul", model="residual", widths=(2, 3), activation=("tanh", "square"), bias=bias)
    network = MODELS["residual"].network(setup)
    widths, scaling = jnp.asarray([[2], [2], [3], [1]]), aj.INITIALIZERS["lecun_normal"].scaling()
    architecture = Architecture(widths, jnp.zeros((), int), scaling)
    params = jax.jit(network.initial, static_argnums=1, compiler_options=compiled.quick_options())(
        jax.random.key(0), 2, architecture
    )
    assert "skip_0" not in params and params["skip_1"]["kernel"].shape == (2, 3, 1)
    params = jax.tree.map(lambda p: np.asarray(p) + np.float32(0.1), params)  # biases are not zero
    y = jax.jit(network.predict, compiler_options=compiled.quick_options())(params, X[:, :, None], architecture)[:, 0]
    h = X
    for i, does in enumerate((np.tanh, np.square, lambda z: z)):
        layer = {name: np.asarray(p)[..., 0] for name, p in params[f"Residual_{i}"].items()}
        skip = np.asarray(params[f"skip_{i}"]["kernel"])[..., 0] if i else np.eye(2, dtype=np.float32)
        h = h @ skip + does(h @ layer["kernel"] + layer.get("bias", 0))
    np.testing.assert_allclose(y, h[:, 0], rtol=1e-5, atol=1e-5)
    assert network.constrain(params).keys() == params.keys()


def test_two_kan_layers_multiply_exactly():
    """a b = ((a + b)² - (a - b)²) / 4 of lines and parabolas, which splines of order 2 and more are."""
    kind, x = MODELS["kan:4:2:3"].kind, np.random.default_rng(0).uniform(-1.4, 1.4, (200, 2)).astype(np.float32)
    knots = kind.fixed()["knots"]
    line, parabola = (knots[1:-2] + knots[2:-1]) / 2, knots[1:-2] * knots[2:-1] / 4  # blossoms of x and x² / 4
    zeros, ones = np.zeros((2, 2, 1), np.float32), np.ones((2, 2, 1), np.float32)
    first = {"W_b": zeros, "W_s": ones, "C": np.stack([np.tile(line, 2), np.append(line, -line)], 1)[:, :, None]}
    second = {"W_b": zeros[:, :1], "W_s": ones[:, :1], "C": column(*parabola, *-parabola)}
    sums = applied(kind(2), first, x[:, :, None])
    np.testing.assert_allclose(sums[:, :, 0], np.stack([x.sum(1), x[:, 0] - x[:, 1]], 1), atol=2e-6)
    np.testing.assert_allclose(applied(kind(1), second, sums)[:, 0, 0], x.prod(1), atol=2e-6)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_splines_are_those_of_scipy(order):
    kind = MODELS[f"kan:7:{order}:1.5"].kind
    knots, x = kind.fixed()["knots"], np.linspace(-2, 2, 401)
    c = np.random.default_rng(order).normal(size=7 + order)
    params = {"W_b": column(0.3), "W_s": column(-2.0), "C": column(*c)}
    y = applied(kind(1), params, np.float32(x)[:, None, None])[:, 0, 0]
    inside = (x >= -1.5) & (x < 1.5)
    expected = 0.3 * x / (1 + np.exp(-x)) - 2 * BSpline(knots, c, order)(x) * inside
    np.testing.assert_allclose(y[inside], expected[inside], atol=1e-5)
    far = 6.0 + np.arange(3.0)
    y = applied(kind(1), params, np.float32(far)[:, None, None])[:, 0, 0]
    np.testing.assert_allclose(y, 0.3 * far / (1 + np.exp(-far)), rtol=1e-6)


def test_what_heim_et_al_clip_stays_where_it_is_clipped():
    """Beyond the clip weights count as 0 or 1, have no gradient, and are not moved after a step."""
    kind, x = MODELS["nmu:clipped"].kind, jnp.asarray(X[:, :, None])
    params = {"W": column(1.25, -0.5)}
    np.testing.assert_allclose(applied(kind(1), params, x), x[:, :1], rtol=2e-7)
    gradient = jax.grad(lambda params: kind(1).apply({"params": params}, x).sum())(params)
    assert not gradient["W"].any() and kind.constrain(params) is params
    np.testing.assert_array_equal(kind.weights(params)[0], column(1.0, 0.0))


@pytest.mark.parametrize("name", ["nalu:glorot", "inalu:glorot"])
def test_what_heim_et_al_start_as_glorot_does(name):
    """Uniform within the root of 6 over inputs plus outputs, where a gate's bias has one input."""
    params = jax.jit(MODELS[name].kind(48).init, compiler_options=compiled.quick_options())(
        jax.random.key(0), jnp.ones((1, 16, 1))
    )["params"]
    for part, values in params.items():
        bound = math.sqrt(6 / ((1 if part == "b" else 16) + 48))
        assert 0.9 * bound < jnp.abs(values).max() <= bound, part


def test_options_of_a_kan_layer():
    plain, fine = MODELS["kan"].kind, MODELS["kan:9"].kind
    assert (plain.grid, plain.order, plain.reach) == (5, 3, 2) and (fine.grid, fine.order, fine.reach) == (9, 3, 2)
    assert MODELS["kan:9"] is MODELS["kan:9"] and MODELS.ours("kan:9")
    for name in ("kan:", "kan:0", "kan:5:6", "kan:5:3:0", "kan:5:3:2:1", "kan:x"):
        with pytest.raises(aj.ArithjaxError, match=f"model '{name}' needs a grid of 1 to 64 intervals"):
            aj.Setup(op="mul", model=name)


@pytest.mark.parametrize(("inputs", "features"), [(2, 1), (4, 2), (100, 2)])
def test_nac_weights_start_with_the_variance_of_glorot(inputs, features):
    r = nac_bound(inputs, features)
    generator = np.random.default_rng(0)
    w, m = generator.uniform(-r, r, (2, 400_000))
    variance = np.var(np.tanh(w) / (1 + np.exp(-m)))
    np.testing.assert_allclose(variance * max(inputs + features, 5), 2, rtol=0.02)


def test_a_square_mass_conserving_layer_starts_at_the_identity():
    for features in (2, 3):
        params = jax.jit(UNITS["mcfc"].kind(features).init, compiler_options=compiled.quick_options())(
            jax.random.key(0), jnp.ones((1, 3, 1))
        )["params"]
        r = params["R"][..., 0]
        np.testing.assert_allclose(r.T @ r, np.eye(features), atol=1e-6)  # orthogonal, as the identity is
        assert np.array_equal(r, np.eye(3)) == (features == 3)


SHORT = {"steps": 60, "evaluate_every": 20, "tests": 64, "regularizer_start": 20, "regularizer_end": 40}


@pytest.mark.parametrize("unit", ["nau", "nmu", "nmru", "nru"])
def test_training_keeps_weights_within_their_bounds(unit):
    setup = protocols.single_module(unit, "mul", (10, 20), **{**SHORT, "learning_rate": 0.5}).replace(threshold=None)
    done = train_tile(named_tile("lanes", NetId(0, 0, setup)), 0)
    low = -1 if unit in ("nau", "nru") else 0
    (w,) = (leaf for leaf in jax.tree.leaves(done.params))
    assert low <= w.min() and w.max() <= 1 and (np.isin(w, [low, 1]).any())


@pytest.mark.parametrize(("ramp", "values"), [("linear", [0, 0, 0.5, 1, 1]), ("decades", [0.01, 0.01, 0.1, 1, 1])])
def test_the_regulariser_grows(ramp, values):
    setup = protocols.single_module("nmu", "mul", (1, 2), **{**SHORT, "regularizer_ramp": ramp})
    shared = shared_arrays(named_tile("lanes", NetId(0, 0, setup)))
    grown = [float(training_step.ramp(jnp.int32(step), shared)) for step in (0, 20, 30, 40, 59)]
    np.testing.assert_allclose(grown, values, rtol=1e-6)


def test_steps_of_the_minimal_arithmetic_are_those_of_its_script():
    """One step of the loss, weights and gates in turns, and where the loss is below 1 one of the regulariser."""
    changes = {"examples": 640, "tests": 64, "regularizer_start": 3, "regularizer_end": 3, "steps": 12}
    setup = protocols.minimal_arithmetic("nalu", "mul", ("uniform", 0.5, 1), ("uniform", 2, 3), **changes)
    trainer = Trainer(named_tile("lanes", NetId(0, 0, setup)), 0)
    unit, rule = UNITS["nalu_wide"].kind(1), optax.scale_by_rms(0.9, 1e-10, initial_scale=1.0)
    params = jax.tree.map(lambda leaf: leaf[..., :1], trainer.state.params["NALUWide_0"])
    means, penalised = rule.init(params), 0

    @functools.partial(jax.jit, compiler_options=compiled.quick_options())
    def loss_and_slopes(params, x, t):
        return jax.value_and_grad(lambda p: ((unit.apply({"params": p}, x)[:, 0] - t) ** 2).mean())(params)

    @functools.partial(jax.jit, compiler_options=compiled.quick_options())
    def penalty_slopes(params):
        return jax.grad(lambda p: 0.05 * UNITS["nalu_wide"].kind.penalty(p).sum())(params)

    def moved(gradient, params, means, chosen):
        clipped = jax.tree.map(lambda g: jnp.clip(g, -0.1, 0.1), gradient)
        direction, new = rule.update(clipped, means)
        take = {name: name in chosen for name in params}
        params = {name: p - 0.01 * direction[name] * take[name] for name, p in params.items()}
        return params, means._replace(nu={k: new.nu[k] if take[k] else means.nu[k] for k in take})

    rows = training_step.segment_of(trainer.tile.specs.train, 0, 12, 12, trainer.shared.pace).rows
    for i in range(12):
        x, t = trainer.examples.x[rows[i]][..., :1], trainer.examples.t[rows[i]][..., :1]

        before, gradient = loss_and_slopes(params, x, t)
        params, means = moved(gradient, params, means, {"G"} if i % 10 >= 8 else {"W_hat", "M_hat"})
        if before < 1 and i > 3:  # strength 1 from the step after its start
            slopes = penalty_slopes(params)
            params, means = moved(slopes, params, means, {"W_hat", "M_hat", "G"})
            penalised += 1
    trainer.advance_to(12)
    assert penalised > 4
    for name, leaf in trainer.state.params["NALUWide_0"].items():
        np.testing.assert_allclose(leaf[..., :1], params[name], rtol=2e-5)
    mean, square = trainer.read_losses(12)
    assert square[0] >= mean[0] ** 2 > 0 and (trainer.read_losses(1) == 0).all()


def test_nets_stuck_by_the_losses_of_their_batches_start_again_within_2():
    """At a rate of almost 0 no loss falls, so that the tenth evaluation and the twentieth start all nets again."""
    changes = {"steps": 110, "evaluate_every": 5, "tests": 64, "examples": 640, "learning_rate": 1e-9}
    setup = protocols.minimal_arithmetic("inalu", "mul", ("uniform", 10, 20), ("uniform", 20, 30), **changes)
    ends = {}
    for step in (50, 55, 100, 105):
        trained = train_tile(named_tile("lanes", NetId(0, 0, setup.replace(until=step))), 0)
        ends[step] = trained.params["INALUWide_0"]["W_hat_mul"][:, 0, 0]
        assert trained.rows.selected_at[0] == step, "the last evaluation counts"
    assert np.abs(ends[50] - 1).max() < 0.5, "drawn around 1"
    for before, after in ((50, 55), (100, 105)):
        assert np.abs(ends[after]).max() <= 2 and np.abs(ends[after] - ends[before]).max() > 0.05
    np.testing.assert_allclose(ends[55], ends[100], atol=1e-6)


def test_gates_and_weights_take_turns():
    setup = protocols.minimal_arithmetic("inalu", "mul", ("uniform", 1, 2), ("uniform", 2, 3), examples=640, tests=64)
    turns = {}
    for steps in (8, 10):
        short = setup.replace(steps=steps, evaluate_every=8)
        turns[steps] = train_tile(named_tile("lanes", NetId(0, 0, short)), 0)
    start = Trainer(turns[8].tile, 0).state.params["INALUWide_0"]
    after8, after10 = (turns[steps].params["INALUWide_0"] for steps in (8, 10))
    np.testing.assert_array_equal(after8["G"], start["G"])
    assert not np.array_equal(after8["W_hat_mul"], start["W_hat_mul"])
    assert not np.array_equal(after10["G"], start["G"])


def test_the_best_evaluation_counts_and_not_the_last():
    """A rate so large that the error goes up and down."""
    setup = protocols.single_module("nau", "add", (1, 2), steps=40, evaluate_every=1, tests=64, learning_rate=0.4)
    ids = tuple(NetId(0, seed, setup) for seed in range(LANES))
    whole = train_tile(Tile(specs_of(setup, LANES), ids), 0).rows
    early = whole[whole.selected_at < 40]
    assert len(early) > 0
    row = early.iloc[0]
    cut = setup.replace(steps=int(row.selected_at), regularizer_start=0, regularizer_end=0, regularizer=0.0)
    assert math.isfinite(row.mse) and row.mse <= whole.mse.max() and cut.steps == row.selected_at
    assert (whole.success == (whole.extrapolation_mse < setup.threshold)).all()


@pytest.mark.optimized
@pytest.mark.parametrize(("units", "lanes"), [(("kan", "nalu"), 128), pytest.param("nalu", 64, marks=pytest.mark.slow)])
def test_a_net_is_the_same_in_programs_of_any_size(units, lanes):
    """Splines, and powers under RMSProp: what rounds differently in programs of 16 lanes."""
    changes = {"simple": True, "optimizer": "rmsprop", "learning_rate": 0.01, "steps": 60, "evaluate_every": 20}
    setup = protocols.arithmetic_dataset(units, "mul", tests=64, **changes)
    one = NetId(0, 3, setup)
    nets = tuple(NetId(0, seed, setup) for seed in range(lanes))
    many = train_tile(Tile(specs_of(setup, lanes), nets), 0).rows
    alone = train_tile(named_tile("lanes", one), 0).rows
    pd.testing.assert_frame_equal(alone, many.iloc[[3]].reset_index(drop=True), check_exact=True)


def test_nets_that_do_not_improve_start_again():
    """At a rate of almost 0 nothing improves, so only a restart can make a later evaluation the best."""
    changes = {"steps": 80, "evaluate_every": 10, "tests": 64, "learning_rate": 1e-9}
    base = protocols.single_module("inalu", "mul", (10, 20), **changes)
    again, never = (aj.train([base.replace(restart=restart)], seeds=8) for restart in (1.0, 1e30))
    assert set(again.selected_at) == {10, 70}, "the sixth evaluation restarts, the seventh sees it"
    assert set(never.selected_at) == {10}


@pytest.mark.optimized
def test_units_learn_what_they_should():
    """In seconds: an NMU multiplies and a NAU adds, beyond the range they saw; a ReLU net does not."""
    short = {"steps": 6000, "tests": 1024}
    cells = [("nmu", "mul", (1, 2)), ("nau", "add", (1, 2)), ("relu", "mul", (1, 2)), ("nmu", "mul", (-0.2, -0.1))]
    nets = aj.train([protocols.single_module(*cell, **short) for cell in cells], seeds=4)
    solved = nets.groupby("trial").success.mean()
    assert solved[0] == 1 and solved[2] == 0
    assert solved[1] >= 0.75
    assert solved[3] == 0, "before the regulariser starts nothing is solved there"
    assert nets[nets.trial == 0].solved_at.between(2000, 4000).all()
