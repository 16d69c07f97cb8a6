"""What all tests share: programs are kept in a folder of their own (one for both processes of a run), ranks are never
promoted silently, and registries are left as they were found."""

import os
import tempfile
from pathlib import Path

if "PYTEST_XDIST_WORKER" not in os.environ and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="arithjax-programs-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name  # before jax is imported; also for processes that tests start

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")

RESULTS = Path(__file__).parents[1] / "results"
OF_RESULTS = ["test_charts.py", "test_keras.py", "test_readme.py"]
collect_ignore = [] if RESULTS.is_dir() else OF_RESULTS  # a source distribution has no results


@pytest.fixture
def add():
    """`add(registry, member)` enters a member until the test ends."""
    entered = []

    def enter(registry, member):
        assert member.name not in registry
        registry[member.name] = member
        entered.append((registry, member.name))
        return member

    yield enter
    for registry, name in entered:
        del registry[name]
