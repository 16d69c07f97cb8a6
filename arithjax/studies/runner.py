"""Studies: a question asked of many setups, trained, recorded, and never trained twice.

The table is the truth: Optuna's study lives in memory and is built again from it (`arithjax.studies.search`), and
`study.json` says what was asked, so that a folder never holds the answers to two questions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arithjax import environment
from arithjax.errors import ArithjaxError, check_count
from arithjax.studies import halving, identity
from arithjax.studies.recording import record_study
from arithjax.studies.search import Asked, Search
from arithjax.studies.signals import Stop
from arithjax.studies.study import Progress, Study
from arithjax.tables import loading, objectives, schema
from arithjax.tables.store import Store
from arithjax.training import planning, workers
from arithjax.training.tile import NetId, Tile


def run_study(
    study: Study,
    out: str | Path = "runs",
    trials: int | None = None,
    seeds: int | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
    cluster: str | None = None,
) -> pd.DataFrame:
    """Run a study, or continue it, in the folder `out/<name>`; the finished table, a row a net.

    trials, seeds, steps: instead of the study's own. Nets that are in the folder are not trained again.
    cluster: the address of a Dask scheduler, or `local:N` for N worker processes here.
    """
    if not isinstance(study, Study):
        raise ArithjaxError(f"study is a {type(study).__name__}; it has to be an arithjax Study.")
    _check_given(trials=trials, seeds=seeds, steps=steps)
    run = _Run(study, Store(Path(out) / study.name), trials, seeds or study.seeds, steps, progress or Progress())
    if cluster is None:
        with run.store.lock():
            return run.go()
    from arithjax.studies.cluster import Cluster

    with Cluster(cluster) as there, run.store.lock():
        run.cluster = there
        return run.go()


def asked_nets(
    study: Study, trials: int | None = None, seeds: int | None = None, steps: int | None = None
) -> Iterator[list[NetId]]:
    """The nets of a run from its beginning, as they are planned together: batch by batch, or only the first batch where
    the sampler learns from results; of a study that halves, as if the first half of the setups went on.
    """
    _check_given(trials=trials, seeds=seeds, steps=steps)
    run = _Run(study, Store(Path()), trials, seeds or study.seeds, steps, Progress())
    for batch in run.search.batches():
        for asked in halving.as_if(run.search.ask(batch), run.study.halving):
            yield run.nets_of(asked)
        if run.search.adaptive:
            return


def _check_given(**counts: int | None) -> None:
    """Raise unless every number that is given is a whole one of at least 1."""
    for name, value in counts.items():
        if value is not None:
            check_count(name, value)


class _Run:
    """One run of a study: ask a batch, train what is missing of it, write it, tell what came of it."""

    def __init__(
        self, study: Study, store: Store, trials: int | None, seeds: int, steps: int | None, progress: Progress
    ):
        if steps is not None:
            study = replace(study, question=identity.shortened(study.question, steps))
        self.study, self.store, self.seeds, self.steps, self.progress = study, store, seeds, steps, progress
        self.search = Search(study, trials or study.trials)
        self.cluster: Any = None
        self.began = False

    def go(self) -> pd.DataFrame:
        self.stored = self.store.rows()
        self.done = set(zip(self.stored["trial"], self.stored["seed"], strict=True))
        self.told = self.seeds
        for batch in self.search.batches():
            stored = _of_trials(self.stored, batch)
            asked = halving.restored(self._ask(batch, stored), stored, self.study.halving)
            if batch.start == 0:
                self._describe(asked, stored)
            else:
                identity.refuse_others(self.store.folder, asked, stored)
                self._widen(asked)
            trained = self._train(asked, stored)
            if self.search.adaptive and batch.stop < self.search.trials:
                self._tell(asked, [stored, *trained])
        nets = self.store.finish()
        if self.study.curves:
            record_study(self.store, nets, self.study.curves, self.study.seed)
        return nets

    def _ask(self, batch: range, stored: pd.DataFrame) -> dict[int, Asked]:
        """The batch, from the table if all of its trials are there."""
        known = stored.drop_duplicates("trial")
        again = self.search.replay(batch, list(known["choices"])) if len(known) == len(batch) else None
        return again or self.search.ask(batch)

    def _tell(self, asked: dict[int, Asked], rows: list[pd.DataFrame]) -> None:
        """Tell the search what came of a batch; only the seeds it began with count, so that more change nothing."""
        together = pd.concat([frame for frame in rows if len(frame)], ignore_index=True)
        together = together[together["seed"] < self.told].sort_values(["trial", "seed"])
        self.search.tell(asked, objectives.objectives(together, self.study.objectives))

    def _train(self, asked: dict[int, Asked], stored: pd.DataFrame) -> list[pd.DataFrame]:
        """Train what is missing of a batch and write it as it finishes; the new rows.

        The plan is that of the whole batch, so that an interrupted batch goes on in the same programs.
        """
        nets = self.nets_of(asked)
        if all((net.trial, net.seed) in self.done for net in nets):
            return []
        self._begin(nets)
        choices = {number: one.choices for number, one in asked.items()}
        writer = _Writer(self.store)
        try:
            for rows in self._stages(asked, stored):
                rows = rows.assign(study=self.study.name, choices=rows["trial"].map(choices))
                writer.add(rows)
                self.progress.nets(rows)
        finally:
            writer.write()
        return writer.written

    def _stages(self, asked: dict[int, Asked], stored: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Rows of the missing nets; of a study that halves, stage by stage.

        The setups that stop at a stage are written at once, so that an interrupted study finds all of them or none.
        """
        for share in self.study.halving:
            short, count = halving.shortened(asked, share), len(asked) // 2
            stopped = [number for number, one in asked.items() if one.setup == short[number].setup][:count]
            if count and not stopped:
                rows = pd.concat(self._trained(self.nets_of(short), short))
                stopped = halving.worst(rows[rows["seed"] < self.told], count)
                yield rows[rows["trial"].isin(stopped)]
            else:  # they stopped in an earlier run, perhaps with fewer seeds
                again = {number: asked[number] for number in stopped}
                yield from self._trained(self.nets_of(again), again)
            asked = {number: one for number, one in asked.items() if number not in stopped}
        yield from self._trained(self.nets_of(asked), asked)

    def nets_of(self, asked: dict[int, Asked]) -> list[NetId]:
        """Every seed of every trial."""
        return [NetId(number, seed, one.setup) for number, one in asked.items() for seed in range(self.seeds)]

    def _begin(self, nets: list[NetId]) -> None:
        """Say, once, how much there is to do."""
        if self.began:
            return
        self.began = True
        typical = int(np.mean([net.setup.last_step for net in nets]) * halving.work(self.study.halving))
        total = self.search.trials * self.seeds
        there = sum(trial < self.search.trials and seed < self.seeds for trial, seed in self.done)
        self.progress.begin(total, there, (total - there) * typical)

    def _trained(self, nets: list[NetId], asked: dict[int, Asked]) -> Iterator[pd.DataFrame]:
        """Rows of those nets that are missing, tile by tile, in no particular order."""
        devices, count = environment.devices_and_workers()
        tiles = []
        for tile in planning.plan(nets, self.cluster.workers() if self.cluster else count):
            left = tuple(net for net in tile.nets if (net.trial, net.seed) not in self.done)
            if left:
                tiles.append(Tile(tile.specs, tile.branches, left))
        if not tiles:
            return
        if self.cluster:
            yield from self.cluster.run_tiles(tiles, self.study, self.steps, asked, self.progress.steps)
            return
        for trained in workers.train_tiles(tiles, self.study.seed, count, devices, self.progress.steps, Stop()):
            yield trained.rows

    def _describe(self, asked: dict[int, Asked], stored: pd.DataFrame) -> None:
        """Write `study.json`, or go on with the folder's own if it asks the same."""
        asks = identity.resolved(self.study, self.steps, asked)
        content = {
            **asks,
            "space": identity.space_of(asked),
            "hash": identity.digest(asks),
            "trials": self.search.trials,
            "seeds": self.seeds,
            "told": self.seeds,
            "schema": schema.SCHEMA_VERSION,
            "about": self.study.about,
            "by": list(self.study.by),
            "show": self.study.show,
            "source": self.study.source,
            "versions": environment.versions(),
            "device": self.cluster.device() if self.cluster else environment.device(),
        }
        if (self.store.folder / "study.json").exists():
            before = loading.description(self.store.folder)
            identity.refuse_another(self.store.folder, before, {**asks, "space": content["space"]}, self.study.sampler)
            content = self._continued(before, content)
            if content == before:
                return
        elif len(self.stored):
            raise ArithjaxError(f"{self.store.folder} holds a table but no study.json; choose another --out.")
        identity.refuse_others(self.store.folder, asked, stored)
        self._write(content)

    def _write(self, content: dict[str, Any]) -> None:
        self.store.write("study.json", json.dumps(content, indent=1, ensure_ascii=False).encode())

    def _widen(self, asked: dict[int, Asked]) -> None:
        """Add choices that a later batch met first to `study.json`."""
        described, space = loading.description(self.store.folder), identity.space_of(asked)
        if not space.keys() <= described["space"].keys():
            self._write({**described, "space": {**space, **described["space"]}})

    def _continued(self, before: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
        """The description of a study that goes on: what it began with stays, and what is new is added."""
        self.told = before.get("told", before["seeds"])
        if (self.search.adaptive or self.study.halving) and self.seeds < self.told:
            raise ArithjaxError(
                f"seeds={self.seeds} is fewer than the {self.told} that the search in {self.store.folder} learns from; "
                f"give --seeds {self.told} or more."
            )
        if self.study.halving and content["trials"] != before["trials"]:
            raise ArithjaxError(
                f"trials={content['trials']} is another study than that in {self.store.folder}, whose halving compares "
                f"{before['trials']}; give --trials {before['trials']}, or choose another --out."
            )
        more = {name: max(content[name], before[name]) for name in ("trials", "seeds")}
        here = {name: content[name] for name in ("versions", "device")}
        places = [{name: before.get(name, here[name]) for name in here}, *before.get("continued", [])]
        if len(self.done) < more["trials"] * more["seeds"]:
            identity.warn_of_changes(self.store.folder, before.get("source", ""), self.study.source, places, here)
            places += [here] if all(environment.differences(place, here) for place in places) else []
        space = {**content["space"], **before.get("space", {})}
        content = {**before, **content, **more, **places[0], "told": self.told, "space": space}
        return {**content, "continued": places[1:]} if places[1:] else content


class _Writer:
    """Writes finished rows as chunks, seconds apart, and keeps the time beside the table."""

    def __init__(self, store: Store, every: float = 2.0):
        self.store, self.every = store, every
        self.waiting: list[pd.DataFrame] = []
        self.written: list[pd.DataFrame] = []
        self.last = time.monotonic()

    def add(self, rows: pd.DataFrame) -> None:
        self.waiting.append(rows)
        if time.monotonic() - self.last > self.every:
            self.write()

    def write(self) -> None:
        """Write what waits. Written twice, in an interruption, a chunk has the same name and is the same."""
        if not self.waiting:
            return
        started = time.monotonic()
        rows = pd.concat(self.waiting, ignore_index=True)
        self.store.add(rows)
        self.written.append(rows)
        self.waiting = []
        self.store.tick(len(rows))
        self.last = time.monotonic()
        self.every = max(self.every, 20 * (self.last - started))  # writing takes at most a twentieth of the time


def _of_trials(rows: pd.DataFrame, batch: range) -> pd.DataFrame:
    """The rows of a batch, from rows in order."""
    first, last = np.searchsorted(rows["trial"].to_numpy(), [batch.start, batch.stop])
    return rows.iloc[first:last]
