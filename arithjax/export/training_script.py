"""What scripts that train have in common: data, transforms and judging; a library adds model and training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from arithjax.export import encoded, examples, plain
from arithjax.export.exact import exact_source
from arithjax.export.portable import FITS
from arithjax.export.target import warped
from arithjax.models.mlp import layer_activations
from arithjax.registry import OPERATIONS
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
            *(f"\n{source}" for source in self._encoding()),
            f"\n{self._views()}",
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
        """What turns outputs `[points, 1]` into `[points]`; nothing where there are several."""
        return "[:, 0]" if self.setup.results == 1 else ""

    @property
    def _transforms(self) -> tuple[str, str]:
        return self.setup.input_transform, self.setup.target_transform

    def _views(self) -> str:
        """Functions between original units and the net's, where these differ."""
        (x_shift, x_scale), (t_shift, t_scale) = (FITS.get(name, ("", "")) for name in self._transforms)
        shown, target = self._shown(), warped(self.setup.target_transform, 0, "t")
        y = "y" + (f" * T_{t_scale}" if t_scale else "") + (f" + T_{t_shift}" if t_shift else "")
        told = warped(self.setup.target_transform, 1, "y") if y == "y" else y
        views = [
            ("shown", "x", "Arguments as the net sees them.", _affine(shown, "X", x_shift, x_scale)),
            ("target", "t", "Results as the net is to answer them.", _affine(target, "T", t_shift, t_scale)),
            ("told", "y", "The net's outputs in original units.", told),
        ]
        return "\n\n\n".join(
            f'def {name}({argument}):\n    """{about}"""\n    return {result}'
            for name, argument, about, result in views
            if result != argument
        )

    def _shown(self) -> str:
        """Arguments `x` as the net sees them but for shift and scale, as an expression."""
        encoder = self.setup.input_encoder
        return warped(self.setup.input_transform, 0, "x") if encoder is None else encoded.call(encoder, "x")

    def _encoding(self) -> list[str]:
        """The function that encodes arguments, if they are shown as several numbers."""
        encoder = self.setup.input_encoder
        return [] if encoder is None else plain.sources([encoded.function_of(encoder)])

    def shown(self, x: str) -> str:
        """Arguments as the net sees them, of an expression."""
        return x if self.setup.input_transform == "raw" else f"shown({x})"

    def target(self, t: str) -> str:
        """Results as the net is to answer them, of an expression."""
        return t if self.setup.target_transform == "raw" else f"target({t})"

    def told(self, y: str) -> str:
        """Outputs in original units, of an expression."""
        return y if self.setup.target_transform == "raw" else f"told({y})"


def _affine(value: str, letter: str, shift: str, scale: str) -> str:
    shifted = f"({value} - {letter}_{shift})" if shift else value
    return f"{shifted} / {letter}_{scale}" if scale else shifted
