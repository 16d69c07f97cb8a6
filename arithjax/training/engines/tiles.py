"""The engine of a tile, and predictions of its nets in original units."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from arithjax.models.network import FUSED, ONCHIP
from arithjax.task.transforms import Fitted
from arithjax.training import inference
from arithjax.training.engines.dense import Dense
from arithjax.training.engines.engine import Engine
from arithjax.training.engines.xla import XLA
from arithjax.training.tile import PerNet, Shared, Tile, per_net_arrays, shared_arrays


def engine_of(tile: Tile) -> Engine:
    """The engine of a tile, named by its layout."""
    layout = tile.specs.train.layout
    if layout is ONCHIP:  # imported where it is used, since it takes a third of a second
        from arithjax.training.engines.onchip import OnChip

        return OnChip()
    return Dense(len(tile.nets)) if layout is FUSED else XLA()


def answer(
    tile: Tile, params: Any, fits: tuple[Fitted, Fitted], x: jax.Array | np.ndarray, shared: Shared, per_net: PerNet
) -> jax.Array:
    """Predictions `[points, *outputs, nets]` of every net for arguments `x [points, arity]`, both in original units."""
    data, spec = tile.specs.data, tile.specs.train
    inputs = inference.transformed(data.inputs, x[None], fits[0], shared.input_transform)
    y = engine_of(tile).predict(spec.evaluation, params, inputs, shared, per_net)
    return inference.original(data.targets, np.asarray(y)[0], fits[1], shared.target_transform)


def answer_of_net(tile: Tile, params: Any, fits: tuple[Fitted, Fitted], x: np.ndarray) -> np.ndarray:
    """Predictions `[points, *outputs]` of one net, in its tile's program.

    params, fits: the net's own arrays, without an axis for the net. x: `[points, arity]`.
    """
    with tile.arithmetic:
        all_params = tile.specs.train.layout.repeat(params, tile.places)
        all_fits = jax.tree.map(lambda f: jax.device_put(np.stack([np.asarray(f)] * tile.places, -1)), fits)
        return np.asarray(answer(tile, all_params, all_fits, x, shared_arrays(tile), per_net_arrays(tile)))[..., 0]
