"""Training a study's tiles on a Dask cluster, when one machine is not enough (extra `cluster`).

Dask schedules, retries and replaces lost workers. Only plain data travels: setups, seeds and names to a worker, table
rows back, so that a worker builds the same programs from its own arithjax. Only the driver asks Optuna and writes. A
worker refuses to train with other versions, or for another question.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from arithjax import environment
from arithjax.errors import ArithjaxError
from arithjax.models.network import LAYOUTS
from arithjax.setup import Setup
from arithjax.studies import fingerprint
from arithjax.studies.files import study_of
from arithjax.studies.search import AskedTrial
from arithjax.studies.signals import Stop
from arithjax.studies.study import Study, with_steps
from arithjax.tables import schema
from arithjax.training import metrics
from arithjax.training.cost import seconds as seconds_of
from arithjax.training.outcome import train_tile
from arithjax.training.specs import specs_of
from arithjax.training.tile import NetId, Tile

JOB_SECONDS = (0.5, 30.0)
"""The least and the most expected seconds of one job.

At least, so that sending it (milliseconds) is negligible; at most, so that a lost worker costs little, and long enough
for one scheduler to keep a thousand workers busy."""

POLL = 0.02
"""Seconds after which it is looked again whether a job is done, or the run was asked to stop."""

WAIT_SECONDS = 120
"""How long to wait for the scheduler, and for its first worker."""


class Cluster:
    """A Dask cluster, connected to while used as a context.

    address: a scheduler's address such as `tcp://host:8786`, a scheduler file, or `local:N` for N processes here.

    Raises `ArithjaxError` for an address that is none or, when entered, for one where no cluster answers.
    """

    def __init__(self, address: str):
        self.address = address
        self.client: Any = None
        self.here: Any = None
        kind, _, count = address.partition(":")
        if kind == "local" and not (count.isascii() and count.isdigit() and 1 <= int(count) <= 4096):
            raise ArithjaxError(f"--cluster {address}: local takes a number of processes, as in local:2.")
        self.local = int(count) if kind == "local" else 0

    def __enter__(self) -> Cluster:
        distributed, failure = _distributed(), ""
        try:
            self.client = distributed.Client(**self._where(distributed), timeout=WAIT_SECONDS)
            self.client.wait_for_workers(1, timeout=WAIT_SECONDS)
        except Exception as error:  # of Dask's and of any of its parts, such as a worker that is killed as it starts
            failure = _reason(error)
        except BaseException:
            self.close()
            raise
        if failure:
            self.close()
            # Dask's half-made client lies in a reference cycle. Collected later, in the thread of another client that
            # starts, it would wait for a lock which that client holds.
            gc.collect()
            todo = "start one with `dask scheduler` and `dask worker`, or take local:N"
            if self.local:
                todo = "the same command tries again, and without --cluster this process trains"
            raise ArithjaxError(f"--cluster {self.address}: no cluster answers there ({failure}); {todo}.")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _where(self, distributed: Any) -> dict[str, Any]:
        """Where Dask's client connects to, as its arguments; starts the processes of `local:N`."""
        if self.local:
            self.here = distributed.LocalCluster(
                n_workers=self.local,
                threads_per_worker=1,
                memory_limit=None,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
            return {"address": self.here}
        return {"scheduler_file" if Path(self.address).is_file() else "address": self.address}

    def close(self) -> None:
        """Disconnect; the processes of `local:N` end."""
        for part in (self.client, self.here):
            if part is not None:
                part.close()

    def workers(self) -> int:
        """The number of tiles that train at a time."""
        return max(1, sum(self.client.nthreads().values()))

    def device(self) -> str:
        """The kind of device that the workers have; a warning when they have several."""
        try:
            kinds = sorted(set(self.client.run(environment.device).values()))
        except Exception as error:
            raise ArithjaxError(
                f"--cluster {self.address}: a worker cannot use arithjax ({_reason(error)}); "
                f"install the same arithjax there."
            ) from None
        if len(kinds) > 1:
            warnings.warn(
                f"the cluster's workers are of several kinds ({'; '.join(kinds)}); nets' last bits may depend on which "
                f"trains them.",
                stacklevel=2,
            )
        return "; ".join(kinds)

    def run_tiles(
        self,
        tiles: Sequence[Tile],
        study: Study,
        steps: int | None,
        asked: dict[int, AskedTrial],
        progress: Callable[[int], None],
    ) -> Iterator[pd.DataFrame]:
        """Table rows of all tiles, job by job, in no particular order.

        study: the study, with `steps` applied. steps: as given to `run`. asked: trials of the study by number; the
        first shows workers its question. progress: called with the optimiser steps just done, summed over nets.

        Raises `ArithjaxError` when a worker refuses or a job is lost.
        """
        metrics.check(net.setup for tile in tiles for net in tile.nets)
        about, stop = about_study(study, steps, asked), Stop()
        jobs = iter(jobs_of(tiles, self.workers()))
        running = _distributed().as_completed()

        def submit(count: int) -> None:
            for job in islice(jobs, count):
                running.add(self.client.submit(train_job, about, job, pure=False))

        submit(3 * self.workers())  # enough that no worker waits, few enough that the scheduler never holds all jobs
        try:
            while not running.is_empty():
                if not running.has_ready():
                    stop.wait(POLL)
                    if stop.is_set():
                        raise KeyboardInterrupt
                    continue
                rows = self._result(next(running))
                submit(max(1, 3 * self.workers() - running.count()))
                progress(int(rows["steps"].sum()))
                yield rows
        finally:
            self.client.cancel(list(running.futures))

    def _result(self, future: Any) -> pd.DataFrame:
        """A job's rows; raises `ArithjaxError` for whatever went wrong with it in the cluster."""
        try:
            return pa.ipc.open_stream(future.result()).read_all().to_pandas()
        except ArithjaxError:
            raise
        except Exception as error:
            raise ArithjaxError(
                f"--cluster {self.address} lost a chunk ({_reason(error)[:200]}); what was finished is kept, and the "
                f"same command goes on."
            ) from None


def _reason(error: Exception) -> str:
    """An error's type and the first line of its message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _distributed() -> Any:
    """Dask's module for clusters; raises `ArithjaxError` when it is not installed."""
    try:
        import distributed
    except ImportError:
        raise ArithjaxError(
            f"--cluster needs Dask; install it with: pip install {environment.packages('cluster')}."
        ) from None
    return distributed


def about_study(study: Study, steps: int | None, asked: dict[int, AskedTrial]) -> dict[str, Any]:
    """What a worker has to know of a study, as plain data; the arguments are those of `Cluster.run_tiles`."""
    number, first = next(iter(asked.items()))
    return {
        "root": study.seed,
        "source": study.source,
        "path": study.path,
        "name": study.name,
        "steps": steps,
        "number": number,
        "versions": versions(),
        "params": first.params,
        "hash": fingerprint.digest(fingerprint.resolved(study, steps, {number: first})),
    }


def versions() -> dict[str, str]:
    """What has to be the same on every worker: versions of packages, and a hash of arithjax's own code."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    code = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    packages = {name: metadata.version(name) for name in ("jaxlib", "numpy")}
    return {**environment.versions(), **packages, "arithjax's code": code}


def jobs_of(tiles: Iterable[Tile], workers: int) -> list[dict[str, Any]]:
    """Tiles grouped into jobs of `JOB_SECONDS` as plain data, the longest job first.

    Tiles of one program are kept together, since a worker compiles it once.
    """
    tiles = list(tiles)
    seconds = [seconds_of(tile) for tile in tiles]
    least, most = JOB_SECONDS
    enough = min(most, max(least, sum(seconds) / (4 * workers)))
    order = {specs: place for place, specs in enumerate(dict.fromkeys(tile.specs for tile in tiles))}
    jobs: list[tuple[float, dict[str, Any]]] = []
    job: list[Tile] = []
    so_far = 0.0
    for place in sorted(range(len(tiles)), key=lambda i: order[tiles[i].specs]):
        job.append(tiles[place])
        so_far += seconds[place]
        if so_far >= enough:
            jobs.append((so_far, packed(job)))
            job, so_far = [], 0.0
    if job:
        jobs.append((so_far, packed(job)))
    return [job for _, job in sorted(jobs, key=lambda pair: -pair[0])]


def packed(tiles: Sequence[Tile]) -> dict[str, Any]:
    """Tiles as plain data: numbers, names and lists."""
    setups = {setup: place for place, setup in enumerate(dict.fromkeys(n.setup for tile in tiles for n in tile.nets))}
    return {
        "setups": [fingerprint.departures(setup) for setup in setups],
        "tiles": [
            {
                "places": tile.places,
                "layout": tile.specs.train.layout.name,
                "name": tile.name,
                "nets": [(net.trial, net.seed, setups[net.setup]) for net in tile.nets],
            }
            for tile in tiles
        ],
    }


def unpacked(job: dict[str, Any]) -> list[Tile]:
    """The tiles of a job, built from this process's own registries; the inverse of `packed`.

    Raises `ArithjaxError` when a tile would train in another program here.
    """
    setups = [Setup(**setup) for setup in job["setups"]]
    tiles = []
    for one in job["tiles"]:
        nets = tuple(NetId(trial, seed, setups[place]) for trial, seed, place in one["nets"])
        tile = Tile(specs_of(nets[0].setup, one["places"], LAYOUTS[one["layout"]]), nets)
        if tile.name != one["name"]:
            raise ArithjaxError(f"a worker would train in {tile.name}, and not in {one['name']}; update its arithjax.")
        tiles.append(tile)
    return tiles


def train_job(about: dict[str, Any], job: dict[str, Any]) -> bytes:
    """On a worker: train a job's tiles, one after the other; their table rows as an Arrow stream."""
    prepare(about)
    rows = pd.concat([train_tile(tile, about["root"]).rows for tile in unpacked(job)], ignore_index=True)
    table = schema.to_arrow(rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def prepare(about: dict[str, Any]) -> None:
    """On a worker: check versions, load the study's own operations and models, and check its question.

    Raises `ArithjaxError` when the versions or the question differ from the driver's.
    """
    here = _versions_here()
    differ = [
        f"{name} {here[name]} there, {value} here" for name, value in about["versions"].items() if here[name] != value
    ]
    if differ:
        raise ArithjaxError(f"a worker refuses: {', '.join(differ)}; install the same versions on all workers.")
    with _loading:
        if about["source"] and about["hash"] not in _agreed:
            study = with_steps(_loaded(about["source"], about["path"]), about["steps"])
            if fingerprint.fingerprint(study, about["steps"], about["params"], about["number"]) != about["hash"]:
                raise ArithjaxError(
                    f"a worker refuses: there, the study file of '{about['name']}' asks another question; whatever it "
                    f"imports has to be the same on all workers."
                )
            _agreed.add(about["hash"])


_versions_here = functools.cache(versions)

_loading = threading.Lock()

_agreed: set[str] = set()  # hashes of the questions that this worker has found to be the driver's


@functools.lru_cache(maxsize=32)
def _loaded(source: str, path: str) -> Study:
    """The study in a file's text, loaded once, since it adds its members to the registries each time."""
    return study_of(source, path)
