"""Models: the networks that learn.

A model turns a setup into a network of lanes. Our own are Flax modules whose arrays carry the net as their LAST axis;
any ordinary single-net Flax module is lifted over a leading axis instead. To add one of the latter:

    aj.MODELS["mine"] = aj.FlaxModel("mine", lambda setup: MyLinenModule(...))            # Linen
    aj.MODELS["mine"] = aj.FlaxModel("mine", lambda setup, rngs: MyModule(..., rngs))     # NNX
"""

from __future__ import annotations

from arithjax.errors import Registry
from arithjax.models.lifted import FlaxModel
from arithjax.models.mlp import MLP, MLPModel

MODELS = Registry("model", (MLPModel, FlaxModel), [MLPModel()])

__all__ = ["MLP", "MODELS", "FlaxModel", "MLPModel"]
