"""The fused engine: dense nets of any shape trained on a CPU by one compiled kernel, in plain NumPy arrays.

Arrays hold nets in groups, `[groups, ..., nets]`, as `to_vectors` makes them of arrays with the net last; a slice of
the groups is a view, so that several workers can train one state. A group is of as many nets as fill a vector, or of
four nets, with several units of a layer beside each other in a vector; then the parameters have places for units that
are none (`spread`). A net's numbers are the same bits whatever its lane, its group, its neighbours, their number and
the processor.

    shape = Shape((2, 8, 8, 1), ("relu", "relu", "linear"))
    state = State.starting(spread(shape, pack(shape, params), share=1))
    advance(shape, rule, state, examples, segment, nets)
    y = from_vectors(predict(shape, state.params, to_vectors(x)), count)
"""

from __future__ import annotations

import functools
import importlib
import itertools
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from arithjax.architecture import dense_layer
from arithjax.errors import ArithjaxError

FEW_COST = 1.25
"""Time of a vector of few nets in relation to one of many (measured)."""
SPARSE_INPUTS, SPARSE_COLUMNS = 16, 8
"""Inputs of 0 are left out where at most one of so many is not, and the first layer has so many vectors (measured)."""
COMPILING = "arithjax.training.engines.compiling"


@dataclass(frozen=True)
class Shape:
    """A dense net.

    sizes: of its layers, from the inputs to the outputs.
    activations: names, one for each layer after the inputs.
    bias: whether layers have one.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    bias: bool = True

    def parameters(self, share: int = 1) -> int:
        """Weights and biases of one net; with the places of units that fill up vectors of `share` units."""
        return sum((a + self.bias) * _filled(b, share) for a, b in itertools.pairwise(self.sizes))


class Rule(NamedTuple):
    """How nets are trained: names of the optimiser and the loss, and the optimiser's numbers.

    blocks: how many classes each result has, for a loss that they share.
    `decoupled` weight decay is added to the direction; otherwise it is added to the gradient.
    """

    optimizer: str = "adam"
    loss: str = "mse"
    decoupled: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    momentum: float = 0.9
    epsilon: float = 1e-8
    blocks: tuple[int, ...] = ()


class State(NamedTuple):
    """Parameters and the optimiser's two moments, `[vectors, parameters, lanes]`; a lone moment is the first."""

    params: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @classmethod
    def starting(cls, params: np.ndarray) -> State:
        """A state whose moments are zero."""
        return cls(params, aligned(params.shape, params.dtype), aligned(params.shape, params.dtype))


class Examples(NamedTuple):
    """Training examples as nets see them: `x [vectors, examples, inputs, lanes]`, `t [vectors, examples, lanes]`.

    Of several outputs the targets are `[vectors, examples, outputs, lanes]`.
    """

    x: np.ndarray
    t: np.ndarray


class Segment(NamedTuple):
    """Consecutive steps of a training.

    start: how many steps were made before.
    rows: examples of each step's batch, `[steps, batch]`, int32.
    rates: factors on the learning rate, `[steps]`.
    """

    start: int
    rows: np.ndarray
    rates: np.ndarray


@functools.cache
def _compiling() -> ModuleType:
    """The kernel's sources and numba, imported only when nets are trained this way: it takes half a second."""
    return importlib.import_module(COMPILING)


def obstacle() -> str | None:
    """Why the engine cannot run here, or None if it can."""
    try:
        compiling = _compiling()
    except ImportError as error:
        return f"numba cannot be imported ({error})"
    if compiling.vectors.config.DISABLE_JIT:
        return "NUMBA_DISABLE_JIT is set"
    return None if compiling.vectors.FUSES else "the processor has no fused multiply-add"


def available() -> bool:
    """Whether the engine can run here."""
    return obstacle() is None


def warm(dtype: Any = np.float32) -> None:
    """Compile the kernel, or load it if this machine has compiled it before: in a parent, before workers start."""
    for name in ("advance", "predict"):
        _compiling().compiled(name, np.dtype(dtype))


def covers(shape: Shape, rule: Rule) -> bool:
    """Whether the engine has the members that a training names; a user's own under the same name are not known here."""
    members = _compiling().functions
    known = {"linear", *members.ACTIVATIONS}
    losses = {*members.LOSSES, members.SHARED}
    return known.issuperset(shape.activations) and rule.optimizer in members.OPTIMIZERS and rule.loss in losses


# ---- arrays


def lanes(dtype: Any = np.float32) -> int:
    """Nets in a vector of this processor."""
    return _compiling().lanes(np.dtype(dtype))


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that start at a multiple of 64 bytes, so that no vector lies across two cache lines."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    offset = -memory.ctypes.data % 64
    return memory[offset : offset + size].view(dtype).reshape(shape)


def few_share(dtype: Any = np.float32) -> int:
    """Units beside each other in a vector of few nets; 1 where `FEW` nets fill it."""
    return max(1, lanes(dtype) // _compiling().vectors.FEW)


def grouped(shape: Shape, nets: int, dtype: Any) -> list[tuple[slice, int]]:
    """So many nets in groups that train fastest: which of them, and units in a vector.

    Vectors of as many nets as fit; those that are left over with few in a vector, if that is less work.
    """
    width, share = lanes(dtype), few_share(dtype)
    whole, left = nets - nets % width, nets % width
    few = -(-left * share // width) * shape.parameters(share) // share  # vectors of parameters
    if not left or share == 1 or FEW_COST * few > shape.parameters():
        return [(slice(nets), 1)] if nets else []
    return [*([(slice(whole), 1)] if whole else []), (slice(whole, nets), share)]


def to_vectors(array: Any, share: int = 1) -> np.ndarray:
    """`[..., nets]`, float32 or float64, as `[groups, ..., nets]`; places without a net are zero.

    share: units in a vector; a group has as many nets as then fill it.
    """
    array = np.asarray(array)
    width, nets = lanes(array.dtype) // share, array.shape[-1]
    result = aligned((-(-nets // width), *array.shape[:-1], width), array.dtype)
    for vector, of in enumerate(result):
        part = array[..., vector * width : (vector + 1) * width]
        of[..., : part.shape[-1]] = part
    return result


def from_vectors(array: np.ndarray, nets: int) -> np.ndarray:
    """`[groups, ..., nets]` as `[..., nets]`."""
    return np.concatenate(list(array), axis=-1)[..., :nets]


def _filled(units: int, share: int) -> int:
    """Units of a layer with those that fill up its last vector."""
    return -(-units // share) * share


def pack(shape: Shape, params: dict) -> np.ndarray:
    """A Flax tree of dense layers, `Dense_i: kernel [in, out, nets], bias [1, out, nets]`, as `[parameters, nets]`."""
    parts = []
    for i in range(len(shape.activations)):
        layer = params[dense_layer(i)]
        parts += [np.asarray(layer[name]) for name in ("bias", "kernel")[not shape.bias :]]
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def unpack(shape: Shape, flat: np.ndarray) -> dict:
    """`[parameters, nets]` as a Flax tree: the inverse of `pack`."""
    params: dict[str, dict[str, np.ndarray]] = {}
    place = 0
    for i, (inputs, outputs) in enumerate(itertools.pairwise(shape.sizes)):
        layer = params[dense_layer(i)] = {}
        for name, rows in (("bias", 1), ("kernel", inputs))[not shape.bias :]:
            layer[name] = flat[place : place + rows * outputs].reshape(rows, outputs, -1)
            place += rows * outputs
    return params


@functools.cache
def _places(shape: Shape, share: int) -> np.ndarray:
    """Where every parameter stands among those with the places of units that fill up vectors, `[parameters]`."""
    places, start = [], 0
    for inputs, outputs in itertools.pairwise(shape.sizes):
        rows, width = inputs + shape.bias, _filled(outputs, share)
        places.append(start + width * np.arange(rows)[:, None] + np.arange(outputs))
        start += rows * width
    return np.concatenate([part.ravel() for part in places])


def spread(shape: Shape, flat: np.ndarray, share: int) -> np.ndarray:
    """`[parameters, nets]` in groups, `[groups, parameters, nets]`, with the places of units that fill up vectors."""
    if share == 1:
        return to_vectors(flat)
    filled = np.zeros((shape.parameters(share), flat.shape[1]), flat.dtype)
    filled[_places(shape, share)] = flat
    return to_vectors(filled, share)


def collect(shape: Shape, vectors: np.ndarray, nets: int, share: int) -> np.ndarray:
    """The parameters of so many nets, `[parameters, nets]`: the inverse of `spread`."""
    flat = from_vectors(vectors, nets)
    return flat if share == 1 else flat[_places(shape, share)]


def per_net(
    dtype: Any,
    learning_rate: Any,
    weight_decay: Any = 0.0,
    clip: Any = np.inf,
    clip_value: Any = np.inf,
    share: int = 1,
) -> np.ndarray:
    """What differs from net to net, each `[nets]` or one number for all, as `[groups, 4, nets]`.

    A net whose learning rate is 0 is stopped: its parameters stay as they are, and its moments mean nothing any more.
    """
    numbers = np.stack(np.broadcast_arrays(learning_rate, weight_decay, clip, clip_value)).astype(dtype)
    return to_vectors(numbers, share)


# ---- training and using nets


def advance(shape: Shape, rule: Rule, state: State, examples: Examples, segment: Segment, nets: np.ndarray) -> None:
    """Train every net through the steps of a segment; the state changes in place.

    Args:
        shape: of every net.
        rule: of every net.
        state: contiguous arrays of one type, float32 or float64, that can be written.
        examples: of the same type; read-only arrays will do.
        segment: the steps.
        nets: `[groups, 4, nets]` as `per_net` makes it.

    Raises:
        ArithjaxError: when shapes do not fit each other, or a row names no example.
    """
    _check(shape, state, examples, segment, nets)
    dtype, members, share = state.params.dtype, _compiling().functions, _share(state.params)
    *setting, _memory = _setting(shape, share, dtype)
    start, rows, rates = segment
    numbers = np.array([rule.beta1, rule.beta2, rule.momentum, rule.epsilon], dtype)
    betas = np.stack([numbers[:2], 1 - numbers[:2]], axis=1).ravel()
    corrections = np.stack([_corrections(float(beta), start, len(rows)) for beta in numbers[:2]], axis=1)
    used = np.stack([nets[:, 0] > 0, nets[:, 2] < np.inf, nets[:, 3] < np.inf], axis=1).any(-1)
    _compiling().compiled("advance", dtype)(
        *setting,
        [*members.LOSSES, members.SHARED].index(rule.loss),
        list(members.OPTIMIZERS).index(rule.optimizer),
        np.array(rule.blocks, np.int64),
        *state,
        examples.x,
        examples.t.reshape(*examples.t.shape[:2], shape.sizes[-1], -1),
        active_inputs(examples.x, -(-shape.sizes[1] // share)),
        np.ascontiguousarray(rows, np.int32),
        np.asarray(rates, dtype),
        corrections.astype(dtype),
        (*betas, *numbers[2:], dtype.type(1) / dtype.type(rows.shape[1] * (len(rule.blocks) or shape.sizes[-1]))),
        # weight decay where the optimiser takes none; what a net has is that of all its units
        np.tile(np.insert(nets, 1 if rule.decoupled else 2, 0, axis=1), share),
        used,
    )


def active_inputs(x: np.ndarray, columns: int) -> np.ndarray:
    """The inputs of examples `x [groups, examples, inputs, lanes]` that are not 0 in every lane, one at least; then -1.

    `[groups, examples, most]`, int32, in order; of none where leaving out the others gains nothing.
    columns: vectors of the first layer's units.
    """
    dense = np.zeros((*x.shape[:2], 0), np.int32)
    if columns < SPARSE_COLUMNS or x.shape[2] < SPARSE_INPUTS:
        return dense
    used = (x != 0).any(-1)
    used[..., 0] |= ~used.any(-1)
    most = int(used.sum(-1).max(initial=1))
    if most * SPARSE_INPUTS > x.shape[2]:
        return dense
    order = np.argsort(~used, axis=-1, kind="stable")[..., :most].astype(np.int32)
    return np.where(np.take_along_axis(used, order, -1), order, np.int32(-1))


def gradient(
    shape: Shape, loss: str, params: np.ndarray, x: np.ndarray, t: np.ndarray, blocks: tuple[int, ...] = ()
) -> np.ndarray:
    """The gradient of every net's mean loss over its examples, `[vectors, parameters, lanes]`."""
    dtype, examples = params.dtype, x.shape[1]
    state = State.starting(params)._replace(params=params.copy())
    # without momentum, what gradient descent keeps after a step is the gradient of that step
    rule = Rule("sgd", loss, momentum=0.0, blocks=blocks)
    segment = Segment(0, np.arange(examples, dtype=np.int32)[None], np.ones(1))
    ones = np.ones(len(params) * params.shape[-1])
    advance(shape, rule, state, Examples(x, t), segment, per_net(dtype, ones, share=_share(params)))
    return state.first


def predict(shape: Shape, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs of every net at its points `x [vectors, points, inputs, lanes]`: `[vectors, points, lanes]`.

    Several outputs are `[vectors, points, outputs, lanes]`.
    """
    y = hidden(shape, params, x, len(shape.activations))
    return y[:, :, 0] if shape.sizes[-1] == 1 else y


def hidden(shape: Shape, params: np.ndarray, x: np.ndarray, layers: int) -> np.ndarray:
    """Values after the first `layers` layers, at least 1: `[vectors, points, units, lanes]`."""
    part = Shape(shape.sizes[: layers + 1], shape.activations[:layers], shape.bias)
    share = _share(params)
    _fit(params, [(params, shape.parameters(share)), (x, x.shape[1], shape.sizes[0])])
    y = aligned((*x.shape[:2], part.sizes[-1], x.shape[-1]), params.dtype)
    params = np.ascontiguousarray(params[:, : part.parameters(share)])
    *setting, _memory = _setting(part, share, params.dtype)
    _compiling().compiled("predict", params.dtype)(*setting, params, x, y, params.dtype.type(0))
    return y


def _share(params: np.ndarray) -> int:
    """Units in a vector of these parameters, `[groups, parameters, nets]`; 0 where no vector holds such a group."""
    width = lanes(params.dtype)
    return next((share for share in (1, few_share(params.dtype)) if params.shape[-1] * share == width), 0)


def _check(shape: Shape, state: State, examples: Examples, segment: Segment, nets: np.ndarray) -> None:
    """Refuse arrays that do not fit: the kernel reads memory by address, and would read that of others."""
    count, parameters = examples.t.shape[1], shape.parameters(_share(state.params) or 1)
    given: list[tuple] = [(array, parameters) for array in state]
    outputs = shape.sizes[-1:] if shape.sizes[-1] > 1 else ()
    given += [(examples.x, count, shape.sizes[0]), (examples.t, count, *outputs), (nets, 4)]
    _fit(state.params, given)
    rows, rates = segment.rows, segment.rates
    if len(rows) != len(rates) or (rows.size and not 0 <= rows.min() <= rows.max() < count):
        raise ArithjaxError(f"the fused engine needs a rate for each of {len(rows)} steps, and rows below {count}.")


def _fit(params: np.ndarray, given: list[tuple]) -> None:
    """Refuse an array that is not `[groups, ..., nets]`, each given with what should stand for the dots."""
    nets = params.shape[-1] if _share(params) else lanes(params.dtype)
    for array, *expected in given:
        if array.shape != (len(params), *expected, nets):
            wanted = (len(params), *expected, nets)
            raise ArithjaxError(f"the fused engine needs an array of shape {wanted}, not {array.shape}.")


def _setting(shape: Shape, share: int, dtype: np.dtype) -> tuple[Any, ...]:
    """The kernel's first arguments, and then memory that has to be kept while it runs."""
    members = _compiling().functions
    codes = {name: code for code, name in enumerate(members.ACTIVATIONS)} | {"linear": members.LINEAR}
    names = np.array([codes[name] for name in shape.activations])
    table, memory = _compiling().workspace.workspace(shape.sizes, shape.bias, share, dtype.type(1))
    return np.array(shape.sizes), names, shape.bias, table, share, memory


def _corrections(beta: float, start: int, steps: int) -> np.ndarray:
    """1 / (1 - beta^t) for t of `start` + 1 and so on, by products: `**` calls a library that differs by machine."""
    return 1 / (1 - np.multiply.accumulate(np.full(start + steps, beta)))[start:]
