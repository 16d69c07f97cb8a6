"""Operations of several results: exact, trained in both engines, judged, and what is made of a trained net."""

import json
import math
import runpy
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

import arithjax as aj
from arithjax import cli
from arithjax.errors import ArithjaxError
from arithjax.export import untrained
from arithjax.nets import exact_share, fresh_pairs
from arithjax.task.points import Task
from arithjax.training import compiled, curves, grading
from arithjax.training.engines import choice, fused
from arithjax.training.optimizers import LOSSES

SMALL = {"low": 0, "high": 20, "examples": 64, "batch": 16, "steps": 40, "learning_rate": 1e-2}


def bits(*x):
    total = sum(2**i * (x[i] + x[4 + i]) for i in range(4))
    return tuple(jnp.mod(jnp.floor(total / 2**k), 2) for k in range(5))


def roots(b, c):
    half = jnp.sqrt(b * b / 4 - c)
    return -b / 2 - half, -b / 2 + half


def ordered(a, b, c):
    low, high = jnp.minimum(jnp.minimum(a, b), c), jnp.maximum(jnp.maximum(a, b), c)
    return low, a + b + c - low - high, high


OPERATIONS = {
    "both": aj.Operation("both", "a + b, a - b", lambda a, b: (a + b, a - b)),
    "bits": aj.Operation("bits", "the bits of a sum", bits, arity=8),
    "roots": aj.Operation("roots", "both roots of x² + bx + c", roots, leaves_out=True),
    "ordered": aj.Operation("ordered", "three numbers sorted", ordered),
}


@pytest.fixture(autouse=True)
def operations(add):
    for op in OPERATIONS.values():
        add(aj.OPERATIONS, op)


# ---- exact results


def test_results_of_a_tuple_are_exact_one_by_one():
    x = np.array([[3e9, 4e9], [7, 2]])
    huge = aj.Operation("huge", "ab, a - b", lambda a, b: (a * b, a - b))
    found = huge.exact(x, integers=True)
    assert found.t.shape == (2, 2) and found.known
    assert [int(t) + int(rest) for t, rest in zip(found.t[0], found.rest[0], strict=True)] == [12 * 10**18, -(10**9)]
    assert (found.t[1] == [14, 5]).all()


@pytest.mark.parametrize("fn", [lambda a, b: (max(a, b), math.gcd(int(a), int(b))), lambda a, b: [a + b, 0]])
def test_functions_of_one_number_at_a_time_may_give_several_results(fn):
    op = aj.Operation("mine", "?", fn)
    x = np.array([[6.0, 4], [9, 3]])
    assert op.exact(x, integers=True).t.tolist() == [list(fn(6, 4)), list(fn(9, 3))]
    assert op.trial(op.spans(0, 10, True), "float32").outputs == 2


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda a: (), "gives no result"),
        (lambda a: (1,) * (1 + (int(a) > 3)), "gives 2 results, and elsewhere 1"),
        (lambda a: jnp.stack([a, a], 1), "be a tuple of arrays"),
        (lambda a: (a, "no"), "a real number"),
    ],
)
def test_what_gives_no_results_is_said(fn, words):
    with pytest.raises(ArithjaxError, match=words):
        aj.OPERATIONS["broken"] = aj.Operation("broken", "?", fn, arity=1)
        try:
            aj.Setup(op="broken", low=0, high=8)
        finally:
            del aj.OPERATIONS["broken"]


def test_another_number_of_results_than_an_operation_says_is_refused(add):
    add(aj.OPERATIONS, aj.Operation("three", "?", lambda a: (a, a), outputs=3))
    with pytest.raises(ArithjaxError, match="gives 2 results and has outputs=3"):
        aj.Setup(op="three")


def test_arguments_without_all_results_are_left_out():
    points = Task.of(aj.Setup(op="roots", low=-10, high=10, integers=False)).interpolation_points
    b, c = points.x.astype(float).T
    assert np.isfinite(points.t).all() and (b * b / 4 >= c).all()
    assert np.allclose(points.t[:, 0] * points.t[:, 1], c, atol=1e-6) and np.allclose(points.t.sum(1), -b)


# ---- training


@pytest.mark.parametrize(("precision", "loss"), [("float32", "mse"), ("float64", "huber")])
def test_both_engines_train_alike(precision, loss):
    """Within rounding, after 40 steps; fused programs hold these nets of 3 outputs a vector and a few at a time."""
    setup = aj.Setup(op="ordered", widths=(5, 4), activation="tanh", loss=loss, precision=precision, **SMALL)
    nets = {}
    for engine in choice.ENGINES:
        with choice.using(engine):
            nets[engine] = aj.train([setup], seeds=3)
    assert nets["fused"]["program"].eq("fused").all() and nets["compiled"]["program"].eq("lanes").all()
    close = {"float32": 2e-3, "float64": 1e-9}[precision]
    for name in ("mse", "relative_rmse", "max_error", "extrapolation_mse"):
        assert np.allclose(nets["fused"][name], nets["compiled"][name], rtol=close), name


@pytest.mark.parametrize("nets", [3, fused.lanes() if fused.available() else 16])
def test_the_kernels_gradient_is_that_of_the_mean_over_examples_and_outputs(nets):
    """In float64 to 1e-12 of the largest slope; few nets, and a vector full of them."""
    shape, random = fused.Shape((3, 6, 5), ("tanh", "linear")), np.random.default_rng(1)
    params = 0.5 * random.normal(size=(shape.parameters(), nets))
    x, t = random.normal(size=(20, 3, nets)), random.normal(size=(20, 5, nets))

    def loss(flat, x, t):
        tree = {
            name: {key: p[..., 0] for key, p in layer.items()}
            for name, layer in fused.unpack(shape, flat[:, None]).items()
        }
        hidden = jnp.tanh(x @ tree["Dense_0"]["kernel"] + tree["Dense_0"]["bias"])
        return LOSSES["mse"].fn(hidden @ tree["Dense_1"]["kernel"] + tree["Dense_1"]["bias"], t).mean()

    slopes = jax.jit(jax.vmap(jax.grad(loss), -1, -1), compiler_options=compiled.quick_options())
    with jax.enable_x64(True):
        right = np.asarray(slopes(params, x, t))
    for share in {1, fused.few_share(np.float64)}:
        given = (fused.to_vectors(a, share) for a in (x, t))
        found = fused.gradient(shape, "mse", fused.spread(shape, params, share), *given)
        assert np.allclose(fused.collect(shape, found, nets, share), right, rtol=0, atol=1e-12 * np.abs(right).max())


@pytest.mark.optimized
def test_a_net_of_several_outputs_is_the_same_in_any_company():
    setup = aj.Setup(op="bits", **(SMALL | {"high": 2}), widths=(6,), activation="tanh")
    alone, many = aj.train([setup], seeds=1), aj.train([setup], seeds=19)
    measured = ["mse", "relative_rmse", "exact", "exact_of_each", "max_error"]
    assert alone[measured].equals(many[measured][:1])


@pytest.mark.parametrize("model", ["nau", ("nmu", "dense"), "mine"])
def test_units_and_modules_of_a_users_have_several_outputs(model, add):
    import flax.linen as nn

    class Mine(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(x)

    add(aj.MODELS, aj.FlaxModel("mine", lambda setup: Mine()))
    widths = (3,) if isinstance(model, tuple) else ()
    nets = aj.train([aj.Setup(op="both", model=model, widths=widths, input_transform="scale", **SMALL)], seeds=2)
    assert np.isfinite(nets["relative_rmse"]).all() and nets["relative_rmse_of_each"].str.count(",").eq(1).all()


def test_a_module_of_too_few_outputs_is_refused(add):
    import flax.linen as nn

    add(aj.MODELS, aj.FlaxModel("short", lambda setup: nn.Dense(1)))
    with pytest.raises(ArithjaxError, match=r"returned shape \(64, 1\) .* return \[batch, 2\]"):
        aj.train([aj.Setup(op="both", model="short", widths=())])


def test_finishing_solves_for_all_outputs():
    """A linear net gives sum and difference to rounding after 40 Levenberg-Marquardt steps."""
    setup = aj.Setup(op="both", widths=(2,), activation="linear", finish=40, **SMALL)
    row = aj.train([setup]).iloc[0]
    assert row["grade"] == "exact" and row["relative_rmse"] < 1e-5


# ---- judgement


def test_errors_are_over_the_scale_of_each_result():
    points = Task.of(aj.Setup(op="both", low=0, high=20)).interpolation_points
    y = points.t + np.array([3.0, -1.0])
    made = grading.blocks(points.x, points.truth, grading.unit_of(points), points.more)
    filled = np.zeros((*made.x.shape[:2], 2))
    filled.reshape(-1, 2)[: len(y)] = y
    sums = [
        grading.sums(jnp.asarray(filled[i], np.float32)[..., None], jax.tree.map(lambda a, i=i: a[i], made))
        for i in range(len(filled))
    ]
    errors = grading.combine(jax.tree.map(lambda *a: np.stack(a), *sums), points)
    each = np.array([3.0, 1.0]) / points.t.std(0)
    assert np.allclose(errors.relative_of_each[:, 0], each, rtol=1e-5)
    assert np.allclose(errors.relative_rmse, np.sqrt((each**2).mean()), rtol=1e-5)
    assert np.allclose(errors.rmse, np.sqrt(5), rtol=1e-5) and np.allclose(errors.max_error, 3)


def test_an_argument_is_right_where_all_results_are():
    net = aj.fit(aj.Setup(op="both", widths=(4,), activation="tanh", **SMALL), seeds=1)
    points = Task.of(net.setup).interpolation_points
    right = np.abs(net(points.x) - points.t) < 0.5
    assert net.row["exact"] == right.all(1).mean()
    assert net.row["exact_of_each"] == ",".join(f"{share:.4g}" for share in right.mean(0))


def test_one_result_has_no_columns_of_each():
    nets = aj.train([aj.Setup(op="add", widths=(3,), **SMALL)])
    assert nets["exact_of_each"].isna().all() and nets["relative_rmse_of_each"].isna().all()


def test_a_constant_net_is_dead_only_if_all_its_outputs_are():
    points = Task.of(aj.Setup(op="both", low=0, high=20)).interpolation_points
    for spread, dead in (([[0.0], [0.0]], True), ([[0.0], [5.0]], False)):
        parts = [np.ones((1, 2, 1))] * 3 + [np.zeros((1, 2, 1)), np.array([spread]), np.ones((1, 1))]
        found = grading.grade(grading.combine(grading.Sums(*parts), points), np.zeros(1, bool))
        assert (found == 1).all() == dead


# ---- what people ask for


def test_the_bits_of_a_sum_of_two_numbers_are_learnt():
    setup = aj.Setup(
        op="bits",
        low=0,
        high=2,
        widths=(24,),
        activation="tanh",
        learning_rate=1e-2,
        schedule="cosine",
        steps=2500,
        examples=1000,
    )
    nets = aj.train([setup], seeds=4)
    assert (nets["grade"] == "exact").sum() >= 3
    assert nets[nets["grade"] == "exact"]["exact_of_each"].eq("1,1,1,1,1").all()


def test_both_roots_and_three_numbers_sorted_are_learnt():
    rates = {"activation": "relu", "widths": (24, 24), "schedule": "cosine", "learning_rate": 1e-2, "steps": 4000}
    setups = [
        aj.Setup(op="roots", low=-10, high=10, integers=False, examples=2000, **rates),
        aj.Setup(op="ordered", low=0, high=10, examples=5000, **rates),
    ]
    nets = aj.train(setups, seeds=2)
    roots, three = (nets[nets["op"] == op] for op in ("roots", "ordered"))
    assert roots["relative_rmse"].max() < 0.02
    assert three["grade"].eq("exact").all() and three["exact_of_each"].eq("1,1,1").all()


# ---- what is made of a trained net


@pytest.fixture(scope="module")
def net():
    aj.OPERATIONS["both"] = OPERATIONS["both"]
    try:
        return aj.fit(aj.Setup(op="both", widths=(4,), activation="square", **SMALL), seeds=2)
    finally:
        del aj.OPERATIONS["both"]


X = [[3, 4], [12, 5], [19, 0]]


def test_a_net_answers_saves_and_loads(net, tmp_path):
    assert net(X).shape == (3, 2) and (net(X[0]) == net(X)[0]).all()
    net.save(tmp_path / "both.net")
    again = aj.load_net(tmp_path / "both.net")
    assert (again(X) == net(X)).all()
    script = "import sys, arithjax as aj; print(aj.load_net(sys.argv[1])([[3, 4]]).tolist())"
    told = subprocess.run([sys.executable, "-c", script, tmp_path / "both.net"], capture_output=True, text=True)
    assert json.loads(told.stdout) == net(X[:1]).tolist(), told.stderr


def test_predict_prints_every_answer(net, tmp_path):
    net.save(tmp_path / "both.net")
    told = CliRunner().invoke(cli.arithjax, ["predict", str(tmp_path / "both.net"), "3", "4"])
    assert np.allclose([float(word) for word in told.stdout.split()], net(X[0]), rtol=1e-5)


def test_formulas_are_one_for_each_result(net):
    with pytest.raises(ArithjaxError, match="formulas"):
        net.formula()
    found = net.formulas()
    assert [formula.output for formula in found] == [0, 1]
    values = [[float(f.expression.subs(dict(zip(f.arguments, x, strict=True)))) for f in found] for x in X]
    assert np.allclose(values, net(X), rtol=1e-4, atol=1e-3)


def test_pairs_by_hand_show_every_result(net):
    table = fresh_pairs(net)
    assert {"value1", "result1", "error1", "value2", "result2", "error2"} <= set(table)
    assert (table["value2"] == table["a"] - table["b"]).all()
    assert 0 <= exact_share(net, 0, 20) <= 1


@pytest.mark.parametrize("target", ["numpy", "flax"])
def test_scripts_answer_as_the_net_does(net, target, tmp_path, monkeypatch, capsys):
    file = tmp_path / "script.py"
    net.export(target, file)
    monkeypatch.setattr(sys, "argv", ["script.py", "3", "4"])
    with jax.numpy_rank_promotion("allow"):
        runpy.run_path(str(file), run_name="__main__")
    assert np.allclose([float(word) for word in capsys.readouterr().out.split()], net(X[0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("target", ["keras", "torch"])
def test_other_scripts_are_python_that_prints_every_answer(net, target):
    text = net.export(target)
    compile(text, "script", "exec")
    assert "print(*(" in text and "[:, 0]" not in text


@pytest.mark.parametrize("target", ["keras", "torch"])
def test_untrained_scripts_have_as_many_outputs(target):
    text = untrained(aj.Setup(op="both", widths=(4,), **SMALL), target)
    compile(text, "script", "exec")
    assert "np.stack(exact(*x.T), 1)" in text and "[:, 0]" not in text


def test_a_linen_module_answers_as_the_net_does(net):
    module, params = net.flax()
    assert np.allclose(module.apply({"params": params}, jnp.asarray(X, float)), net(X), rtol=1e-5, atol=1e-5)


def test_curves_of_several_outputs():
    setup = aj.Setup(op="both", widths=(3,), **SMALL)
    curve, nets = curves.curves([setup], 2), aj.train([setup], seeds=2)
    last = curve[curve["step"] == setup.steps]
    assert np.allclose(last["relative_rmse"], nets["relative_rmse"], rtol=1e-5)
    assert np.allclose(last["mse"], nets["mse"], rtol=1e-5)
