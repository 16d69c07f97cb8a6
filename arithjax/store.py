"""The store: finished work as immutable files, so that a kill costs what was in flight and nothing else.

A study's folder holds `nets.parquet`, the table of all that is finished, and while a study runs `chunks/`, whose files
are written once (temporary name, fsync, rename) and named after their content. The table is the union of both.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import warnings
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from arithjax.errors import ArithjaxError
from arithjax.results import SCHEMA, read_table, to_arrow


class Store:
    """The results in one folder."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.table = self.folder / "nets.parquet"
        self.chunks = self.folder / "chunks"

    def lock(self) -> FileLock:
        """Claim the folder for writing; the claim dies with its process. Use it as a context."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise ArithjaxError(
                f"another run is writing to {self.folder}; wait for it, or choose another --out."
            ) from None
        except OSError as error:
            raise ArithjaxError(f"cannot write to {self.folder} ({error.strerror}); choose another --out.") from None
        return lock

    def rows(self) -> pd.DataFrame:
        """All finished nets, by trial and seed, none twice."""
        frames = [read_table(self.table)] if self.table.exists() else []
        for path in sorted(self.chunks.glob("*.parquet")) if self.chunks.is_dir() else []:
            if _name(path.read_bytes()) != path.name:
                warnings.warn(f"{path} is torn or was altered; its nets are trained again.", stacklevel=2)
                continue
            frames.append(read_table(path))
        frames = [frame for frame in frames if len(frame)]
        if not frames:
            return SCHEMA.empty_table().to_pandas()
        rows = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
        return rows.drop_duplicates(["trial", "seed"]).sort_values(["trial", "seed"], ignore_index=True)

    def add(self, rows: pd.DataFrame) -> None:
        """Write finished nets as a chunk."""
        content = _parquet(rows)
        self.write(Path("chunks") / _name(content), content)

    def finish(self) -> pd.DataFrame:
        """Fold all chunks into the table, and return it."""
        rows = self.rows()
        if self.chunks.is_dir():
            self.write(Path("nets.parquet"), _parquet(rows))
            shutil.rmtree(self.chunks)
        return rows

    def write(self, name: Path | str, content: bytes) -> None:
        """Write a file of the folder so that at any moment either the old or the new one is there, whole."""
        path = self.folder / name
        temporary = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise ArithjaxError(
                f"cannot write {path} ({error.strerror}); what was finished before is kept. Make room or make it "
                f"writable, then run the same command again."
            ) from None


def _parquet(rows: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(to_arrow(rows), buffer, compression="zstd")
    return buffer.getvalue()


def _name(content: bytes) -> str:
    """A chunk's file name says what is in it."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}.parquet"
