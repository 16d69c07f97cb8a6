"""Setups: what is wrong is said in one line that names the parameter, and what is right is plain, stable data."""

import json
import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arithjax import ArithjaxError, Setup
from arithjax.errors import counted, in_full
from arithjax.setup import DEFAULTS
from arithjax.training.tile import NetId, named_tile, per_net_arrays, shared_arrays

BAD = [  # (the parameter named, what was asked)
    ("operation", {"op": "mull"}),
    ("operation", {"op": "times:x"}),
    ("operation", {"op": "times:nan"}),
    ("operation", {"op": "add\nmul"}),
    ("op", {"op": None}),
    ("op", {"op": 3}),
    ("low", {"low": "0"}),
    ("low", {"low": math.nan}),
    ("low", {"low": -math.inf}),
    ("low", {"low": 500, "high": 500}),
    ("low", {"low": 0.2, "high": 0.9}),
    ("low", {"low": np.zeros((3, 3))}),
    ("low", {"op": "div", "low": 0}),
    ("high", {"high": -1}),
    ("high", {"high": [1]}),
    ("high", {"high": 1e300, "integers": False}),
    ("high", {"high": 1e12}),
    ("integers", {"integers": "yes"}),
    ("integers", {"integers": None}),
    ("extrapolation", {"extrapolation": 5}),
    ("extrapolation", {"extrapolation": ()}),
    ("extrapolation", {"extrapolation": (1, 2, 3)}),
    ("extrapolation", {"extrapolation": (9, 2)}),
    ("extrapolation", {"extrapolation": (9, math.inf)}),
    ("extrapolation", {"extrapolation": "12"}),
    ("extrapolation", {"op": "sqrt", "extrapolation": (-9, 9)}),
    ("examples", {"examples": 0}),
    ("examples", {"examples": 2.5}),
    ("fresh", {"fresh": 2}),
    ("tests", {"tests": -1}),
    ("tests", {"tests": "many"}),
    ("input_transform", {"input_transform": "log"}),
    ("input_transform", {"input_transform": "logg"}),
    ("target_transform", {"target_transform": "log"}),
    ("target_transform", {"target_transform": "nope"}),
    ("model", {"model": "mpl"}),
    ("widths", {"widths": ()}),
    ("widths", {"widths": (3, 0)}),
    ("widths", {"widths": "64"}),
    ("widths", {"widths": [3, None]}),
    ("widths", {"widths": 10**400}),
    ("activation", {"activation": "rellu"}),
    ("activation", {"activation": ()}),
    ("activation", {"activation": ("relu", "tanh", "gelu")}),
    ("activation", {"activation": [["relu"]]}),
    ("output_activation", {"output_activation": "softmax"}),
    ("output_activation", {"output_activation": ("relu",)}),
    ("bias", {"bias": 0.5}),
    ("initializer", {"initializer": "zeros"}),
    ("optimizer", {"optimizer": "adma"}),
    ("learning_rate", {"learning_rate": 0}),
    ("learning_rate", {"learning_rate": True}),
    ("learning_rate", {"learning_rate": math.nan}),
    ("learning_rate", {"learning_rate": 1e300}),
    ("beta1", {"beta1": 1}),
    ("beta2", {"beta2": -0.1}),
    ("momentum", {"momentum": 2}),
    ("epsilon", {"epsilon": 0}),
    ("weight_decay", {"weight_decay": -1}),
    ("clip", {"clip": math.inf}),
    ("clip", {"clip": 0}),
    ("schedule", {"schedule": "cosin"}),
    ("end_factor", {"end_factor": 2}),
    ("end_factor", {"end_factor": 0, "schedule": "exponential"}),
    ("warmup", {"warmup": 11, "steps": 10}),
    ("loss", {"loss": "mee"}),
    ("batch", {"batch": 101, "examples": 100}),
    ("batch", {"batch": 10**400, "fresh": True}),
    ("steps", {"steps": 0}),
    ("steps", {"steps": 2**31}),
    ("steps", {"steps": 10**400}),
    ("evaluate_every", {"evaluate_every": 0}),
    ("evaluate_every", {"evaluate_every": 11, "steps": 10}),
    ("stop_early", {"stop_early": []}),
    ("precision", {"precision": "float16"}),
    ("precision", {"precision": 64}),
    ("finish", {"finish": -1}),
    ("finish", {"finish": 0.5}),
    ("finish", {"finish": 5, "widths": 8, "loss": "mae"}),
    ("finish", {"finish": 5, "widths": (64, 64)}),
    ("learning_rat", {"learning_rat": 1}),
]
GOOD = [
    {},
    {"op": "times:7", "low": -3, "high": 1e3, "integers": False, "extrapolation": [5, 6, -7, -6]},
    {"widths": 3, "activation": "square", "learning_rate": np.float32(0.5), "steps": np.int64(7), "clip": 1},
    {"widths": (3, 5), "activation": ["relu", "tanh"], "evaluate_every": 5, "beta1": 0, "bias": np.False_},
    {"batch": 128, "examples": 100, "fresh": True, "schedule": "cosine", "warmup": 10, "end_factor": 0},
]


@pytest.mark.parametrize(("name", "values"), BAD, ids=lambda value: str(value)[:40])
def test_mistakes_are_told_in_one_line_that_names_the_parameter(name, values):
    with pytest.raises(ArithjaxError) as error:
        Setup(**values)
    assert name in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 400


def test_a_misspelt_field_suggests_the_nearest():
    with pytest.raises(ArithjaxError, match="unknown field 'activations' of a setup; did you mean 'activation'"):
        Setup(activations="relu")


def test_numbers_keep_their_digits():
    """In messages, and in the cells of a table, from which the same setup is read."""
    with pytest.raises(ArithjaxError, match="low, high: 16777210, 16777220 has to lie within"):
        Setup(op="square", low=16777210, high=16777220)
    setup = Setup(op="add", extrapolation=(1234567.0, 2345678.25))
    assert setup.row()["extrapolation"] == "1234567,2345678.25"
    assert Setup.from_row(setup.row()) == setup


@pytest.mark.parametrize("number, text", [(7.0, "7"), (1e-7, "1e-07"), (0.1 + 0.2, repr(0.1 + 0.2)), (1e20, "1e+20")])
def test_a_number_in_full(number, text):
    assert in_full(number) == text and float(text) == number


def test_one_of_a_thing_has_no_plural():
    assert [counted(number, "net") for number in (0, 1, 2000)] == ["0 nets", "1 net", "2,000 nets"]


@pytest.mark.parametrize("values", GOOD, ids=str)
def test_a_setup_is_plain_data(values):
    setup = Setup(**values)
    again = Setup(**json.loads(json.dumps(setup.to_dict())))
    assert again == setup and hash(again) == hash(setup)
    assert again.identity() == setup.identity()
    assert list(setup.row()) == Setup.field_names() == list(DEFAULTS)
    assert not any(isinstance(cell, list | tuple) for cell in setup.row().values())


def test_identities_are_stable():
    assert Setup().identity() == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    setup = Setup(op="add", widths=(3, 5, 3), activation="relu", learning_rate=0.01, extrapolation=(500, 600))
    assert setup.identity() == "7760e4669bb04ede449b42b04007d1f41e2749e9ec6f30c5f4aec2fef9169862"


def test_other_setups_have_other_identities():
    changes = [{"steps": n} for n in range(1, 50)] + [{"learning_rate": 0.1 / n} for n in range(1, 50)] + GOOD
    assert len({Setup(**values).identity() for values in changes}) == len(changes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"low": 0, "widths": [64, 64]}, {"low": -0.0}),
        ({"op": "add", "steps": 5.0}, {"op": "add", "steps": np.int32(5)}),
        ({"activation": ("gelu", "gelu")}, {"activation": "gelu"}),
        ({"activation": ["relu"], "widths": 5}, {"activation": "relu", "widths": (5,)}),
    ],
    ids=str,
)
def test_equal_questions_are_equal_setups(one, other):
    assert Setup(**one) == Setup(**other)
    assert Setup(**one).identity() == Setup(**other).identity()


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [(10, None, [*range(1, 11)]), (25, 10, [10, 20, 25]), (20, 10, [10, 20]), (7, 7, [7]), (3, None, [1, 2, 3])],
)
def test_evaluation_steps(steps, every, expected):
    assert Setup(steps=steps, evaluate_every=every).evaluation_steps == expected


def test_ranges():
    assert Setup(low=-1.5, high=2.5).bounds == (-1, 2)
    assert Setup(low=-1.5, high=2.5, integers=False).bounds == (-1.5, 2.5)
    assert Setup(low=2, high=5).extrapolation_intervals == [(5, 8)]
    assert Setup(extrapolation=(-6, -2, 2, 6)).extrapolation_intervals == [(-6, -2), (2, 6)]


NAMES = [
    "add",
    "div",
    "sqrt",
    "times:3",
    "log",
    "log1p",
    "raw",
    "mlp",
    "relu",
    "square",
    "adam",
    "cosine",
    "mae",
    "mul",
]
NUMBERS = st.one_of(
    st.integers(-5, 2000),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**31, 2**24 + 1]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([1e300, -1e300, 1e39, 1e-300]),
    st.floats(-2, 2),
    st.integers(0, 100).map(np.int64),
    st.floats(width=32).map(np.float32),
    st.booleans(),
    st.booleans().map(np.bool_),
)
SCALARS = st.one_of(NUMBERS, st.none(), st.text(max_size=8), st.sampled_from(NAMES), st.binary(max_size=3))
JUNK = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple))
FIELDS = st.dictionaries(st.sampled_from(Setup.field_names()), NUMBERS | JUNK, min_size=1, max_size=3)


@settings(deadline=None, derandomize=True, max_examples=500, database=None)
@given(FIELDS)
def test_junk_is_refused_or_fits_a_program(values):
    try:
        setup = Setup(**values)
    except ArithjaxError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert Setup(**setup.to_dict()) == setup
    assert len(setup.identity()) == 64
    tile = named_tile("lanes", NetId(0, 0, setup))
    arrays = jax.tree.leaves((shared_arrays(tile), per_net_arrays(tile)._replace(clip=None, clip_value=None)))
    assert all(np.isfinite(array).all() for array in arrays)
