"""Which small neural networks learn arithmetic, why the others do not, and how to build one that does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The public face: name -> where it lives. It is imported when it is first used, so that loading a table starts no jax.
_WHERE = {
    "Setup": "arithjax.setup",
    "Study": "arithjax.studies.study",
    "run": "arithjax.studies.runner",
    "train": "arithjax.training.workers:train_setups",
    "summarise": "arithjax.tables.statistics",
    "load": "arithjax.tables.loading",
    "fit": "arithjax.net:fit_setup",
    "load_net": "arithjax.net",
    "Operation": "arithjax.task.operations",
    "OPERATIONS": "arithjax.registry",
    "Transform": "arithjax.task.transforms",
    "TRANSFORMS": "arithjax.registry",
    "Activation": "arithjax.models.activations",
    "ACTIVATIONS": "arithjax.registry",
    "Initializer": "arithjax.models.initializers",
    "INITIALIZERS": "arithjax.registry",
    "FlaxModel": "arithjax.models",
    "UnitModel": "arithjax.models",
    "MODELS": "arithjax.registry",
    "Optimizer": "arithjax.training.optimizers",
    "OPTIMIZERS": "arithjax.registry",
    "ArithjaxError": "arithjax.errors",
}

__all__ = list(_WHERE)

if TYPE_CHECKING:
    from arithjax.errors import ArithjaxError
    from arithjax.models import FlaxModel, UnitModel
    from arithjax.models.activations import Activation
    from arithjax.models.initializers import Initializer
    from arithjax.net import fit_setup as fit
    from arithjax.net import load_net
    from arithjax.registry import ACTIVATIONS, INITIALIZERS, MODELS, OPERATIONS, OPTIMIZERS, TRANSFORMS
    from arithjax.setup import Setup
    from arithjax.studies.runner import run
    from arithjax.studies.study import Study
    from arithjax.tables.loading import load
    from arithjax.tables.statistics import summarise
    from arithjax.task.operations import Operation
    from arithjax.task.transforms import Transform
    from arithjax.training.optimizers import Optimizer
    from arithjax.training.workers import train_setups as train


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'arithjax' has no attribute '{name}'")
    module, _, attribute = _WHERE[name].partition(":")
    value = getattr(importlib.import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
