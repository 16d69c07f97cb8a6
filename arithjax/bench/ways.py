"""Ways of training nets, each as it is usually written, ready to be measured.

Every way trains the same architecture with Adam on the same number of examples, which differ from net to net and are
reshuffled in each epoch. The nets of a way other than arithjax share one shuffled order, which is faster for it. To add
a way, write a function `(setup, nets) -> Runner` and a row of `WAYS`:

    Way("my way", my_way, (64, 1024), needs="my_package")
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from arithjax.bench.runner import Runner, examples_of, flops, in_numpy, layers_of, orders_of
from arithjax.environment import cores, devices_and_workers
from arithjax.registry import ACTIVATIONS
from arithjax.setup import Setup
from arithjax.training.engines import choice
from arithjax.training.planning import plan
from arithjax.training.tile import NetId, Tile
from arithjax.training.trainer import Trainer

SEGMENT = 1000
"""Steps in one segment of arithjax's training: those between two evaluations of the default setup."""

ACCELERATED, FEWEST = 3 * 10**11, 20
"""Floating-point operations in one call on an accelerator, as far as a segment goes, and the fewest steps of one.

There every number of steps is a program of its own.
"""


class Way(NamedTuple):
    """A way of training nets.

    name: its name in the table.
    prepare: makes the runner of a setup and a number of nets; compiling happens in the runner's first call.
    populations: numbers of nets to try; the fastest is reported, and a quick table takes the middle one.
    needs: the package of the `bench` extra that it imports. python: the oldest Python that this package supports.
    slow: whether it is measured on the net of the question only.
    """

    name: str
    prepare: Callable[[Setup, int], Runner]
    populations: tuple[int, ...] = (1,)
    needs: str | None = None
    python: tuple[int, int] = (3, 11)
    slow: bool = True


def train_arithjax(setup: Setup, nets: int) -> Runner:
    """arithjax: a tile of up to `nets` nets on every core or accelerator, trained as for a table."""
    devices, workers = devices_and_workers()
    tiles = plan([NetId(0, seed, setup) for seed in range(workers * nets)], workers)[:workers]
    total, longest = sum(tile.places for tile in tiles), _steps(SEGMENT, setup, tiles[0].places)
    advances = [_advance_of(tile, devices[i % len(devices)], longest) for i, tile in enumerate(tiles)]
    threads, steps = ThreadPoolExecutor(workers), _steps(1, setup, tiles[0].places)
    return Runner(lambda calls: list(threads.map(lambda advance: advance(calls * steps), advances)), total, steps)


def _steps(on_cpu: int, setup: Setup, nets: int) -> int:
    """Steps in one call: so many on a CPU, and as many as `ACCELERATED` says elsewhere."""
    if jax.default_backend() == "cpu":
        return on_cpu
    return min(SEGMENT, max(FEWEST, ACCELERATED // (nets * flops(setup))))


def train_compiled(setup: Setup, nets: int) -> Runner:
    """Arithjax with its compiled engine for dense nets, too."""
    with choice.using("compiled"):
        return train_arithjax(setup, nets)


def _advance_of(tile: Tile, device: jax.Device, longest: int) -> Callable[[int], None]:
    """`advance(steps)` for a tile: it trains so many further steps on the device, at most `longest` at a time."""
    with jax.default_device(device):
        trainer = Trainer(tile, 0, longest=longest)

    def advance(steps: int) -> None:
        with jax.default_device(device):
            trainer.advance_to(trainer.step + steps)
            trainer.wait()

    return advance


def jit_vmap(setup: Setup, nets: int) -> Runner:
    """The usual advice: an ordinary Flax net under `vmap`, scanned over steps and jitted, with default options."""
    one, step = _ordinary(setup)
    # all nets begin with the same weights, which takes as long as different ones
    state = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], nets, 0), one)
    return _scanned(lambda state, x, t, rows: jax.vmap(step)(state, x[:, rows], t[:, rows]), state, setup, nets)


def jit_scan(setup: Setup, nets: int) -> Runner:
    """One ordinary Flax net, scanned over steps and jitted."""
    state, step = _ordinary(setup)
    return _scanned(lambda state, x, t, rows: step(state, x[0, rows], t[0, rows]), state, setup, 1)


def jit_loop(setup: Setup, nets: int) -> Runner:
    """One ordinary Flax net, a Python loop over a jitted step."""
    state, step = _ordinary(setup)
    data = examples_of(setup, 1)
    train = jax.jit(lambda state, x, t, rows: step(state, x[0, rows], t[0, rows]))
    return _looped(lambda state, rows: train(state, *data, rows[0]), state, setup, 1, 1)


def _ordinary(setup: Setup) -> tuple[tuple, Callable]:
    """The state of an ordinary Flax net, and `step(state, x [batch, 2], t [batch]) -> state`."""
    model = OrdinaryNMU() if setup.model == "nmu" else _flax_mlp(setup)
    optimizer = optax.adam(setup.learning_rate, eps=setup.epsilon)
    params = model.init(jax.random.key(0), jnp.zeros((1, 2)))

    def loss(params: Any, x: jax.Array, t: jax.Array) -> jax.Array:
        predicted: Any = model.apply(params, x)
        return jnp.mean((predicted[:, 0] - t) ** 2)

    def step(state: tuple, x: jax.Array, t: jax.Array) -> tuple:
        params, moments = state
        gradient = jax.grad(loss)(params, x, t)
        updates, moments = optimizer.update(gradient, moments)
        params = optax.apply_updates(params, updates)
        return (jax.tree.map(lambda w: jnp.clip(w, 0, 1), params) if setup.model == "nmu" else params), moments

    return (params, optimizer.init(params)), step


def _flax_mlp(setup: Setup) -> nn.Module:
    layers = [(nn.Dense(features), ACTIVATIONS[name].fn) for _, features, name in layers_of(setup)]
    return nn.Sequential(list(itertools.chain(*layers)))


class OrdinaryNMU(nn.Module):
    """An NMU as one would write it in Flax (Madsen & Johansen 2020)."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`x [batch, in]` -> `[batch, 1]`."""
        w = self.param("W", lambda key: jax.random.uniform(key, (x.shape[1], 1), minval=0.25, maxval=0.75))
        return jnp.prod(w[None] * x[:, :, None] + 1 - w[None], axis=1)


def _scanned(step: Callable, state: Any, setup: Setup, nets: int) -> Runner:
    """`step(state, x, t, rows) -> state` under `scan`, with so many steps a call that its overhead is negligible."""
    longest = setup.example_count // setup.batch
    steps = min(longest, _steps(max(1, 10**8 // (nets * flops(setup))), setup, nets))
    data = examples_of(setup, nets)

    @functools.partial(jax.jit, donate_argnums=0)
    def train(state: Any, x: jax.Array, t: jax.Array, rows: jax.Array) -> Any:
        return jax.lax.scan(lambda state, rows: (step(state, x, t, rows), None), state, rows)[0]

    return _looped(lambda state, rows: train(state, *data, rows), state, setup, nets, steps)


def _looped(train: Callable, state: Any, setup: Setup, nets: int, steps: int) -> Runner:
    """`train(state, rows [steps, batch]) -> state` again and again, on rows that are reshuffled in each epoch."""
    orders = orders_of(setup, steps)

    def run(calls: int) -> None:
        nonlocal state
        for _ in range(calls):
            state = train(state, next(orders))
        jax.block_until_ready(state)

    return Runner(run, nets, steps)


def block_masks(setup: Setup, nets: int) -> Runner:
    """All nets as one wide MLP, whose weights are masked to a block for each (ParallelMLPs, Farias et al. 2022)."""
    layers = layers_of(setup)
    one, _ = _ordinary(setup)
    kernels = [one[0]["params"][f"layers_{2 * i}"]["kernel"] for i in range(len(layers))]
    masks = [jnp.kron(jnp.eye(nets), jnp.ones_like(kernel)) for kernel in kernels]
    # all nets begin with the same weights, which takes as long as different ones
    params = [
        (jnp.tile(k, (nets, nets)) * mask, jnp.zeros(mask.shape[1])) for k, mask in zip(kernels, masks, strict=True)
    ]
    optimizer = optax.adam(setup.learning_rate, eps=setup.epsilon)

    def loss(params: list, x: jax.Array, t: jax.Array) -> jax.Array:
        h = jnp.moveaxis(x, 0, 1).reshape(x.shape[1], -1)
        for (kernel, bias), mask, (_, _, name) in zip(params, masks, layers, strict=True):
            h = ACTIVATIONS[name].fn(h @ (kernel * mask) + bias[None])
        return jnp.mean((h - t.T) ** 2, axis=0).sum()

    def step(state: tuple, x: jax.Array, t: jax.Array, rows: jax.Array) -> tuple:
        params, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(params, x[:, rows], t[:, rows]), moments)
        return optax.apply_updates(params, updates), moments

    return _scanned(step, (params, optimizer.init(params)), setup, nets)


def turbanet_swarm(setup: Setup, nets: int) -> Runner:
    """A swarm of TurbaNet, which vmaps a Flax train state, a step at a time."""
    from turbanet import TurbaTrainState, mse

    optimizer = optax.adam(setup.learning_rate, eps=setup.epsilon)
    swarm = TurbaTrainState.swarm(_flax_mlp(setup), optimizer, nets, jnp.zeros((1, 2)))
    x, t = examples_of(setup, nets)
    return _looped(lambda swarm, rows: swarm.train(x[:, rows[0]], t[:, rows[0], None], mse)[0], swarm, setup, nets, 1)


def torch_eager(setup: Setup, nets: int) -> Runner:
    """A PyTorch net and the loop of every tutorial."""
    import torch

    model = _torch_mlp(setup)
    optimizer = torch.optim.Adam(model.parameters(), setup.learning_rate, eps=setup.epsilon or 1e-8)
    x, t = (torch.from_numpy(a[0]) for a in in_numpy(setup, 1))

    def train(_: None, rows: np.ndarray) -> None:
        batch = torch.from_numpy(rows[0])
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x[batch])[:, 0], t[batch]).backward()
        optimizer.step()

    return _threaded(_looped(train, None, setup, 1, 1))


def torch_vmap(setup: Setup, nets: int) -> Runner:
    """An ensemble as PyTorch documents it: `functional_call` under `vmap` of `grad`, with foreach Adam."""
    import torch

    model = _torch_mlp(setup)
    params, _ = torch.func.stack_module_state([_torch_mlp(setup) for _ in range(nets)])
    optimizer = torch.optim.Adam(params.values(), setup.learning_rate, eps=setup.epsilon or 1e-8, foreach=True)
    x, t = (torch.from_numpy(a) for a in in_numpy(setup, nets))

    def loss(params: dict, x: Any, t: Any) -> Any:
        return torch.nn.functional.mse_loss(torch.func.functional_call(model, params, (x,))[:, 0], t)

    gradients = torch.func.vmap(torch.func.grad(loss))

    def train(_: None, rows: np.ndarray) -> None:
        batch = torch.from_numpy(rows[0])
        for name, gradient in gradients(params, x[:, batch], t[:, batch]).items():
            params[name].grad = gradient
        optimizer.step()

    return _threaded(_looped(train, None, setup, nets, 1))


def model_batch(setup: Setup, nets: int) -> Runner:
    """A ModelBatch, which vmaps the forward pass of stacked PyTorch nets."""
    from modelbatch import ModelBatch

    batch = ModelBatch([_torch_mlp(setup) for _ in range(nets)], shared_input=False)
    return _stacked(batch, list(batch.stacked_params.values()), setup, nets)


def chorus_stack(setup: Setup, nets: int) -> Runner:
    """A Stack of chorus, which does the same."""
    from chorus import Stack

    stack = Stack([_torch_mlp(setup) for _ in range(nets)])
    return _stacked(stack.forward_split, stack.stacked_parameters(), setup, nets)


def _stacked(predict: Callable, params: list, setup: Setup, nets: int) -> Runner:
    """The usual loop over stacked PyTorch nets: `predict(x [nets, batch, 2]) -> [nets, batch, 1]`, foreach Adam."""
    import torch

    optimizer = torch.optim.Adam(params, setup.learning_rate, eps=setup.epsilon or 1e-8, foreach=True)
    x, t = (torch.from_numpy(a) for a in in_numpy(setup, nets))

    def train(_: None, rows: np.ndarray) -> None:
        batch = torch.from_numpy(rows[0])
        optimizer.zero_grad()
        ((predict(x[:, batch])[..., 0] - t[:, batch]) ** 2).mean(1).sum().backward()
        optimizer.step()

    return _threaded(_looped(train, None, setup, nets, 1))


def _threaded(runner: Runner) -> Runner:
    """The runner with the faster number of PyTorch threads: all cores, or one, which is faster on a busy machine."""
    import torch

    def run(calls: int, threads: int) -> None:
        torch.set_num_threads(threads)
        runner.run(calls)

    def trial(threads: int) -> float:
        run(5, threads)  # warm up
        return Runner(functools.partial(run, threads=threads), calls=10).seconds()

    return replace(runner, run=functools.partial(run, threads=min((cores(), 1), key=trial)))


def _torch_mlp(setup: Setup) -> Any:
    from torch import nn

    kinds = {"linear": nn.Identity, "relu": nn.ReLU}
    layers = [(nn.Linear(inputs, features), kinds[name]()) for inputs, features, name in layers_of(setup)]
    return nn.Sequential(*itertools.chain(*layers))


def keras_fit(setup: Setup, nets: int) -> Runner:
    """`fit` of a Keras 3 model on its JAX backend; a call is an epoch."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    layers = [keras.layers.Dense(features, name) for _, features, name in layers_of(setup)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile(keras.optimizers.Adam(setup.learning_rate, epsilon=setup.epsilon), "mse")
    x, t = (a[0] for a in in_numpy(setup, 1))
    fit = functools.partial(model.fit, x, t, batch_size=setup.batch, verbose=0)
    return Runner(lambda calls: fit(epochs=calls), steps=setup.example_count // setup.batch)


def sklearn_fit(setup: Setup, nets: int) -> Runner:
    """`partial_fit` of scikit-learn's MLPRegressor (relu in all hidden layers, linear output); a call is an epoch."""
    from sklearn.neural_network import MLPRegressor

    numbers = {"learning_rate_init": setup.learning_rate, "epsilon": setup.epsilon}
    model = MLPRegressor(hidden_layer_sizes=setup.widths, batch_size=setup.batch, **numbers)
    x, t = (a[0] for a in in_numpy(setup, 1))
    return Runner(
        lambda calls: [model.partial_fit(x, t) for _ in range(calls)], steps=setup.example_count // setup.batch
    )


WAYS = (
    Way("arithjax", train_arithjax, (1024,), slow=False),
    Way("arithjax, compiled engine", train_compiled, (1024,), slow=False),
    Way("jit(vmap)", jit_vmap, (64, 256, 1024), slow=False),
    Way("jit(scan)", jit_scan),
    Way("jit loop", jit_loop),
    Way("block masks", block_masks, (16, 64)),
    Way("TurbaNet", turbanet_swarm, (64, 1024), needs="turbanet", python=(3, 12)),
    Way("torch.func.vmap", torch_vmap, (64, 1024), needs="torch"),
    Way("ModelBatch", model_batch, (64, 1024), needs="modelbatch"),
    Way("chorus", chorus_stack, (64, 1024), needs="chorus", python=(3, 13)),
    Way("PyTorch eager", torch_eager, needs="torch"),
    Way("Keras fit", keras_fit, needs="keras"),
    Way("sklearn MLPRegressor", sklearn_fit, needs="sklearn"),
)
