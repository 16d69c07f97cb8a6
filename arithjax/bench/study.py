"""A whole mixed study from a cold start: arithjax beside the usual way, which compiles a program for each setup."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console

from arithjax.bench.fresh import measure, measure_from_start
from arithjax.bench.runner import layers_of
from arithjax.bench.stages import watched
from arithjax.environment import devices_and_workers
from arithjax.registry import ACTIVATIONS, OPERATIONS, OPTIMIZERS, SCHEDULES, TRANSFORMS
from arithjax.setup import Setup
from arithjax.studies.files import find_study
from arithjax.studies.runner import asked_nets, run
from arithjax.task.transforms import Fitted
from arithjax.training import compiled
from arithjax.training.tile import NetId

STUDY = "multiplication"


def compare_study(trials: int = 256, seeds: int = 8, steps: int = 2000, sample: int = 16) -> dict:
    """Wall seconds of a study with an empty and a full cache, and of the usual way, printed and returned.

    Each is measured in a process of its own, without imports: arithjax from asking to the finished table, and the usual
    way, one `jit(vmap over seeds)` of a setup's Flax model with optax, compile included. `stages` of both runs of
    arithjax are the seconds of its stages, summed over threads; those of `import` come before the clock starts.

    trials, seeds, steps: the size of the study. sample: setups that the usual way trains, chosen at random; their time
    is scaled to all.
    """
    console, size = Console(), (trials, seeds, steps)
    chosen = sorted(np.random.default_rng(0).choice(trials, min(sample, trials), replace=False).tolist())
    with tempfile.TemporaryDirectory(prefix="arithjax-bench-") as folder, console.status("") as status:
        status.update(f"{trials} setups x {seeds} seeds x {steps} steps from an empty cache")
        cold = _with_imports(measure_from_start(ours, Path(folder), *size))
        status.update("the same again, with the programs of the first time")
        warm = _with_imports(measure_from_start(ours, Path(folder), *size))
        status.update(f"{len(chosen)} of the setups, each in a jit(vmap over seeds)")
        alone = measure(usual, None, *size, chosen)
    scaled = sum(alone) / len(chosen) * trials
    for name, done in (("cold", cold), ("warm", warm)):
        console.print(
            f"arithjax, {name} cache: {done['seconds']:,.1f} s, {done['programs']} programs; compiling is "
            f"{done['compile_share']:.0%} of the wall time of {done['workers']} workers"
        )
        spent = ", ".join(f"{stage} {seconds:,.1f}" for stage, seconds in done["stages"].items())
        console.print(f"  seconds, summed over threads: {spent}")
    console.print(
        f"jit(vmap over seeds) for each setup: {scaled:,.0f} s, from setups {', '.join(map(str, chosen))} "
        f"({sum(alone):,.1f} s)"
    )
    console.print(f"arithjax is {scaled / cold['seconds']:.1f} times faster, compiling included")
    return {
        **{"study": STUDY, "trials": trials, "seeds": seeds, "steps": steps, "cold": cold, "warm": warm},
        **{"sample": chosen, "sample_seconds": alone, "usual_seconds": scaled, "ratio": scaled / cold["seconds"]},
    }


def _with_imports(measured: tuple[float, dict]) -> dict:
    """What `ours` gives, with the seconds that imports took as the first stage."""
    imported, found = measured
    return found | {"stages": {"import": imported} | found["stages"]}


def nets_of(trials: int, seeds: int, steps: int) -> list[NetId]:
    """The nets of the study `multiplication` at another size."""
    return list(itertools.chain(*asked_nets(find_study(STUDY), trials, seeds, steps)))


def ours(trials: int, seeds: int, steps: int) -> dict:
    """Seconds, programs, compiling and stages of the study as arithjax runs it."""
    study, workers = find_study(STUDY), devices_and_workers()[1]
    with tempfile.TemporaryDirectory(prefix="arithjax-bench-") as folder, watched() as stages:
        started = time.perf_counter()
        assert len(run(study, folder, trials, seeds, steps)) == trials * seeds
        seconds, compiling = time.perf_counter() - started, compiled.statistics.seconds
    return {
        "stages": stages,
        "seconds": seconds,
        "programs": compiled.statistics.programs,
        "compile_seconds": compiling,
        "compile_share": compiling / (workers * seconds),
        "workers": workers,
    }


def usual(trials: int, seeds: int, steps: int, sample: Sequence[int]) -> list[float]:
    """Wall seconds of each setup of the sample, trained by an ordinary program.

    trials, seeds, steps: the size of the study. sample: the numbers of its trials to train.
    """
    setups, seconds = {net.trial: net.setup for net in nets_of(trials, seeds, steps)}, []
    for trial in sample:
        started = time.perf_counter()
        np.asarray(one_program(setups[trial], seeds))
        seconds.append(time.perf_counter() - started)
    return seconds


def one_program(setup: Setup, seeds: int) -> jax.Array:
    """Relative RMSE `[seeds]` of a setup: data, weights, training and test in one `jit(vmap over seeds)`."""
    op, rule = OPERATIONS[setup.op], _rule(setup)
    layers = [(nn.Dense(features), ACTIVATIONS[name].fn) for _, features, name in layers_of(setup)]
    model = nn.Sequential(list(itertools.chain(*layers)))

    def predict(params: Any, x: jax.Array) -> jax.Array:
        y: Any = model.apply(params, x)
        return y[:, 0]

    def train(seed: jax.Array) -> jax.Array:
        init_key, data_key, order_key, test_key = jax.random.split(jax.random.key(seed), 4)
        low, high = (int(end) for end in setup.bounds)
        examples = jax.random.randint(data_key, (setup.example_count, op.arity), low, high + 1).astype(jnp.float32)
        x, input_fit = _transformed(setup.input_transform, examples)
        t, target_fit = _transformed(setup.target_transform, op(examples))
        params = model.init(init_key, x[:1])

        def step(carry: tuple, key: jax.Array) -> tuple:
            params, state = carry
            rows = jax.random.randint(key, (setup.batch,), 0, setup.example_count)
            gradient = jax.grad(lambda p: jnp.mean((predict(p, x[rows]) - t[rows]) ** 2))(params)
            updates, state = rule.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), None

        (params, _), _ = jax.lax.scan(step, (params, rule.init(params)), jax.random.split(order_key, setup.steps))
        tests = jax.random.randint(test_key, (setup.tests, op.arity), low, high + 1).astype(jnp.float32)
        y = predict(params, TRANSFORMS[setup.input_transform].forward(tests, input_fit))
        error = TRANSFORMS[setup.target_transform].inverse(y, target_fit) - op(tests)
        return jnp.sqrt(jnp.mean(error**2)) / op(tests).std()

    return jax.jit(jax.vmap(train))(jnp.arange(seeds))


def _rule(setup: Setup) -> optax.GradientTransformation:
    """The optimiser of a setup with its learning-rate schedule, as an ordinary optax chain."""
    optimizer, schedule = OPTIMIZERS[setup.optimizer], SCHEDULES[setup.schedule]
    numbers = optimizer.numbers()

    def rate(count: jax.Array) -> jax.Array:
        return -setup.learning_rate * schedule.factor(count / setup.steps, schedule.end_factor)

    return optax.chain(optimizer.rule(numbers), optax.scale_by_schedule(rate))


def _transformed(name: str, data: jax.Array) -> tuple[jax.Array, Fitted]:
    """Data under a transform that is fitted to it, and the fit."""
    transform = TRANSFORMS[name]
    fitted = transform.fit(transform.warp(data))
    fitted = Fitted(fitted.shift[None], fitted.scale[None])
    return transform.forward(data, fitted), fitted
