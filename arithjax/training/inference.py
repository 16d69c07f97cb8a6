"""Inference: numbers transformed for every net, predictions, and errors of predictions in original units."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from arithjax.task.examples import results_told
from arithjax.task.transforms import Fitted, Transform
from arithjax.training import grading
from arithjax.training.compiled import compiled
from arithjax.training.specs import EvalSpec, ViewSpec
from arithjax.training.tile import PerNet, Shared, architecture_of


@compiled()
def transformed(
    spec: ViewSpec, x: Float[Array, "blocks points arity"], fit: Fitted, transform: Int[Array, ""]
) -> Float[Array, "blocks points inputs nets"]:
    """Arguments `x [blocks, points, arity]` as each net's transform gives them: `[blocks, points, inputs, nets]`."""

    def of_block(x: Float[Array, "points arity"]) -> Float[Array, "points inputs nets"]:
        if spec.encoder is not None:
            codes = spec.encoder.encode(x[:, :, None])
            return jnp.broadcast_to(codes, (*codes.shape[:2], spec.nets))
        lanes = jnp.broadcast_to(x[:, :, None], (*x.shape, spec.nets))
        return _applied(spec, transform, Transform.forward, lanes, fit)

    return jax.lax.map(of_block, x)


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


@compiled()
def original(
    spec: ViewSpec, y: Float[Array, "blocks points *outputs nets"], fit: Fitted, transform: Int[Array, ""]
) -> Float[Array, "blocks points *results nets"]:
    """Outputs `y [blocks, points, *outputs, nets]` in original units."""
    return jax.lax.map(lambda y: _told(spec, y, fit, transform), y)


@compiled()
def errors(
    spec: ViewSpec,
    y: Float[Array, "blocks points *outputs nets"],
    fit: Fitted,
    blocks: grading.Block,
    transform: Int[Array, ""],
) -> grading.Sums:
    """Errors of outputs `y [blocks, points, *outputs, nets]`, in original units: arrays `[blocks, ..., nets]`."""

    def of_block(block: tuple[Float[Array, "points *outputs nets"], grading.Block]) -> grading.Sums:
        y, points = block
        return grading.sums(_told(spec, y, fit, transform), points)

    return jax.lax.map(of_block, (y, blocks))


@compiled()
def sparsity_error(spec: EvalSpec, params: Any) -> Float[Array, " nets"]:
    """The sparsity error of every net, `[nets]`, of a network with discrete weights."""
    found = spec.network.sparsity_error(params)
    assert found is not None
    return found


def _told(
    spec: ViewSpec, y: Float[Array, " points *outputs"], fit: Fitted, transform: Int[Array, ""]
) -> Float[Array, " points *results"]:
    """Outputs in original units: the loss's link, and then the inverse of the transform or of the encoding."""
    y = y if spec.link is None else spec.link(y)
    if spec.target_encoder is not None:
        return results_told(spec.target_encoder, y)
    return _applied(spec, transform, Transform.inverse, y, fit)


def _applied(
    spec: ViewSpec, transform: Int[Array, ""], method: Any, values: Float[Array, " points *rest"], fit: Fitted
) -> Float[Array, " points *rest"]:
    """The chosen transform's `method`, with a fit that broadcasts against `values [points, ...]`."""
    row = Fitted(fit.shift[None], fit.scale[None])
    branches = [lambda v, row, member=member: method(member, v, row) for member in spec.transforms]
    return jax.lax.switch(transform, branches, values, row)
