"""Encodings: every number of a range goes there and back, by JAX and by NumPy, and nets learn from them."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_export import assert_same, lacking, module_of

import arithjax as aj
from arithjax.export import TARGETS, codes, encoded
from arithjax.registry import OPERATIONS, TRANSFORMS
from arithjax.task.encodings import Column, Encoder, Encoding
from arithjax.training.compiled import quick_options

NAMES = [name for name, member in TRANSFORMS.items() if isinstance(member, Encoding)]
NAMES += ["digits:2", "digits:3", "digits:10", "fourier:1", "fourier:8"]
WHOLE = [name for name in NAMES if TRANSFORMS[name].whole]
RANGES = [(0, 1), (0, 7), (0, 99), (1, 8), (5, 5), (0, 0), (-1, -1), (-8, 7), (-50, 3), (-9, -6), (1000, 1300)]


def encoder(name, *bounds):
    return Encoder(TRANSFORMS[name], bounds)


def columns(*values):
    """Values of columns as `[rows, columns, 2]`, the second lane in another order."""
    rows = np.stack(np.broadcast_arrays(*values), 1).astype(np.float32)
    return np.stack([rows, rows[::-1]], -1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ends", RANGES)
def test_every_whole_number_goes_there_and_back(name, ends):
    code, x = encoder(name, ends), columns(np.arange(ends[0], ends[1] + 1))
    shown = code.encode(x)
    assert shown.shape == (len(x), code.size, 2)
    assert shown.dtype == np.float32
    np.testing.assert_array_equal(code.decode(shown), x)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    ends=st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 300)), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_noise_of_less_than_half_a_step_changes_no_number(name, ends, seed):
    rng = np.random.default_rng(seed)
    bounds = tuple((low, low + width) for low, width in ends)
    code = encoder(name, *bounds)
    x = columns(*(rng.integers(low, high + 1, 20) for low, high in bounds))
    shown = code.encode(x)
    most = 0.49 if code.encoding.whole else 1e-4  # waves of hundreds of numbers are as close as that
    np.testing.assert_array_equal(code.decode(shown + rng.uniform(-most, most, shown.shape).astype("f")), x)


@pytest.mark.parametrize("name", ["fourier:1", "fourier:5", "fourier:10"])
def test_real_numbers_go_there_and_back(name):
    code = Encoder(TRANSFORMS[name], ((-2.0, 3.5), (10.0, 10.0)), whole=False)
    x = columns(np.linspace(-2, 3.5, 101), np.full(101, 10.0))
    np.testing.assert_allclose(code.decode(code.encode(x)), x, atol=5e-6)  # float32 of numbers up to 10


@pytest.mark.parametrize("name", NAMES)
def test_compiled_programs_encode_as_numpy_does(name):
    code, x = encoder(name, (-20, 30), (3, 9)), columns(np.arange(-20, 31), np.resize(np.arange(3, 10), 51))
    shown = jax.jit(code.encode, compiler_options=quick_options())(x)
    np.testing.assert_allclose(shown, code.encode(x), atol=1e-6)  # of sines
    np.testing.assert_array_equal(jax.jit(code.decode, compiler_options=quick_options())(shown), x)


@pytest.mark.parametrize(
    ("name", "ends", "number", "code"),
    [
        ("binary", (0, 15), 5, [0, 1, 0, 1]),
        ("binary", (4, 15), 5, [0, 1, 0, 1]),
        ("binary", (-8, 7), -3, [1, 1, 0, 1]),
        ("digits:3", (0, 8), 7, [0, 0, 1, 0, 1, 0]),
        ("digits:10", (-9, 9), -1, [*[0] * 9, 1] * 2),
        ("onehot", (2, 5), 4, [0, 0, 1, 0]),
        ("thermometer", (2, 5), 4, [1, 1, 0]),
        ("fourier:2", (0, 3), 1, [np.sqrt(0.5), 1, np.sqrt(0.5), 0]),
    ],
)
def test_codes_are_those_of_the_definition(name, ends, number, code):
    shown = encoder(name, ends).encode(columns([number]))
    np.testing.assert_allclose(shown[0, :, 0], code, atol=1e-6)


@pytest.mark.parametrize("name", WHOLE)
def test_numbers_that_have_no_code_are_nan(name):
    code = encoder(name, (0, 7), (0, 7))
    shown = code.encode(columns([-1, 8, 2.5, np.nan, 3], [1, 1, 1, 1, 1]))[..., 0]
    first = code.sizes[0]
    assert np.isnan(shown[:4, :first]).all()
    assert np.isfinite(shown[4]).all() and np.isfinite(shown[:, first:]).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_a_number_is_decoded_as_none(name):
    code = encoder(name, (0, 7), (0, 7))
    shown = code.encode(columns([3], [4]))
    shown[0, 0, 0] = np.nan
    back = code.decode(shown)
    assert np.isnan(back[0, 0, 0]) and back[0, 1, 0] == 4 and back[0, 0, 1] == 3


def test_equal_encoders_share_a_program():
    assert encoder("digits:10", (0, 9)) == encoder("digits:10", (0, 9))
    assert len({encoder("digits:10", (0, 9)), encoder("digits:10", (0.0, 9.0)), encoder("binary", (0, 9))}) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_transform": "binary", "integers": False}, "binary shows whole numbers alone, and arguments are real"),
        ({"input_transform": "onehot", "high": 5000}, r"onehot would show 10,000 numbers .* up to 4,096 .* binary"),
        ({"input_transform": "digits"}, "'digits:' needs the base after the colon, from 2 to 4,096"),
        ({"input_transform": "digits:1"}, "'digits:1' needs the base"),
        ({"input_transform": "digits:07"}, "'digits:07' needs the base"),
        ({"input_transform": "fourier:x"}, "'fourier:x' needs the number of waves"),
        ({"input_transform": "binari"}, "unknown transform 'binari'; did you mean 'binary'"),
        ({"input_transform": "one-hot"}, "did you mean 'onehot'"),
        ({"input_transform": "binary", "threshold": 1.0}, "threshold=1 .* set extrapolation"),
        ({"input_transform": "binary", "finish": 5, "widths": (200,), "high": 500}, "finish=5 .* these have 4001"),
        ({"target_transform": "onehot", "high": 2000}, "onehot would show .* numbers for results"),
    ],
)
def test_what_cannot_be_encoded_is_said(changes, words):
    with pytest.raises(aj.ArithjaxError, match=words):
        aj.Setup(**changes)


def test_a_setup_knows_how_many_numbers_its_net_is_given():
    setup = aj.Setup(input_transform="binary", low=0, high=256)
    assert setup.inputs == 16
    assert setup.replace(extrapolation=(256, 512)).inputs == 18  # so that those numbers have codes, too
    assert setup.replace(input_transform="fourier:4", integers=False).inputs == 16
    assert setup.replace(input_transform="raw").inputs == 2


def test_a_users_encoding_is_one_entry(add):
    add(
        TRANSFORMS,
        aj.Encoding(
            "tens",
            "tens and units",
            lambda column: 2,
            lambda x, column: jnp.stack([x // 10, x % 10], 1),
            lambda y, column: 10 * y[:, 0].round() + y[:, 1].round(),
        ),
    )
    assert aj.Setup(input_transform="tens").inputs == 4
    bad = aj.Encoding("bad", "nothing", lambda column: 1, lambda x, column: x[:, None], lambda y, column: 0 * y[:, 0])
    with pytest.raises(aj.ArithjaxError, match=r"encoding 'bad': decode has to undo encode"):
        TRANSFORMS["bad"] = bad


def test_columns_count_whole_numbers():
    assert (Column(-3, 4, True).size, Column(-3, 4, True).length, Column(-3, 4, False).length) == (8, 8, 7)


# ---- nets

TRAINED = ["binary", "onehot", "thermometer", "digits:10", "fourier:8"]
SMALL = {
    **{"op": "add", "low": -3, "high": 9, "widths": (5,), "activation": "tanh", "learning_rate": 0.01},
    **{"examples": 64, "batch": 32, "steps": 60, "tests": 64},
}


@pytest.fixture(scope="module")
def nets():
    """A small net of each encoding."""
    return {name: aj.fit(aj.Setup(input_transform=name, **SMALL), seeds=2) for name in TRAINED}


def answers(net):
    """All arguments that have a code `[points, 2]`, and the net's answers."""
    x = np.stack(np.meshgrid(np.arange(-3, 9), np.arange(-3, 9)), -1).reshape(-1, 2)
    return x, net(x)


@pytest.mark.parametrize("name", ["onehot", pytest.param("fourier:8", marks=pytest.mark.slow)])
def test_both_engines_train_the_same_net(nets, name):
    from arithjax.training.engines import choice

    with choice.using("compiled"):
        other = aj.fit(nets[name].setup, seeds=2)
    assert (nets[name].row["program"], other.row["program"]) == ("fused", "product*2")
    np.testing.assert_allclose(answers(other)[1], answers(nets[name])[1], rtol=1e-3, atol=1e-3)  # 60 steps of float32


@pytest.mark.optimized
@pytest.mark.parametrize("name", ["fourier:8"])
def test_a_net_is_the_same_in_any_company(nets, name):
    setup, again = nets[name].setup, {"rate": 0.02}
    alone = aj.train([setup], seeds=1)
    beside = aj.train([setup, *(setup.replace(learning_rate=again["rate"] * i) for i in range(1, 9))], seeds=8)
    pd.testing.assert_frame_equal(alone, beside[:1])


@pytest.mark.parametrize("name", TRAINED)
def test_scripts_hold_encodings(nets, name):
    net = nets[name]
    x, own = answers(net)
    for target in [target for target in TARGETS if not lacking(target) and target != "keras"]:
        assert_same(net, module_of(net.export(target))["net"], x)
    module, params = net.flax()
    np.testing.assert_allclose(module.apply({"params": params}, x.astype("f")), own, rtol=2e-4, atol=1e-4)
    assert_same(net, module_of(net.export("numpy"))["net"], x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bounds", [[(-3, 8)], [(-3, 8)] * 4, [(0, 9)] * 6, [(-3, 8), (0, 5), *[(7, 7)] * 4]])
def test_scripts_encode_any_columns(name, bounds):
    code, rng = encoder(name, *bounds), np.random.default_rng(0)
    x = np.stack([rng.integers(low, high + 1, 40) for low, high in bounds], 1).astype("f")
    names = {"np": np, "x": x} | {f.__name__: f for f in (*encoded.showing(code), *encoded.reading(code))}
    if code.encoding.whole:  # what has no code: below and above each range, no whole number, no number
        uncoded = np.float32([-20, 0.5, 20, np.inf, -np.inf, np.nan])
        x[1::3] = np.where(rng.random(x[1::3].shape) < 0.5, rng.choice(uncoded, x[1::3].shape), x[1::3])
    shown = eval(encoded.shown(code, "x"), names)
    np.testing.assert_allclose(shown, code.encode(x[..., None])[..., 0], atol=1e-5)  # of sines
    y = (shown + rng.uniform(-0.3, 0.3, shown.shape) * code.encoding.whole).astype("f")
    back, own = eval(encoded.read(code, "y"), names | {"y": y}), code.decode(y[..., None])[..., 0]
    assert own.shape == (len(x), len(bounds))
    np.testing.assert_array_equal(back, own if len(bounds) > 1 else own[:, 0])


def test_scripts_hold_every_encoding_that_came_with_arithjax():
    schemes = {name.partition(":")[0] for name in NAMES}
    assert schemes == set(codes.ENCODINGS) == set(codes.DECODINGS) == set(encoded.CALLS)


STRANGE = [[9, 0], [0, -4], [0.5, 0], [12, 3], [-5, 3], [3, 1e9], [np.nan, 1], [np.inf, 1], [1, -np.inf]]
"""Pairs of which one number is not among those from -3 to 8."""


@pytest.mark.parametrize("name", TRAINED)
def test_scripts_answer_nan_where_nets_do(nets, name):
    net, x = nets[name], np.array([*STRANGE, [3, 4]], "f")
    own = net(x)
    assert np.isnan(own[:-1]).all() == TRANSFORMS[name].whole and np.isfinite(own[-1])
    for target in [target for target in TARGETS if not lacking(target) and target != "keras"]:
        with jax.numpy_rank_promotion("allow"), np.errstate(invalid="ignore"):  # waves of infinity
            said = module_of(net.export(target))["net"](x)
        np.testing.assert_array_equal(np.isnan(said), np.isnan(own), err_msg=target)


def test_a_script_says_which_numbers_it_takes(nets):
    said = '"""Answers [points] for numbers [points, 2], whole ones from -3 to 8; NaN for others."""'
    assert said in nets["binary"].export("numpy")


def test_numbers_without_a_code_get_no_answer(nets):
    assert np.isnan(nets["binary"]([[9, 0], [-4, 0], [0.5, 0]])).all()
    assert np.isfinite(nets["binary"]([3, 4])) and np.isfinite(nets["fourier:8"]([90.5, 0]))
    row = nets["binary"].row
    assert np.isnan(row["extrapolation_relative_rmse"]) and not row["extrapolation_solved"]


def test_the_extrapolation_range_has_codes_where_it_is_named():
    row = aj.fit(aj.Setup(input_transform="binary", extrapolation=(9, 12), **SMALL), seeds=1).row
    assert np.isfinite(row["extrapolation_relative_rmse"])


@pytest.mark.parametrize("name", ["binary", "digits:10", "fourier:8"])
def test_a_saved_net_answers_the_same(nets, name, tmp_path):
    nets[name].save(tmp_path / "m.net")
    x, own = answers(nets[name])
    np.testing.assert_array_equal(aj.load_net(tmp_path / "m.net")(x), own)


@pytest.mark.optimized
def test_a_saved_net_of_bits_answers_without_jax(nets, tmp_path):
    nets["binary"].save(tmp_path / "m.net")
    run = "import sys; from arithjax.cli.predict import predict; predict('m.net', tuple(sys.argv[1:]), None, False)"
    run += "; assert 'jax' not in sys.modules"

    def said(*numbers):
        return subprocess.run([sys.executable, "-c", run, *numbers], capture_output=True, text=True, cwd=tmp_path)

    done = said("3", "-2")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(float(nets["binary"]([3, -2])), rel=1e-6)
    done = said("9", "2.5")
    assert done.stdout == "nan\n" and "binary has no code for 9, 2.5: the net has no answer" in done.stderr


def test_what_follows_training_takes_encodings(nets):
    net = nets["binary"]
    assert net.formula() is None
    assert np.isfinite(net.curve()["relative_rmse"]).all()
    assert aj.fit(net.setup.replace(fresh=True), seeds=1).row["relative_rmse"] < 1
    finished = aj.fit(net.setup.replace(activation="linear", finish=20), seeds=1)
    assert finished.row["grade"] == "exact" and finished.row["certificate"] == "certified"
    assert net.weights()["1 Dense"]["kernel"].shape == (net.setup.inputs, 5)


def parity(bits, **changes):
    """The parity of a number's bits, from `changes["input_transform"]`."""
    setup = {"op": "parity_of_bits", "low": 0, "high": 2**bits, "activation": "relu", "schedule": "cosine"}
    return aj.Setup(**setup | {"examples": 8 * 2**bits, "learning_rate": 0.01, "tests": 2**bits} | changes)


@pytest.fixture
def parity_of_bits(add):
    bits = "1 where an odd number of bits is"
    add(OPERATIONS, aj.Operation("parity_of_bits", bits, lambda a: jnp.bitwise_count(a.astype(jnp.uint32)) % 2))


@pytest.mark.usefixtures("parity_of_bits")
def test_parity_is_learnt_from_bits_and_not_from_the_number():
    changes = {"batch": 16, "steps": 1500, "widths": (16,)}
    nets = aj.train([parity(4, input_transform=name, **changes) for name in ("binary", "standardize")], seeds=8)
    exact = (nets["grade"] == "exact").groupby(nets["trial"]).mean()
    assert exact[0] > 0.5 and exact[1] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("parity_of_bits")
@pytest.mark.parametrize("name", ["binary", "standardize", "raw"])
def test_parity_of_eight_bits_in_fifty_seeds(name):
    sizes = [(16,), (64,), (16, 16)]
    setups = [parity(8, input_transform=name, batch=64, steps=10_000, widths=widths) for widths in sizes]
    nets = aj.train(setups, seeds=50)
    exact = (nets["grade"] == "exact").groupby(nets["trial"]).mean()
    assert exact.max() > 0.5 if name == "binary" else exact.max() == 0


def test_wide_inputs_are_products_in_the_compiled_engine():
    from arithjax.training.engines import choice

    with choice.using("compiled"):
        assert choice.layout_of(aj.Setup(widths=(8,), input_transform="onehot")).name == "product"
        assert choice.layout_of(aj.Setup(widths=(8,), input_transform="digits:4")).name == "product"
        assert choice.layout_of(aj.Setup(widths=(8,), input_transform="fourier:4")).name == "lanes"
    assert choice.layout_of(aj.Setup(widths=(8,), input_transform="onehot")).name == "fused"
