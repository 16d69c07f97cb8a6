"""Encodings: every number of a range goes there and back, by JAX and by NumPy, and nets learn from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arithjax as aj
from arithjax.registry import TRANSFORMS
from arithjax.task.encodings import Column, Encoder, Encoding

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
    shown = jax.jit(code.encode)(x)
    np.testing.assert_allclose(shown, code.encode(x), atol=1e-6)  # of sines
    np.testing.assert_array_equal(jax.jit(code.decode)(shown), x)


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
        ({"target_transform": "binary"}, "only arguments can have"),
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
