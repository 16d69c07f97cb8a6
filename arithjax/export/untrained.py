"""Setups as scripts that train: data, transforms, model, training loop and judging, in Keras or PyTorch.

What a field of a setup means is said in the library's own words; where the library has none, the field is refused or,
if a net learns without it, named in a comment. Weights and examples come from other random numbers than arithjax's.
"""

from __future__ import annotations

from arithjax.errors import ArithjaxError, nearest
from arithjax.export.keras_training import InKeras
from arithjax.export.portable import refuse_own
from arithjax.export.scripts import TARGETS
from arithjax.export.torch_training import InTorch
from arithjax.export.training_script import Library
from arithjax.fields import cell
from arithjax.registry import LOSSES
from arithjax.setup import Setup

LIBRARIES: dict[str, type[Library]] = {"keras": InKeras, "torch": InTorch}
"""What setups can be exported to."""


def untrained(setup: Setup, target: str = "keras") -> str:
    """A setup as a script that makes the examples, trains the net and judges it, and needs nothing of arithjax.

    setup: of dense layers. target: `keras` or `torch`.

    Raises:
        ArithjaxError: there is no such target, or it lacks something that the setup names.
    """
    if target in TARGETS and target not in LIBRARIES:
        raise ArithjaxError(
            f"target '{target}' is for trained nets alone; untrained scripts are for {' and '.join(LIBRARIES)}."
        )
    if target not in LIBRARIES:
        raise ArithjaxError(f"unknown target '{target}'{nearest(target, LIBRARIES)} There are {', '.join(LIBRARIES)}.")
    if setup.model != "mlp":
        raise ArithjaxError(
            f"model={cell(setup.model)} cannot be written as an untrained script; scripts that train hold dense "
            f"layers (model=mlp)."
        )
    refuse_own(setup)
    if not LOSSES.ours(setup.loss):
        raise ArithjaxError(
            f"loss={setup.loss} is your own, which no script that trains can hold; net.export writes the trained net."
        )
    return LIBRARIES[target](setup).script()
