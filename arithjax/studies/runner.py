"""Running a study: asked for, trained, stored, and continued after any interruption.

The results table holds everything: Optuna's study lives in memory and is built again from the table
(`arithjax.studies.search`). `study.json` holds the question, so that a folder is never resumed with another one
(`arithjax.studies.fingerprint`).
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arithjax import environment
from arithjax.errors import ArithjaxError, check_count, check_nets
from arithjax.studies import fingerprint, halving
from arithjax.studies.cluster import Cluster
from arithjax.studies.recording import record_study
from arithjax.studies.search import AskedTrial, Search
from arithjax.studies.signals import Stop
from arithjax.studies.study import Progress, Study, with_steps
from arithjax.tables import groups, loading, objectives, schema
from arithjax.tables.store import Store
from arithjax.training import planning, workers
from arithjax.training.callbacks import Callback, Evaluation
from arithjax.training.tile import NetId, Tile


def run(
    study: Study,
    out: str | Path = "runs",
    trials: int | None = None,
    seeds: int | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
    cluster: str | None = None,
    callback: Callable[[Evaluation], object] | None = None,
) -> pd.DataFrame:
    """Run a study, or continue it, in the folder `out/<name>`; its finished table, one row per net.

    study: the study. Nets that are in the folder already are not trained again. A trial that asks for the setup of an
        earlier one has its nets, and no rows of its own; `study.json` says which trials those are.
    out: the folder of all results.
    trials, seeds, steps: the numbers of setups, of nets per setup and of optimiser steps, instead of the study's own.
        Of a folder that holds more trials or seeds, the nets that are asked for are returned.
    progress: its methods are called with what is being done.
    cluster: the address of a Dask scheduler, a scheduler file, or `local:N` for N worker processes here; default: train
        in this process.
    callback: called in this thread after each evaluation of nets that train together, with an `aj.Evaluation`. Where it
        fails a warning says so, and training goes on. What halving lets go on trains from its first step again, and is
        told again. Nets that train on a cluster are not told of.

    Raises `ArithjaxError` when the study is wrong, when the folder holds another one, or when it cannot be written.
    """
    if not isinstance(study, Study):
        raise ArithjaxError(f"study is a {type(study).__name__}; it has to be an arithjax Study.")
    told = Callback(callback)
    if told and cluster is not None:
        raise ArithjaxError(
            f"callback is not called for nets that train on a cluster ({cluster}); leave one of the two out. "
            "progress.nets is told of all nets that are finished."
        )
    search, seeds = _search(study, trials, seeds, steps)
    store = Store(Path(out) / study.name)
    with ExitStack() as held:
        there = None if cluster is None else held.enter_context(Cluster(cluster))
        held.enter_context(store.lock())
        return _Run(search, store, seeds, steps, progress or Progress(), there, told).finish()


def asked_nets(
    study: Study, trials: int | None = None, seeds: int | None = None, steps: int | None = None
) -> Iterator[list[NetId]]:
    """The nets that a run from the beginning trains, in the lists in which they are planned together; trains nothing.

    study, trials, seeds, steps: as in `run`.

    There is a list per batch of trials, but only the first batch's when the sampler learns from results; with halving,
    a list per rung, assuming that the first half of the setups survives.
    """
    search, seeds = _search(study, trials, seeds, steps)
    for batch in search.batches():
        asked = search.ask(batch)
        for rung in halving.planned(_without(asked, search.first_of(asked, ())), search.study.halving):
            yield _nets_of(rung, seeds)
        if search.adaptive:
            return


def _search(study: Study, trials: int | None, seeds: int | None, steps: int | None) -> tuple[Search, int]:
    """The search of a run and its number of seeds; raises `ArithjaxError` when a count is none."""
    for name, value in (("trials", trials), ("seeds", seeds), ("steps", steps)):
        if value is not None:
            check_count(name, value)
    check_nets(trials or study.trials or 1, seeds or study.seeds)
    search = Search(with_steps(study, steps), trials or study.trials)
    check_nets(search.trials, seeds or study.seeds)
    return search, seeds or study.seeds


def _without(asked: dict[int, AskedTrial], repeated: Collection[int]) -> dict[int, AskedTrial]:
    """The trials of a batch that do not repeat another."""
    return {number: one for number, one in asked.items() if number not in repeated}


def _nets_of(asked: dict[int, AskedTrial], seeds: int) -> list[NetId]:
    """Every seed of every trial."""
    return [NetId(number, seed, one.setup) for number, one in asked.items() for seed in range(seeds)]


class _Run:
    """One run of a study, batch by batch: ask for trials, train the nets that are missing, tell the search the results.

    search: the study's trials. store: its folder, whose lock is held. seeds: nets per trial. steps: as given to `run`.
    progress: called with what is done. cluster: trains the nets; None: this process does. callback: a user's.
    """

    def __init__(
        self,
        search: Search,
        store: Store,
        seeds: int,
        steps: int | None,
        progress: Progress,
        cluster: Cluster | None,
        callback: Callback,
    ):
        self.search, self.store, self.seeds, self.steps = search, store, seeds, steps
        self.progress, self.cluster, self.callback = progress, cluster, callback
        self.study, self.folder = search.study, store.folder
        self.stored = store.rows()
        self.done = set(zip(self.stored["trial"], self.stored["seed"], strict=True))
        self.search_seeds = seeds  # seeds that the search learns from: those the study began with, not later ones
        self.announced = False
        self.repeats: dict[int, int] = {}

    def finish(self) -> pd.DataFrame:
        """Train what is missing of the study; the finished table."""
        for batch in self.search.batches():
            stored = _of_trials(self.stored, batch)
            every = self._ask(batch, stored)
            repeated = self.search.first_of(every, set(stored["trial"]))
            self.repeats |= repeated
            asked = halving.restored(_without(every, repeated), stored, self.study.halving)
            if batch.start == 0:
                self._describe(every, asked, stored, repeated)
            else:
                fingerprint.refuse_other_rows(self.folder, asked, stored)
                self._extend_description(every, repeated)
            if self.announced and repeated:
                self.progress.repeated(len(repeated) * self.seeds)
            trained = self._train(asked, stored)
            if self.search.adaptive and batch.stop < self.search.trials:
                self._tell(every, [stored, *trained], repeated)
        nets = self._asked(self.store.finish())
        if self.study.curves:
            self._record(nets)
        nets = nets.join(groups.metrics(nets))
        return groups.marked(nets, loading.sampled(loading.description(self.folder), nets))

    def _asked(self, nets: pd.DataFrame) -> pd.DataFrame:
        """The nets that were asked for; the folder may hold more, of other numbers of trials and seeds."""
        asked = (nets["trial"] < self.search.trials) & (nets["seed"] < self.seeds)
        return nets if asked.all() else nets[asked].reset_index(drop=True)

    def _record(self, nets: pd.DataFrame) -> None:
        """Record curves over training; what goes wrong there is a warning, since the table is complete."""
        try:
            record_study(self.store, nets, self.study.curves, self.study.seed)
        except Exception as error:
            reason = " ".join(str(error).split())
            warnings.warn(
                f"curves could not be recorded ({type(error).__name__}: {reason}); the table is complete, and the same "
                f"run records them again.",
                stacklevel=2,
            )

    def _ask(self, batch: range, stored: pd.DataFrame) -> dict[int, AskedTrial]:
        """A batch's trials; from the folder, where that has all of them and the search allows it."""
        known = stored.drop_duplicates("trial").set_index("trial")["choices"].to_dict()
        if (self.folder / "study.json").exists():
            repeats = loading.description(self.folder).get("repeats", {})
            known |= {
                n: json.dumps(repeats[str(n)]["choices"], sort_keys=True)
                for n in batch
                if n not in known and str(n) in repeats
            }
        replayed = self.search.replay(batch, [known[n] for n in batch]) if len(known) == len(batch) else None
        return replayed or self.search.ask(batch)

    def _tell(self, asked: dict[int, AskedTrial], frames: list[pd.DataFrame], repeated: dict[int, int]) -> None:
        """Tell the search the objectives of a batch, given its stored and its new rows, and which trials it repeats."""
        frames = [frame for frame in frames if len(frame)]
        rows = pd.concat(frames, ignore_index=True) if frames else self.stored[:0]
        rows = rows[rows["seed"] < self.search_seeds].sort_values(["trial", "seed"])
        self.search.tell(asked, objectives.objectives(rows, self.study.objectives), repeated)

    def _train(self, asked: dict[int, AskedTrial], stored: pd.DataFrame) -> list[pd.DataFrame]:
        """Train the nets that are missing of a batch and write them as they finish; the new rows."""
        nets = _nets_of(asked, self.seeds)
        if all((net.trial, net.seed) in self.done for net in nets):
            return []
        self._announce(nets)
        choices = {number: one.choices for number, one in asked.items()}
        writer = _Writer(self.store)
        try:
            for rows in self._rungs(asked):
                rows = rows.assign(study=self.study.name, choices=rows["trial"].map(choices))
                writer.add(rows)
                self.progress.nets(rows)
        finally:
            writer.write()
        return writer.written

    def _announce(self, nets: list[NetId]) -> None:
        """Tell `progress`, once, how much there is to do, judging all batches by the nets of this one."""
        if self.announced:
            return
        self.announced = True
        typical = int(np.mean([net.setup.last_step for net in nets]) * halving.work(self.study.halving))
        total = (self.search.trials - len(self.repeats)) * self.seeds
        there = self._asked(self.stored)
        self.progress.stored(there)
        self.progress.begin(total, len(there), (total - len(there)) * typical)

    def _rungs(self, asked: dict[int, AskedTrial]) -> Iterator[pd.DataFrame]:
        """Rows of a batch's missing nets; with halving, rung by rung.

        The setups that stop at a rung are written together, so that an interrupted study finds all of them or none.
        """
        for share in self.study.halving:
            short, count = halving.rung(asked, share), len(asked) // 2
            stopped = [number for number, one in asked.items() if one.setup == short[number].setup][:count]
            if count and not stopped:
                rows = pd.concat(self._trained(short))
                stopped = halving.worst(rows[rows["seed"] < self.search_seeds], count)
                yield rows[rows["trial"].isin(stopped)]
            else:  # they stopped in an earlier run, perhaps with fewer seeds
                yield from self._trained({number: asked[number] for number in stopped})
            asked = {number: one for number, one in asked.items() if number not in stopped}
        yield from self._trained(asked)

    def _trained(self, asked: dict[int, AskedTrial]) -> Iterator[pd.DataFrame]:
        """Rows of those nets of some trials that are missing, tile by tile, in no particular order."""
        devices, count = environment.devices_and_workers()
        # planned with the finished nets, so that an interrupted batch goes on in the same programs, to the same bits
        planned = planning.plan(_nets_of(asked, self.seeds), self.cluster.workers() if self.cluster else count)
        tiles = [tile for tile in map(self._unfinished, planned) if tile.nets]
        if not tiles:
            return
        if self.cluster:
            yield from self.cluster.run_tiles(tiles, self.study, self.steps, asked, self.progress.steps)
            return
        given = self.study.seed, count, devices, self.progress.steps, Stop(), self.callback
        yield from (trained.rows for trained in workers.train_tiles(tiles, *given))

    def _unfinished(self, tile: Tile) -> Tile:
        """A tile without the nets that are in the table."""
        left = tuple(net for net in tile.nets if (net.trial, net.seed) not in self.done)
        return Tile(tile.specs, left)

    def _describe(
        self, every: dict[int, AskedTrial], asked: dict[int, AskedTrial], stored: pd.DataFrame, repeated: dict[int, int]
    ) -> None:
        """Write `study.json`, or bring the folder's own up to date if it asks the same question.

        every: the first batch's trials. asked: those that repeat no other, as halving left them. repeated: the rest.
        """
        question = fingerprint.resolved(self.study, self.steps, asked)
        content = {
            **question,
            **_repeats(every, repeated),
            "space": fingerprint.space_of(every),
            "hash": fingerprint.digest(question),
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
        if (self.folder / "study.json").exists():
            before = loading.description(self.folder)
            question["space"] = content["space"]
            fingerprint.refuse_other_question(self.folder, before, question, self.study.sampler)
            content = self._continued(before, content)
            if content == before:
                return
        elif len(self.stored):
            raise ArithjaxError(f"{self.folder} holds a table but no study.json; choose another --out.")
        fingerprint.refuse_other_rows(self.folder, asked, stored)
        self._write_description(content)

    def _continued(self, before: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
        """The content of `study.json` for a study that is continued: the old one, with what is new."""
        self.search_seeds = before.get("told", before["seeds"])
        self._refuse_other_counts(before)
        counts = {name: max(content[name], before[name]) for name in ("trials", "seeds")}
        repeats = {**before.get("repeats", {}), **content.get("repeats", {})}
        unfinished = len(self.done) < (counts["trials"] - len(repeats)) * counts["seeds"]
        places = self._places(before, content, unfinished)
        space = {**content["space"], **before.get("space", {})}
        content = {**before, **content, **counts, **places[0], "told": self.search_seeds, "space": space}
        content |= {"repeats": repeats} if repeats else {}
        return {**content, "continued": places[1:]} if places[1:] else content

    def _refuse_other_counts(self, before: dict[str, Any]) -> None:
        """Raise `ArithjaxError` for fewer seeds than the search learns from, or other trials than halving compares."""
        if (self.search.adaptive or self.study.halving) and self.seeds < self.search_seeds:
            raise ArithjaxError(
                f"seeds={self.seeds} is fewer than the {self.search_seeds} that the search in {self.folder} learns "
                f"from; give --seeds {self.search_seeds} or more."
            )
        if self.study.halving and self.search.trials != before["trials"]:
            raise ArithjaxError(
                f"trials={self.search.trials} is another study than that in {self.folder}, whose halving compares "
                f"{before['trials']}; give --trials {before['trials']}, or choose another --out."
            )

    def _places(self, before: dict[str, Any], content: dict[str, Any], unfinished: bool) -> list[dict[str, Any]]:
        """`versions` and `device` of every place that trained nets of the folder, the first one first.

        This place is added, and a warning given, when there are nets to train and it differs from all others.
        """
        here = {name: content[name] for name in ("versions", "device")}
        places = [{name: before.get(name, here[name]) for name in here}, *before.get("continued", [])]
        if unfinished:
            fingerprint.warn_of_changes(self.folder, before.get("source", ""), self.study.source, places, here)
            if all(environment.differences(place, here) for place in places):
                places.append(here)
        return places

    def _extend_description(self, every: dict[int, AskedTrial], repeated: dict[int, int]) -> None:
        """Add to `study.json` what a later batch brings: trials that repeat others, and parameters first asked for."""
        described = loading.description(self.folder)
        space = {**fingerprint.space_of(every), **described["space"]}
        repeats = {**described.get("repeats", {}), **_repeats(every, repeated).get("repeats", {})}
        content = {**described, "space": space, **({"repeats": repeats} if repeats else {})}
        if content != described:
            self._write_description(content)

    def _write_description(self, content: dict[str, Any]) -> None:
        self.store.write("study.json", json.dumps(content, indent=1, ensure_ascii=False).encode())


def _repeats(every: dict[int, AskedTrial], repeated: dict[int, int]) -> dict[str, dict[str, Any]]:
    """The entry of `study.json` about trials that repeat the setup of another: which, and with what parameters."""
    found = {
        str(number): {"of": first, "choices": json.loads(every[number].choices)} for number, first in repeated.items()
    }
    return {"repeats": found} if found else {}


class _Writer:
    """Writes finished rows as chunks, at most every few seconds, and counts them in `times.json`.

    store: where to. every: seconds between chunks, at least.
    """

    def __init__(self, store: Store, every: float = 2.0):
        self.store, self.every = store, every
        self.waiting: list[pd.DataFrame] = []
        self.written: list[pd.DataFrame] = []
        self.last = time.monotonic()

    def add(self, rows: pd.DataFrame) -> None:
        """Write these rows, now or with later ones."""
        self.waiting.append(rows)
        if time.monotonic() - self.last > self.every:
            self.write()

    def write(self) -> None:
        """Write all rows that wait. If an interruption makes it write them twice, the chunk has the same name."""
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
    """The rows of a batch's trials, from rows in order."""
    first, last = np.searchsorted(rows["trial"].to_numpy(), [batch.start, batch.stop])
    return rows.iloc[first:last]
