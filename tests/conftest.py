"""What all tests share: programs are kept in a folder of their own, ranks are never promoted silently, and registries
are left as they were found."""

import os
import tempfile

_cache = tempfile.TemporaryDirectory(prefix="arithjax-programs-")
os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name  # before jax is imported; also for processes that tests start

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")


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
