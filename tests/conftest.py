"""What all tests share: ranks are never promoted silently, and registries are left as they were found."""

import jax
import pytest

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
