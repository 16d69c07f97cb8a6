"""The store: a study's results on disk, as immutable files, so that a kill loses only the nets that were in training.

A study's folder holds `nets.parquet`, the table of all nets that an earlier run finished, and while a study runs
`chunks/`, whose files are written once (temporary name, fsync, read back, rename, fsync of the folder) and named after
their content. The results are the union of both. `nets.parquet.sha256` holds the table's checksum, as `sha256sum`
writes it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from arithjax import disk
from arithjax.errors import ArithjaxError
from arithjax.tables.parquet import read_table, table_bytes
from arithjax.tables.schema import SCHEMA, in_order

MOST_TIMES = 1 << 20
"""Bytes of the largest `times.json` and the largest checksum that are read."""

ABANDONED = 3600
"""Seconds after which a file that is still half written belongs to a process that was killed."""

_PART = re.compile(rf"\..+\.[0-9a-f]{{16}}{re.escape(disk.PART)}")
_CHUNK = re.compile(rf"[0-9a-f]{{32}}\.parquet|{_PART.pattern}")


class Store:
    """The results in one study's folder.

    folder: the folder; it need not exist before something is written.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.table = self.folder / "nets.parquet"
        self.checksum = self.folder / "nets.parquet.sha256"
        self.chunks = self.folder / "chunks"
        self.opened = time.time()
        self.session: dict[str, Any] | None = None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder's lock, making the folder if needed; the lock ends with the context or with the process.

        Raises `ArithjaxError` when another process holds it, or when the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._lock_file(), timeout=1)  # `running` in another process holds it for a moment
            lock.acquire()
            self._remove_parts()
        except Timeout:
            raise ArithjaxError(
                f"another run is writing to {self.folder}; wait for it, or choose another --out."
            ) from None
        except OSError as error:
            raise ArithjaxError(f"cannot write to {self.folder} ({error.strerror}); choose another --out.") from None
        try:
            yield
        finally:
            lock.release()

    def running(self) -> bool:
        """Whether another process holds the folder's lock, that is, whether a run is writing to it."""
        try:
            if not self._lock_file().exists():
                return False
            lock = FileLock(self._lock_file(), timeout=0)
            lock.acquire()
        except Timeout:
            return True
        except OSError:  # a folder that cannot be written is not being written to
            return False
        lock.release()
        return False

    def _lock_file(self) -> Path:
        """The path of the folder's lock; raises `OSError` if something else is there, such as a link."""
        path = self.folder / ".lock"
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise OSError(errno.EINVAL, "its .lock is not a regular file", str(path))
        return path

    def _remove_parts(self) -> None:
        """Delete what a killed process left half written, once nobody can be writing it any more."""
        for path in self.folder.glob(f".*{disk.PART}"):
            with suppress(OSError):
                if _PART.fullmatch(path.name) and time.time() - path.lstat().st_mtime > ABANDONED:
                    path.unlink()

    def rows(self, columns: list[str] | None = None) -> pd.DataFrame:
        """All finished nets, sorted by trial and seed, without duplicates.

        columns: names of the columns to read, `trial` and `seed` among them; default: all.

        Raises `ArithjaxError` when the table is broken or was altered. Broken chunks only cause a warning, since their
        nets can be trained again.
        """
        for attempt in range(5):
            try:
                return self._rows(columns)
            except FileNotFoundError:  # a run merged its chunks into the table between two reads
                time.sleep(0.1 * attempt)
        raise ArithjaxError(f"{self.folder} changes while it is read; try again when its run has ended.")

    def _rows(self, columns: list[str] | None) -> pd.DataFrame:
        """The union of table and chunks; raises `FileNotFoundError` when a file disappears meanwhile."""
        frames = [frame for frame in (self._table(columns), *self._chunks(columns)) if len(frame)]
        if not frames:
            return SCHEMA.empty_table().to_pandas()
        return in_order(pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0])

    def _table(self, columns: list[str] | None) -> pd.DataFrame:
        """`nets.parquet`, checked against its checksum if it has one; empty if there is no table."""
        if not self.table.exists():
            return pd.DataFrame()
        for _ in range(2):  # twice, since a run may replace both between two reads
            expected = _read(self.checksum, MOST_TIMES).decode(errors="replace") if self.checksum.exists() else ""
            content = _read(self.table)
            if not expected or hashlib.sha256(content).hexdigest() in expected.split():
                return read_table(self.table, content, columns)
        raise ArithjaxError(
            f"{self.table} is not what was written (its checksum differs); restore it, or delete it and run the study "
            f"again. If you changed it on purpose, delete {self.checksum.name}."
        )

    def _chunks(self, columns: list[str] | None) -> Iterator[pd.DataFrame]:
        """The chunks that are as they were written; a warning names each of the others."""
        for path in sorted(self.chunks.glob("*.parquet")) if self.chunks.is_dir() else []:
            content = _read(path)
            if _chunk_name(content) == path.name:
                yield read_table(path, content, columns)
            else:
                warnings.warn(f"{path} is torn or was altered; its nets are trained again.", stacklevel=5)

    def add(self, rows: pd.DataFrame) -> None:
        """Write finished nets as a chunk; raises `ArithjaxError` when they cannot be written."""
        content = table_bytes(rows)
        self.write(Path("chunks") / _chunk_name(content), content)

    def finish(self) -> pd.DataFrame:
        """Merge all chunks into the table, and return it; raises `ArithjaxError` when it cannot be written."""
        rows = self.rows()
        if self.chunks.is_dir():
            content = table_bytes(rows)
            line = f"{hashlib.sha256(content).hexdigest()}  {self.table.name}\n".encode()
            before = _read(self.checksum) if self.checksum.exists() else b""
            if self.table.exists() and not before:
                before = f"{hashlib.sha256(_read(self.table)).hexdigest()}  {self.table.name}\n".encode()
            self.write(self.checksum.name, line + before)  # so that the table passes before and after it is replaced
            self.write(self.table.name, content)
            self.write(self.checksum.name, line)
            self._remove_chunks()
        return rows

    def _remove_chunks(self) -> None:
        """Delete all chunks, which the table holds now; other files in their folder stay."""
        for path in self.chunks.iterdir() if not self.chunks.is_symlink() else []:
            if _CHUNK.fullmatch(path.name):
                self.remove(Path(self.chunks.name) / path.name)
        with suppress(OSError):
            self.chunks.rmdir()

    def tick(self, nets: int) -> None:
        """Record in `times.json` that this process has finished so many more nets by now."""
        now = time.time()
        if self.session is None:
            self.session = {"began": self.opened, "until": now, "nets": 0, "process": os.getpid()}
        self.session.update(until=now, nets=self.session["nets"] + nets)
        others = [s for s in self.times() if s.get("began") != self.session["began"]]
        self.write("times.json", json.dumps([*others, self.session][-100:], indent=1).encode())

    def times(self) -> list[dict[str, Any]]:
        """The processes that trained nets of this folder, oldest first.

        Each has `began` and `until`, seconds since 1970, the number of `nets` it finished, and `process`, its id.
        """
        try:
            sessions = json.loads(disk.read(self.folder / "times.json", MOST_TIMES))
        except (OSError, ValueError, RecursionError):  # it only serves estimates of the time left
            return []
        return [s for s in sessions if _is_session(s)] if isinstance(sessions, list) else []

    def write(self, name: Path | str, content: bytes) -> None:
        """Replace a file of the folder atomically: at any moment either the old or the new content is there.

        name: the file's path within the folder. Raises `ArithjaxError` when it cannot be written.
        """
        try:
            disk.write(self.folder, name, content)
        except OSError as error:
            raise ArithjaxError(
                f"cannot write {self.folder / name} ({error.strerror or error}); what was finished before is kept. "
                f"Make room or make it writable, then run the same command again."
            ) from None

    def remove(self, name: Path | str) -> None:
        """Delete a file of the folder, if it is there; whatever a link leads to stays."""
        *inside, last = Path(name).parts
        with suppress(OSError), disk.opened(self.folder, inside) as handle:
            os.unlink(last, dir_fd=handle)


def _read(path: Path, most: float = math.inf) -> bytes:
    """A file's content; raises `ArithjaxError` when it is there and cannot be read, or has more than `most` bytes."""
    try:
        return disk.read(path, most)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ArithjaxError(f"cannot read {path} ({error.strerror}); make it readable and try again.") from None


def _is_session(entry: Any) -> bool:
    """Whether an entry of `times.json` says when a process trained, and how many nets."""
    numbers = [entry.get(name) for name in ("began", "until", "nets")] if isinstance(entry, dict) else [None]
    return all(isinstance(number, int | float) and 0 <= number < 1e18 for number in numbers)


def _chunk_name(content: bytes) -> str:
    """A chunk's file name, a hash of its content."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}.parquet"
