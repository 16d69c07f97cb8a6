"""The command `bench`: measure how fast arithjax trains here."""

from __future__ import annotations

import sys
from typing import Any

import click

from arithjax import bench as measure
from arithjax.bench.device import check_device
from arithjax.bench.page import write_page


def bench(study: bool, scale: bool, device: bool, quick: bool, file: str | None, page: str | None) -> None:
    """Measure a study, the scale, or else every way of training nets; write what was measured to a file, if given.

    With a `page`, a folder, nothing is measured: its README.md is written from what was measured before. With `device`
    the exit status is 1 if a line fails.
    """
    if page:
        click.echo(f"Page: {write_page(page)}")
        return
    if device:
        sys.exit(not check_device(file))
    measured: dict[str, Any] = {}
    if study:
        measured["study"] = measure.compare_study(*((4, 2, 100, 2) if quick else ()))
    if scale:
        measured["scale"] = measure.scale(*(((1, 100, 1000), 500) if quick else ()))
    if not (study or scale):
        measured = measure.bench(quick)
    if file:
        measure.write(file, measured)
