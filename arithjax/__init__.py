"""Which small neural networks learn arithmetic, why the others do not, and how to build one that does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The public face: name -> where it lives. It is imported when it is first used, so that loading a table starts no jax.
_WHERE = {
    "Setup": "arithjax.setup",
    "Study": "arithjax.study",
    "run": "arithjax.study:run_study",
    "train": "arithjax.population:train_setups",
    "summarise": "arithjax.results",
    "load": "arithjax.results",
    "fit": "arithjax.net:fit_setup",
    "load_net": "arithjax.net",
    "Operation": "arithjax.operations",
    "OPERATIONS": "arithjax.operations",
    "Transform": "arithjax.transforms",
    "TRANSFORMS": "arithjax.transforms",
    "Activation": "arithjax.models.activations",
    "ACTIVATIONS": "arithjax.models.activations",
    "Initializer": "arithjax.models.initializers",
    "INITIALIZERS": "arithjax.models.initializers",
    "FlaxModel": "arithjax.models",
    "UnitModel": "arithjax.models",
    "MODELS": "arithjax.models",
    "Optimizer": "arithjax.optimization",
    "OPTIMIZERS": "arithjax.optimization",
    "ArithjaxError": "arithjax.errors",
}

__all__ = list(_WHERE)

if TYPE_CHECKING:
    from arithjax.errors import ArithjaxError
    from arithjax.models import MODELS, FlaxModel, UnitModel
    from arithjax.models.activations import ACTIVATIONS, Activation
    from arithjax.models.initializers import INITIALIZERS, Initializer
    from arithjax.net import fit_setup as fit
    from arithjax.net import load_net
    from arithjax.operations import OPERATIONS, Operation
    from arithjax.optimization import OPTIMIZERS, Optimizer
    from arithjax.population import train_setups as train
    from arithjax.results import load, summarise
    from arithjax.setup import Setup
    from arithjax.study import Study
    from arithjax.study import run_study as run
    from arithjax.transforms import TRANSFORMS, Transform


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'arithjax' has no attribute '{name}'")
    module, _, attribute = _WHERE[name].partition(":")
    value = getattr(importlib.import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
