"""Where a program runs: a net is the same whatever the user's settings of jax, and these stay as they are."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

import arithjax as aj
from arithjax import environment

SMALL = {"high": 10, "widths": (3,), "examples": 64, "tests": 16, "batch": 16, "steps": 10}
SETUPS = [
    aj.Setup(op="add", precision="float64", finish=3, **SMALL),
    aj.Setup(op="mul", activation="tanh", fresh=True, **SMALL),
    aj.Setup(op="mul", model=("dense", "nmu"), initializer="he_normal", activation="tanh", fresh=True, **SMALL),
]

USERS = {
    **{"JAX_DEFAULT_PRNG_IMPL": "rbg", "JAX_THREEFRY_PARTITIONABLE": "0", "JAX_RANDOM_SEED_OFFSET": "3"},
    **{"JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise", "JAX_ENABLE_X64": "1"},
    **{"JAX_DISABLE_JIT": "1", "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16", "JAX_DEBUG_NANS": "1"},
    **{"JAX_DEBUG_INFS": "1", "JAX_TRANSFER_GUARD": "disallow"},
}

THERE = """
import sys, jax, arithjax as aj
before = dict(jax.config.values)
print(aj.train([aj.Setup(**kept) for kept in eval(sys.argv[1])], seeds=2).to_csv())
changed = {name for name, value in jax.config.values.items() if before[name] != value}
assert not {name for name in changed if "compilation_cache" not in name and "persistent_cache" not in name}, changed
"""


def test_nets_do_not_depend_on_the_users_settings():
    here = aj.train(SETUPS, seeds=2).to_csv()
    words = [sys.executable, "-c", THERE, repr([setup.to_dict() for setup in SETUPS])]
    there = subprocess.run(words, env=os.environ | USERS, capture_output=True, text=True)
    assert there.returncode == 0, there.stderr
    assert there.stdout == f"{here}\n"


def test_settings_hold_in_the_context_alone():
    with jax.numpy_dtype_promotion("strict"), jax.debug_nans(True):
        with environment.arithmetic("float64"):
            assert jnp.asarray(1.0).dtype == "float64"
            assert jnp.isnan(jnp.asarray(0.0) / 0)
            assert (jnp.int32(1) + jnp.float32(1.5)).dtype == "float32"
        with pytest.raises(FloatingPointError):
            jnp.asarray(0.0) / jnp.asarray(0.0)


@pytest.mark.parametrize(
    "changes", [{"low": -0.0}, {"weight_decay": -0.0}, {"regularizer": -0.0}, {"extrapolation": (-0.0, 9.0)}]
)
def test_equal_setups_have_one_identity(changes):
    (name, value) = next(iter(changes.items()))
    plain = aj.Setup(**{name: tuple(v + 0.0 for v in value) if isinstance(value, tuple) else 0.0})
    assert aj.Setup(**changes) == plain
    assert aj.Setup(**changes).identity() == plain.identity()


def test_an_optional_part_is_installed_by_its_packages():
    """Not as `arithjax[cluster]`, which pip would look for in an index that may have none."""
    assert environment.packages("cluster").startswith("'distributed")
    assert "extra" not in environment.packages("bench") and "torch" in environment.packages("bench")
    assert environment.packages("none such") == "'arithjax[none such]'"
