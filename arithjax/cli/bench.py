"""The command `bench`: measure how fast arithjax trains here."""

from __future__ import annotations

from typing import Any

from arithjax import bench as measure


def bench(study: bool, scale: bool, quick: bool, file: str | None) -> None:
    """Measure a study, the scale, or else every way of training nets; write what was measured to a file, if given."""
    measured: dict[str, Any] = {}
    if study:
        measured["study"] = measure.compare_study(*((4, 2, 100, 2) if quick else ()))
    if scale:
        measured["scale"] = measure.scale(*(((1, 100, 1000), 500) if quick else ()))
    if not (study or scale):
        measured = measure.bench(quick)
    if file:
        measure.write(file, measured)
