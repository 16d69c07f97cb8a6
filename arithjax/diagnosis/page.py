"""The page of an answer: `report.html`, which opens offline, with its figures, its nets and its data beside it."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from arithjax.errors import ArithjaxError
from arithjax.report.page import offline
from arithjax.tables.parquet import table_bytes
from arithjax.tables.store import Store

if TYPE_CHECKING:
    from arithjax.diagnosis.answer import Answer


def write(answer: Answer, folder: Path) -> Path:
    """Write the page of an answer into a folder, which is made if it is missing; the path of the page.

    Raises ArithjaxError where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(folder)
        store.write("answer.json", answer.to_json().encode())
        store.write("nets.parquet", table_bytes(answer.nets))
        if answer.path and answer.keras:
            store.write("mended_keras.py", answer.keras.encode())
        rows = [line.split("  ", 1) for line in answer.diff()]
        parts = [(name, *(side.strip() for side in sides.split(" -> "))) for name, sides in rows]
        return offline(
            folder,
            resources.files("arithjax.diagnosis").joinpath("answer.html").read_text(encoding="utf-8"),
            answer.figures,
            answer=answer,
            rows=parts,
            recipe=answer.recipes(),
            tables={name: table.to_html(border=0) for name, table in answer.tables.items()},
        )
    except OSError as error:
        raise ArithjaxError(f"cannot write {folder} ({error.strerror or os.strerror(error.errno or 0)}).") from None
