"""The kernel compiled for this processor, once a machine: machine code is kept in a folder for the next process."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types

from arithjax import disk
from arithjax.environment import cache_home, obstacle_to_writing
from arithjax.training.engines import functions, kernel, loops, vectors, workspace

_lock = threading.Lock()
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where machine code outlives its process: a folder for each version of the sources and kind of processor.

    numba looks at the age of one file only, and not at the width of a vector; hence the digest.
    """
    digest = hashlib.sha256(" ".join(sorted(vectors.FEATURES)).encode())
    for module in (vectors, functions, loops, workspace, kernel):
        digest.update(Path(module.__file__ or "").read_bytes())
    jax = os.environ.get("JAX_COMPILATION_CACHE_DIR", "")
    chosen = vectors.config.CACHE_DIR or ("" if "://" in jax else jax)  # jax's may be in a cloud
    return Path(chosen or cache_home() / "arithjax") / f"kernel-{digest.hexdigest()[:12]}"


@contextlib.contextmanager
def _numba_cache() -> Iterator[Path | None]:
    """Let numba keep its machine code in our folder; None, with a warning, where none can be written."""
    before = vectors.config.CACHE_DIR
    folder = cache_folder()
    if reason := obstacle_to_writing(folder):
        warnings.warn(f"the kernel is compiled anew ({reason}); NUMBA_CACHE_DIR names another folder.", stacklevel=6)
        yield None
        return
    vectors.config.CACHE_DIR = str(folder)
    try:
        yield folder
    finally:
        vectors.config.CACHE_DIR = before


def _signatures(element: types.Float) -> dict[str, Any]:
    """The argument types of `kernel.advance` and `kernel.predict`: one version takes read-only arrays and others."""

    def read(kind: types.Type, axes: int) -> types.Array:
        return types.Array(kind, axes, "C", readonly=True)

    state = types.Array(element, 3, "C")
    setting = (read(types.int64, 1), read(types.int64, 1), types.boolean, types.Array(types.int64, 2, "C"), types.int64)
    examples = (read(element, 4), read(element, 4), read(types.int32, 3), read(types.int32, 2))
    numbers = (read(element, 1), read(element, 2), types.UniTuple(element, 7), read(element, 3))
    flags = read(types.boolean, 2)
    return {
        "advance": types.none(
            *setting, types.int64, types.int64, read(types.int64, 1), state, state, state, *examples, *numbers, flags
        ),
        "predict": types.none(*setting, read(element, 3), read(element, 4), types.Array(element, 4, "C"), element),
    }


@functools.cache
def _compile(name: str, dtype: str) -> Callable:
    signature = _signatures(getattr(types, dtype))[name]
    with _numba_cache() as folder:
        compile_it: Any = numba.njit(signature, nogil=True, cache=folder is not None, error_model="numpy")
        if folder is None:
            return compile_it(getattr(kernel, name))
        _remove_damaged(folder)
        if not _kept(folder):
            _log.info("compiling the kernel for this processor, a few seconds, once on this machine")
        try:
            function = compile_it(getattr(kernel, name))
        except Exception:  # whatever a damaged file leads to; without any file the reason is another
            if not _remove(_kept(folder)):
                raise
            function = compile_it(getattr(kernel, name))
        _sign(folder)
        return function


def _kept(folder: Path) -> list[Path]:
    """The files of machine code in a folder."""
    return sorted(folder.rglob("*.nb[ci]"))


def _remove(files: list[Path]) -> bool:
    """Delete files that are damaged, with a warning; whether there were any."""
    if files:
        warnings.warn("the kernel that was kept is damaged; it is compiled anew.", stacklevel=6)
    for file in files:
        file.unlink(missing_ok=True)
        _checksum(file).unlink(missing_ok=True)
    return bool(files)


def _checksum(file: Path) -> Path:
    """The file beside it that holds its checksum."""
    return file.with_name(f"{file.name}.sha256")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _remove_damaged(folder: Path) -> None:
    """Delete all machine code if a file of it is not what its checksum says; one that is newer is not signed yet."""
    with contextlib.suppress(OSError):  # another process may be at it
        signed = [file for file in _kept(folder) if _checksum(file).exists()]
        judged = [file for file in signed if _checksum(file).stat().st_mtime >= file.stat().st_mtime]
        if any(_checksum(file).read_text(encoding="ascii", errors="replace") != _digest(file) for file in judged):
            _remove(_kept(folder))


def _sign(folder: Path) -> None:
    """Write the checksum of every file of machine code, unless it is there."""
    with contextlib.suppress(OSError):
        for file in _kept(folder):
            digest = _digest(file)
            if not _checksum(file).exists() or _checksum(file).read_text(encoding="ascii", errors="replace") != digest:
                disk.write(file.parent, _checksum(file).name, digest.encode())


def compiled(name: str, dtype: np.dtype) -> Callable:
    """`kernel.advance` or `kernel.predict` for arrays of float32 or float64, compiled or loaded at most once."""
    with _lock:
        return _compile(name, dtype.name)


def lanes(dtype: np.dtype) -> int:
    """Nets in a vector."""
    return vectors.BYTES // dtype.itemsize
