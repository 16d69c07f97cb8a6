"""Samplers: how a study chooses its trials' parameters, by name."""

from __future__ import annotations

from collections.abc import Callable

import optuna

ADAPTIVE = 32
"""The smallest number of trials that are asked for at a time when a sampler learns from results."""

FIXED = ("random", "grid", "quasi-random")
"""Samplers whose trials do not depend on results."""

SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=max(2, ADAPTIVE)),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "quasi-random": lambda seed: optuna.samplers.QMCSampler(
        seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
    ),
    "grid": lambda seed: optuna.samplers.RandomSampler(seed=seed),  # never asked: `Search` goes through combinations
}
"""Samplers by name, each a function from a seed to an Optuna sampler."""
