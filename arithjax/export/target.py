"""Targets: what the script of a trained net consists of, in any library; a subclass writes the lines of its model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np

from arithjax.errors import counted
from arithjax.export import encoded, plain
from arithjax.export.portable import FITS, Portable, array_text
from arithjax.models.network import PlainLayer

LARGE = 2000
"""Nets of more parameters have them in a file beside their script, where it is written to a file."""


class Script(NamedTuple):
    """A script's text, and the arrays of the file beside it; none where they are in the text."""

    text: str
    beside: dict[str, np.ndarray]


class Target:
    """The script of one net.

    label: the target's name. needs: what has to be installed. imports: its lines.
    array: how an array is written, with its numbers for `{}`. prefix: what the library calls its functions by.
    activations: how each is written, with its argument for `{}`. has_units: whether it has arithmetic units.
    """

    label: ClassVar[str]
    needs: ClassVar[str]
    imports: ClassVar[tuple[str, ...]]
    array: ClassVar[str] = "np.array({}, np.PRECISION)"
    prefix: ClassVar[str] = "np"
    activations: ClassVar[dict[str, str]]
    has_units: ClassVar[bool] = False

    def __init__(self, net: Portable, name: str | None):
        self.net = net
        self.apart = name is not None and sum(array.size for _, array in net.arrays()) > LARGE
        self.name = name or f"net_{self.label}.py"

    def script(self) -> Script:
        """The script."""
        arguments, results = self.net.encoders
        held = plain.sources([*encoded.showing(arguments), *encoded.reading(results), *self.functions()])
        blocks = [
            f'"""{self.net.title}; needs {self.needs}.\n\n    python {self.name} {self._sample()}\n"""',
            "\n".join(["import sys", *(["from pathlib import Path"] if self.apart else [])]),
            "\n".join(self._imports()),
            self.settings(),
            self._numbers(),
            self._weights(),
            *(f"\n{self.named(source)}" for source in held),
            f"\n{self.model()}",
            f"\n{self._main()}",
        ]
        text = "\n\n".join(block for block in blocks if block.strip()) + "\n"
        return Script(text, dict(self.net.arrays()) if self.apart else {})

    def settings(self) -> str:
        """What stands before everything else."""
        return ""

    def functions(self) -> list[Callable]:
        """What the script holds of `arithjax.export.plain`."""
        return []

    def model(self) -> str:
        """The lines that define `net(numbers)`, `[points, arity] -> [points]`, or `[points, results]` of several."""
        raise NotImplementedError

    def named(self, source: str) -> str:
        """Source that is written with `np.`, for this target."""
        return re.sub(r"\bnp\.", f"{self.prefix}.", source)

    def _imports(self) -> list[str]:
        needed = "import numpy as np"
        return list(self.imports) if not self.apart or needed in self.imports else [needed, *self.imports]

    def _array(self, word: str, value: np.ndarray) -> str:
        """The assignment of an array, or of a plain number."""
        numbers = np.asarray(value, self.net.setup.precision)
        form = self.array.replace("PRECISION", self.net.setup.precision) if numbers.ndim else "{}"
        before, after = form.split("{}")
        opening = f"{word} = {before}"
        return f"{opening}{array_text(numbers, len(opening))}{after}"

    def _numbers(self) -> str:
        lines = [self._array(word, value) for word, value in self.net.numbers()]
        return "\n".join(["# shift and scale, from its training examples", *lines]) if lines else ""

    def _weights(self) -> str:
        if not self.apart:
            return "\n".join(["# weights and biases", *(self._array(*named) for named in self.net.arrays())])
        file = self.name.removesuffix(".py") + ".npz"
        form = "torch.tensor({})" if self.prefix == "torch" else "{}"
        loaded = [f"    {word} = {form.format(f'learnt[{word!r}]')}" for word, _ in self.net.arrays()]
        return "\n".join([f'with np.load(Path(__file__).with_name("{file}")) as learnt:', *loaded])

    def _sample(self) -> str:
        """Numbers for the script's help."""
        ends, parts = self.net.setup.argument_bounds, np.resize(1 / np.array([4, 2]), self.net.arity)
        values = [low + (high - low) * part for (low, high), part in zip(ends, parts, strict=True)]
        whole = [span.whole for span in self.net.setup.spans]
        return " ".join(
            f"{np.rint(value) if is_whole else value:g}" for value, is_whole in zip(values, whole, strict=True)
        )

    def _main(self) -> str:
        form, numbers = ".0f" if self.net.exact else ".7g", counted(self.net.arity, "number")
        return (
            'if __name__ == "__main__":\n'
            "    numbers = [float(word) for word in sys.argv[1:]]\n"
            f"    if len(numbers) != {self.net.arity}:\n"
            f'        sys.exit("give {numbers}{self.net.named}, '
            f'as in: python {self.name} {self._sample()}")\n'
            f"    {self._printed(form)}"
        )

    def _printed(self, form: str) -> str:
        if self.net.setup.results == 1:
            return f'print(f"{{net([numbers])[0]:{form}}}")'
        return f'print(*(f"{{answer:{form}}}" for answer in net([numbers])[0]))'

    @property
    def about(self) -> str:
        """What the function of a script gives, for its docstring."""
        results = self.net.setup.results
        return "Answers [points]" if results == 1 else f"Answers [points, {results}]"

    # ---- lines of models

    def shown(self) -> list[str]:
        """Lines that turn arguments `x` into what the net sees."""
        name, encoder = self.net.setup.input_transform, self.net.encoders[0]
        if encoder is not None:
            return [f"x = {self.named(encoded.shown(encoder, 'x'))}{self.cast()}"]
        warp = self.named(warped(name, 0, "x"))
        lines = [f"x = {warp}"] if warp != "x" else []
        shift, scale = FITS.get(name, ("", ""))
        if scale:
            lines.append(f"x = (x - X_{shift}) / X_{scale}" if shift else f"x = x / X_{scale}")
        return lines

    def cast(self) -> str:
        """What turns numbers of NumPy, which may have become longer ones, into those of the net."""
        return f".astype(np.{self.net.setup.precision})" if self.prefix == "np" else ""

    @property
    def takes(self) -> str:
        """The numbers that it takes, in words: their shape, and which."""
        encoder = self.net.encoders[0]
        which = "" if encoder is None else encoded.words(encoder)
        return f"[points, {self.net.arity}]{which}"

    def answered(self, outputs: str) -> list[str]:
        """Lines that return what outputs, a variable, mean in original units: `[points]`, or `[points, results]`."""
        name, encoder = self.net.setup.target_transform, self.net.encoders[1]
        if encoder is not None:
            return [f"return {self.named(encoded.read(encoder, outputs))}{self.cast()}"]
        shift, scale = FITS.get(name, ("", ""))
        first = "[:, 0]" if self.net.setup.results == 1 else ""
        y = f"{outputs}{first}" + (f" * T_{scale}" if scale else "") + (f" + T_{shift}" if shift else "")
        unwarped = self.named(warped(name, 1, "y"))
        return [f"return {y}"] if unwarped == "y" else [f"y = {y}", f"return {unwarped}"]

    def activated(self, name: str, z: str) -> str:
        """An activation of an expression."""
        return z if name == "linear" else self.activations[name].format(z)

    def called(self, layer: PlainLayer, given: str) -> str:
        """A unit's function called with `x` and its parameters."""
        inside = [f"lambda z: {self.activated(layer.activation, 'z')}"] if layer.kind in plain.ACTIVATED else []
        return f"{plain.UNITS[layer.kind].__name__}({', '.join(['x', *inside, given])})"


def warped(transform: str, way: int, word: str) -> str:
    """A transform without its shift and scale as an expression in NumPy: of a variable; `way` 1 for its inverse."""
    formula, argument = plain.formula(plain.WARPS[transform][way])
    return re.sub(rf"\b{argument}\b", word, formula)


def indented(lines: list[str], by: int = 4) -> str:
    """Lines as text, each so many spaces in."""
    return "\n".join(" " * by + line for line in lines)
