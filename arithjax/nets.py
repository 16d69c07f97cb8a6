"""Single nets: train a setup and keep its best net, predict with it, save it, load it, train a table's row again."""

from __future__ import annotations

import io
import json
import numbers
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from arithjax import disk, errors
from arithjax.errors import ArithjaxError
from arithjax.formula import Formula, formula_of
from arithjax.registry import OPERATIONS
from arithjax.setup import Setup, make
from arithjax.tables import loading
from arithjax.tables.schema import GRADES, in_order
from arithjax.task.operations import argument_names
from arithjax.task.points import Task, evaluate
from arithjax.task.transforms import Fitted
from arithjax.training import curves, workers
from arithjax.training.engines.tiles import answer_of_net
from arithjax.training.memory import check_memory
from arithjax.training.outcome import Trained, train_tile
from arithjax.training.tile import NetId, Tile, named_tile

FORMAT = "arithjax net 1"
"""The format of saved nets; the header of every file names it."""


@dataclass
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

    def __call__(self, x: Any) -> np.ndarray:
        """Predictions: `predict(x)`."""
        return self.predict(x)

    def predict(self, x: Any) -> np.ndarray:
        """Predictions `[points]` in original units, in the precision of the setup.

        x: arguments `[points, arity]` in original units, or `[points]` where the operation takes one argument.
        Raises ArithjaxError for any other shape.
        """
        op = OPERATIONS[self.setup.op]
        x = np.asarray(x, self.setup.precision)
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
        low, high = self.setup.bounds
        return np.all((np.asarray(x) >= low) & (np.asarray(x) <= high), axis=-1)

    @property
    def network(self) -> Any:
        """The network that maps its parameters and transformed arguments to predictions (`arithjax.models`)."""
        return self._tile().specs.train.network

    def formula(self) -> Formula | None:
        """What it computes as a formula in original units, where that is short (`arithjax.formula`), else None."""
        return formula_of(self.setup, self.params, self.fits, self.network)

    def save(self, path: str | Path) -> None:
        """Write the net to a file: plain arrays and JSON in a zip, no pickle.

        path: the file; one that exists is replaced. Raises ArithjaxError where it cannot be written.
        """
        leaves = {_key(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(self._stored())}
        header = {"format": FORMAT, "setup": self.setup.to_dict(), "row": self.row, "names": list(leaves)}
        text = np.frombuffer(json.dumps(header, default=_plain).encode(), np.uint8)
        arrays: dict[str, Any] = {f"array{i}": leaf for i, leaf in enumerate(leaves.values())}
        content = io.BytesIO()
        np.savez(content, header=text, **arrays)
        try:
            disk.save(path, content.getvalue())
        except OSError as error:
            raise ArithjaxError(f"cannot write {path} ({error.strerror}); choose another file.") from None

    def _stored(self) -> dict[str, Any]:
        return {"params": self.params, "fits": {name: fit._asdict() for name, fit in zip("xt", self.fits, strict=True)}}

    def _tile(self) -> Tile:
        return named_tile(self.row["program"], NetId(0, int(self.row["seed"]), self.setup))


def fit(setup: Setup, seeds: int = 8, seed: int = 0) -> Net:
    """The best net of a setup trained from several seeds: the best grade, then the smallest error.

    setup: what is trained. seeds: nets to train, from seeds `0 .. seeds - 1`. seed: the root of all randomness.
    Raises ArithjaxError where an argument is not allowed.
    """
    if not isinstance(setup, Setup):
        raise ArithjaxError(f"setup is a {type(setup).__name__}; it has to be an arithjax Setup.")
    errors.check_count("seeds", seeds)
    errors.check_nets(1, seeds)
    errors.check_seed(seed)
    rows, best_of_tiles = [], []
    for trained in workers.train_nets([NetId(0, number, setup) for number in range(seeds)], seed):
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
    input_fit, target_fit = (jax.tree.map(lambda f: np.asarray(f[..., position]), fit) for fit in trained.fits)
    row = {str(name): value for name, value in trained.rows.iloc[position].items()}
    return Net(trained.tile.nets[position].setup, row, params, (input_fit, target_fit))


def load_net(path: str | Path) -> Net:
    """The net in a file that `Net.save` wrote; loading runs no code from the file.

    Raises ArithjaxError where the file is missing, damaged, or no saved net.
    """
    try:
        content = io.BytesIO(disk.read(path))
        if any(part.compress_type != zipfile.ZIP_STORED for part in zipfile.ZipFile(content).infolist()):
            raise ValueError("compressed parts, which `save` does not write, may be of any size")
        with np.load(content, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            arrays = [file[f"array{i}"] for i in range(len(header["names"]))]
        return _net_in(path, header, arrays)
    except FileNotFoundError:
        raise ArithjaxError(f"there is no file {path}; `arithjax fit ... --save {path}` writes one.") from None
    except ArithjaxError:
        raise
    except Exception as error:  # whatever else the zip, the arrays or the JSON of a damaged file lead to
        raise ArithjaxError(f"{path} is not a net saved by arithjax, or is damaged ({type(error).__name__}).") from None


def _net_in(path: str | Path, header: dict[str, Any], arrays: list[np.ndarray]) -> Net:
    """The net of a file's header and arrays; its setup and the shapes of its arrays are checked."""
    if header["format"] != FORMAT:
        raise ArithjaxError(f"{path} is a '{header['format']}', not a '{FORMAT}'; fit and save the net again.")
    tree: dict[str, Any] = {}
    for key, array in zip(header["names"], arrays, strict=True):
        *folders, last = json.loads(key)
        branch = tree
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[last] = array
    fits = Fitted(**tree["fits"]["x"]), Fitted(**tree["fits"]["t"])
    net = Net(make(**header["setup"]), header["row"], tree["params"], fits)
    if " " in net.row["program"]:  # arithjax 0.1 padded layers, and named their sizes
        net.params = net.network.resize(net.params, OPERATIONS[net.setup.op].arity, net.network.features)
    net.predict(np.zeros((1, OPERATIONS[net.setup.op].arity)))  # arrays of other shapes fail here, and not when used
    return net


def _key(path: tuple) -> str:
    """The path of a leaf in nested dictionaries, as JSON."""
    return json.dumps([key.key for key in path])


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


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
    Returns a row for each measured column: `stored`, `again`, and whether they are `identical`, two NaNs included.
    Raises ArithjaxError where there is no such folder or row.
    """
    stored, root = _stored_row(folder, row)
    again = pd.Series(net_again(stored, root).row)
    measured = [name for name in again.index if name not in (*Setup.field_names(), "trial", "seed", "program")]
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

    net: the net. count: rows; equal calls give equal arguments.
    Returns columns `a`, `b` and so on for the arguments, the exact `value`, the net's `result`, and the `error`,
    `result - value`, all in original units.
    """
    op, (low, high) = OPERATIONS[net.setup.op], net.setup.bounds
    generator = np.random.default_rng(12)
    shape = (count, op.arity)
    x = (
        generator.integers(int(low), int(high) + 1, shape)
        if net.setup.integers
        else generator.uniform(low, high, shape)
    )
    held = x if net.setup.integers else x.astype(net.setup.precision).astype(float)  # what the net is given
    value, result = evaluate(op, held, net.setup.integers), net.predict(x).astype(float)
    table = pd.DataFrame(x, columns=argument_names(op.arity))
    return table.assign(value=value, result=result, error=result - value)


def exact_share(net: Net, low: float, high: float, count: int = 4096) -> float:
    """The share of whole-number arguments whose prediction rounds to the exact result, from 0 to 1.

    net: the net. low, high: the ends of the range of every argument, in original units.
    count: quasi-random (Sobol) points that stand for the range; exact results are computed in double precision.
    """
    asked = {"low": low, "high": high, "integers": True, "distribution": "uniform", "extrapolation": None}
    points = Task.of(net.setup.replace(**asked, tests=count, precision="float64")).interpolation_points
    error = (net.predict(points.x).astype(float) - points.t) - points.truth.rest
    return float((np.abs(error) < 0.5).mean())
