"""The page of an answer: `report.html`, which opens offline, with its figures, its nets and its data beside it."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.report.charts import Drawing
from arithjax.report.page import offline
from arithjax.tables.store import Store

TEMPLATE = "answer.html"


def write(folder: Path, files: dict[str, bytes], figures: dict[str, Drawing], fields: dict[str, Any]) -> Path:
    """Write the page of an answer into a folder, which is made if it is missing; the path of the page.

    files: what stands beside the page, by name. figures: its charts, by name. fields: what its template names.
    Raises ArithjaxError where the folder cannot be written.
    """
    template = resources.files("arithjax.diagnosis").joinpath(TEMPLATE).read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            Store(folder).write(name, content)
        return offline(folder, template, figures, **fields)
    except OSError as error:
        raise ArithjaxError(f"cannot write {folder} ({error.strerror or os.strerror(error.errno or 0)}).") from None
