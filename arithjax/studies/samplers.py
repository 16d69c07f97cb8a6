"""Samplers: how a study chooses its trials, by name, and how many it asks for at a time."""

from __future__ import annotations

from collections.abc import Callable

import optuna

ADAPTIVE = 32
"""Trials asked at a time, at least, when a sampler learns from results; later a sixteenth of those there are."""

SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=max(2, ADAPTIVE)),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "quasi-random": lambda seed: optuna.samplers.QMCSampler(
        seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
    ),
    "grid": lambda seed: optuna.samplers.RandomSampler(seed=seed),  # never asked: every combination has its turn
}
"""Samplers by name, each made from a seed."""
