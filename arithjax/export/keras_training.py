"""Untrained nets in Keras."""

from __future__ import annotations

from typing import ClassVar

from arithjax.errors import ArithjaxError
from arithjax.export.scripts import Keras
from arithjax.export.training_script import Library, call_of
from arithjax.registry import SCHEDULES
from arithjax.training.optimizers import decay_of, default


class InKeras(Library):
    """A `Sequential` that is compiled and fitted."""

    label, needs = "keras", "Keras with one of its backends"
    optimizers: ClassVar[dict[str, tuple[str, dict[str, str], dict[str, float]]]] = {
        "adam": ("Adam", {"beta1": "beta_1", "beta2": "beta_2", "epsilon": "epsilon"}, {}),
        "adamw": ("AdamW", {"beta1": "beta_1", "beta2": "beta_2", "epsilon": "epsilon"}, {}),
        "sgd": ("SGD", {"momentum": "momentum"}, {}),
        "rmsprop": ("RMSprop", {"beta2": "rho", "epsilon": "epsilon"}, {}),
        "lion": ("Lion", {"beta1": "beta_1", "beta2": "beta_2"}, {"beta_2": 0.99}),
    }
    usual: ClassVar = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "momentum": 0.0, "rho": 0.9}
    losses: ClassVar = {
        **{"mse": '"mean_squared_error"', "mae": '"mean_absolute_error"', "huber": "losses.Huber()"},
        "bit_cross_entropy": "losses.BinaryCrossentropy(from_logits=True)",
        "cross_entropy": "losses.CategoricalCrossentropy(from_logits=True)",
    }

    def imports(self) -> str:
        """NumPy and Keras."""
        body = self.model() + self.seeded()
        words = ("Sequential", "config", "layers", "losses", "ops", "optimizers", "regularizers", "utils")
        used = [word for word in words if f"{word}." in body or word == "Sequential"]
        return f"import numpy as np\nfrom keras import {', '.join(used)}"

    def seeded(self) -> str:
        """Keras's own seed, and its precision."""
        double = '\nconfig.set_floatx("float64")' if self.setup.precision == "float64" else ""
        return f"utils.set_random_seed(seed){double}"

    def model(self) -> str:
        """The layers, and what trains them."""
        dense = [f"layers.Input(({self.setup.inputs},)),"]
        for width, activation in self.layers:
            does = [] if activation == "linear" else [f"activation={Keras.activations[activation]}"]
            dense.append(f"{call_of('layers.Dense', str(width), *does, *self._options())},")
        inside = "\n".join(f"        {line}" for line in dense)
        own = self._own_loss()
        loss = self.setup.loss if own else self.losses[self.setup.loss]
        return (
            f"{own}model = Sequential(\n    [\n{inside}\n    ]\n)\n"
            f"model.compile(optimizer={self._optimizer()}, loss={loss})"
        )

    def _own_loss(self) -> str:
        """A loss that Keras lacks, as a function; empty where it has it."""
        if self.setup.loss == "relative":
            about, result = "((y - t) / (1 + |t|))²", "ops.mean(ops.square((y - t) / (1 + ops.abs(t))))"
        elif self.setup.loss == "cross_entropy" and len(self.ends) > 1:
            about = "-ln softmax(y) of the right class, the mean over all results or digits"
            each = "losses.categorical_crossentropy(t[:, i:j], y[:, i:j], from_logits=True)"
            result = f"sum({each} for i, j in {self.ends}) / {len(self.ends)}"
        else:
            return ""
        return f'def {self.setup.loss}(t, y):\n    """{about}."""\n    return {result}\n\n\n'

    def _options(self) -> list[str]:
        """Keywords of every layer."""
        setup, options = self.setup, []
        if setup.initializer != "glorot_uniform":
            options.append(f'kernel_initializer="{setup.initializer}"')
        if not setup.bias:
            options.append("use_bias=False")
        if (decay := decay_of(setup)) and setup.optimizer not in ("adamw", "lion"):
            options += [f"{part}_regularizer=regularizers.L2({decay / 2!r})" for part in ("kernel", "bias")]
        return options

    def _optimizer(self) -> str:
        setup = self.setup
        name, words, usual = self.optimizers[setup.optimizer]
        given = {word: self.numbers[ours] for ours, word in words.items()}
        if setup.optimizer in ("adamw", "lion"):
            given["weight_decay"] = decay_of(setup)
        given |= {"global_clipnorm": setup.clip, "clipvalue": setup.clip_value}
        if setup.clip and setup.clip_value:
            raise ArithjaxError("Keras clips by clip or by clip_value, and not by both; export to torch.")
        return call_of(f"optimizers.{name}", self._rate(), usual={**self.usual, **usual}, **given)

    def _rate(self) -> str:
        """The learning rate, or its schedule."""
        setup, rate, rest = self.setup, self.setup.learning_rate, self.steps - self.setup.warmup
        end = default(setup.end_factor, SCHEDULES[setup.schedule].end_factor)
        if setup.schedule == "cosine":
            rising = {"warmup_target": rate, "warmup_steps": setup.warmup} if setup.warmup else {}
            named, start = {"alpha": end, **rising}, 0.0 if rising else rate
            return call_of("optimizers.schedules.CosineDecay", repr(start), str(rest), usual={"alpha": 0.0}, **named)
        if setup.schedule == "exponential" and not setup.warmup:
            return f"optimizers.schedules.ExponentialDecay({rate!r}, {rest}, {end!r})"
        if setup.schedule == "constant" and setup.warmup:
            rise = f"{rate / setup.warmup!r}, {setup.warmup}, end_learning_rate={rate!r}"
            return f"optimizers.schedules.PolynomialDecay({rise})"
        if setup.schedule == "constant":
            return repr(rate)
        raise ArithjaxError(
            f"schedule={setup.schedule} with warmup={setup.warmup} is none of Keras's; export to torch."
        )

    def training(self, call: str) -> str:
        """One call of `fit`, or a batch drawn at each step."""
        if not self.setup.fresh:
            sizes = f"batch_size={self.setup.batch}, epochs={self.epochs}"
            return f"model.fit({self.shown('x')}, {self.target('t')}, {sizes}, verbose=2)"
        return (
            f"for step in range({self.steps}):\n"
            f"    x = draw({self.setup.batch})\n"
            f"    model.train_on_batch({self.shown('x')}, {self.target(self.column(call))})"
        )

    @property
    def answers(self) -> str:
        """A prediction."""
        return self.told(f"model.predict({self.shown('x')}, batch_size=10_000, verbose=0)") + self.first
