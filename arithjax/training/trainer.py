"""Trainer: one training of a tile, from its first weights on, segment by segment.

Tables, curves, bench and finishing are loops over it, so that a net comes out the same in all of them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from arithjax.task.points import Task
from arithjax.task.transforms import Fitted
from arithjax.training.engines.tiles import answer, engine_of
from arithjax.training.initial import examples_of, initial_params, no_losses, uniform_params
from arithjax.training.step import segment_of
from arithjax.training.tile import Tile, per_net_arrays, shared_arrays

MOST_ROWS = 1 << 28
"""Numbers of examples that a segment lists, over its steps: a gigabyte."""


class Trainer:
    """The nets of a tile in training.

    tile: the nets. root: the seed of all randomness. longest: steps of the longest segment that `advance_to` is asked
    for, by default that between two evaluations; longer ones are divided.
    """

    def __init__(self, tile: Tile, root: int, longest: int | None = None):
        self.tile, self.step = tile, 0
        longest = longest or int(max(np.diff([0, *tile.setup.evaluation_steps])))
        self.longest = min(longest, max(1, MOST_ROWS // tile.setup.batch))
        with tile.arithmetic:
            self.root, self.shared, self.per_net = jnp.uint32(root), shared_arrays(tile), per_net_arrays(tile)
            self.engine = engine_of(tile)
            self.state = self.engine.initial(tile.specs.train, self.root, self.shared, self.per_net)
            task = Task.of(tile.setup)
            self.examples = examples_of(task, tile.specs.data, self.root, self.shared, self.per_net, tile.setup.noise)
            self.prepared = self.engine.prepared(tile.specs.train, self.examples)

    @property
    def fits(self) -> tuple[Fitted, Fitted]:
        """The fitted input and target transforms."""
        return self.examples.input_fit, self.examples.target_fit

    def advance_to(self, step: int) -> None:
        """Train on until `step` steps are done."""
        spec = self.tile.specs.train
        with self.tile.arithmetic:
            while self.step < step:
                stop = min(step, self.step + self.longest)
                segment = segment_of(spec, self.step, stop, self.longest, self.shared.pace)
                given = self.prepared, segment, self.root, self.shared, self.per_net
                self.state, self.step = self.engine.advance(spec, self.state, *given), stop

    def predict(self, x: Float[np.ndarray, "points arity"]) -> Float[np.ndarray, "points *outputs nets"]:
        """Predictions `[points, *outputs, nets]` for arguments `x [points, arity]`, both in original units."""
        with self.tile.arithmetic:
            given = self.fits, x, self.shared, self.per_net
            return np.asarray(answer(self.tile, self.state.params, *given))

    def freeze(self, nets: Bool[np.ndarray, " nets"]) -> None:
        """Let the chosen `nets`, booleans `[nets]`, stay as they are: at rate 0, whatever their neighbours do."""
        with self.tile.arithmetic:
            rate = jnp.where(jnp.asarray(nets), 0, self.per_net.learning_rate)
            self.per_net = self.per_net._replace(learning_rate=rate)

    def start_again(self, nets: Bool[np.ndarray, " nets"]) -> None:
        """Draw new weights for the chosen `nets`, booleans `[nets]`; the optimiser's state is kept."""
        spec = self.tile.specs.train
        with self.tile.arithmetic:
            if spec.watched:
                purpose = jnp.uint32(1 + self.step)
                fresh = uniform_params(spec.evaluation, self.root, self.per_net.identity, self.state.params, purpose)
            else:
                fresh = initial_params(spec.evaluation, self.root, self.shared, self.per_net, 1 + self.step)
            params = spec.layout.select(jnp.asarray(nets), fresh, self.state.params)
            self.state = self.state._replace(params=params)

    def read_losses(self, steps: int) -> Float[np.ndarray, "2 nets"] | None:
        """Mean loss and mean square of the loss of the latest `steps` batches, `[2, nets]`, which are then forgotten.

        None where batches are not watched.
        """
        if not self.state.losses:
            return None
        sums = np.stack([np.ravel(np.asarray(one, float)) for one in self.state.losses])
        with self.tile.arithmetic:
            self.state = self.state._replace(losses=no_losses(self.tile.specs.train))
        return sums / steps

    def wait(self) -> None:
        """Return when all that was asked for is done."""
        jax.block_until_ready(self.state)
