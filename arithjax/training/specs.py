"""Specs: all that is static in a tile's programs. Changing a field of a spec compiles again; a number never does.

Each stage takes the spec it needs, so that what does not depend on a network's shape compiles once for all
architectures: arguments a `DrawSpec`, transforms and errors a `ViewSpec`, steps a `TrainSpec`, weights and predictions
an `EvalSpec`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from jaxtyping import Array

from arithjax.environment import backend
from arithjax.models import model_of
from arithjax.models.network import FUSED, Layout, Network
from arithjax.registry import DISTRIBUTIONS, LOSSES, OPERATIONS, OPTIMIZERS
from arithjax.setup import Setup
from arithjax.task.distributions import Distribution
from arithjax.task.encodings import Encoder
from arithjax.task.operations import Operation
from arithjax.task.transforms import Transform, rescalings
from arithjax.training.engines.choice import layout_of
from arithjax.training.optimizers import Loss, Optimizer, decay_of

BLOCK = 16
"""Examples that lanes take at a time, at most, where a layer's activations for a whole batch are `LARGE`."""

LARGE = 1024
"""Activations of a layer and a net that do not stay in the cache with all lanes (measured on CPU)."""

PORTION, GATHERED = 256, 4096
"""Most steps of a launch of the accelerators' kernel, and most examples, if there are no more in a net's set."""

SUMMED, SUMMED_NUMBERS = 256, 1 << 15
"""Largest reduction of a matrix product, in examples and in numbers of a layer. XLA's CPU backend splits larger ones
among threads, so that the last bits would depend on the number of cores."""


@dataclass(frozen=True)
class ViewSpec:
    """How numbers are shown to nets: transforms to choose from, or an encoder, which shows a number as several.

    link: of targets, what turns outputs into targets as they are shown, if they are not.
    """

    transforms: tuple[Transform, ...]
    encoder: Encoder | None
    link: Callable[[Array], Array] | None = None


@dataclass(frozen=True)
class DrawSpec:
    """How so many arguments of a net are drawn: by an operation, or, where it has no say in it, just their number."""

    drawn: Operation | int
    integers: bool
    distribution: Distribution
    examples: int


@dataclass(frozen=True)
class DataSpec:
    """The training examples of `nets` nets.

    examples: of each net. inputs, targets: how arguments and results are shown.
    """

    nets: int
    op: Operation
    integers: bool
    distribution: Distribution
    examples: int
    inputs: ViewSpec
    targets: ViewSpec

    @property
    def draws(self) -> DrawSpec:
        """The spec of drawing arguments, which most operations share."""
        decides = self.op.arguments or self.op.conditional or self.op.leaves_out
        return DrawSpec(self.op if decides else self.op.arity, self.integers, self.distribution, self.examples)


@dataclass(frozen=True)
class FreshSpec:
    """Examples drawn anew at each step, with transforms to choose from, or encoders of arguments and targets.

    noise: standard deviation of what is added to targets, in original units.
    """

    op: Operation
    integers: bool
    distribution: Distribution
    transforms: tuple[Transform, ...]
    encoder: Encoder | None
    target_encoder: Encoder | None
    noise: float


@dataclass(frozen=True)
class EvalSpec:
    """A network and how its nets stand in arrays: what initial weights and predictions depend on.

    nets: places of the program; layout: the axis they stand on; inputs: numbers that a net is given; outputs: numbers
    that it answers.
    """

    network: Network
    layout: Layout
    nets: int
    inputs: int
    outputs: int
    precision: str


@dataclass(frozen=True)
class TrainSpec(EvalSpec):
    """A step of training.

    examples, batch: of each net, and of each step.
    blocks: how many classes each result has, for a loss that is shared by them.
    block: examples whose gradients are summed at a time, so that their activations stay in the cache.
    weight_decay, clip, clip_value, penalty, alternate: whether a step has them.
    apart: whether the penalty has a step of its own. watched: whether the losses of batches are kept.
    stops: whether nets may stop before the last step. fresh: how batches are drawn, if they are not rows of examples.
    """

    examples: int
    batch: int
    block: int
    optimizer: Optimizer
    loss: Loss
    blocks: tuple[int, ...]
    weight_decay: bool
    clip: bool
    clip_value: bool
    penalty: bool
    apart: bool
    alternate: bool
    watched: bool
    stops: bool
    fresh: FreshSpec | None

    @property
    def batches(self) -> int:
        """Batches in an epoch; examples that do not fill one wait for the next epoch's order."""
        return max(1, self.examples // self.batch)

    @property
    def portion(self) -> int:
        """Steps of a launch of the accelerators' kernel, whose batches may have to be drawn or gathered before it."""
        return max(1, min(PORTION, max(self.examples, GATHERED) // self.batch))

    @property
    def evaluation(self) -> EvalSpec:
        """The spec of initial weights and predictions."""
        return EvalSpec(self.network, self.layout, self.nets, self.inputs, self.outputs, self.precision)


class Specs(NamedTuple):
    """The specs of one tile."""

    data: DataSpec
    train: TrainSpec

    def with_nets(self, nets: int) -> Specs:
        """The same for another number of nets."""
        return Specs(replace(self.data, nets=nets), replace(self.train, nets=nets))


def specs_of(setup: Setup, nets: int = 1, layout: Layout | None = None) -> Specs:
    """The specs of a setup's tile.

    nets: its places. layout: other than that which the engine's choice gives.
    """
    model, op = model_of(setup), OPERATIONS[setup.op]
    layout, distribution = layout or layout_of(setup), DISTRIBUTIONS[setup.distribution]
    transforms, encoders, loss = rescalings(), (setup.input_encoder, setup.target_encoder), LOSSES[setup.loss]
    train = TrainSpec(
        network=model.network(setup),
        layout=layout,
        nets=nets,
        inputs=setup.inputs,
        outputs=setup.outputs,
        precision=setup.precision,
        examples=setup.example_count,
        batch=setup.batch,
        block=block_of(setup, layout),
        optimizer=OPTIMIZERS[setup.optimizer],
        loss=loss,
        blocks=setup.blocks if loss.shared else (),
        weight_decay=decay_of(setup) > 0,
        clip=setup.clip is not None,
        clip_value=setup.clip_value is not None,
        penalty=setup.regularizer > 0,
        apart=setup.regularizer > 0 and setup.regularizer_apart,
        alternate=setup.alternate,
        watched=setup.restart is not None and setup.restart_by == "batches",
        stops=setup.stop_early,
        fresh=FreshSpec(op, setup.integers, distribution, transforms, *encoders, setup.noise) if setup.fresh else None,
    )
    views = ViewSpec(transforms, encoders[0]), ViewSpec(transforms, encoders[1], loss.link)
    return Specs(DataSpec(nets, op, setup.integers, distribution, setup.example_count, *views), train)


def block_of(setup: Setup, layout: Layout) -> int:
    """Examples of a batch that a program takes at a time.

    A divisor of the batch near the most it should be; or the whole batch: for units, where that is less, on
    accelerators, and where there is no such divisor.
    """
    model = model_of(setup)
    if model.stackable or layout is FUSED or backend() != "cpu":
        return setup.batch
    width = max(setup.widths) if model.dense else 2
    if (encoder := setup.input_encoder) is not None:
        width = max(width, encoder.size)
    width = max(width, setup.outputs)
    if layout.lanes:
        most = BLOCK if setup.batch * width >= LARGE else setup.batch
    else:
        most = min(SUMMED, SUMMED_NUMBERS // width)
    if setup.batch <= most:
        return setup.batch
    return max((size for size in range(max(1, most // 4), most + 1) if setup.batch % size == 0), default=setup.batch)
