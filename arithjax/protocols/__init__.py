"""Published experiments as functions that return ready setups, and the numbers published for them.

    aj.train([protocols.single_module("nmu", "mul", (1, 2))], seeds=25)     # a cell of a paper's figure

But for `question`, `minimal_arithmetic` and `simple_arithmetic`, success is an extrapolation error below that of an
ε-perfect solution, whose right weights are 1 - ε and all others ε, at the evaluation with the smallest interpolation
error (Madsen & Johansen 2020). `grid_errors` are metrics by which simple arithmetic is judged. Every function takes any
field of a setup as a keyword, which then replaces the protocol's; what a setup refuses raises ArithjaxError.

`PUBLISHED` holds every published cell that can be run here, and `compare` sets a table's nets beside it. `by_epsilon`
and `by_steps` give success against ε, and against the steps of training.
"""

from arithjax.protocols.grid import grid_errors
from arithjax.protocols.published import PUBLISHED, Published, compare
from arithjax.protocols.setups import (
    PAIRS,
    RANGES,
    arithmetic_dataset,
    minimal_arithmetic,
    question,
    simple_arithmetic,
    single_module,
)
from arithjax.protocols.survival import by_epsilon, by_steps, epsilon_of
from arithjax.protocols.thresholds import ARITHMETIC_THRESHOLDS, BINARY, EXACT, simulated_threshold, threshold

__all__ = [
    "ARITHMETIC_THRESHOLDS",
    "BINARY",
    "EXACT",
    "PAIRS",
    "PUBLISHED",
    "RANGES",
    "Published",
    "arithmetic_dataset",
    "by_epsilon",
    "by_steps",
    "compare",
    "epsilon_of",
    "grid_errors",
    "minimal_arithmetic",
    "question",
    "simple_arithmetic",
    "simulated_threshold",
    "single_module",
    "threshold",
]
