"""Recording: curves over training of a study's nets, kept beside its table."""

from __future__ import annotations

import time

import pandas as pd

from arithjax.tables import loading
from arithjax.tables.store import Store
from arithjax.training.curves import by_net, record
from arithjax.training.tile import NetId

WRITTEN = 5.0
"""Seconds after which what is recorded is written."""


def record_study(store: Store, nets: pd.DataFrame, seeds: int, root: int) -> None:
    """Record the first `seeds` nets of every trial of a study's table, into `curves.parquet` beside it.

    What is there already is kept, and what is recorded is written every few seconds, so that the same call goes on
    where an earlier one was stopped. `root` is the study's seed.
    """
    before = loading.load_curves(store.folder)
    frames = [] if before is None else [before]
    there = set() if before is None else set(zip(before["trial"], before["seed"], strict=True))
    wanted = [row for _, row in nets[nets["seed"] < seeds].iterrows() if (row["trial"], row["seed"]) not in there]
    missing = [NetId(int(row["trial"]), int(row["seed"]), loading.setup_of(row)) for row in wanted]
    written = time.monotonic()

    def keep(curves: pd.DataFrame) -> None:
        nonlocal written
        frames.append(curves)
        if time.monotonic() - written > WRITTEN:
            write()
            written = time.monotonic()

    def write() -> None:
        if frames:
            store.write(loading.CURVES, by_net(frames).to_parquet(index=False, compression="zstd"))

    if missing:
        try:
            record(missing, root, keep)
        finally:
            write()
