"""A net to keep: train a setup, take its best net, use it, save it, load it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from arithjax import errors
from arithjax.errors import ArithjaxError
from arithjax.registry import OPERATIONS
from arithjax.setup import Setup, make
from arithjax.tables import loading
from arithjax.task.points import Task, evaluate
from arithjax.task.transforms import Fitted
from arithjax.training import metrics, programs, stages, workers
from arithjax.training.arrays import choices_arrays, nets_arrays
from arithjax.training.planning import NetId, Tile, named_tile

if TYPE_CHECKING:
    from arithjax.formula import Formula

FORMAT = "arithjax net 1"


@dataclass
class Net:
    """A trained net.

    row: its row of a table. params: its parameters, as its program holds them, for one net. fits: the fitted input and
    target transforms. others: the table of all nets that were trained with it.
    """

    setup: Setup
    row: dict[str, Any]
    params: Any
    fits: tuple[Fitted, Fitted]
    others: pd.DataFrame | None = None

    def predict(self, x: Any) -> np.ndarray:
        """Results `[points]` for arguments `x [points, arity]` (or `[points]` with one argument), original units."""
        op = OPERATIONS[self.setup.op]
        x = np.asarray(x, self.setup.precision)
        x = x[:, None] if x.ndim == 1 and op.arity == 1 else x
        if x.ndim != 2 or x.shape[1] != op.arity:
            raise ArithjaxError(f"x has shape {x.shape}; {op.name} takes [points, {op.arity}].")
        filled = np.zeros((1 << max(3, (len(x) - 1).bit_length()), op.arity), x.dtype)
        filled[: len(x)] = x
        tile = self._tile()
        with tile.program.arithmetic:
            return self._predict(tile, filled)[: len(x)]

    def _predict(self, tile: Tile, x: np.ndarray) -> np.ndarray:
        places = tile.program.nets
        axis = 0 if tile.program.leading else -1
        params = jax.tree.map(lambda p: jnp.stack([jnp.asarray(p)] * places, axis), self.params)
        fits = jax.tree.map(lambda f: jnp.stack([jnp.asarray(f)] * places, -1), self.fits)
        choices, nets = choices_arrays(tile), nets_arrays(tile)
        answers = stages.answer(tile.program, programs.State(params, ()), fits, x, choices, nets)
        return np.asarray(answers)[:, 0]

    def inside(self, x: Any) -> np.ndarray:
        """Whether each of the arguments `x [points, arity]` lies in the training range: `[points]`."""
        low, high = self.setup.bounds
        return ((np.asarray(x) >= low) & (np.asarray(x) <= high)).all(-1)

    @property
    def network(self) -> Any:
        """The network of its program."""
        return self._tile().program.network

    def formula(self) -> Formula | None:
        """What it computes as a formula, where that is short (`arithjax.formula`), else None."""
        from arithjax.formula import formula_of

        return formula_of(self)

    def save(self, path: str | Path) -> None:
        """Write the net to a file: plain arrays and JSON in a zip, no pickle."""
        leaves = {_path(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(self._stored())}
        header = {"format": FORMAT, "setup": self.setup.to_dict(), "row": self.row, "names": list(leaves)}
        content = io.BytesIO()
        text = np.frombuffer(json.dumps(header, default=_plain).encode(), np.uint8)
        np.savez(content, header=text, **{f"array{i}": leaf for i, leaf in enumerate(leaves.values())})
        try:
            Path(path).write_bytes(content.getvalue())
        except OSError as error:
            raise ArithjaxError(f"cannot write {path} ({error.strerror}); choose another file.") from None

    def _stored(self) -> dict[str, Any]:
        return {"params": self.params, "fits": {name: fit._asdict() for name, fit in zip("xt", self.fits, strict=True)}}

    def _tile(self) -> Tile:
        return named_tile(self.row["program"], NetId(0, int(self.row["seed"]), self.setup))


def fit_setup(setup: Setup, seeds: int = 8, seed: int = 0) -> Net:
    """Train a setup from several seeds and keep its best net: the best grade, then the smallest error."""
    if not isinstance(setup, Setup):
        raise ArithjaxError(f"setup is a {type(setup).__name__}; it has to be an arithjax Setup.")
    errors.check_count("seeds", seeds)
    errors.check_seed(seed)
    nets = [NetId(0, number, setup) for number in range(seeds)]
    kept, frames, best = None, [], None
    for trained in workers.train_nets(nets, seed):
        frames.append(trained.rows)
        place = min(range(len(trained.rows)), key=lambda i: _badness(trained.rows.iloc[i]))
        if best is None or _badness(trained.rows.iloc[place]) < best:
            best = _badness(trained.rows.iloc[place])
            kept = net_of(trained, place)
    kept.others = workers.in_order(pd.concat(frames))
    return kept


def _badness(row: pd.Series) -> tuple[float, float]:
    return -metrics.GRADES.index(row["grade"]), float(np.nan_to_num(row["relative_rmse"], nan=np.inf))


def net_of(trained: workers.Trained, place: int) -> Net:
    """The net in a place of a trained tile."""
    axis = 0 if trained.tile.program.leading else -1
    params = jax.tree.map(lambda p: np.take(np.asarray(p), place, axis), trained.state.params)
    fits = jax.tree.map(lambda f: np.asarray(f[..., place]), trained.fits)
    return Net(trained.tile.nets[place].setup, dict(trained.rows.iloc[place]), params, fits)


def load_net(path: str | Path) -> Net:
    """The net in a file that `save` wrote. Loading runs no code of the file's."""
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
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
    """The net of a file's header and arrays, whose shapes fit its setup."""
    if header["format"] != FORMAT:
        raise ArithjaxError(f"{path} is a '{header['format']}', not a '{FORMAT}'; fit and save the net again.")
    tree: dict[str, Any] = {}
    for name, array in zip(header["names"], arrays, strict=True):
        *folders, last = json.loads(name)
        branch = tree
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[last] = array
    fits = tuple(Fitted(**tree["fits"][name]) for name in "xt")
    net = Net(make(**header["setup"]), header["row"], tree["params"], fits)
    net.predict(np.zeros((1, OPERATIONS[net.setup.op].arity)))  # arrays of other shapes fail here, and not when used
    return net


def _path(path: tuple) -> str:
    """A leaf's place in nested dictionaries, as JSON."""
    return json.dumps([key.key for key in path])


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def net_again(row: pd.Series, root: int) -> Net:
    """The net of a table's row, trained again from the study's root seed."""
    net = NetId(int(row["trial"]), int(row["seed"]), loading.setup_of(row))
    return net_of(workers.run_tile(named_tile(row["program"], net), root), 0)


def retrain(folder: str | Path, number: int) -> pd.DataFrame:
    """Train one row of a study's table again: columns `stored`, `again` and whether they are `identical`."""
    rows, described = loading.load(folder), loading.description(folder)
    if not 0 <= number < len(rows):
        raise ArithjaxError(f"net={number} is not in the table; it has the nets 0 to {len(rows) - 1}.")
    row = rows.iloc[number]
    again = pd.Series(net_again(row, described["seed"]).row)
    measured = [name for name in again.index if name not in (*Setup.field_names(), "trial", "seed", "program")]
    table = pd.DataFrame({"stored": row[measured], "again": again[measured]})
    table["identical"] = (table["stored"] == table["again"]) | (table["stored"].isna() & table["again"].isna())
    return table


def fresh_pairs(net: Net, count: int = 10) -> pd.DataFrame:
    """Arguments drawn anew from the training range, with exact results, the net's and the errors, as one would check
    a net by hand."""
    op, (low, high) = OPERATIONS[net.setup.op], net.setup.bounds
    generator = np.random.default_rng(12)
    shape = (count, op.arity)
    x = generator.integers(low, high + 1, shape) if net.setup.integers else generator.uniform(low, high, shape)
    value, result = evaluate(op, x, net.setup.precision).astype(float), net.predict(x).astype(float)
    table = pd.DataFrame(x, columns=list("ab")[: op.arity])
    return table.assign(value=value, result=result, error=result - value)


def exact_share(net: Net, low: float, high: float, count: int = 4096) -> float:
    """The share of arguments, whole numbers from `low` up to `high`, whose result a net rounds to the right integer: of
    `count` quasi-random ones, against results in double precision."""
    asked = {"low": low, "high": high, "integers": True, "distribution": "uniform", "extrapolation": None}
    points = Task.of(net.setup.replace(**asked, tests=count, precision="float64")).interpolation_points
    return float((np.abs(net.predict(points.x).astype(float) - points.t) < 0.5).mean())
