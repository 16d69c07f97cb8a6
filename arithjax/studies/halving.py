"""Successive halving (Karnin, Koren & Somekh 2013; Jamieson & Talwalkar 2016): the setups of a batch train for a share
of their steps, the worse half stops there, and the others go on.

Those that go on are trained from their first step again, in whichever programs suit the fewer nets: a net comes out the
same however often it is trained, so nothing half-trained has to outlive an interruption or travel to another machine.
Shares of 0.1 and 0.3 do half the work of training all setups to the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from arithjax.errors import ArithjaxError
from arithjax.studies.search import Asked
from arithjax.tables import objectives


def shortened(asked: dict[int, Asked], share: float) -> dict[int, Asked]:
    """The trials with setups that stop after a share of their steps."""
    return {number: _until(one, number, share) for number, one in asked.items()}


def _until(one: Asked, number: int, share: float) -> Asked:
    step = int(share * one.setup.steps)
    if step < 1:
        raise ArithjaxError(
            f"halving={share:g} of the steps={one.setup.steps} of trial {number} is no step; take more steps or a "
            f"larger share."
        )
    return replace(one, setup=one.setup.replace(until=step))


def worst(rows: pd.DataFrame, count: int) -> list[int]:
    """The trials with the largest errors, those that a search would minimise; of equal ones the later."""
    errors = objectives.objectives(rows)["error"].sort_index()
    return errors.sort_values(kind="stable").index[len(errors) - count :].tolist()


def restored(asked: dict[int, Asked], stored: pd.DataFrame, shares: Sequence[float]) -> dict[int, Asked]:
    """The trials of a batch, with those that have stopped as the table says."""
    known = stored.drop_duplicates("trial").set_index("trial")["until"].dropna() if shares else {}
    return asked | {n: replace(asked[n], setup=asked[n].setup.replace(until=int(step))) for n, step in known.items()}


def as_if(asked: dict[int, Asked], shares: Sequence[float]) -> Iterator[dict[int, Asked]]:
    """What is trained stage by stage, if always the first half of the setups goes on."""
    for share in shares:
        yield shortened(asked, share)
        asked = dict(itertools.islice(asked.items(), len(asked) - len(asked) // 2))
    yield asked


def work(shares: Sequence[float]) -> float:
    """What is trained, as a share of training all setups to the end."""
    return sum(share / 2**stage for stage, share in enumerate((*shares, 1.0)))
