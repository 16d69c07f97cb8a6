"""Inference: numbers shown to every net, predictions, and errors of predictions in original units.

Programs are called for a block of rows and of lanes at a time (`arithjax.training.blocks`).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from arithjax.environment import backend
from arithjax.task import examples
from arithjax.task.encodings import Encoder
from arithjax.task.examples import results_told
from arithjax.task.transforms import Fitted, Transform
from arithjax.training import grading
from arithjax.training.blocks import at_hand, by_lanes, by_rows, joined
from arithjax.training.compiled import compiled
from arithjax.training.specs import EvalSpec, ViewSpec
from arithjax.training.tile import VECTOR, PerNet, Shared, architecture_of

ENCODED = 1 << 16
"""The most numbers that a row's worth of arguments is shown as, times the rows of a block, in each lane."""


def shown(
    view: ViewSpec, values: Float[Array | np.ndarray, "examples *columns nets"], transform: Int[Array, ""]
) -> tuple[Float[Array, "examples *shown nets"], Fitted]:
    """What nets train on as they see it, the transform fitted on every net's own examples; and the fit.

    The fit of what is encoded is that of numbers as they are; nothing reads it. Codes of one number of one result have
    no axis for it.
    """
    values = at_hand(values)
    if view.encoder is None:
        found: tuple[Array, Fitted] = by_lanes(fitted, view.transforms, values, transform)
        return found
    one = np.zeros(values.shape[1:], values.dtype)
    codes = at_hand(_encoded(view.encoder, values if values.ndim > 2 else values[:, None]))
    single = values.ndim == 2 and codes.shape[1] == 1
    return jax.device_put(codes[:, 0] if single else codes), Fitted(jax.device_put(one), jax.device_put(one + 1))


def transformed(
    view: ViewSpec, x: Float[Array | np.ndarray, "blocks points arity"], fit: Fitted, transform: Int[Array, ""]
) -> Float[Array, "blocks points inputs nets"]:
    """Arguments `x [blocks, points, arity]` as each net's transform gives them: `[blocks, points, inputs, nets]`."""
    rows, nets = np.asarray(x).reshape(-1, x.shape[-1]), fit.shift.shape[-1]
    if view.encoder is None:
        given = view.transforms, fit
        found = at_hand(by_rows(lambda block: by_lanes(forward, *given, block, transform), grading.BLOCK, rows))
    else:
        codes = at_hand(_encoded(view.encoder, np.repeat(rows[:, :, None], VECTOR, -1)))
        found = codes.__array_namespace__().broadcast_to(codes[:, :, :1], (*codes.shape[:2], nets))
    return jax.device_put(found.reshape(*x.shape[:2], *found.shape[1:]))


def _encoded(
    encoder: Encoder, values: Float[Array | np.ndarray, "rows columns nets"]
) -> Float[Array, "rows codes nets"]:
    """Numbers of every net as an encoder shows them."""
    rows = max(1, min(grading.BLOCK, ENCODED // encoder.size))
    return by_rows(lambda block: by_lanes(encoded, encoder, block), rows, values)


@compiled()
def fitted(
    transforms: tuple[Transform, ...], values: Float[Array, " examples *columns"], transform: Int[Array, ""]
) -> tuple[Float[Array, " examples *columns"], Fitted]:
    """Columns as a transform shows them that is fitted on each of them, and the fit."""
    return examples.fitted(transforms, transform, values)


@compiled()
def forward(
    transforms: tuple[Transform, ...], fit: Fitted, x: Float[Array, "rows arity"], transform: Int[Array, ""]
) -> Float[Array, "rows arity lanes"]:
    """The same arguments as every net's transform shows them, with a known fit."""
    lanes = jnp.broadcast_to(x[:, :, None], (*x.shape, fit.shift.shape[-1]))
    return _applied(transforms, transform, Transform.forward, lanes, fit)


@compiled()
def encoded(encoder: Encoder, values: Float[Array, "rows columns lanes"]) -> Float[Array, "rows codes lanes"]:
    """Numbers as an encoder shows them."""
    return encoder.encode(values)


@compiled()
def predict(
    spec: EvalSpec, params: Any, inputs: Float[Array, "blocks points inputs nets"], shared: Shared, per_net: PerNet
) -> Float[Array, "blocks points *outputs nets"]:
    """Outputs `[blocks, points, ..., nets]` of every net for transformed `inputs [blocks, points, inputs, nets]`."""

    def of_nets(
        params: Any, inputs: tuple[Float[Array, "points inputs lanes"]], per_net: PerNet
    ) -> Float[Array, "points *outputs lanes"]:
        return spec.network.predict(params, *inputs, architecture_of(shared, per_net))

    def of_block(inputs: Float[Array, "points inputs nets"]) -> Float[Array, "points *outputs nets"]:
        outputs = spec.layout.map(of_nets)(params, (inputs,), per_net)
        return outputs if spec.layout.lanes else jnp.moveaxis(outputs[..., 0], 0, -1)

    return jax.lax.map(of_block, inputs)


def original(
    view: ViewSpec, y: Float[Array | np.ndarray, "points *outputs nets"], fit: Fitted, transform: Int[Array, ""]
) -> Float[Array, "points *results nets"]:
    """Outputs `y [points, *outputs, nets]` in original units."""
    return by_rows(lambda block: by_lanes(told, view, (block, fit), transform), grading.BLOCK, y)


@compiled()
def told(
    view: ViewSpec, y_fit: tuple[Float[Array, "points *outputs lanes"], Fitted], transform: Int[Array, ""]
) -> Float[Array, "points *results lanes"]:
    """Outputs in original units."""
    return _told(view, *y_fit, transform)


def errors(
    view: ViewSpec,
    y: Float[Array | np.ndarray, "blocks points *outputs nets"],
    fit: Fitted,
    blocks: grading.Block,
    transform: Int[Array, ""],
) -> grading.Sums:
    """Errors of outputs `y [blocks, points, *outputs, nets]`, in original units: arrays `[blocks, ..., nets]`."""
    truth = blocks._replace(x=blocks.x[..., :0])  # arguments play no part
    size = len(y) if backend() != "cpu" else 1
    parts = [jax.tree.map(lambda a, i=i: a[i : i + size], (at_hand(y), truth)) for i in range(0, len(y), size)]
    return joined([by_lanes(sums, view, (block, fit), points, transform) for block, points in parts], 0)


@compiled()
def sums(
    view: ViewSpec,
    y_fit: tuple[Float[Array, "blocks points *outputs lanes"], Fitted],
    blocks: grading.Block,
    transform: Int[Array, ""],
) -> grading.Sums:
    """Errors of outputs, in original units: arrays `[blocks, ..., lanes]`."""
    y, fit = y_fit

    def of_block(block: tuple[Float[Array, "points *outputs lanes"], grading.Block]) -> grading.Sums:
        return grading.sums(_told(view, block[0], fit, transform), block[1])

    return jax.lax.map(of_block, (y, blocks))


@compiled()
def sparsity_error(spec: EvalSpec, params: Any) -> Float[Array, " nets"]:
    """The sparsity error of every net, `[nets]`, of a network with discrete weights."""
    found = spec.network.sparsity_error(params)
    assert found is not None
    return found


def _told(
    view: ViewSpec, y: Float[Array, " points *outputs"], fit: Fitted, transform: Int[Array, ""]
) -> Float[Array, " points *results"]:
    """Outputs in original units: the loss's link, and then the inverse of the transform or of the encoding."""
    y = y if view.link is None else view.link(y)
    if view.encoder is not None:
        return results_told(view.encoder, y)
    return _applied(view.transforms, transform, Transform.inverse, y, fit)


def _applied(
    transforms: tuple[Transform, ...],
    transform: Int[Array, ""],
    method: Any,
    values: Float[Array, " points *rest"],
    fit: Fitted,
) -> Float[Array, " points *rest"]:
    """The chosen transform's `method`, with a fit that broadcasts against `values [points, ...]`."""
    row = Fitted(fit.shift[None], fit.scale[None])
    branches = [lambda v, row, member=member: method(member, v, row) for member in transforms]
    return jax.lax.switch(transform, branches, values, row)
