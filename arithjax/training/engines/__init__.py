"""Engines: what trains and evaluates the nets of a tile. There are three, with one contract (`Engine`).

- **compiled** (`xla`): Flax networks and optax under `jit`; every model, activation, optimiser and loss, on any device.
- **fused** (`dense`): dense nets on a CPU, in one kernel whose layer sizes are run-time numbers, so that nothing is
  compiled for an architecture. It has every built-in activation, optimiser and loss.
- **on chip** (`onchip`): narrow dense nets on an accelerator, in one Pallas kernel; all else as the compiled engine.

A tile's layout names its engine, and the column `program` of a table records it.
"""
