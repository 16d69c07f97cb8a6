"""What every measured way of training is given, and how it is timed."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from arithjax.architecture import count_parameters
from arithjax.models.mlp import layer_activations
from arithjax.setup import Setup
from arithjax.task.examples import order


@dataclass
class Runner:
    """A way of training that is ready to be measured.

    run: `run(calls)` trains on for so many calls and returns when the device is done.
    nets, steps: what one call trains: `steps` optimiser steps of each of `nets` nets.
    calls: calls in one repetition. compile_seconds: seconds that the first call took longer than the second.
    """

    run: Callable[[int], Any]
    nets: int = 1
    steps: int = 1
    calls: int = 1
    compile_seconds: float = 0.0

    def seconds(self) -> float:
        """Seconds of one repetition."""
        started = time.perf_counter()
        self.run(self.calls)
        return time.perf_counter() - started

    def rate(self) -> float:
        """Model-steps per second in one repetition."""
        return self.calls * self.steps * self.nets / self.seconds()

    def calibrate(self, target: float) -> None:
        """Compile, and set the number of calls so that a repetition takes about `target` seconds."""
        first, took = self.seconds(), self.seconds()
        self.compile_seconds = max(first - took, 0.0)
        while took < target / 2:
            self.calls *= max(2, min(20, int(target / took)))
            took = self.seconds()
        self.calls = max(1, round(self.calls * target / took))


def sizes_of(setup: Setup) -> tuple[int, ...]:
    """The layer sizes of a net with two inputs, from the inputs to the output."""
    return (2, *(setup.widths or ()), 1)


def layers_of(setup: Setup) -> list[tuple[int, int, str]]:
    """Inputs, features and activation of every layer of a net with two inputs."""
    sizes = sizes_of(setup)
    return list(zip(sizes, sizes[1:], layer_activations(setup), strict=False))


@functools.partial(jax.jit, static_argnums=(0, 1))
def examples_of(setup: Setup, nets: int) -> tuple[jax.Array, jax.Array]:
    """`x [nets, examples, 2]` and their products `t [nets, examples]`, float32, raw or standardised."""
    shape = nets, setup.example_count, 2
    if setup.integers:
        x = jax.random.randint(jax.random.key(0), shape, int(setup.low), int(setup.high)).astype(jnp.float32)
    else:
        x = jax.random.uniform(jax.random.key(0), shape, jnp.float32, setup.low, setup.high)
    t = x[..., 0] * x[..., 1]
    return (x, t) if setup.input_transform == "raw" else ((x - x.mean()) / x.std(), (t - t.mean()) / t.std())


def in_numpy(setup: Setup, nets: int) -> list[np.ndarray]:
    """`examples_of` as arrays that may be written to."""
    return [np.array(array) for array in examples_of(setup, nets)]


def orders_of(setup: Setup, steps: int) -> Iterator[np.ndarray]:
    """Endless blocks of rows `[steps, batch]`, reshuffled in each epoch; examples that fill no block are left out."""
    batches = setup.example_count // setup.batch
    for epoch in itertools.count():
        rows = order(setup.example_count, epoch)[: batches * setup.batch].reshape(batches, setup.batch)
        yield from (rows[start : start + steps] for start in range(0, batches - steps + 1, steps))


def flops(setup: Setup) -> int:
    """Floating-point operations of a model-step: a multiplication and an addition, forward and twice backward."""
    return 6 * setup.batch * count_parameters(sizes_of(setup))
