"""Untrained nets in PyTorch."""

from __future__ import annotations

from typing import Any, ClassVar

from arithjax.errors import ArithjaxError
from arithjax.export.scripts import Torch
from arithjax.export.training_script import Library, call_of
from arithjax.registry import SCHEDULES
from arithjax.training.optimizers import decay_of, default


class InTorch(Library):
    """An `nn.Sequential` in a loop of its own."""

    label, needs = "torch", "PyTorch"
    initializers: ClassVar = {
        "glorot_uniform": "xavier_uniform_(layer.weight)",
        "glorot_normal": "xavier_normal_(layer.weight)",
        "he_uniform": 'kaiming_uniform_(layer.weight, nonlinearity="relu")',
        "he_normal": 'kaiming_normal_(layer.weight, nonlinearity="relu")',
        "lecun_uniform": 'kaiming_uniform_(layer.weight, nonlinearity="linear")',
        "lecun_normal": 'kaiming_normal_(layer.weight, nonlinearity="linear")',
    }
    losses: ClassVar = {
        "mse": "F.mse_loss(y, wanted)",
        "mae": "F.l1_loss(y, wanted)",
        "huber": "F.huber_loss(y, wanted)",
        "relative": "torch.mean(torch.square((y - wanted) / (1 + torch.abs(wanted))))",
        "bit_cross_entropy": "F.binary_cross_entropy_with_logits(y, wanted)",
        "cross_entropy": "F.cross_entropy(y, wanted)",
    }

    def imports(self) -> str:
        """NumPy and PyTorch."""
        used = "F." in self.model() + self.loss
        functional = ["import torch.nn.functional as F"] if used else []
        return "\n".join(["import numpy as np", "import torch", *functional, "from torch import nn"])

    def seeded(self) -> str:
        """PyTorch's own seed, and its precision."""
        double = "\ntorch.set_default_dtype(torch.float64)" if self.setup.precision == "float64" else ""
        return f"torch.manual_seed(seed){double}"

    def model(self) -> str:
        """The layers, how their weights start, and what trains them."""
        inputs, made, lines = self.setup.inputs, [], []
        bias = "" if self.setup.bias else ", bias=False"
        for i, (width, activation) in enumerate(self.layers, 1):
            made.append(f"self.layer{i} = nn.Linear({inputs}, {width}{bias})")
            z = f"self.layer{i}(x)"
            lines.append(f"x = {z if activation == 'linear' else Torch.activations[activation].format(z)}")
            inputs = width
        starts = [f"nn.init.{self.initializers[self.setup.initializer]}"]
        starts += ["nn.init.zeros_(layer.bias)"] if self.setup.bias else []
        return "\n".join(
            [
                "class Net(nn.Module):",
                '    """The net between the transforms."""\n',
                "    def __init__(self):",
                "        super().__init__()",
                *(f"        {line}" for line in made),
                "        for layer in self.children():",
                *(f"            {line}" for line in starts),
                "\n    def forward(self, x):",
                *(f"        {line}" for line in lines),
                "        return x\n\n",
                "model = Net()",
                f"optimizer = {self._optimizer()}",
                *self._schedule(),
            ]
        )

    def _optimizer(self) -> str:
        setup, n = self.setup, self.numbers
        betas, decay = (n["beta1"], n["beta2"]), decay_of(setup)
        kinds: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
            "adam": ("Adam", {"betas": betas, "eps": n["epsilon"]}, {"weight_decay": 0.0}),
            "adamw": ("AdamW", {"betas": betas, "eps": n["epsilon"]}, {"weight_decay": 0.01}),
            "sgd": ("SGD", {"momentum": n["momentum"]}, {"weight_decay": 0.0}),
            "rmsprop": ("RMSprop", {"alpha": n["beta2"], "eps": n["epsilon"]}, {"weight_decay": 0.0}),
        }
        if setup.optimizer not in kinds:
            raise ArithjaxError(f"optimizer={setup.optimizer} is not in PyTorch; export to keras.")
        name, given, usual = kinds[setup.optimizer]
        usual |= {"betas": (0.9, 0.999), "eps": 1e-8, "momentum": 0.0, "alpha": 0.99}
        first = f"model.parameters(), lr={setup.learning_rate!r}"
        return call_of(f"torch.optim.{name}", first, usual=usual, **given, weight_decay=decay)

    def _schedule(self) -> list[str]:
        setup, schedule = self.setup, SCHEDULES[self.setup.schedule]
        end = default(setup.end_factor, schedule.end_factor)
        factors = {
            "constant": "1.0",
            "cosine": f"{end!r} + {1 - end!r} * 0.5 * (1 + np.cos(np.pi * progress))",
            "exponential": f"{end!r} ** progress",
        }
        if setup.schedule not in factors:
            raise ArithjaxError(f"schedule={setup.schedule} is your own, which no script can hold.")
        if setup.schedule == "constant" and not setup.warmup:
            return []
        rise = f" * min(1, (step + 1) / {setup.warmup})" if setup.warmup else ""
        passed = f"max(0, step - {setup.warmup})" if setup.warmup else "step"
        return [
            "\n",
            "def factor(step):",
            '    """On the learning rate."""',
            f"    progress = min(1, {passed} / {self.steps - setup.warmup})",
            f"    return ({factors[setup.schedule]}){rise}",
            "\n",
            "schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)",
        ]

    @property
    def loss(self) -> str:
        """The loss of outputs `y` and targets `wanted`, as an expression; of several groups of classes the mean."""
        loss = self.losses[self.setup.loss]
        if len(self.ends) < 2 or self.setup.loss != "cross_entropy":
            return loss
        return f"sum(F.cross_entropy(y[:, i:j], wanted[:, i:j]) for i, j in {self.ends}) / {len(self.ends)}"

    def training(self, call: str) -> str:
        """A loop over batches."""
        setup, batch = self.setup, self.setup.batch
        step = [
            "y = model(x)" if setup.fresh else "y, wanted = model(inputs[rows]), targets[rows]",
            f"loss = {self.loss}",
            "optimizer.zero_grad()",
            "loss.backward()",
            *([f"nn.utils.clip_grad_norm_(model.parameters(), {setup.clip!r})"] if setup.clip else []),
            *([f"nn.utils.clip_grad_value_(model.parameters(), {setup.clip_value!r})"] if setup.clip_value else []),
            "optimizer.step()",
            *(["schedule.step()"] if self._schedule() else []),
        ]
        if setup.fresh:
            lines = [
                f"for step in range({self.steps}):",
                f"    x = draw({batch})",
                f"    wanted = tensor({self.target(self.column(call))})",
                f"    x = tensor({self.shown('x')})",
                *(f"    {line}" for line in step),
            ]
        else:
            lines = [
                f"inputs, targets = tensor({self.shown('x')}), tensor({self.target('t')})",
                f"for epoch in range({self.epochs}):",
                f"    for rows in torch.randperm(len(inputs)).split({batch}):",
                *(f"        {line}" for line in step),
                '    print(f"epoch {epoch + 1}: loss {loss.item():.4g}")',
            ]
        made = [
            "\ndef tensor(array):",
            '    """An array in the net\'s precision."""',
            f"    return torch.tensor(array, dtype=torch.{setup.precision})\n\n",
        ]
        return "\n".join([*made, *lines])

    @property
    def answers(self) -> str:
        """A prediction."""
        return self.told(f"model(tensor({self.shown('x')})).detach().numpy()") + self.first
