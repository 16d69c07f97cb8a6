"""Single nets: train a setup and keep its best net, predict with it, save it, load it, train a table's row again."""

from __future__ import annotations

import io
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from arithjax import errors, own, saved
from arithjax.errors import ArithjaxError, counted
from arithjax.export import check_name, linen, portable, script
from arithjax.formula import Formula, formulas_of
from arithjax.models.network import PlainLayer
from arithjax.registry import LOSSES, METRICS, OPERATIONS, TRANSFORMS
from arithjax.setup import Setup
from arithjax.tables import loading, words
from arithjax.tables.schema import GRADES, in_order
from arithjax.task.points import Task, evaluate
from arithjax.task.transforms import Fitted
from arithjax.training import curves, workers
from arithjax.training.callbacks import Callback, Evaluation
from arithjax.training.engines.tiles import answer_of_net
from arithjax.training.memory import check_memory
from arithjax.training.outcome import Trained, train_tile
from arithjax.training.tile import NetId, Tile, named_tile


@dataclass(repr=False)
class Net:
    """A trained net: `net(x)` is `net.predict(x)`.

    setup: what it was trained with, except its seed.
    row: its row of a results table, by column.
    params: its parameters, a tree of arrays without the axis of nets.
    fits: the fitted input and target transforms.
    others: the table of all nets that were trained with it, itself included; None for a net that was loaded.
    """

    setup: Setup
    row: dict[str, Any]
    params: Any
    fits: tuple[Fitted, Fitted]
    others: pd.DataFrame | None = None

    def __repr__(self) -> str:
        """A line: what it learnt, and how well; `setup`, `row` and `params` hold the rest."""
        row = self.row
        size = counted(row["parameters"], "parameter")
        return f"<Net of {self.setup.op}: {row['grade']}, seed {row['seed']}, {size}, {words.error(row)}>"

    def __call__(self, x: Any) -> np.ndarray:
        """Predictions: `predict(x)`."""
        return self.predict(x)

    def predict(self, x: Any) -> np.ndarray:
        """Predictions `[points]`, or `[points, results]` of several, in original units, in the precision of the setup.

        x: arguments `[points, arity]` in original units, or `[points]` where the operation takes one argument; or one
            row `[arity]` of several, to which there is one answer, `[]` or `[results]`. The answer is NaN where an
            encoding of whole numbers has no code for an argument, as outside the range that the net was trained on.
        Raises ArithjaxError for any other shape, and for what is no numbers.
        """
        op = OPERATIONS[self.setup.op]
        x = self._numbers(x, self.setup.precision)
        if x.shape == (op.arity,) and op.arity > 1:
            return self.predict(x[None])[0]
        x = x[:, None] if x.ndim == 1 and op.arity == 1 else x
        if x.ndim != 2 or x.shape[1] != op.arity:
            raise ArithjaxError(f"x has shape {x.shape}; {op.name} takes [points, {op.arity}].")
        # filled up to a power of two, so that few shapes are compiled
        filled = np.zeros((1 << max(3, (len(x) - 1).bit_length()), op.arity), x.dtype)
        filled[: len(x)] = x
        return answer_of_net(self._tile(), self.params, self.fits, filled)[: len(x)]

    def curve(self, root: int = 0) -> pd.DataFrame:
        """How it learned: errors, gradients and dead units at steps evenly spaced in the logarithm.

        It is trained once more. root: the root seed that it was trained with.
        """
        return curves.curve_of(self.setup, int(self.row["seed"]), self.row["program"], root)

    def inside(self, x: Any) -> np.ndarray:
        """Whether each point lies in the training range: booleans `[points]`.

        x: arguments `[points, arity]` in original units.
        """
        low, high = np.transpose(self.setup.argument_bounds)
        x = self._numbers(x, float)
        return np.all((x >= low) & (x <= high), axis=-1)

    @property
    def network(self) -> Any:
        """The network that maps its parameters and transformed arguments to predictions (`arithjax.models`)."""
        return self._tile().specs.train.network

    def formula(self) -> Formula | None:
        """What it computes as a formula in original units, where that is short (`arithjax.formula`), else None.

        `no_formula` says why it is None.
        Raises ArithjaxError where the operation has several results: `formulas` has one for each.
        """
        if self.setup.results > 1:
            raise ArithjaxError(
                f"{self.setup.op} has {self.setup.results} results; net.formulas() gives a formula for each."
            )
        return self.formulas()[0]

    def formulas(self) -> list[Formula | None]:
        """The formula of each result, and None in the place of one without; see `formula`, and `no_formula` for why."""
        return [None if isinstance(found, str) else found for found in self._formulas()]

    def no_formula(self) -> str | None:
        """Why it has no formula, or else why the first of its results without one has none; None where all have one.

        It is a line such as `it has layers of relu; formulas are made of linear and square layers and most arithmetic
        units`.
        """
        return next((found for found in self._formulas() if isinstance(found, str)), None)

    def _formulas(self) -> list[Formula | str]:
        return formulas_of(self.setup, self.params, self.fits, self.network)

    def weights(self) -> dict[str, dict[str, np.ndarray]]:
        """Its parameters as arrays, layer by layer from the first, such as `{"1 Dense": {"kernel": ..., "bias": ...}}`.

        A dense layer has a `kernel [inputs, outputs]` and a `bias [outputs]`; arithmetic units have what their
        equations name; a module of the user's is one layer, `model`. They act between the transforms.
        """
        layers = self._layers()
        if layers is None:
            return {"model": self.params}
        return {f"{i} {layer.kind}": dict(layer.arrays) for i, layer in enumerate(layers, 1)}

    def flax(self) -> tuple[Any, Any]:
        """The net as an ordinary Linen module and its parameters: `module.apply({"params": params}, x)` is `net(x)`.

        The module maps `[points, arity]` to `[points]`, or `[points, results]` of several, both in original units: the
        transforms are inside.
        Raises ArithjaxError where the net's model is an NNX module.
        """
        net, params = self.network.linen(self.params, self.setup.inputs, self.setup.widths)
        shown = self.setup.input_encoder or TRANSFORMS[self.setup.input_transform]
        told = self.setup.target_encoder or TRANSFORMS[self.setup.target_transform]
        return linen.answering(net, params, (shown, told), self.fits, LOSSES[self.setup.loss].link)

    def export(self, target: str, path: str | Path | None = None) -> str:
        """The net as a script of its own, which needs nothing of arithjax: `python SCRIPT 12 34` prints the answer.

        In Python the script offers `net(numbers)`, `[points, arity] -> [points]`, or `[points, results]` of several.

        target: `keras`, `torch`, `numpy` or `flax`.
        path: a file for the script, replaced if it exists; a net of more than 2,000 parameters has them in a file
            `.npz` beside it. None writes nothing.

        Returns the script's text. Raises ArithjaxError where the target, or what the net is made of, cannot be written,
        and for a file that would hide a library, such as `numpy.py`.
        """
        if path is not None:
            check_name(path)
        net = portable(self.setup, self._layers(), self.fits, self.row["grade"] == "exact")
        text, beside = script(net, target, None if path is None else Path(path).name)
        if path is not None:
            saved.put(path, text.encode())
        if path is not None and beside:
            content = io.BytesIO()
            np.savez(content, **beside)  # type: ignore[arg-type]
            saved.put(Path(path).with_suffix(".npz"), content.getvalue())
        return text

    def save(self, path: str | Path) -> None:
        """Write the net to a file: plain arrays and JSON in a zip, no pickle.

        path: the file; one that exists is replaced. Raises ArithjaxError where it cannot be written.
        """
        ends, encoder = self.setup.argument_bounds, self.setup.input_encoder
        low, high = np.transpose(ends)
        x = np.random.default_rng(0).uniform(low, high, (16, self._arity)).astype(self.setup.precision)
        if encoder is not None and encoder.encoding.whole:
            x = np.rint(x)
        answers = {"x": x.tolist(), "y": self.predict(x).tolist()}
        header = {
            **{"setup": self.setup.to_dict(), "row": self.row, "own": own.members(self.setup), "answers": answers},
            **{"arguments": OPERATIONS[self.setup.op].argument_names, "bounds": ends},
        }
        if encoder is not None:
            header["encoder"] = {"bounds": encoder.bounds, "whole": encoder.whole}
        fits = {name: fit._asdict() for name, fit in zip("xt", self.fits, strict=True)}
        saved.write(path, header, {"params": self.params, "fits": fits})

    def _layers(self) -> list[PlainLayer] | None:
        return self.network.plain(self.params, self.setup.inputs, self.setup.widths)

    def _numbers(self, x: Any, dtype: Any) -> np.ndarray:
        """Arguments of any shape as an array; raises `ArithjaxError` for what is no numbers."""
        try:
            return np.asarray(x, dtype)
        except (TypeError, ValueError):
            raise ArithjaxError(
                f"x={' '.join(repr(x).split())[:60]} is not allowed; it has to be numbers, [points, {self._arity}], as "
                f"in net({[[1] * self._arity]})."
            ) from None

    @property
    def _arity(self) -> int:
        return OPERATIONS[self.setup.op].arity

    def _tile(self) -> Tile:
        return named_tile(self.row["program"], NetId(0, int(self.row["seed"]), self.setup))


def fit(setup: Setup, seeds: int = 8, seed: int = 0, callback: Callable[[Evaluation], object] | None = None) -> Net:
    """The best net of a setup trained from several seeds: the best grade, then the smallest error.

    setup: what is trained. seeds: nets to train, from seeds `0 .. seeds - 1`. seed: the root of all randomness.
    callback: called after each evaluation with an `aj.Evaluation`, as in `aj.train`.
    Raises ArithjaxError where an argument is not allowed.
    """
    if not isinstance(setup, Setup):
        raise ArithjaxError(f"setup is a {type(setup).__name__}; it has to be an arithjax Setup.")
    errors.check_count("seeds", seeds)
    errors.check_nets(1, seeds)
    errors.check_seed(seed)
    nets, rows, best_of_tiles = [NetId(0, number, setup) for number in range(seeds)], [], []
    for trained in workers.train_nets(nets, seed, callback=Callback(callback)):
        rows.append(trained.rows)
        position = min(range(len(trained.rows)), key=lambda i: _badness(trained.rows.iloc[i]))
        best_of_tiles.append(_net_at(trained, position))
    best = min(best_of_tiles, key=lambda net: _badness(net.row))
    best.others = in_order(pd.concat(rows))
    return best


def _badness(row: Mapping[Any, Any]) -> tuple[float, float]:
    return -GRADES.index(row["grade"]), float(np.nan_to_num(row["relative_rmse"], nan=np.inf))


def _net_at(trained: Trained, position: int) -> Net:
    """The net at a position of a trained tile."""
    params = trained.tile.specs.train.layout.extract(trained.params, position)
    input_fit, target_fit = (jax.tree.map(lambda f: np.asarray(f)[..., position], fit) for fit in trained.fits)
    row = {str(name): value for name, value in trained.rows.iloc[position].items()}
    return Net(trained.tile.nets[position].setup, row, params, (input_fit, target_fit))


def load_net(path: str | Path) -> Net:
    """The net in a file that `Net.save` wrote; loading runs no code from the file.

    A net of an operation of the user's that is not there answers; only what compares it with the operation's results
    needs the operation. Other members of the user's have to be there.

    Raises ArithjaxError where the file is missing, damaged, or no saved net, or needs a member that is not there.
    """
    file = saved.read(path)
    with saved.damaged(path):
        own.require(file.header.get("own", []), str(path))
        fits = Fitted(**file.tree["fits"]["x"]), Fitted(**file.tree["fits"]["t"])
        net = Net(Setup(**file.header["setup"]), file.header["row"], file.tree["params"], fits)
        if " " in net.row["program"]:  # arithjax 0.1 padded layers, and named their sizes
            net.params = net.network.resize(net.params, net.setup.inputs, net.network.features)
        net.predict(np.zeros((1, net._arity)))  # arrays of other shapes fail here, and not when used
        return net


def net(folder: str | Path, row: int) -> Net:
    """The net of a row of a study's table, trained again.

    It has the very bits of the table's net on the same kind of machine with the same versions (`retrain` compares).

    folder: a folder that `arithjax run` wrote. row: the row's number, from 0.
    Raises ArithjaxError where there is no such folder or row.
    """
    return net_again(*_stored_row(folder, row))


def retrain(folder: str | Path, row: int) -> pd.DataFrame:
    """The stored and the new measurements of a table's row that is trained again.

    folder: a folder that `arithjax run` wrote. row: the row's number, from 0.
    Returns a row for each measured column that the table was written with, and for each of the user's metrics that it
    has and that is entered now: `stored`, `again`, and whether they are `identical`, two NaNs included.
    Raises ArithjaxError where there is no such folder or row.
    """
    stored, root = _stored_row(folder, row)
    again = pd.Series(net_again(stored, root).row)
    there = loading.measured_there(folder) - {*Setup.field_names(), "trial", "seed", "program", "metrics"}
    there |= {*METRICS} & {*stored.index}
    measured = [name for name in again.index if name in there]
    table = pd.DataFrame({"stored": stored[measured], "again": again[measured]})
    table["identical"] = (table["stored"] == table["again"]) | (table["stored"].isna() & table["again"].isna())
    return table


def _stored_row(folder: str | Path, row: int) -> tuple[pd.Series, int]:
    """A row of a study's table by number, and the study's root seed."""
    rows, described = loading.load(folder), loading.description(folder)
    if not isinstance(row, numbers.Integral) or not 0 <= row < len(rows):
        raise ArithjaxError(f"net={row} is not in the table; it has the nets 0 to {len(rows) - 1}.")
    return rows.iloc[row], described["seed"]


def net_again(row: pd.Series, root: int) -> Net:
    """The net of a table's row, trained again.

    row: a row of `nets.parquet`. root: the root seed of its study.
    """
    identity = NetId(int(row["trial"]), int(row["seed"]), loading.setup_of(row))
    tile = named_tile(row["program"], identity)
    check_memory(tile.specs)
    return _net_at(train_tile(tile, root), 0)


def fresh_pairs(net: Net, count: int = 10) -> pd.DataFrame:
    """A net's predictions at random arguments from its training range, for a check by hand.

    Where a share of the arguments is held out, or classes are balanced, they are some of those that it is judged by.

    net: the net. count: rows; equal calls give equal arguments.
    Returns columns `a`, `b` and so on for the arguments, or what the operation calls them, the exact `value`, the net's
    `result`, and the `error`, `result - value`, all in original units; of several results `value1`, `result1`, `error1`
    and so on.
    """
    op, integers = OPERATIONS[net.setup.op], Task.of(net.setup).integers
    x = _at_random(net.setup, count)
    held = x if integers else x.astype(net.setup.precision).astype(float)  # what the net is given
    value, result = evaluate(op, held, integers), net.predict(x).astype(float)
    measured = {"value": value, "result": result, "error": result - value}
    if value.ndim > 1:
        each = range(value.shape[1])
        measured = {f"{name}{i + 1}": values[:, i] for i in each for name, values in measured.items()}
    names = [f"{name} given" if name in measured else name for name in op.argument_names]
    return pd.DataFrame(x, columns=names).assign(**measured)


def _at_random(setup: Setup, count: int) -> np.ndarray:
    """Arguments `[count, arity]` from the training range; equal calls give equal ones."""
    generator, op = np.random.default_rng(12), OPERATIONS[setup.op]
    if op.arguments or op.conditional or setup.split is not None or setup.balanced:
        points = Task.of(setup).interpolation_points.x
        return points[generator.permutation(len(points))[:count]]
    low, high = setup.bounds
    if setup.integers:
        return generator.integers(int(low), int(high) + 1, (count, op.arity))
    return generator.uniform(low, high, (count, op.arity))


def exact_share(net: Net, low: float, high: float, count: int = 4096) -> float:
    """The share of whole-number arguments whose prediction rounds to the exact result, from 0 to 1.

    net: the net. low, high: the ends of the range of every argument, in original units.
    count: quasi-random (Sobol) points that stand for the range; exact results are computed in double precision.
    """
    if OPERATIONS[net.setup.op].apart:
        raise ArithjaxError(
            f"low, high: all arguments of {net.setup.op} have ranges of their own; see net.row['exact']."
        )
    asked = {"low": low, "high": high, "integers": True, "distribution": "uniform", "extrapolation": None}
    points = Task.of(net.setup.replace(**asked, tests=count, precision="float64")).interpolation_points
    error = (net.predict(points.x).astype(float) - points.t) - points.truth.rest
    return float((np.abs(error) < 0.5).reshape(len(error), -1).all(1).mean())
