"""Trained nets as scripts: in NumPy, PyTorch, Keras or Flax, as somebody would write them, with the weights inside.

A target is a class that writes the lines of its model; the rest is common to all. To add one, subclass `Target` and
name it in `TARGETS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np

from arithjax.errors import ArithjaxError, nearest
from arithjax.export import encoded, plain
from arithjax.export.portable import FITS, Portable, array_text
from arithjax.models.network import PlainLayer

LARGE = 2000
"""Nets of more parameters have them in a file beside their script, where it is written to a file."""


class Script(NamedTuple):
    """A script's text, and the arrays of the file beside it; none where they are in the text."""

    text: str
    beside: dict[str, np.ndarray]


def script(net: Portable, target: str, name: str | None = None) -> Script:
    """A net as a script that needs nothing of arithjax.

    net: the net. target: one of `TARGETS`. name: of the script's file, if it is to be one; a large net's weights are
    then in a file `.npz` beside it.

    Raises:
        ArithjaxError: there is no such target, or the net has layers that it lacks.
    """
    return target_of(target)(net, name).script()


def target_of(name: str) -> type[Target]:
    """The target of this name."""
    if name not in TARGETS:
        raise ArithjaxError(f"unknown target '{name}'{nearest(name, TARGETS)} There are {', '.join(TARGETS)}.")
    return TARGETS[name]


class Target:
    """The script of one net.

    needs: what has to be installed. imports: its lines. array: how an array is written, with its numbers for `{}`.
    activations: how each is written, with its argument for `{}`.
    """

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
        if net.units and not self.has_units:
            having = [target for target, kind in TARGETS.items() if kind.has_units]
            raise ArithjaxError(
                f"layers of {', '.join(net.units)} can be exported to {' and '.join(having)}, not to {self.label}; "
                f"net.flax() gives them as a Linen module."
            )

    @property
    def label(self) -> str:
        """The target's own name."""
        return next(name for name, kind in TARGETS.items() if kind is type(self))

    def script(self) -> Script:
        """The script."""
        blocks = [
            f'"""{self.net.title}; needs {self.needs}.\n\n    python {self.name} {self._sample()}\n"""',
            "\n".join(["import sys", *(["from pathlib import Path"] if self.apart else [])]),
            "\n".join(self._imports()),
            self.settings(),
            self._numbers(),
            self._weights(),
            *(f"\n{self.named(source)}" for source in plain.sources([*self._encoding(), *self.functions()])),
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
        """The lines that define `net(numbers)`, `[points, arity] -> [points]`."""
        raise NotImplementedError

    def _encoding(self) -> list[Callable]:
        """The function that encodes numbers, if they are shown as several."""
        return [] if self.net.encoder is None else [encoded.function_of(self.net.encoder)]

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
        loaded = [f"{word} = {form.format(f'learnt[{word!r}]')}" for word, _ in self.net.arrays()]
        return "\n".join([f'learnt = np.load(Path(__file__).with_name("{file}"))', *loaded])

    def _sample(self) -> str:
        """Numbers for the script's help."""
        ends, parts = self.net.setup.argument_bounds, np.resize(1 / np.array([4, 2]), self.net.arity)
        values = [low + (high - low) * part for (low, high), part in zip(ends, parts, strict=True)]
        whole = [span.whole for span in self.net.setup.spans]
        return " ".join(
            f"{np.rint(value) if is_whole else value:g}" for value, is_whole in zip(values, whole, strict=True)
        )

    def _main(self) -> str:
        form = ".0f" if self.net.exact else ".7g"
        return (
            'if __name__ == "__main__":\n'
            "    numbers = [float(word) for word in sys.argv[1:]]\n"
            f"    if len(numbers) != {self.net.arity}:\n"
            f'        sys.exit("give {self.net.arity} numbers{self.net.named}, '
            f'as in: python {self.name} {self._sample()}")\n'
            f"    {self._printed(form)}"
        )

    def _printed(self, form: str) -> str:
        if self.net.setup.outputs == 1:
            return f'print(f"{{net([numbers])[0]:{form}}}")'
        return f'print(*(f"{{answer:{form}}}" for answer in net([numbers])[0]))'

    @property
    def about(self) -> str:
        """What the function of a script gives, for its docstring."""
        outputs = self.net.setup.outputs
        return "Answers [points]" if outputs == 1 else f"Answers [points, {outputs}]"

    # ---- lines of models

    def shown(self) -> list[str]:
        """Lines that turn arguments `x` into what the net sees."""
        name = self.net.setup.input_transform
        if self.net.encoder is not None:
            return [f"x = {self.named(encoded.call(self.net.encoder, 'x'))}{self.cast()}"]
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
        which = "" if self.net.encoder is None else encoded.words(self.net.encoder)
        return f"[points, {self.net.arity}]{which}"

    def answered(self, outputs: str) -> list[str]:
        """Lines that return outputs `[points, results]` in original units; of one result as `[points]`."""
        name = self.net.setup.target_transform
        shift, scale = FITS.get(name, ("", ""))
        first = "[:, 0]" if self.net.setup.outputs == 1 else ""
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


def _indented(lines: list[str], by: int = 4) -> str:
    return "\n".join(" " * by + line for line in lines)


class NumPy(Target):
    """A few lines of NumPy."""

    needs = "NumPy alone"
    imports = ("import numpy as np",)
    has_units = True
    activations: ClassVar = {name: f"{name}({{}})" for name in plain.ACTIVATIONS} | {
        "tanh": "np.tanh({})",
        "sin": "np.sin({})",
        "square": "np.square({})",
        "relu": "np.maximum({}, 0)",
        "relu6": "np.clip({}, 0, 6)",
    }

    def functions(self) -> list[Callable]:
        """Units, and activations that NumPy has no function for."""
        used = dict.fromkeys(layer.activation for layer in self.net.layers)
        written = [plain.ACTIVATIONS[name] for name in used if self.activations[name] == f"{name}({{}})"]
        return [*(function for function in written if function is not plain.linear), *_units(self.net)]

    def model(self) -> str:
        """One function."""
        lines = [f"x = np.asarray(numbers, np.{self.net.setup.precision})", *self.shown()]
        for i, layer in enumerate(self.net.layers, 1):
            names = self.net.names(i)
            if layer.kind == "Dense":
                z = " + ".join([f"x @ {names[0]}", *names[1:]])
                lines.append(f"x = {self.activated(layer.activation, z)}")
            else:
                given = ", ".join(f"{name.rpartition('_')[0]}={name}" for name in names)
                lines.append(f"x = {self.called(layer, given)}")
        return (
            "def net(numbers):\n"
            f'    """{self.about} for numbers {self.takes}."""\n'
            f"{_indented([*lines, *self.answered('x')])}"
        )


def _units(net: Portable) -> list[Callable]:
    return [plain.UNITS[kind] for kind in net.units]


class Torch(Target):
    """A `torch.nn.Module`."""

    needs = "PyTorch"
    imports = ("import torch", "import torch.nn.functional as F", "from torch import nn")
    array = "torch.tensor({})"
    prefix = "torch"
    has_units = True
    activations: ClassVar = {
        **{name: f"F.{name}({{}})" for name in ("relu", "leaky_relu", "relu6", "elu", "silu", "softplus")},
        **{name: f"torch.{name}({{}})" for name in ("tanh", "sigmoid", "sin", "square")},
        "gelu": 'F.gelu({}, approximate="tanh")',
    }

    def _imports(self) -> list[str]:
        used = any(layer.activation in ("gelu",) or self._functional(layer.activation) for layer in self.net.layers)
        return [line for line in super()._imports() if used or "functional" not in line]

    def _functional(self, name: str) -> bool:
        return self.activations.get(name, "").startswith("F.")

    def settings(self) -> str:
        """The precision, where it is not PyTorch's own."""
        return "torch.set_default_dtype(torch.float64)" if self.net.setup.precision == "float64" else ""

    def functions(self) -> list[Callable]:
        """Units."""
        return _units(self.net)

    def model(self) -> str:
        """A module, its state, and a function around both."""
        made, lines, state = [], self.shown(), []
        for i, layer in enumerate(self.net.layers, 1):
            names = self.net.names(i)
            if layer.kind == "Dense":
                inputs, outputs = layer.arrays["kernel"].shape
                bias = "" if len(names) > 1 else ", bias=False"
                made.append(f"self.layer{i} = nn.Linear({inputs}, {outputs}{bias})")
                lines.append(f"x = {self.activated(layer.activation, f'self.layer{i}(x)')}")
                state += [f'"layer{i}.weight": {names[0]}.T', *(f'"layer{i}.bias": {name}' for name in names[1:])]
            else:
                shapes = ", ".join(f'"{name}": torch.empty{array.shape}' for name, array in layer.arrays.items())
                made.append(f"self.layer{i} = nn.ParameterDict({{{shapes}}})")
                lines.append(f"x = {self.called(layer, f'**self.layer{i}')}")
                state += [f'"layer{i}.{name}": {word}' for name, word in zip(layer.arrays, names, strict=True)]
        return (
            "class Net(nn.Module):\n"
            f'    """{self.about} for x [points, {self.net.arity}]."""\n\n'
            f"    def __init__(self):\n        super().__init__()\n{_indented(made, 8)}\n\n"
            f"    def forward(self, x):\n{_indented([*lines, *self.answered('x')], 8)}\n\n\n"
            f"model = Net()\nmodel.load_state_dict({{{', '.join(state)}}})\n\n\n"
            "def net(numbers):\n"
            f'    """{self.about} for numbers {self.takes}."""\n'
            "    with torch.no_grad():\n"
            f"        return model(torch.as_tensor(numbers, dtype=torch.{self.net.setup.precision})).numpy()"
        )


class Keras(Target):
    """A `keras.Sequential` between the transforms."""

    needs = "Keras with one of its backends"
    imports = ("import numpy as np", "from keras import Sequential, layers, ops")
    activations: ClassVar = {
        **{name: f'"{name}"' for name in ("relu", "relu6", "elu", "silu", "tanh", "sigmoid", "softplus")},
        "leaky_relu": "lambda z: ops.leaky_relu(z, 0.01)",
        "gelu": "lambda z: ops.gelu(z, approximate=True)",
        "sin": "ops.sin",
        "square": "ops.square",
    }

    def _imports(self) -> list[str]:
        double = self.net.setup.precision == "float64"
        return [*super()._imports()[:1], "from keras import Sequential, layers, ops" + (", config" if double else "")]

    def settings(self) -> str:
        """The precision, where it is not Keras's own."""
        return 'config.set_floatx("float64")' if self.net.setup.precision == "float64" else ""

    def model(self) -> str:
        """A model, its weights, and a function around both."""
        dense = []
        for i, layer in enumerate(self.net.layers, 1):
            bias = "" if len(self.net.names(i)) > 1 else ", use_bias=False"
            does = "" if layer.activation == "linear" else f", activation={self.activations[layer.activation]}"
            dense.append(f"layers.Dense({layer.arrays['kernel'].shape[1]}{does}{bias}),")
        inside = [f"layers.Input(({self.net.setup.inputs},)),", *dense]
        names = ", ".join(name for name, _ in self.net.arrays())
        lines = [f"x = np.asarray(numbers, np.{self.net.setup.precision})", *self.shown()]
        lines += ["x = ops.convert_to_numpy(model(x))", *self.answered("x")]
        return (
            f"model = Sequential(\n    [\n{_indented(inside, 8)}\n    ]\n)\nmodel.set_weights([{names}])\n\n\n"
            "def net(numbers):\n"
            f'    """{self.about} for numbers {self.takes}."""\n'
            f"{_indented(lines)}"
        )


class Flax(Target):
    """A Linen module and its parameters."""

    needs = "Flax"
    imports = ("import flax.linen as nn", "import jax", "import jax.numpy as jnp", "import numpy as np")
    prefix = "jnp"
    activations: ClassVar = {
        **{name: f"nn.{name}({{}})" for name in ("relu", "leaky_relu", "relu6", "elu", "gelu", "silu", "softplus")},
        **{name: f"nn.{name}({{}})" for name in ("tanh", "sigmoid")},
        "sin": "jnp.sin({})",
        "square": "jnp.square({})",
    }

    def settings(self) -> str:
        """The precision, where it is not JAX's own."""
        double = self.net.setup.precision == "float64"
        return f'jax.config.update("jax_enable_x64", {double})' if double else ""

    def _imports(self) -> list[str]:
        double = self.net.setup.precision == "float64"
        return [line for line in self.imports if double or line != "import jax"]

    def model(self) -> str:
        """A module, its parameters, and a function around both."""
        lines, params = self.shown(), []
        for i, layer in enumerate(self.net.layers, 1):
            names = self.net.names(i)
            bias = "" if len(names) > 1 else ", use_bias=False"
            z = f"nn.Dense({layer.arrays['kernel'].shape[1]}{bias})(x)"
            lines.append(f"x = {self.activated(layer.activation, z)}")
            given = ", ".join(f'"{name}": {word}' for name, word in zip(layer.arrays, names, strict=True))
            params.append(f'"Dense_{i - 1}": {{{given}}},')
        return (
            "class Net(nn.Module):\n"
            f'    """{self.about} for x [points, {self.net.arity}]."""\n\n'
            f"    @nn.compact\n    def __call__(self, x):\n{_indented([*lines, *self.answered('x')], 8)}\n\n\n"
            f"params = {{\n{_indented(params)}\n}}\n\n\n"
            "def net(numbers):\n"
            f'    """{self.about} for numbers {self.takes}."""\n'
            f"    x = jnp.asarray(numbers, jnp.{self.net.setup.precision})\n"
            '    return Net().apply({"params": params}, x)'
        )


TARGETS: dict[str, type[Target]] = {"keras": Keras, "torch": Torch, "numpy": NumPy, "flax": Flax}
"""What nets can be exported to."""
