"""Random numbers with the lanes last are those of `jax.random`, to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arithjax.environment import arithmetic
from arithjax.task import draws

PRECISIONS = pytest.mark.parametrize("precision", ["float32", "float64"])


def keys():
    return jax.random.split(jax.random.key(7), 3)


def alone(draw):
    """What `draw(key)` gives for every lane."""
    return np.stack([draw(key) for key in keys()], -1)


@PRECISIONS
def test_uniform_numbers_from_any_place_on(precision):
    with arithmetic(precision):
        found = draws.uniform(draws.words_of(keys()), 50, jnp.uint32(100))
        assert np.array_equal(found, alone(lambda key: jax.random.uniform(key, (150,)))[100:])
        assert found.dtype == precision


@PRECISIONS
@pytest.mark.parametrize("low, stop", [(0, 1), (0, 500), (-7, 12), (3, 3), (0, 2**31 - 1), (-(2**31), 2**31 - 1)])
def test_whole_numbers(precision, low, stop):
    with arithmetic(precision):
        ends = (jnp.asarray(end, int) for end in (low, stop))
        found = draws.integers(draws.words_of(keys()), 200, *ends)
        assert np.array_equal(found, alone(lambda key: jax.random.randint(key, (200,), low, stop)))


@PRECISIONS
def test_whole_numbers_each_from_an_interval_of_its_own(precision):
    with arithmetic(precision):
        stops = jnp.arange(1, 201)
        found = draws.integers(draws.words_of(keys()), 200, jnp.zeros_like(stops)[:, None], stops[:, None])
        assert np.array_equal(found, alone(lambda key: jax.random.randint(key, (200,), 0, stops)))


def test_keys_that_are_split():
    first, second = draws.split(draws.words_of(keys()))
    assert np.array_equal(first, alone(lambda key: jax.random.key_data(jax.random.split(key)[0])))
    assert np.array_equal(second, alone(lambda key: jax.random.key_data(jax.random.split(key)[1])))
