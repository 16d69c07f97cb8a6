"""The page of an answer: `report.html`, which opens offline, with its figures, its nets and its data beside it."""

from __future__ import annotations

import os
from pathlib import Path

from arithjax.errors import ArithjaxError, counted
from arithjax.report.answer import Answer
from arithjax.report.page import offline
from arithjax.tables.store import Store


def write(folder: Path, answer: Answer, files: dict[str, bytes], nets: int, seconds: float) -> Path:
    """Write the page of an answer into a folder, which is made if it is missing; the path of the page.

    files: what stands beside the page, by name. nets, seconds: how many nets it rests on, and how long it took.
    Raises ArithjaxError where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            Store(folder).write(name, content)
        spent = f"{counted(nets, 'net')}, {counted(round(seconds), 'second')}."
        return offline(folder, answer, "why", spent, list(files))
    except OSError as error:
        raise ArithjaxError(f"cannot write {folder} ({error.strerror or os.strerror(error.errno or 0)}).") from None
