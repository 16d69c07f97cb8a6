"""Models: the networks that learn.

A model turns a setup into a network of lanes (`arithjax.models.network` states the contract). Our own are Flax modules
whose arrays carry the net as their LAST axis; any ordinary single-net Flax module is mapped over a leading axis
instead. To add one of the latter:

    aj.MODELS["mine"] = aj.FlaxModel("mine", lambda setup: MyLinenModule(...))            # Linen
    aj.MODELS["mine"] = aj.FlaxModel("mine", lambda setup, rngs: MyModule(..., rngs))     # NNX

Arithmetic units (`arithjax.models.units`) are layers: `model=("nau", "nmu")` names one for each.
"""

from __future__ import annotations

from arithjax.models.flax_modules import FlaxModel
from arithjax.models.kan import KAN_MODEL, KANS, derived
from arithjax.models.mlp import MLPModel
from arithjax.models.network import Model
from arithjax.models.stack import UnitModel
from arithjax.models.units import UNITS, VARIANTS
from arithjax.registry import MODELS
from arithjax.setup import Setup

MODELS.fill(
    (MLPModel, UnitModel, FlaxModel),
    [MLPModel(), *UNITS, KAN_MODEL],
    derive=lambda name: VARIANTS.get(name) or derived(name),
    families={name: model.about for name, model in VARIANTS.items()} | KANS,
)


def model_of(setup: Setup) -> Model:
    """The model of a setup; of several stacked units the first one's, since all stack alike."""
    return MODELS[setup.model if isinstance(setup.model, str) else setup.model[0]]


__all__ = ["FlaxModel", "MLPModel", "UnitModel", "model_of"]
