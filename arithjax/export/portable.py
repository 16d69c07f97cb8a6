"""What a script is written from: a trained net as plain layers and numbers, checked to be one that scripts can hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from arithjax.errors import ArithjaxError, counted
from arithjax.export import codes, plain
from arithjax.fields import cell, names_of
from arithjax.models.network import PlainLayer
from arithjax.registry import ACTIVATIONS, LOSSES, MODELS, OPERATIONS, TRANSFORMS, Registry
from arithjax.setup import Setup
from arithjax.task.encodings import Encoder
from arithjax.task.transforms import Fitted

FITS = {
    "scale": ("", "LARGEST"),
    "standardize": ("MEAN", "STD"),
    "minmax": ("LOW", "SPAN"),
}
"""What the shift and the scale of a transform are called; others have none."""


@dataclass(frozen=True)
class Portable:
    """A trained net for scripts.

    setup: what it was trained with. layers: its own. fits: of its input and its target transform.
    exact: whether it is right, once rounded, on the whole range.
    """

    setup: Setup
    layers: list[PlainLayer]
    fits: tuple[Fitted, Fitted]
    exact: bool

    @property
    def arity(self) -> int:
        """Numbers that it takes."""
        return OPERATIONS[self.setup.op].arity

    @property
    def encoders(self) -> tuple[Encoder | None, Encoder | None]:
        """The encoders of its numbers and of its results; None where each is shown as one number."""
        return self.setup.input_encoder, self.setup.target_encoder

    @property
    def named(self) -> str:
        """Its arguments in brackets, if they have plain names of their own."""
        op = OPERATIONS[self.setup.op]
        plainly = bool(op.arguments) and all(name.isidentifier() for name in op.argument_names)
        return f" ({', '.join(op.argument_names)})" if plainly else ""

    @property
    def title(self) -> str:
        """What it is, in a line."""
        count = sum(array.size for _, array in self.arrays())
        return f"{OPERATIONS[self.setup.op].symbol}: a net of {counted(count, 'parameter')}, trained by arithjax"

    @property
    def arithmetic(self) -> list[str]:
        """The kinds of its layers that are arithmetic units."""
        return list(dict.fromkeys(layer.kind for layer in self.layers if layer.kind != "Dense"))

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Its parameters by name: `W1`, `b1` and so on of dense layers, `M_hat_1` of a unit."""
        for i, layer in enumerate(self.layers, 1):
            for name, array in layer.arrays.items():
                yield _name(layer.kind, name, i), array

    def names(self, i: int) -> list[str]:
        """The names of the parameters of the i-th layer, from 1."""
        layer = self.layers[i - 1]
        return [_name(layer.kind, name, i) for name in layer.arrays]

    def numbers(self) -> Iterator[tuple[str, np.ndarray]]:
        """The numbers of its transforms by name, such as `X_MEAN`."""
        for letter, name, fit in zip("XT", self.transforms, self.fits, strict=True):
            for word, value in zip(FITS.get(name, ()), fit, strict=False):
                if word:
                    yield f"{letter}_{word}", np.asarray(value)

    @property
    def transforms(self) -> tuple[str, str]:
        """The names of its input and its target transform."""
        return self.setup.input_transform, self.setup.target_transform


def _name(kind: str, name: str, i: int) -> str:
    return f"{ {'kernel': 'W', 'bias': 'b'}[name] }{i}" if kind == "Dense" else f"{name}_{i}"


def portable(setup: Setup, layers: list[PlainLayer] | None, fits: tuple[Fitted, Fitted], exact: bool) -> Portable:
    """A net for scripts; see `Portable`.

    layers: None where nothing is known of them.

    Raises:
        ArithjaxError: it has something of the user's own, which only Python knows, or its weights are not finite.
    """
    if layers is None:
        raise ArithjaxError(
            f"model={cell(setup.model)} is a module of your own, which no script can hold; net.flax() gives it as a "
            f"Linen module with its parameters."
        )
    refuse_own(setup)
    if not all(np.isfinite(array).all() for layer in layers for array in layer.arrays.values()):
        raise ArithjaxError("the net diverged: its weights are not finite, so there is nothing to export.")
    if LOSSES[setup.loss].link is not None:  # a sigmoid, which its linear output lacks
        layers = [*layers[:-1], layers[-1]._replace(activation="sigmoid")]
    return Portable(setup, layers, fits, exact)


def refuse_own(setup: Setup) -> None:
    """Raise `ArithjaxError` where a setup names activations, transforms or models that did not come with arithjax."""
    named: list[tuple[str, str, Registry, Collection[str]]] = [
        *(("activation", name, ACTIVATIONS, plain.ACTIVATIONS) for name in names_of(setup.activation)),
        ("output_activation", setup.output_activation, ACTIVATIONS, plain.ACTIVATIONS),
        ("input_transform", setup.input_transform, TRANSFORMS, _transforms(setup.input_transform)),
        ("target_transform", setup.target_transform, TRANSFORMS, _transforms(setup.target_transform)),
        *(("model", name, MODELS, [*MODELS, name]) for name in names_of(setup.model)),
    ]
    for field, name, registry, known in named:
        if not registry.ours(name) or name not in known:
            raise ArithjaxError(
                f"{field}={name} is your own, which no script can hold; net.flax() gives the net as a Linen module. "
                f"Scripts can hold {', '.join(name for name in known if registry.ours(name))}."
            )


def _transforms(name: str) -> list[str]:
    """The names of transforms that scripts can hold, with this one if it is of a family that they can."""
    return [*plain.WARPS, *codes.ENCODINGS, *([name] if name.partition(":")[0] in codes.ENCODINGS else [])]


def array_text(array: np.ndarray, indent: int = 0) -> str:
    """The numbers of an array as nested lists, every digit that matters."""
    return np.array2string(
        array, separator=", ", threshold=array.size + 1, max_line_width=100, floatmode="unique", prefix=" " * indent
    )
