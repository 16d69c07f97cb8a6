"""Models: the networks that learn.

A model turns a setup into a network of lanes. Our own are Flax modules whose arrays carry the net as their LAST axis;
any ordinary single-net Flax module is lifted over a leading axis instead. To add one of the latter:

    aj.MODELS["mine"] = aj.FlaxModel("mine", lambda setup: MyLinenModule(...))            # Linen
    aj.MODELS["mine"] = aj.FlaxModel("mine", lambda setup, rngs: MyModule(..., rngs))     # NNX

A member of `MODELS` also says what a setup needs to know of it before anything is built: whether it is `stackable` (may
be one of several layers), `needs_hidden` (layers, at least one), is `regularizable` (has the units' regulariser and may
alternate between weights and gates), is `countable` (its parameters follow from `widths` alone), and `default_widths`.

Arithmetic units (`arithjax.models.units`) are layers: `model=("nau", "nmu")` names one for each.
"""

from __future__ import annotations

from arithjax.models.flax_modules import FlaxModel
from arithjax.models.mlp import MLP, MLPModel
from arithjax.models.units import UNITS, Stack, UnitModel
from arithjax.registry import MODELS

MODELS.fill((MLPModel, UnitModel, FlaxModel), [MLPModel(), *UNITS])


def layers_of(model: str | tuple[str, ...], layers: int) -> tuple[UnitModel, ...]:
    """The units of a net of so many layers: one for each, or the same for all."""
    return tuple(MODELS[name] for name in ((model,) * layers if isinstance(model, str) else model))


__all__ = ["MLP", "MODELS", "FlaxModel", "MLPModel", "Stack", "UnitModel", "layers_of"]
