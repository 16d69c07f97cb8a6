"""What scripts that train have in common: data, transforms and judging; a library adds model and training loop."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

from arithjax.export import encoded, examples, plain
from arithjax.export.exact import exact_source
from arithjax.export.portable import FITS
from arithjax.export.target import indented, warped
from arithjax.models.mlp import layer_activations
from arithjax.registry import LOSSES, OPERATIONS
from arithjax.setup import Setup
from arithjax.training.optimizers import numbers_of

FITTED = {
    "LARGEST": "np.abs({v}).max(0)",
    "MEAN": "{v}.mean(0)",
    "STD": "{v}.std(0)",
    "LOW": "{v}.min(0)",
    "SPAN": "{v}.max(0) - {L}_LOW",
}
"""How the numbers of a transform are fitted to examples `v`; their names begin with `L`."""


def call_of(name: str, *arguments: str, usual: Mapping[str, Any] | None = None, **given: Any) -> str:
    """A call in source, without keywords whose value is the library's own default."""
    usual = usual or {}
    named = [f"{word}={value!r}" for word, value in given.items() if value is not None and value != usual.get(word)]
    return f"{name}({', '.join([*arguments, *named])})"


class Library:
    """A setup's script; what differs between libraries are its methods."""

    label: ClassVar[str]
    needs: ClassVar[str]

    def __init__(self, setup: Setup):
        self.setup = setup
        self.numbers = numbers_of(setup)._asdict()
        self.batches = -(-setup.example_count // setup.batch)
        self.epochs = max(1, round(setup.steps / self.batches))
        self.steps = setup.steps if setup.fresh else self.epochs * self.batches
        self.encoders = setup.input_encoder, setup.target_encoder
        self.linked = LOSSES[setup.loss].link is not None
        self.layers = list(zip((*setup.widths, setup.outputs), layer_activations(setup), strict=True))

    def script(self) -> str:
        """The script."""
        op = OPERATIONS[self.setup.op]
        examples.refuse(self.setup)
        definition, call = ("", "") if op.data else exact_source(op, self.setup.results)
        note = (
            f"\n# arithjax also finishes it by {self.setup.finish} Levenberg-Marquardt steps"
            if self.setup.finish
            else ""
        )
        blocks = [
            f'"""{op.symbol}, learnt by a net from the beginning; needs {self.needs}.\n\n'
            f'    python train_{self.label}.py [SEED]\n"""',
            "import sys",
            self.imports(),
            "seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0\nrng = np.random.default_rng(seed)\n" + self.seeded(),
            *(f"\n{source}" for source in (definition, examples.draw(self.setup)) if source),
            f"\n{self._data(call)}",
            *(f"\n{source}" for source in (*self._functions(), *self._views.values())),
            f"\n{self.model()}{note}",
            self.training(call),
            examples.judged(self.setup, call, self.answers),
        ]
        return "\n\n".join(block for block in blocks if block.strip()) + "\n"

    def imports(self) -> str:
        """Its lines."""
        raise NotImplementedError

    def seeded(self) -> str:
        """Lines that seed the library and choose its precision."""
        raise NotImplementedError

    def model(self) -> str:
        """The lines that define `model` and how it is trained."""
        raise NotImplementedError

    def training(self, call: str) -> str:
        """The lines that train it; `call` gives the results of arguments `x`."""
        raise NotImplementedError

    @property
    def answers(self) -> str:
        """The model's outputs for transformed arguments `shown(x)`, as an expression."""
        raise NotImplementedError

    def _data(self, call: str) -> str:
        lines = examples.made(self.setup, self.column(call))
        for letter, variable, name in zip("XT", "xt", self._transforms, strict=True):
            words = [word for word in FITS.get(name, ()) if word]
            lines += [f"{letter}_{word} = {FITTED[word].format(v=variable, L=letter)}" for word in words]
        return "\n".join(lines)

    def column(self, call: str) -> str:
        """Results `[examples, results]`, of an expression."""
        return f"{call}[:, None]" if self.setup.results == 1 else call

    @property
    def first(self) -> str:
        """What turns answers `[points, 1]` into `[points]`; nothing where there are several, or they are decoded."""
        return "[:, 0]" if self.setup.results == 1 and self.encoders[1] is None else ""

    @property
    def _transforms(self) -> tuple[str, str]:
        return self.setup.input_transform, self.setup.target_transform

    @functools.cached_property
    def _views(self) -> dict[str, str]:
        """Functions between original units and the net's, by name, where these differ."""
        (x_shift, x_scale), (t_shift, t_scale) = (FITS.get(name, ("", "")) for name in self._transforms)
        (x, t), told = (self._shown(i) for i in range(2)), self._told(t_shift, t_scale)
        views = [
            ("shown", "x", "Arguments as the net sees them.", [f"return {_affine(x, 'X', x_shift, x_scale)}"]),
            ("target", "t", "Results as the net is to answer them.", [f"return {_affine(t, 'T', t_shift, t_scale)}"]),
            ("told", "y", "The net's outputs in original units.", told),
        ]
        return {
            name: f'def {name}({argument}):\n    """{about}"""\n{indented(lines)}'
            for name, argument, about, lines in views
            if lines != [f"return {argument}"]
        }

    def _shown(self, i: int) -> str:
        """Arguments `x`, or results `t`, as the net sees them but for shift and scale, as an expression."""
        word, encoder = "xt"[i], self.encoders[i]
        return warped(self._transforms[i], 0, word) if encoder is None else encoded.shown(encoder, word)

    def _told(self, shift: str, scale: str) -> list[str]:
        """Lines that return what outputs `y` mean, given the names of the shift and the scale of results."""
        y, encoder = "sigmoid(y)" if self.linked else "y", self.encoders[1]
        if encoder is not None:
            return [*([f"y = {y}"] if self.linked else []), f"return {encoded.read(encoder, 'y')}"]
        told = y + (f" * T_{scale}" if scale else "") + (f" + T_{shift}" if shift else "")
        return [f"return {warped(self.setup.target_transform, 1, y) if told == y else told}"]

    def _functions(self) -> list[str]:
        """What the script holds of arithjax for its views."""
        link = [plain.sigmoid] if self.linked else []
        return plain.sources([*encoded.showing(*self.encoders), *encoded.reading(self.encoders[1]), *link])

    def shown(self, x: str) -> str:
        """Arguments as the net sees them, of an expression."""
        return self._seen("shown", x)

    def target(self, t: str) -> str:
        """Results as the net is to answer them, of an expression."""
        return self._seen("target", t)

    def told(self, y: str) -> str:
        """Outputs in original units, of an expression."""
        return self._seen("told", y)

    def _seen(self, view: str, of: str) -> str:
        return f"{view}({of})" if view in self._views else of

    @property
    def ends(self) -> list[tuple[int, int]]:
        """Where the outputs of each group of classes begin and end, for a cross entropy."""
        return list(itertools.pairwise(itertools.accumulate(self.setup.blocks, initial=0)))


def _affine(value: str, letter: str, shift: str, scale: str) -> str:
    shifted = f"({value} - {letter}_{shift})" if shift else value
    return f"{shifted} / {letter}_{scale}" if scale else shifted
