"""Trained nets as scripts: in NumPy, PyTorch, Keras or Flax, as somebody would write them, with the weights inside.

To add a target, subclass `Target` (`arithjax.export.target`) and name it in `TARGETS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from arithjax.architecture import dense_layer
from arithjax.errors import ArithjaxError, nearest
from arithjax.export import plain
from arithjax.export.portable import Portable
from arithjax.export.target import Script, Target, indented


class NumPy(Target):
    """A few lines of NumPy."""

    label, needs = "numpy", "NumPy alone"
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
            f"{indented([*lines, *self.answered('x')])}"
        )


def _units(net: Portable) -> list[Callable]:
    return [plain.UNITS[kind] for kind in net.arithmetic]


class Torch(Target):
    """A `torch.nn.Module`."""

    label, needs = "torch", "PyTorch"
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
        used = any(self.activations.get(layer.activation, "").startswith("F.") for layer in self.net.layers)
        return [line for line in super()._imports() if used or "functional" not in line]

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
            f"    def __init__(self):\n        super().__init__()\n{indented(made, 8)}\n\n"
            f"    def forward(self, x):\n{indented([*lines, *self.answered('x')], 8)}\n\n\n"
            f"model = Net()\nmodel.load_state_dict({{{', '.join(state)}}})\n\n\n"
            "def net(numbers):\n"
            f'    """{self.about} for numbers {self.takes}."""\n'
            "    with torch.no_grad():\n"
            f"        return model(torch.as_tensor(numbers, dtype=torch.{self.net.setup.precision})).numpy()"
        )


class Keras(Target):
    """A `keras.Sequential` between the transforms."""

    label, needs = "keras", "Keras with one of its backends"
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
            f"model = Sequential(\n    [\n{indented(inside, 8)}\n    ]\n)\nmodel.set_weights([{names}])\n\n\n"
            "def net(numbers):\n"
            f'    """{self.about} for numbers {self.takes}."""\n'
            f"{indented(lines)}"
        )


class Flax(Target):
    """A Linen module and its parameters."""

    label, needs = "flax", "Flax"
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
            params.append(f'"{dense_layer(i - 1)}": {{{given}}},')
        return (
            "class Net(nn.Module):\n"
            f'    """{self.about} for x [points, {self.net.arity}]."""\n\n'
            f"    @nn.compact\n    def __call__(self, x):\n{indented([*lines, *self.answered('x')], 8)}\n\n\n"
            f"params = {{\n{indented(params)}\n}}\n\n\n"
            "def net(numbers):\n"
            f'    """{self.about} for numbers {self.takes}."""\n'
            f"    x = jnp.asarray(numbers, jnp.{self.net.setup.precision})\n"
            '    return Net().apply({"params": params}, x)'
        )


TARGETS: dict[str, type[Target]] = {target.label: target for target in (Keras, Torch, NumPy, Flax)}
"""What nets can be exported to."""


LIBRARIES = {"numpy", "scipy", "torch", "keras", "tensorflow", "jax", "jaxlib", "flax", "optax", "ml_dtypes"}
"""Libraries that scripts import, or that those import."""


def check_name(path: str | Path) -> None:
    """Raise `ArithjaxError` for the name of a script that Python would import in place of a library, as `numpy.py`."""
    name, suffix = Path(path).stem, Path(path).suffix
    if suffix == ".py" and name in LIBRARIES | sys.stdlib_module_names:
        raise ArithjaxError(
            f"{path} would be imported in place of the library {name} by every script in its folder, itself included; "
            f"choose another name, such as net_{name}.py."
        )


def script(net: Portable, target: str, name: str | None = None) -> Script:
    """A net as a script that needs nothing of arithjax.

    net: the net. target: one of `TARGETS`. name: of the script's file, if it is to be one; a large net's weights are
    then in a file `.npz` beside it.

    Raises:
        ArithjaxError: there is no such target, or the net has layers that it lacks.
    """
    if target not in TARGETS:
        raise ArithjaxError(f"unknown target '{target}'{nearest(target, TARGETS)} There are {', '.join(TARGETS)}.")
    kind = TARGETS[target]
    if net.arithmetic and not kind.has_units:
        having = [name for name, other in TARGETS.items() if other.has_units]
        raise ArithjaxError(
            f"layers of {', '.join(net.arithmetic)} can be exported to {' and '.join(having)}, not to {target}; "
            f"net.flax() gives them as a Linen module."
        )
    return kind(net, name).script()
