"""Successive halving (Karnin, Koren & Somekh 2013; Jamieson & Talwalkar 2016) of the setups of a batch.

At each rung all setups train for a share of their steps; the worse half stops there, and the others go on.

Those that go on are trained from their first step again, in whichever programs suit the fewer nets: a net comes out the
same however often it is trained, so no half-trained state has to survive an interruption or travel to another machine.
Shares of 0.1 and 0.3 do half the work of training all setups to the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.studies.search import AskedTrial
from arithjax.tables import objectives


def rung(asked: dict[int, AskedTrial], share: float) -> dict[int, AskedTrial]:
    """The trials with setups that stop after a share of their steps; raises `ArithjaxError` where that is no step."""
    return {number: _stopping(one, number, share) for number, one in asked.items()}


def _stopping(one: AskedTrial, number: int, share: float) -> AskedTrial:
    step = int(share * one.setup.steps)
    if step < 1:
        raise ArithjaxError(
            f"halving={share:g} of the steps={one.setup.steps} of trial {number} is no step; take more steps or a "
            f"larger share."
        )
    return _until(one, step)


def _until(one: AskedTrial, step: int) -> AskedTrial:
    return replace(one, setup=one.setup.replace(until=step))


def worst(rows: pd.DataFrame, count: int) -> list[int]:
    """The `count` trials with the largest objective `error`; of equal ones the later."""
    errors = objectives.objectives(rows)["error"].sort_index()
    return errors.sort_values(kind="stable").index[len(errors) - count :].tolist()


def restored(asked: dict[int, AskedTrial], stored: pd.DataFrame, shares: Sequence[float]) -> dict[int, AskedTrial]:
    """The trials of a batch, those that stopped in an earlier run with the step at which they stopped.

    stored: the batch's rows of the table. shares: the study's; without any the trials are returned as they are.
    """
    if not shares:
        return asked
    stopped = stored.drop_duplicates("trial").set_index("trial")["until"].dropna()
    return asked | {number: _until(asked[number], int(step)) for number, step in stopped.items()}


def planned(asked: dict[int, AskedTrial], shares: Sequence[float]) -> Iterator[dict[int, AskedTrial]]:
    """The trials that train at each rung and at the end, assuming that the first half always survives."""
    for share in shares:
        yield rung(asked, share)
        asked = dict(itertools.islice(asked.items(), len(asked) - len(asked) // 2))
    yield asked


def work(shares: Sequence[float]) -> float:
    """The optimiser steps that halving trains, as a share of training all setups to the end."""
    return sum(share / 2**stage for stage, share in enumerate((*shares, 1.0)))
