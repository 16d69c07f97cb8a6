"""The contracts that all models meet: what a network can be asked, and where nets stand in arrays.

A **model** is a registry's member; it makes the network of a setup. A **network** is a function of parameters, written
for lanes: every array carries the net as its last axis. `Network` has a default for all that most networks do not
have, so that whoever needs to know something of a network calls it, and nobody asks what kind it is.

To add a family of networks: subclass `Network`, write `initial` and `predict`, and a model that returns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from arithjax.canonical import DEFAULT_WIDTHS
from arithjax.models.initializers import Scaling
from arithjax.setup import Setup

Params = Any
"""A tree of arrays: the trainable numbers of one net, or of all nets of a program."""

Expression = Any
"""An expression of sympy, which takes its time to load and is imported where it is used."""


class Architecture(NamedTuple):
    """What a network is given besides its parameters.

    widths: `[layers + 1, lanes]`, from the inputs to the output; initial weights are drawn for them.
    branch: 0, as an array; what is computed behind it rounds alike in every program (`arithjax.models.branches`).
    scaling: variance and distribution of the initial weights, scalars.
    """

    widths: Int[Array, "sizes lanes"]
    branch: Int[Array, ""]
    scaling: Scaling


class PlainLayer(NamedTuple):
    """A layer of one net, for whoever reads it or writes it down elsewhere.

    kind: `Dense`, or the class of an arithmetic unit, such as `NMU`.
    arrays: its parameters by name; of a dense layer `kernel [inputs, outputs]` and, if it has one, `bias [outputs]`.
    activation: the name of what is applied to its outputs.
    """

    kind: str
    arrays: dict[str, np.ndarray]
    activation: str = "linear"


def without_one(y: Float[Array, "batch outputs *lanes"]) -> Float[Array, " batch *rest"]:
    """Outputs of a last layer as predictions: those of one output without an axis for it."""
    return y[:, 0] if y.shape[1] == 1 else y


class Network:
    """A network, lanes last. Shapes below have `lanes` nets; parameters are as `initial` makes them."""

    features: tuple[int, ...]
    """Units of each layer, the output last; empty where nothing is known of the layers."""
    flops: ClassVar[int] = 6
    """Floating-point operations of a training step for each weight and example: forward, and twice backward."""
    branchless: bool = False
    """Whether nothing is computed behind a branch."""

    @property
    def penalised_below(self) -> float:
        """The loss below which a net's regulariser counts."""
        return float("inf")

    def initial(self, key: Key[Array, ""], inputs: int, architecture: Architecture) -> Params:
        """Initial parameters of one net, in one lane, drawn from its own key."""
        raise NotImplementedError

    def predict(
        self,
        params: Params,
        x: Float[Array, "batch inputs lanes"],
        architecture: Architecture,
        noise: Callable | None = None,
    ) -> Float[Array, "batch *outputs lanes"]:
        """Predictions `[batch, lanes]` for transformed inputs `x [batch, inputs, lanes]`.

        Those of several outputs are `[batch, outputs, lanes]`; a net of one has no axis for it, here and wherever
        predictions and targets go.

        noise: given in training only; `noise(layer, shape)` makes uniform numbers `[*shape, lanes]`.
        """
        raise NotImplementedError

    def kernels(self, inputs: int) -> list[tuple[int, int]] | None:
        """Shapes of the kernels that are all that `initial` draws, if it does so as `arithjax.models.mlp` does."""
        return None

    def of_kernels(self, kernels: list[np.ndarray]) -> Params:
        """Initial parameters, lanes last, with these kernels, each `[inputs, outputs, lanes]`."""
        raise NotImplementedError

    def resize(self, params: Params, inputs: int, features: tuple[int, ...]) -> Params:
        """Parameters, lanes last, for layers of other sizes: cut off, or filled up with zeros."""
        return params

    def parameters(self, inputs: int, widths: tuple[int, ...]) -> int | None:
        """The number of parameters of a net with these hidden widths; None where only drawing tells."""
        return None

    def hidden(
        self, params: Params, x: Float[Array, "points inputs lanes"], architecture: Architecture
    ) -> list[Float[Array, "points units lanes"]]:
        """Outputs of the hidden layers, `[points, units, lanes]` each; empty where there are none to look at."""
        return []

    def formula(self, params: Params, x: list[Expression], widths: tuple[int, ...]) -> Expression | None:
        """What one net computes of the expressions `x`; None where there is no short formula."""
        return None

    def plain(self, params: Params, inputs: int, widths: tuple[int, ...]) -> list[PlainLayer] | None:
        """The layers of one net of these hidden widths; None where nothing is known of them."""
        return None

    def linen(self, params: Params, inputs: int, widths: tuple[int, ...]) -> tuple[nn.Module, Params]:
        """One net as an ordinary Linen module between the transforms, and its parameters.

        The module maps `[batch, inputs]` to `[batch]` or, with several outputs, to `[batch, outputs]`.

        Raises:
            ArithjaxError: where there is no such module.
        """
        raise NotImplementedError

    def constrain(self, params: Params) -> Params:
        """Parameters after an optimiser's step; this very object where nothing is constrained."""
        return params

    def penalty(self, params: Params) -> Float[Array, "*lanes"]:
        """The regulariser of each net, `[lanes]`; a scalar 0 where no parameter has one."""
        raise NotImplementedError

    def sparsity_error(self, params: Params) -> Float[Array, " lanes"] | None:
        """The largest distance of a weight from -1, 0 and 1, `[lanes]`; None where no weight has to be discrete."""
        return None


@dataclass(frozen=True)
class Layout:
    """Where the net stands in the arrays of a training state: their last axis (lanes), or their first (under `vmap`).

    name: as the column `program` of a table records it.
    """

    name: str
    lanes: bool

    def map(self, function: Callable) -> Callable:
        """`function(state, *others)` for all nets, where `function` is written for lanes.

        The state has this layout; all other arguments have the net last. Under `vmap` each net is one lane.
        """
        if self.lanes:
            return function

        def one_lane_each(argument: Any) -> Any:
            return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0)[..., None], argument)

        return lambda state, *others: jax.vmap(function)(state, *map(one_lane_each, others))

    def per_net(self, values: Float[Array, " lanes"]) -> Float[Array, "1 1 lanes"] | Float[Array, ""]:
        """`values [lanes]`, within `map`, so that they broadcast against parameters."""
        return values[None, None, :] if self.lanes else values[0]

    def net_axes(self, leaf: Array) -> tuple[int, ...]:
        """Within `map`: the axes of a parameter that belong to one net."""
        return tuple(range(leaf.ndim - 1)) if self.lanes else tuple(range(leaf.ndim))

    def take(self, tree: Any, net: int) -> Any:
        """One net's arrays, in one lane, as views where they are numpy's."""
        return jax.tree.map(lambda leaf: leaf[..., net : net + 1] if self.lanes else leaf[net], tree)

    def from_lanes(self, tree: Any) -> Any:
        """Arrays with the net last, in this layout."""
        return jax.tree.map(lambda leaf: leaf if self.lanes else np.moveaxis(leaf, -1, 0)[..., None], tree)

    def extract(self, tree: Any, net: int) -> Any:
        """One net's arrays, without an axis for the net."""
        return jax.tree.map(lambda leaf: np.take(np.asarray(leaf), net, -1 if self.lanes else 0), tree)

    def repeat(self, tree: Any, nets: int) -> Any:
        """So many copies of one net's arrays, as `extract` gives them, in this layout."""
        return jax.tree.map(lambda leaf: np.stack([np.asarray(leaf)] * nets, -1 if self.lanes else 0), tree)

    def select(self, chosen: Bool[Array, " nets"], new: Any, old: Any) -> Any:
        """`new` for the chosen nets, `chosen [nets]`, and `old` for the others."""

        def where(new: Float[Array, "*shape"], old: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
            shape = [1] * new.ndim
            shape[-1 if self.lanes else 0] = len(chosen)
            return jnp.where(chosen.reshape(shape), new, old)

        return jax.tree.map(where, new, old)


class Model:
    """A member of `MODELS`: it makes the network of a setup. Setups are checked by these attributes.

    stackable: may be one of several layers.
    dense: its layers are all dense.
    needs_hidden: has at least one hidden layer.
    regularizable: has the units' regulariser, and may alternate between weights and gates.
    countable: its parameters follow from the widths alone.
    default_widths: of hidden layers.
    """

    stackable: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    needs_hidden: ClassVar[bool] = False
    regularizable: ClassVar[bool] = False
    countable: ClassVar[bool] = True
    default_widths: ClassVar[tuple[int, ...]] = DEFAULT_WIDTHS

    def layout(self, setup: Setup) -> Layout:
        """Where the nets of a setup stand in arrays."""
        raise NotImplementedError

    def network(self, setup: Setup) -> Network:
        """The network of a setup."""
        raise NotImplementedError


LANES = Layout("lanes", lanes=True)
"""Multiply-sums over all nets of a program at once."""
PRODUCT = Layout("product", lanes=False)
"""Matrix products, a net at a time."""
LIFTED = Layout("lifted", lanes=False)
"""A user's own module, a net at a time."""
FUSED = Layout("fused", lanes=True)
"""Dense nets in the CPU's own kernel."""
ONCHIP = Layout("onchip", lanes=True)
"""Narrow dense nets in the accelerators' own kernel."""
LAYOUTS = {layout.name: layout for layout in (LANES, PRODUCT, LIFTED, FUSED, ONCHIP)}
