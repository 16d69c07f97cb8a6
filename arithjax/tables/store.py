"""The store: a study's results on disk, as immutable files, so that a kill loses only the nets that were in training.

A study's folder holds `nets.parquet`, the table of all nets that an earlier run finished, and while a study runs
`chunks/`, whose files are written once (temporary name, fsync, read back, rename, fsync of the folder) and named after
their content. The results are the union of both. `nets.parquet.sha256` holds the table's checksum, as `sha256sum`
writes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from arithjax.errors import ArithjaxError
from arithjax.tables.parquet import read_table, table_bytes
from arithjax.tables.schema import SCHEMA, in_order


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
            lock = FileLock(self.folder / ".lock", timeout=1)  # `running` in another process holds it for a moment
            lock.acquire()
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
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            if not (self.folder / ".lock").exists():
                return False
            lock.acquire()
        except Timeout:
            return True
        except OSError:  # a folder that cannot be written is not being written to
            return False
        lock.release()
        return False

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
            expected = _read(self.checksum).decode(errors="replace") if self.checksum.exists() else ""
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
            shutil.rmtree(self.chunks, ignore_errors=True)
        return rows

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
            sessions = json.loads((self.folder / "times.json").read_bytes())
        except (OSError, ValueError, RecursionError):  # it only serves estimates of the time left
            return []
        return [s for s in sessions if isinstance(s, dict)] if isinstance(sessions, list) else []

    def write(self, name: Path | str, content: bytes) -> None:
        """Replace a file of the folder atomically: at any moment either the old or the new content is there.

        name: the file's path within the folder. Raises `ArithjaxError` when it cannot be written.
        """
        path = self.folder / name
        temporary = path.with_name(f".{path.name}.part")
        try:
            if path.parent == self.chunks:  # never the folder itself: if it was moved away meanwhile, it stays away
                self.chunks.mkdir(exist_ok=True)
            try:
                _write_durably(temporary, content)
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _sync(path.parent)
        except OSError as error:
            raise ArithjaxError(
                f"cannot write {path} ({error.strerror or error}); what was finished before is kept. Make room or make "
                f"it writable, then run the same command again."
            ) from None


def _write_durably(path: Path, content: bytes) -> None:
    """Write a file, force it to the disk, and read it back."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if path.read_bytes() != content:
        raise OSError("what was written reads back differently")


def _sync(folder: Path) -> None:
    """Force a folder's list of file names to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> bytes:
    """A file's content; raises `ArithjaxError` when it is there and cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ArithjaxError(f"cannot read {path} ({error.strerror}); make it readable and try again.") from None


def _chunk_name(content: bytes) -> str:
    """A chunk's file name, a hash of its content."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}.parquet"
