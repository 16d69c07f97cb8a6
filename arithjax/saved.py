"""Files of saved nets: plain arrays and JSON in a zip, no pickle; reading one runs no code from it and needs no jax.

A dense net that the fused engine trained can answer from its file alone, to the same bits; whether it does is tried on
answers of the net's own that are stored with it.
"""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arithjax import disk
from arithjax.architecture import dense_layer
from arithjax.errors import ArithjaxError
from arithjax.fields import per_layer
from arithjax.ranges import closed
from arithjax.task import encodings
from arithjax.task.encodings import Encoder
from arithjax.training.engines import numeric

FORMAT = "arithjax net 1"
"""The format of saved nets; the header of every file names it."""

AFFINE = ("raw", "scale", "standardize", "minmax")
"""Transforms that are a shift and a scale; others take functions of a library that rounds in its own way."""


@dataclass(frozen=True)
class Saved:
    """What a file holds.

    path: the file. header: plain data: setup, table row, what the net needs, and answers of its own.
    tree: `params` and `fits`, arrays in nested dictionaries.
    """

    path: str
    header: dict[str, Any]
    tree: dict[str, Any]

    @property
    def arity(self) -> int:
        """Numbers that the net takes."""
        return len(self.tree["fits"]["x"]["shift"])

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """The closed interval of each argument that it was trained on."""
        setup = self.header["setup"]
        alike = closed(setup["low"], setup["high"], setup["integers"])
        return [(float(low), float(high)) for low, high in self.header.get("bounds") or [alike] * self.arity]

    @property
    def arguments(self) -> list[str]:
        """What the arguments are called, in their order; nothing in older files."""
        return [str(name) for name in self.header.get("arguments", ())]

    def answer(self, x: Any) -> np.ndarray | None:
        """The net's answers `[points]`, or `[points, results]` of several, to `x [points, arity]`.

        None where its file alone does not give its very bits.

        Raises:
            ArithjaxError: the file is damaged.
        """
        own = self.header.get("answers")
        if own is None or not self._plain():
            return None
        with damaged(self.path):
            tried = self._answered(own["x"])
            return self._answered(x) if np.array_equal(tried, np.asarray(own["y"], tried.dtype)) else None

    @property
    def encoder(self) -> Encoder | None:
        """What shows each number as several to the net; None where nothing does, or an encoding of the user's."""
        encoding, known = encodings.named(self.header["setup"]["input_transform"]), self.header.get("encoder")
        if encoding is None or known is None:
            return None
        return Encoder(encoding, tuple(map(tuple, known["bounds"])), tuple(known["whole"]))

    def _plain(self) -> bool:
        setup, row = self.header["setup"], self.header["row"]
        shown = {setup["target_transform"], *(() if self.encoder else (setup["input_transform"],))}
        return row["program"] == "fused" and shown <= set(AFFINE) and not self.header.get("own")

    def _answered(self, x: Any) -> np.ndarray:
        setup, fits = self.header["setup"], self.tree["fits"]
        layers = [self.tree["params"][dense_layer(i)] for i in range(len(self.tree["params"]))]
        activations = (*per_layer(setup["activation"], len(layers) - 1), setup["output_activation"])
        x = np.asarray(x, setup["precision"])
        # as XLA compiles both transforms: a reciprocal for the division, one rounding for the sum of a product
        shown = (x - fits["x"]["shift"]) * (1 / fits["x"]["scale"])
        if self.encoder is not None:
            shown = self.encoder.encode(x[:, :, None])[:, :, 0]
        y = numeric.predict(layers, activations, shown)
        return numeric.fma(y, fits["t"]["scale"], np.broadcast_to(fits["t"]["shift"], y.shape))


@contextlib.contextmanager
def damaged(path: str | Path) -> Iterator[None]:
    """A context in which all that the content of a damaged file leads to is one clear line."""
    try:
        yield
    except ArithjaxError:
        raise
    except Exception as error:  # whatever the zip, the arrays or the JSON lead to
        raise ArithjaxError(f"{path} is not a net saved by arithjax, or is damaged ({type(error).__name__}).") from None


def read(path: str | Path) -> Saved:
    """The content of a file.

    Raises:
        ArithjaxError: there is no such file, or it holds no saved net.
    """
    try:
        content = io.BytesIO(disk.read(path))
    except FileNotFoundError:
        raise ArithjaxError(f"there is no file {path}; `arithjax fit ... --save {path}` writes one.") from None
    except OSError as error:
        raise ArithjaxError(f"{path} is not a net saved by arithjax, or cannot be read ({error.strerror}).") from None
    with damaged(path):
        if any(part.compress_type != zipfile.ZIP_STORED for part in zipfile.ZipFile(content).infolist()):
            raise ValueError("compressed parts, which `write` does not make, may be of any size")
        with np.load(content, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            arrays = [file[f"array{i}"] for i in range(len(header["names"]))]
        if header["format"] != FORMAT:
            raise ArithjaxError(f"{path} is a '{header['format']}', not a '{FORMAT}'; fit and save the net again.")
        saved = Saved(str(path), header, _tree(header["names"], arrays))
        if saved.arity < 1 or not saved.bounds or not {"grade", "program"} <= set(header["row"]):
            raise ValueError("something is missing")
        return saved


def _tree(names: list[str], arrays: list[np.ndarray]) -> dict[str, Any]:
    """Arrays in nested dictionaries; each name is the path of one, as JSON."""
    tree: dict[str, Any] = {}
    for name, array in zip(names, arrays, strict=True):
        *folders, last = json.loads(name)
        branch = tree
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[last] = array
    return tree


def write(path: str | Path, header: dict[str, Any], tree: dict[str, Any]) -> None:
    """Write a file; one that exists is replaced.

    Raises:
        ArithjaxError: it cannot be written.
    """
    leaves = dict(_leaves(tree, ()))
    header = {"format": FORMAT, **header, "names": [json.dumps(list(path)) for path in leaves]}
    text = np.frombuffer(json.dumps(header, default=_jsonable).encode(), np.uint8)
    arrays: dict[str, Any] = {f"array{i}": np.asarray(leaf) for i, leaf in enumerate(leaves.values())}
    content = io.BytesIO()
    np.savez(content, header=text, **arrays)
    put(path, content.getvalue())


def put(path: str | Path, content: bytes) -> None:
    """Write bytes to a file.

    Raises:
        ArithjaxError: it cannot be written.
    """
    try:
        disk.save(path, content)
    except OSError as error:
        raise ArithjaxError(f"cannot write {path} ({error.strerror}); choose another file.") from None


def _leaves(tree: Any, path: tuple) -> Iterator[tuple[tuple, Any]]:
    if not isinstance(tree, Mapping):
        yield path, tree
        return
    for name, part in tree.items():
        yield from _leaves(part, (*path, name))


def _jsonable(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
