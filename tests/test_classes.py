"""Classes: true and false, few whole numbers; cross entropies; and results that are encoded as several outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.tables.schema import GRADES
from arithjax.task.points import Task
from arithjax.training import compiled, grading
from arithjax.training.engines import choice, fused
from arithjax.training.optimizers import LOSSES

SMALL = {"low": 0, "high": 7, "examples": 200, "batch": 16, "steps": 40, "learning_rate": 1e-2, "activation": "tanh"}
BITS = {"loss": "bit_cross_entropy", "target_transform": "raw"}


@pytest.fixture(autouse=True)
def operations(add):
    add(aj.OPERATIONS, aj.Operation("above", "a > b", lambda a, b: a > b))
    add(aj.OPERATIONS, aj.Operation("apart", "(a xor b, a > b)", lambda a, b: ((a > 0) != (b > 0), a > b)))
    add(aj.OPERATIONS, aj.Operation("rest", "(a + b) mod 7", lambda a, b: jnp.mod(a + b, 7)))
    add(aj.OPERATIONS, aj.Operation("step", "a > b as a number", lambda a, b: (a > b).astype(float)))


# ---- losses


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_cross_entropies_are_those_of_optax(scale):
    """To float32 rounding, large logits included."""
    random = np.random.default_rng(0)
    p = jnp.asarray(scale * random.normal(size=(6, 5, 3)), jnp.float32)
    t = jax.nn.one_hot(jnp.asarray(random.integers(0, 5, (6, 3))), 5, axis=1)
    right = optax.softmax_cross_entropy(p, t, axis=1)
    np.testing.assert_allclose(LOSSES["cross_entropy"].fn(p, t), right, rtol=1e-5)
    np.testing.assert_allclose(LOSSES["cross_entropy"].mean(p, t, (5,)), right.mean(0), rtol=1e-5)
    bits = LOSSES["bit_cross_entropy"]
    np.testing.assert_allclose(bits.fn(p, t), optax.sigmoid_binary_cross_entropy(p, t), rtol=1e-5, atol=1e-6)
    assert np.isfinite(jax.grad(lambda p: bits.fn(p, t).sum())(p)).all()


@pytest.mark.parametrize("nets", [3, fused.lanes() if fused.available() else 16])
@pytest.mark.parametrize(
    ("loss", "blocks"), [("cross_entropy", (4, 3)), ("cross_entropy", (150, 3)), ("bit_cross_entropy", ())]
)
def test_the_kernels_gradient_of_cross_entropies_is_that_of_jax(loss, blocks, nets):
    """In float64 to 1e-12 of the largest slope; few nets, and a vector full of them."""
    sizes, random = blocks or (4, 3), np.random.default_rng(1)
    shape = fused.Shape((3, 6, sum(sizes)), ("tanh", "linear"))
    params = 2 * random.normal(size=(shape.parameters(), nets))
    x = random.normal(size=(20, 3, nets))
    t = np.concatenate([np.eye(size)[random.integers(0, size, (20, nets))].transpose(0, 2, 1) for size in sizes], 1)

    def mean(flat, x, t):
        tree = jax.tree.map(lambda p: p[..., 0], fused.unpack(shape, flat[:, None]))
        hidden = jnp.tanh(x @ tree["Dense_0"]["kernel"] + tree["Dense_0"]["bias"])
        y = hidden @ tree["Dense_1"]["kernel"] + tree["Dense_1"]["bias"]
        return LOSSES[loss].mean(y[..., None], t[..., None], blocks)[0]

    slopes = jax.jit(jax.vmap(jax.grad(mean), -1, -1), compiler_options=compiled.quick_options())
    with jax.enable_x64(True):
        right = np.asarray(slopes(params, x, t))
    for share in {1, fused.few_share(np.float64)}:
        given = (fused.to_vectors(a, share) for a in (x, t))
        found = fused.gradient(shape, loss, fused.spread(shape, params, share), *given, blocks)
        assert np.allclose(fused.collect(shape, found, nets, share), right, rtol=0, atol=1e-12 * np.abs(right).max())


HOW = {
    "classes": {"op": "rest", "loss": "cross_entropy", "target_transform": "onehot"},
    "digits": {"op": "rest", "loss": "cross_entropy", "target_transform": "digits:3"},
    "bits": {"op": "rest", "loss": "bit_cross_entropy", "target_transform": "binary"},
    "waves": {"op": "rest", "target_transform": "fourier:3"},
    "two answers": {"op": "apart", **BITS},
}


@pytest.mark.parametrize("precision", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
def test_both_engines_train_alike(precision):
    """What is decoded is a whole number, so that nets that are alike give the very same errors."""
    setups = [aj.Setup(widths=(5,), precision=precision, **SMALL, **how) for how in HOW.values()]
    nets = {}
    for engine in choice.ENGINES:
        with choice.using(engine):
            nets[engine] = aj.train(setups, seeds=2)
    assert nets["fused"]["program"].eq("fused").all() and nets["compiled"]["program"].eq("lanes").all()
    close = {"float32": 1e-2, "float64": 1e-9}[precision]
    assert np.allclose(nets["fused"]["mse"], nets["compiled"]["mse"], rtol=close)
    assert np.allclose(nets["fused"]["exact"], nets["compiled"]["exact"], rtol=close)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"op": "rest", "loss": "cross_entropy"}, "set target_transform=onehot"),
        ({"op": "rest", **BITS}, "is for targets of 0 and 1"),
        ({"op": "above", "loss": "bit_cross_entropy"}, "target_transform=standardize makes others .* set target_tran"),
        ({"op": "above", **BITS, "output_activation": "sigmoid"}, "set output_activation=linear, not sigmoid"),
        ({"op": "rest", "target_transform": "fourier:3", "loss": "bit_cross_entropy"}, "is for targets of 0 and 1"),
        (
            {"op": "mul", "high": 500, **BITS},
            "is for targets of 0 and 1.*binary, onehot or thermometer.*or set loss=mse",
        ),
        ({"op": "sin", "integers": False, **BITS}, "is for targets of 0 and 1"),
        (
            {"op": "above", **BITS, "noise": 0.1},
            "noise=0.1 makes targets other than 0 and 1, .*set noise=0, or loss=mse",
        ),
        ({"op": "mul", "high": 2000, "target_transform": "onehot"}, "target_transform=onehot would show .* results"),
        ({"op": "div", "low": 1, "target_transform": "onehot"}, "target_transform=onehot shows whole numbers alone"),
        ({"op": "rest", "target_transform": "onehot", "noise": 0.1}, "noise=0.1 makes results"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(changes, words):
    with pytest.raises(ArithjaxError, match=words) as error:
        aj.Setup(**(SMALL | changes))
    assert "\n" not in str(error.value)


# ---- encoded results


@pytest.mark.parametrize("name", ["onehot", "binary", "digits:3", "thermometer", "fourier:3"])
def test_errors_are_those_of_decoded_results(name):
    net = aj.fit(aj.Setup(op="rest", widths=(6,), target_transform=name, **SMALL), seeds=1)
    points = Task.of(net.setup).interpolation_points
    y = net(points.x)
    assert y.shape == points.t.shape and (y == np.rint(y)).all() and y.min() >= 0 and y.max() <= 6
    assert np.isclose(net.row["mse"], ((y - points.t) ** 2).mean(), rtol=1e-5)
    assert np.isclose(net.row["exact"], (y == points.t).mean())


def test_the_range_of_encoded_results_is_that_of_all_arguments():
    """The largest greatest common divisor is at arguments that a coarse grid may leave out."""
    setup = aj.Setup(op="mod", low=1, high=300, target_transform="binary")
    assert setup.target_encoder.bounds == ((0.0, 298.0),) and setup.outputs == 9


def test_a_net_with_encoded_results_is_saved_and_given_as_a_module(tmp_path):
    net = aj.fit(aj.Setup(widths=(6,), **SMALL | HOW["bits"]), seeds=1)
    x = [[1, 2], [6, 6], [3, 0]]
    net.save(tmp_path / "rest.net")
    assert (aj.load_net(tmp_path / "rest.net")(x) == net(x)).all()
    module, params = net.flax()
    assert (module.apply({"params": params}, jnp.asarray(x, float)) == net(x)).all()
    assert net.formula() is None


def test_modular_addition_is_learnt_as_classes():
    how = HOW["classes"] | {
        "input_transform": "onehot",
        "widths": (32,),
        "steps": 1500,
        "examples": 1000,
        "activation": "square",
    }
    nets = aj.train([aj.Setup(**SMALL | how)], seeds=3)
    assert nets["grade"].eq("exact").all()


# ---- judgement


@pytest.mark.parametrize(("wrong", "grade"), [(0, "learned"), (8, "learned"), (40, "rough"), (100, "failed")])
def test_grades_of_classes_count_wrong_answers(wrong, grade):
    right = np.array([1 - wrong / 1000])
    errors = grading.Errors(*(np.array([v]) for v in (0.5, 0.9, 1.0)), right, np.ones(1), np.ones((1, 1)), right[None])
    assert GRADES[grading.grade(errors, np.zeros(1, bool), 0.5)[0]] == grade
    assert GRADES[grading.grade(errors, np.zeros(1, bool))[0]] == "failed"


def test_the_commonest_class_alone_is_nothing_learnt():
    """Of pairs up to 500 one in 500 is equal: answering `no` to all is right in 99.8 %."""
    points = Task.of(aj.Setup(op="step", low=0, high=10, integers=False)).interpolation_points
    assert 0.45 < points.rival < 0.55
    right = np.array([0.998])
    errors = grading.Errors(*(np.array([v]) for v in (0.1, 1.0, 1.0)), right, np.ones(1), np.ones((1, 1)), right[None])
    assert GRADES[grading.grade(errors, np.zeros(1, bool), 0.002)[0]] == "failed"


def test_accuracy_is_known_of_classes_alone():
    whole, real = {"low": 0, "high": 10}, {"low": 0, "high": 10, "integers": False}
    few = {"examples": 64, "batch": 16, "steps": 5, "widths": (2,)}
    setups = [aj.Setup(op=op, **where, **few) for op in ("above", "step", "add") for where in (whole, real)]
    nets = aj.train(setups)
    assert nets["accuracy"].notna().tolist() == [True, True, False, True, False, False]
    assert nets["exact"].notna().tolist() == [True, False] * 3
    assert nets["accuracy"][0] == nets["exact"][0]


def test_whether_a_real_number_is_larger_is_learnt():
    """The share of right answers is what counts, since no net answers a step without error."""
    setup = aj.Setup(op="above", integers=False, widths=(8,), **BITS, **SMALL | {"steps": 3000, "examples": 2000})
    nets = aj.train([setup], seeds=4)
    assert (nets["accuracy"] > 0.99).sum() >= 3 and nets["exact"].isna().all()
    assert nets["success"].equals(nets["accuracy"] >= 0.99)
    assert set(np.unique(aj.fit(setup, seeds=1)([[1, 9], [9, 1]]).round())) == {0.0, 1.0}


# ---- exclusive or


XOR = {"low": 0, "high": 2, "examples": 1000, "batch": 4, "input_transform": "raw", **BITS}


def test_xor_is_learnt_by_some_relu_nets_and_by_most_of_sigmoids(add):
    add(aj.OPERATIONS, aj.Operation("exclusive", "a xor b", lambda a, b: (a > 0) != (b > 0)))
    rates = {"optimizer": "rmsprop", "learning_rate": 1e-2, "steps": 3000}
    setups = [aj.Setup(op="exclusive", widths=(4,), activation=name, **XOR, **rates) for name in ("relu", "sigmoid")]
    nets = aj.train(setups, seeds=16).groupby("activation")["exact"].apply(lambda exact: (exact == 1).mean())
    assert 0.2 < nets["relu"] < 1 and nets["sigmoid"] > 0.9


@pytest.mark.slow
def test_xor_as_asked_in_public(add):
    """Relu with 3 to 8 units between 24 % and 90 %, sigmoid with 4 or more units at least 95 % of 50 seeds.

    Two relus are fewer yet: 17 % of 200 seeds, and 16 to 23 % with other rates, initialisers and optimisers.
    """
    add(aj.OPERATIONS, aj.Operation("exclusive", "a xor b", lambda a, b: (a > 0) != (b > 0)))
    rates = {"optimizer": "rmsprop", "learning_rate": 1e-3, "steps": 25_000}
    setups = [
        aj.Setup(op="exclusive", widths=(width,), activation=name, **XOR, **rates)
        for width in (2, 3, 4, 5, 8)
        for name in ("relu", "sigmoid")
    ]
    nets = aj.train(setups, seeds=50)
    exact = nets.assign(exact=nets["exact"] == 1).groupby(["activation", "widths"])["exact"].mean()
    assert exact["relu"].drop("2").between(0.24, 0.90).all() and 0.05 < exact["relu"]["2"] < 0.3, exact
    assert (exact["sigmoid"][["4", "5", "8"]] >= 0.95).all(), exact
