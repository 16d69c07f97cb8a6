"""The commands that write a finished study in another form: `report` and `export-optuna`."""

from __future__ import annotations

from pathlib import Path

from arithjax.cli.output import say
from arithjax.errors import counted
from arithjax.report import write
from arithjax.report.words import missing
from arithjax.studies.files import find_study
from arithjax.studies.optuna_export import export
from arithjax.tables import loading
from arithjax.tables.store import Store


def report(folder: str, source: str | None, portraits: int) -> None:
    """Write the report of a folder's table again, with operations and models of the study `source`, if given."""
    described = loading.description(folder) if (Path(folder) / "study.json").exists() else {}
    nets = Store(Path(folder)).rows() if described else loading.load(folder)
    if source:
        find_study(source)
    if described and missing(nets, described):
        say(missing(nets, described))
    say(f"Report: {write(Path(folder), nets, described, portraits)}")


def export_optuna(folder: str, storage: str, name: str | None, source: str | None) -> None:
    """Write the study in a folder to a storage of Optuna's."""
    trials = export(folder, storage, name, find_study(source) if source else None)
    say(f"{storage} holds {counted(trials, 'trial')}. To look at them: optuna-dashboard {storage}")
