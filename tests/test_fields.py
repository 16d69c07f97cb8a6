"""Fields: what each says of itself is true, and coercion, limits, options and cells follow from it."""

import math

import numpy as np
import pandas as pd
import pytest

from arithjax import ArithjaxError, Setup
from arithjax.fields import Field, Limits, OneOf
from arithjax.registry import REGISTRIES
from arithjax.setup import DEFAULTS, FIELDS
from arithjax.training.optimizers import Numbers
from arithjax.training.planning import plan
from arithjax.training.tile import NetId

pytestmark = pytest.mark.usefixtures("compiled_engine")

KINDS = {
    "name": str,
    "names": (str, tuple),
    "bool": bool,
    "whole": int,
    "count": (int, str),
    "number": float,
    "wholes": tuple,
    "numbers": tuple,
}
OTHER = {
    **{"op": "add", "low": 1.0, "high": 400.0, "integers": False, "extrapolation": (500.0, 600.0), "examples": 640},
    **{"fresh": True, "tests": 32, "input_transform": "scale", "target_transform": "scale", "distribution": "normal"},
    **{"model": "nau", "widths": (3,), "activation": "relu", "output_activation": "relu", "bias": False},
    **{"initializer": "he_normal", "optimizer": "sgd", "learning_rate": 0.1, "beta1": 0.5, "beta2": 0.5},
    **{"momentum": 0.5, "epsilon": 0.1, "weight_decay": 0.2, "clip": 2.0, "clip_value": 2.0, "regularizer": 0.2},
    **{"regularizer_start": 5, "regularizer_end": 50, "regularizer_ramp": "decades", "alternate": True},
    **{"regularizer_apart": True, "restart_by": "batches", "selection": "last"},
    **{"restart": 0.1, "schedule": "cosine", "end_factor": 0.5, "warmup": 3, "loss": "mae", "batch": 32, "steps": 200},
    **{"until": 50, "evaluate_every": 5, "stop_early": True, "threshold": 0.1, "precision": "float64", "finish": 3},
    **{"split": 0.5, "balanced": True, "noise": 0.5, "holdout": 0.25, "content": "0123456789abcdef"},
}
"""Another value of every field."""

SMALL = {
    **{"widths": (4,), "examples": 128, "batch": 64, "steps": 100, "regularizer_end": 90},
    **{"weight_decay": 0.1, "clip": 1.0, "clip_value": 1.0},
}
FEW_RESULTS = {"op": "min", "high": 100.0}
OF_DATA = ("holdout", "content")
"""Fields that only setups of data sets have: `test_datasets.py`."""
DENSE = {"model": "mlp", **SMALL}
UNITS = {"model": "nmu", **SMALL, "regularizer": 0.1}


def scope(base, name):
    """What has to agree between nets of one tile, as the plan of two setups that differ in a field shows."""
    one = Setup(**base, **FEW_RESULTS if name == "balanced" else {}, integers=name != "distribution")
    tiles = plan([NetId(0, 0, one), NetId(1, 0, one.replace(**{name: OTHER[name]}))], workers=1)
    return "net" if len(tiles) == 1 else "tile" if tiles[0].specs == tiles[1].specs else "static"


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in OF_DATA])
def test_the_scope_of_a_field_is_that_of_the_plan(name):
    assert scope(UNITS, name) == FIELDS[name].scope
    if name not in ("regularizer", "regularizer_apart", "alternate"):  # of units alone
        assert scope(DENSE, name) == FIELDS[name].scope


@pytest.mark.parametrize(("name", "field"), FIELDS.items())
def test_values_are_of_their_kind(name, field):
    assert isinstance(field.coerce(name, OTHER[name]), KINDS[field.kind])
    default = getattr(Setup(), name)
    assert (default is None and field.optional) or isinstance(default, KINDS[field.kind])
    assert field.optional == (field.default is None) and DEFAULTS[name] == field.default
    assert field.help and "\n" not in field.help
    assert field.kind in ("name", "names") or field.registry is None
    assert field.registry is None or field.registry in REGISTRIES.values()


def test_the_numbers_of_an_optimisers_rule_are_fields():
    assert tuple(name for name, field in FIELDS.items() if field.usual is not None) == Numbers._fields


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "words"),
    [
        (Limits(1), [1, 5, 2.9e38], [0, -1, 3e38, math.nan, math.inf], "at least 1"),
        (Limits(0, above=True), [1e-37, 5], [0, -0.0, -1], "greater than 0"),
        (Limits(0, 1, below=True), [0, 0.999], [1, -0.1], "at least 0 and below 1"),
        (Limits(0, 1, above=True), [1, 0.5], [0, 1.1], "above 0 and at most 1"),
        (Limits(1, "steps"), [1, 10_000], [0, 10_001], "between 1 and steps=10000"),
        (Limits("warmup"), [0, 7], [-1], "at least warmup=0"),
    ],
    ids=str,
)
def test_limits_are_checked_as_they_read(limits, inside, outside, words):
    assert all(limits.allow(value, Setup()) for value in inside)
    assert not any(limits.allow(value, Setup()) for value in outside)
    assert limits.words(Setup()) == words


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (Field(1, "whole", "tile", "", allowed=Limits(1)), 0, "x=0 is not allowed; it has to be at least 1."),
        (Field(None, "wholes", "tile", "", allowed=Limits(1, 9)), (3, 10), "x=3,10 .* every one .* between 1 and 9."),
        (Field("a", "name", "tile", "", allowed=OneOf(("a", "b"))), "c", "x='c' is not allowed; it has to be a or b."),
        (Field(0.0, "number", "net", "", allowed=Limits(0)), 1e-39, "x=1e-39 is not allowed; it is 0 in float32"),
    ],
)
def test_what_is_not_allowed_names_field_value_and_limits(field, value, message):
    with pytest.raises(ArithjaxError, match=message):
        field.check("x", field.coerce("x", value), Setup())


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in OF_DATA])
def test_a_table_row_gives_the_setup_back(name):
    base = {"model": "nmu"} if name in ("regularizer", "regularizer_apart", "alternate") else {}
    base |= {"regularizer_end": 9, "integers": name != "distribution", "batch": 32, "widths": (4,)}
    base |= FEW_RESULTS if name == "balanced" else {}
    setup = Setup(**(base | {name: OTHER[name]}))
    assert Setup.from_row(setup.row()) == setup
    assert Setup.from_row(pd.DataFrame([setup.row(), Setup().row()]).iloc[0]) == setup


def test_an_empty_cell_is_none_and_none_is_not_always_allowed():
    row = Setup(clip=1.0, extrapolation=(500, 600)).row()
    for empty in (None, math.nan, np.float64("nan"), pd.NA):
        assert Setup.from_row(row | {"clip": empty, "extrapolation": empty}) == Setup()
        with pytest.raises(ArithjaxError, match="steps=None is not allowed; it has to be a whole number"):
            Setup.from_row(row | {"steps": empty})
