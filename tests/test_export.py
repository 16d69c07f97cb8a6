"""Nets taken home: exported scripts give the net's own answers, and run without arithjax."""

import inspect
import math
import os
import random
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import arithjax as aj
from arithjax import nets
from arithjax.export import TARGETS, plain, portable, script, untrained
from arithjax.export.exact import exact_source
from arithjax.models import model_of
from arithjax.models.network import Architecture
from arithjax.models.units import VARIANTS
from arithjax.task.transforms import Fitted
from arithjax.training.compiled import quick_options

SHORT = {"steps": 20, "examples": 64, "tests": 16, "batch": 16}
RAW = {"input_transform": "raw", "target_transform": "raw"}
ACTIVATIONS = [name for name in aj.ACTIVATIONS if aj.ACTIVATIONS.ours(name)]
UNITS = [name for name, model in aj.MODELS.items() if aj.MODELS.ours(name) and model.stackable and name != "dense"]
UNITS += list(VARIANTS)
needs = {"torch": ["torch"], "keras": ["keras", "torch"], "numpy": [], "flax": []}


def lacking(target):
    return any(find_spec(name) is None for name in needs[target])


def module_of(text):
    """What a script defines, run as a module."""
    names = {"__name__": "exported", "__file__": "exported.py"}
    with jax.numpy_rank_promotion("allow"):
        exec(compile(text, "exported.py", "exec"), names)
    return names


def assert_same(net, answer, x):
    """That `answer(x)` is `net(x)` up to rounding: of the numbers that are added up, in the net's own units."""
    own, (_, target_fit) = net(x), net.fits
    with jax.numpy_rank_promotion("allow"):
        said = np.asarray(answer(x))
    assert said.shape == own.shape
    epsilon = np.finfo(own.dtype).eps
    room = np.abs(own) + np.abs(target_fit.shift) + np.abs(target_fit.scale)
    finite = np.isfinite(own)
    np.testing.assert_array_less(np.abs(said - own)[finite], (300 * epsilon * room)[finite])


def random_setup(rng):
    """A dense net with anything that it may have."""
    depth = rng.randint(1, 3)
    return aj.Setup(
        op=rng.choice(["add", "mul", "max", "sqrt", "add:4:0-2:1-4"]),
        low=1,
        high=20,
        integers=rng.random() < 0.5,
        widths=[rng.randint(1, 9) for _ in range(depth)],
        activation=[rng.choice(ACTIVATIONS) for _ in range(depth)],
        output_activation=rng.choice(["linear", "linear", "sigmoid", "softplus"]),
        input_transform=rng.choice(["raw", "scale", "standardize", "minmax", "log1p", "symlog", "sqrt", "log"]),
        target_transform=rng.choice(["raw", "scale", "standardize", "minmax", "log1p", "symlog", "sqrt", "log"]),
        bias=rng.random() < 0.8,
        precision=rng.choice(["float32", "float32", "float64"]),
        **SHORT,
    )


@pytest.fixture(scope="module")
def all_activations():
    """A net with a layer of each activation."""
    layers = len(ACTIVATIONS)
    changes = {"widths": (3,) * layers, "activation": ACTIVATIONS, "output_activation": "softplus"}
    return aj.fit(aj.Setup(op="mul", high=20, **changes, **SHORT), seeds=1)


@pytest.mark.parametrize("target", ["numpy", "torch", "flax"])
def test_a_script_gives_the_nets_answers(all_activations, target):
    if lacking(target):
        pytest.skip("needs PyTorch: pip install -e '.[bench]'")
    x = np.random.default_rng(0).uniform(0, 20, (50, 2))
    assert_same(all_activations, module_of(all_activations.export(target))["net"], x)


@pytest.mark.parametrize("target", TARGETS)
def test_a_script_runs_without_arithjax(all_activations, target, tmp_path):
    if lacking(target):
        pytest.skip("needs Keras and PyTorch: pip install -e '.[bench]'")
    all_activations.export(target, tmp_path / "mine.py")
    guard = "import sys; sys.modules['arithjax'] = None; " + ("" if target == "flax" else "sys.modules['jax'] = None; ")
    run = guard + "import runpy; sys.argv = ['mine.py', '3', '4']; runpy.run_path('mine.py', run_name='__main__')"
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": ""}
    command = [sys.executable, "-W", "ignore", "-c", run]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(float(all_activations([3, 4])), rel=1e-4)


def test_a_large_net_has_its_weights_beside_it(tmp_path, monkeypatch, capsys):
    net = aj.fit(aj.Setup(op="add", high=20, widths=(64, 40), activation="relu", **SHORT), seeds=1)
    for target in ("numpy", "torch")[: 1 if lacking("torch") else 2]:
        text = net.export(target, tmp_path / f"m_{target}.py")
        assert len(text) < 4000 and (tmp_path / f"m_{target}.npz").exists()
        monkeypatch.setattr(sys, "argv", [f"m_{target}.py", "3", "4"])
        runpy.run_path(str(tmp_path / f"m_{target}.py"), run_name="__main__")
        assert float(capsys.readouterr().out) == pytest.approx(float(net([3, 4])), rel=1e-5)
    assert len(net.export("numpy")) > 20_000, "without a file all is inside"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # between Keras and PyTorch
@pytest.mark.parametrize("number", range(50))
def test_random_nets_in_every_target(number, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    net = aj.fit(random_setup(random.Random(number)), seeds=1)
    x = np.random.default_rng(number).uniform(1, 20, (200, net._arity))
    for target in TARGETS:
        if net.setup.precision == "float64" and target in ("flax", "torch", "keras"):
            continue  # a script sets the precision of its whole process
        assert_same(net, module_of(net.export(target))["net"], x)
    module, params = net.flax()
    if net.setup.precision == "float32":
        assert_same(net, lambda x: module.apply({"params": params}, jnp.asarray(x, jnp.float32)), x)


@pytest.mark.optimized
@pytest.mark.parametrize("name", [*UNITS, "kan:3:2"])
def test_units_are_the_same_everywhere(name):
    """Forward passes of every unit at random weights: its own, in NumPy and in PyTorch."""
    setup = aj.Setup(op="add", model=name, widths=(3,), **RAW)
    network = model_of(setup).network(setup)
    architecture = Architecture(
        jnp.asarray([[2], [3], [1]]), jnp.zeros((), int), aj.INITIALIZERS["he_normal"].scaling()
    )
    shapes = jax.eval_shape(lambda key: network.initial(key, 2, architecture), jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda p: rng.normal(size=p.shape[:-1]).astype(np.float32), shapes)
    x = rng.uniform(-2, 2, (40, 2)).astype(np.float32)
    module, variables = network.linen(params, 2, (3,))
    own = jax.jit(module.apply, compiler_options=quick_options())({"params": variables}, x)
    raw = Fitted(np.zeros(2, np.float32), np.ones(2, np.float32)), Fitted(np.float32(0), np.float32(1))
    net = portable(setup, network.plain(params, 2, (3,)), raw, exact=False)
    for target in ("numpy", "torch")[: 1 if lacking("torch") else 2]:
        np.testing.assert_allclose(module_of(script(net, target).text)["net"](x), own, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", plain.WARPS)
def test_plain_transforms_are_the_transforms(name):
    transform, (warp, unwarp) = aj.TRANSFORMS[name], plain.WARPS[name]
    x = np.linspace(0.25, 9, 50, dtype=np.float32) * (-1 if transform.above < 0 and name != "log1p" else 1)
    np.testing.assert_allclose(warp(x), transform.warp(jnp.asarray(x)), rtol=1e-6)
    np.testing.assert_allclose(unwarp(warp(x)), x, rtol=1e-5)


def test_every_member_that_came_with_arithjax_can_be_exported():
    assert set(ACTIVATIONS) == set(plain.ACTIVATIONS)
    scalings = {name for name, member in aj.TRANSFORMS.items() if isinstance(member, aj.Transform)}
    assert {name for name in scalings if aj.TRANSFORMS.ours(name)} == set(plain.WARPS)  # encodings stand in the script
    assert {aj.MODELS[name].kind.__name__ for name in UNITS} == set(plain.UNITS)
    for target in TARGETS.values():
        assert {*target.activations, "linear"} == set(plain.ACTIVATIONS)


def test_a_linen_module_is_the_net(all_activations):
    module, params = all_activations.flax()
    x = np.random.default_rng(0).uniform(0, 20, (50, 2)).astype(np.float32)
    assert_same(all_activations, lambda x: module.apply({"params": params}, x), x)


def refused(net, target):
    with pytest.raises(aj.ArithjaxError) as raised:
        net.export(target)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", ["numpy.py", "torch.py", "keras.py", "flax.py", "jax.py", "random.py"])
def test_a_script_that_would_hide_a_library_is_refused(all_activations, name, tmp_path):
    with pytest.raises(aj.ArithjaxError, match=rf"{name} would be imported in place .* such as net_{name}"):
        all_activations.export("numpy", tmp_path / name)
    assert not list(tmp_path.iterdir())
    all_activations.export("numpy", tmp_path / f"net_{name}")
    all_activations.export("numpy", tmp_path / name.replace(".py", ""))  # a file of another kind hides nothing


def test_what_cannot_be_exported_is_said(add, all_activations):
    assert "did you mean 'numpy'" in refused(all_activations, "nunpy")
    setup, fits = aj.Setup(op="mul", model="nmu", high=20, **SHORT | RAW), all_activations.fits
    unit = nets.Net(
        setup, {"program": "lanes", "seed": 0, "grade": "failed"}, {"NMU_0": {"W": np.ones((2, 1), np.float32)}}, fits
    )
    assert "NMU can be exported to torch and numpy, not to keras" in refused(unit, "keras")
    add(aj.ACTIVATIONS, aj.Activation("cube", "z³", lambda z: z**3))
    own = aj.fit(aj.Setup(op="mul", high=20, widths=(2,), activation="cube", **SHORT), seeds=1)
    assert "activation=cube is your own" in refused(own, "numpy")
    module, params = own.flax()
    x = np.array([[1, 2], [3, 4]], np.float32)
    assert_same(own, lambda x: module.apply({"params": params}, x), x)


# ---- untrained


def own_operation(a, b):
    """A function with lines of its own."""
    total = a + 2 * b
    return jnp.where(a > b, total, WEIGHT * a)


def doubled(x: float) -> float:
    """A function that another one uses."""
    return WEIGHT * x


WEIGHT = 3.0
FAMILIES = ["times:7", "mul:4:0-4:0-2", "sum:3", "max:3", "dot:2", "mulmod:31", "divmod:97", "polymod:97:(4*a+b^2)^3"]
OWN = [
    aj.Operation("def", "w", own_operation),
    aj.Operation("lambda", "a³", lambda a: a**3, arity=1),
    aj.Operation("python", "sin a", lambda a: math.sin(a) if a > 3 else abs(a)),
    aj.Operation("helped", "doubled a", lambda a, b: doubled(a) + b),
    aj.Operation("two", "a², √b", lambda a, b: (lambda c: c * c)(a) + jnp.sqrt(b)),
]


@pytest.mark.parametrize("op", [*aj.OPERATIONS.values(), *map(aj.OPERATIONS.__getitem__, FAMILIES), *OWN])
def test_the_source_of_an_operation_gives_its_results(op):
    definition, call = exact_source(op)
    x = np.random.default_rng(0).uniform(1, 9, (20, op.arity)).astype(np.float32)
    names = {"np": np, "x": x}
    exec(f"{definition}\nresults = {call}", names)
    np.testing.assert_allclose(names["results"], op.exact(x, integers=False).t, rtol=1e-6)


def test_an_operation_that_uses_more_than_numbers_is_refused():
    table = jnp.arange(9)
    with pytest.raises(aj.ArithjaxError, match=r"operation 'table' cannot be written into a script \(it uses table\)"):
        exact_source(aj.Operation("table", "t[a]", lambda a: table[a], arity=1))
    with pytest.raises(aj.ArithjaxError, match=r"it uses two things that are called WEIGHT"):
        exact_source(aj.Operation("two", "two weights", (lambda WEIGHT: lambda a: doubled(a) * WEIGHT)(2.0), arity=1))


RECIPES = {
    "as it is": {},
    "transforms": {"input_transform": "minmax", "target_transform": "log1p", "schedule": "cosine", "warmup": 5},
    "training": {"optimizer": "sgd", "clip": 1.0, "weight_decay": 1e-3, "loss": "relative", "initializer": "he_normal"},
    "fresh": {"fresh": True, "optimizer": "rmsprop", "loss": "huber", "bias": False, "warmup": 5},
    "encoded": {"input_transform": "digits:10"},
    "digits": {"target_transform": "digits:10", "loss": "cross_entropy"},
    "bits": {"target_transform": "binary", "loss": "bit_cross_entropy", "fresh": True},
    "booleans": {"op": "greater", "target_transform": "raw", "loss": "bit_cross_entropy"},
    "waves": {"target_transform": "fourier:4", "precision": "float64"},
    "reals": {"integers": False, "distribution": "normal", "optimizer": "adamw", "loss": "mae", "precision": "float64"},
}


def recipe(name, target):
    layers = {"widths": (3, 2), "activation": ("gelu", "square")}
    return untrained(aj.Setup(**{"op": "mul", "high": 20} | layers | SHORT | RECIPES[name]), target)


@pytest.mark.parametrize("name", RECIPES)
def test_an_untrained_script_runs(name, capsys, monkeypatch):
    if lacking("torch"):
        pytest.skip("needs PyTorch: pip install -e '.[bench]'")
    import torch

    monkeypatch.setattr(sys, "argv", ["train.py"])
    before = torch.get_default_dtype()
    try:
        module_of(recipe(name, "torch"))
    finally:
        torch.set_default_dtype(before)
    assert re.search(r"relative RMSE over 10,000 (fresh )?arguments: ", capsys.readouterr().out)


@pytest.mark.parametrize(("changes", "fresh"), [({}, False), ({"high": 500}, True), ({"integers": False}, True)])
def test_untrained_scripts_call_arguments_fresh_where_hardly_any_was_seen(changes, fresh):
    text = untrained(aj.Setup(**{"op": "mul", "high": 20, "widths": (3,), **SHORT, **changes}), "torch")
    assert ("10,000 fresh arguments" in text, "that it has not seen" in text) == (fresh, fresh)
    assert fresh or "# judged on arguments from the training range\n" in text


@pytest.mark.parametrize("name", RECIPES)
def test_untrained_keras_code_imports_what_it_uses(name):
    text = recipe(name, "keras")
    compile(text, "train.py", "exec")
    imported = text.split("from keras import ")[1].split("\n")[0].split(", ")
    for word in ("layers", "losses", "ops", "optimizers", "regularizers", "utils", "config"):
        assert (f"{word}." in text) == (word in imported)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["keras", "torch"])
def test_the_questions_net_mended_learns_to_multiply(target, tmp_path):
    if lacking(target):
        pytest.skip("needs Keras and PyTorch: pip install -e '.[bench]'")
    activations = {"activation": ("linear", "square", "linear", "linear"), "output_activation": "linear"}
    (tmp_path / "train.py").write_text(untrained(aj.protocols.question("mul", **activations), target))
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    run = [sys.executable, str(tmp_path / "train.py"), "0"]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout
    assert float(said.rsplit(": ", 1)[1]) < 0.01


def test_untrained_scripts_refuse_what_they_cannot_hold():
    base = aj.Setup(op="mul", high=20, **SHORT)
    for changes, target, phrase in [
        ({"model": "nmu", "widths": ()}, "keras", "model=nmu cannot be written as an untrained script"),
        ({"optimizer": "lion"}, "torch", "optimizer=lion is not in PyTorch; export to keras"),
        ({"schedule": "exponential", "warmup": 5}, "keras", "none of Keras's; export to torch"),
        ({}, "numpy", "target 'numpy' is for trained nets alone; untrained scripts are for keras and torch"),
        ({}, "kerax", "unknown target 'kerax'; did you mean 'keras'"),
    ]:
        with pytest.raises(aj.ArithjaxError, match=phrase):
            untrained(base.replace(**changes), target)
    aj.LOSSES["fourth"] = lambda p, t: (p - t) ** 4
    for target in ("keras", "torch"):
        with pytest.raises(aj.ArithjaxError, match="loss=fourth is your own, which no script that trains can hold"):
            untrained(base.replace(loss="fourth"), target)


def test_a_script_holds_the_functions_that_it_calls_and_no_others():
    assert plain.sources([plain.softmax]) == [inspect.getsource(plain.softmax).strip()], "np.exp is not plain.exp"
    names = [source.split("(")[0] for source in plain.sources([plain.mcfc, plain.silu])]
    assert names == ["def sigmoid", "def softmax", "def mcfc", "def silu"]
