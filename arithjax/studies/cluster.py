"""Clusters: where a study's tiles are trained when one machine is not enough (extra `cluster`).

Dask schedules, retries and replaces lost workers. What travels is plain data: setups, seeds and names go out, table
rows come back, so that a worker builds the same programs from its own arithjax. The driver alone asks Optuna and
writes. A worker refuses to train with other versions, or for another question.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from arithjax import environment
from arithjax.errors import ArithjaxError
from arithjax.setup import Setup
from arithjax.studies import identity
from arithjax.studies.search import Asked
from arithjax.studies.signals import Stop
from arithjax.tables import schema
from arithjax.training.cost import seconds as seconds_of
from arithjax.training.outcome import train_tile
from arithjax.training.specs import Branches, specs_of
from arithjax.training.tile import NetId, Tile

if TYPE_CHECKING:
    from arithjax.studies.study import Study

JOB_SECONDS = (0.5, 30.0)
"""Expected seconds of one job: at least, so that sending it (milliseconds) does not count; at most, so that a lost
worker costs little and yet one scheduler keeps a thousand busy."""

WAIT_SECONDS = 120
"""How long to wait for the scheduler, and for its first worker."""


class Cluster:
    """A Dask cluster, used as a context: an `ADDRESS`, a scheduler file, or `local:N` for N processes here."""

    def __init__(self, address: str):
        self.address, self.here = address, None
        kind, _, count = address.partition(":")
        if kind == "local" and not (count.isascii() and count.isdigit() and 1 <= int(count) <= 4096):
            raise ArithjaxError(f"--cluster {address}: local takes a number of processes, as in local:2.")
        self.local = int(count) if kind == "local" else 0

    def __enter__(self) -> Cluster:
        distributed = _distributed()
        address = {"scheduler_file": self.address} if Path(self.address).is_file() else {"address": self.address}
        try:
            if self.local:
                self.here = distributed.LocalCluster(
                    n_workers=self.local,
                    threads_per_worker=1,
                    memory_limit=None,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
                address = {"address": self.here}
            self.client = distributed.Client(**address, timeout=WAIT_SECONDS)
            self.client.wait_for_workers(1, timeout=WAIT_SECONDS)
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            self.close()
            reason = (str(error).splitlines() or [""])[0]
            raise ArithjaxError(
                f"--cluster {self.address}: no cluster answers there ({type(error).__name__}: {reason}); "
                f"start one with `dask scheduler` and `dask worker`, or take local:N."
            ) from None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the cluster; one of our own ends."""
        for part in (getattr(self, "client", None), self.here):
            if part is not None:
                part.close()

    def workers(self) -> int:
        """Tiles that train at a time."""
        return max(1, sum(self.client.nthreads().values()))

    def device(self) -> str:
        """What the workers run on; they had better be of one kind."""
        try:
            kinds = sorted(set(self.client.run(environment.device).values()))
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            raise ArithjaxError(
                f"--cluster {self.address}: a worker cannot use arithjax ({type(error).__name__}: {reason}); "
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
        asked: dict[int, Asked],
        progress: Callable[[int], None],
    ) -> Iterator[pd.DataFrame]:
        """Rows of all tiles, job by job, in no particular order."""
        from distributed import as_completed

        about, stop = about_study(study, steps, asked), Stop()
        jobs = iter(jobs_of(tiles, self.workers()))
        running = as_completed()

        def submit(count: int) -> None:
            for job in islice(jobs, count):
                running.add(self.client.submit(train_job, about, job, pure=False))

        submit(3 * self.workers())  # enough that none waits, few enough that the scheduler never holds the whole study
        try:
            for future in running:
                rows = self._result(future)
                submit(max(1, 3 * self.workers() - running.count()))
                progress(int(rows["steps"].sum()))
                yield rows
                if stop.is_set():
                    raise KeyboardInterrupt
        finally:
            self.client.cancel(list(running.futures))

    def _result(self, future: Any) -> pd.DataFrame:
        """A job's rows; whatever became of it in the cluster is one line."""
        try:
            return pa.ipc.open_stream(future.result()).read_all().to_pandas()
        except ArithjaxError:
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            raise ArithjaxError(
                f"--cluster {self.address} lost a chunk ({type(error).__name__}: {reason[:200]}); what was finished is "
                f"kept, and the same command goes on."
            ) from None


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ArithjaxError("--cluster needs Dask; install it with: pip install 'arithjax[cluster]'.") from None
    return distributed


def about_study(study: Study, steps: int | None, asked: dict[int, Asked]) -> dict[str, Any]:
    """What a worker needs to know of a study, as plain data."""
    number, first = next(iter(asked.items()))
    return {
        "root": study.seed,
        "source": study.source,
        "name": study.name,
        "steps": steps,
        "number": number,
        "versions": versions(),
        "params": first.params,
        "hash": identity.digest(identity.resolved(study, steps, {number: first})),
    }


def versions() -> dict[str, str]:
    """What has to be the same on every worker: packages, and the very code of arithjax."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    code = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    packages = {name: metadata.version(name) for name in ("jaxlib", "numpy")}
    return {**environment.versions(), **packages, "arithjax's code": code}


def jobs_of(tiles: Iterable[Tile], workers: int) -> list[dict[str, Any]]:
    """Tiles together in jobs, the longest first: those of one program side by side, since a worker compiles it once."""
    tiles = list(tiles)
    seconds = [seconds_of(tile) for tile in tiles]
    least, most = JOB_SECONDS
    enough = min(most, max(least, sum(seconds) / (4 * workers)))
    order = {specs: place for place, specs in enumerate(dict.fromkeys(tile.specs for tile in tiles))}
    jobs, job, so_far = [], [], 0.0
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
        "setups": [identity.departures(setup) for setup in setups],
        "tiles": [
            {
                "places": tile.places,
                "width": tile.width,
                "branches": tuple(tile.branches),
                "name": tile.name,
                "nets": [(net.trial, net.seed, setups[net.setup]) for net in tile.nets],
            }
            for tile in tiles
        ],
    }


def unpacked(job: dict[str, Any]) -> list[Tile]:
    """The tiles of a job, built from this process's own registries."""
    setups = [Setup(**setup) for setup in job["setups"]]
    tiles = []
    for one in job["tiles"]:
        nets = tuple(NetId(trial, seed, setups[place]) for trial, seed, place in one["nets"])
        branches = Branches(*one["branches"])
        specs = specs_of(nets[0].setup, branches, one["width"], one["places"])
        tile = Tile(specs, branches, nets)
        if tile.name != one["name"]:
            raise ArithjaxError(f"a worker would train in {tile.name}, and not in {one['name']}; update its arithjax.")
        tiles.append(tile)
    return tiles


def train_job(about: dict[str, Any], job: dict[str, Any]) -> bytes:
    """On a worker: train a job's tiles, one after the other; their rows as an Arrow stream."""
    prepare(about)
    rows = pd.concat([train_tile(tile, about["root"]).rows for tile in unpacked(job)], ignore_index=True)
    table = schema.to_arrow(rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def prepare(about: dict[str, Any]) -> None:
    """On a worker: refuse other versions, enter the study's own operations and models, refuse another question."""
    here = _versions_here()
    differ = [
        f"{name} {here[name]} there, {value} here" for name, value in about["versions"].items() if here[name] != value
    ]
    if differ:
        raise ArithjaxError(f"a worker refuses: {', '.join(differ)}; install the same versions on all workers.")
    with _entering:
        if about["source"] and about["hash"] not in _agreed:
            study = _entered(about["source"], about["name"], about["steps"])
            if identity.fingerprint(study, about["steps"], about["params"], about["number"]) != about["hash"]:
                raise ArithjaxError(
                    f"a worker refuses: there, the study file of '{about['name']}' asks another question; whatever it "
                    f"imports has to be the same on all workers."
                )
            _agreed.add(about["hash"])


_versions_here = functools.cache(versions)

_entering = threading.Lock()

_agreed: set[str] = set()


@functools.lru_cache(maxsize=32)
def _entered(source: str, name: str, steps: int | None) -> Study:
    """The study in a file's text; what that enters into the registries stays there."""
    from arithjax.studies.files import study_of

    study = study_of(source, f"{name}.py")
    return study if steps is None else replace(study, question=identity.shortened(study.question, steps))
