"""A trained net as an ordinary Linen module between its transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from arithjax.task.encodings import Encoder
from arithjax.task.examples import results_told
from arithjax.task.transforms import Fitted, Transform

Numbers = float | tuple[float, ...]


class Answering(nn.Module):
    """A net that takes and answers numbers in original units: `[points, arity] -> [points]`, or `[points, results]`.

    net: the net between its transforms. input_transform, target_transform: these, or encoders.
    input_fit, target_fit: shift and scale of each, `[arity]` and one number, or `[results]` of several.
    link: what turns the net's outputs into targets as they are shown, if they are not.
    """

    net: nn.Module
    input_transform: Transform | Encoder
    target_transform: Transform | Encoder
    input_fit: tuple[Numbers, Numbers]
    target_fit: tuple[Numbers, Numbers]
    link: Callable[[Array], Array] | None = None

    def __call__(self, x: Float[Array, "points arity"]) -> Float[Array, " points *results"]:
        """Answers in original units."""
        net: Any = self.net
        x = jnp.asarray(x)
        y: Array = net(self._shown(x))
        y = y if self.link is None else self.link(y)
        if isinstance(self.target_transform, Encoder):
            return results_told(self.target_transform, y[..., None])[..., 0]
        return self.target_transform.inverse(y, _fitted(self.target_fit, y))

    def _shown(self, x: Float[Array, "points arity"]) -> Float[Array, "points inputs"]:
        if isinstance(self.input_transform, Encoder):
            return self.input_transform.encode(x[:, :, None])[:, :, 0]
        return self.input_transform.forward(x, _fitted(self.input_fit, x))


def _fitted(numbers: tuple[Numbers, Numbers], like: Array) -> Fitted:
    """Shift and scale that broadcast against an array."""
    shape = (1,) * (like.ndim - 1) + (-1,)
    shift, scale = (jnp.asarray(value, like.dtype).reshape(shape) for value in numbers)
    return Fitted(shift, scale)


def answering(
    net: nn.Module,
    params: Any,
    transforms: tuple[Transform | Encoder, Transform | Encoder],
    fits: tuple[Fitted, Fitted],
    link: Callable[[Array], Array] | None = None,
) -> tuple[Answering, Any]:
    """A net between its transforms, with its parameters.

    net, params: the net between them. transforms, fits: of its input and its target. link: as in `Answering`.
    """
    input_fit, target_fit = ((_plain(fit.shift), _plain(fit.scale)) for fit in fits)
    return Answering(net, *transforms, input_fit, target_fit, link), {"net": params}


def _plain(value: Any) -> Numbers:
    listed = np.asarray(value).tolist()
    return tuple(listed) if isinstance(listed, list) else listed
