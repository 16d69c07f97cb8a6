"""Taking a net home: trained nets, and setups to be trained, as scripts that need nothing of arithjax.

- `scripts`: a trained net with its weights, in Keras, PyTorch, NumPy or Flax;
- `untrained`: a setup as data, model, training loop and judging, in Keras or PyTorch;
- `plain`, `codes`: what the scripts hold of arithjax's activations, transforms and units, and of its encodings;
- `linen`: a trained net as a Linen module.
"""

from __future__ import annotations

from arithjax.export.portable import portable
from arithjax.export.scripts import TARGETS, check_name, script
from arithjax.export.target import Script
from arithjax.export.untrained import untrained

__all__ = ["TARGETS", "Script", "check_name", "portable", "script", "untrained"]
