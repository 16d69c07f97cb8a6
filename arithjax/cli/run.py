"""The command `run`: train a study, or continue it, and say what it found."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd
from rich.console import Console

from arithjax.cli.output import say
from arithjax.cli.text import rate_table, text
from arithjax.environment import devices_and_workers
from arithjax.report import default_words, write
from arithjax.studies import runner
from arithjax.studies.files import find_study
from arithjax.studies.search import importance
from arithjax.studies.study import Study
from arithjax.tables import loading, objectives, statistics
from arithjax.tables.store import Store
from arithjax.terminal import TerminalProgress
from arithjax.training import forecast, planning
from arithjax.training.engines import choice


def run(
    study: str,
    out: str,
    trials: int | None,
    seeds: int | None,
    steps: int | None,
    cluster: str | None,
    plan: bool,
    engine: str,
    portraits: int,
) -> None:
    """Run the study of this name or in this file, or continue it; then show what it found."""
    choice.use(engine)
    resolved = find_study(study)
    if plan:
        _show_plan(resolved, trials, seeds, steps)
        return
    progress = TerminalProgress(Console(stderr=True))
    try:
        nets = runner.run(resolved, out, trials, seeds, steps, progress, cluster)
    finally:
        progress.end()
    folder = Path(out) / resolved.name
    if not progress.trained:
        say(f"Nothing to train: all {len(nets):,} nets are in {folder}.")
    _finish(resolved, folder, nets, portraits)


def _show_plan(study: Study, trials: int | None, seeds: int | None, steps: int | None) -> None:
    """What a run from the beginning would compile and train on this machine."""
    workers, batches = devices_and_workers()[1], list(runner.asked_nets(study, trials, seeds, steps))
    tiles = [tile for nets in batches for tile in planning.plan(nets, workers)]
    say(forecast.plan_text(tiles, workers))
    first, total = 1 + max(nets[-1].trial for nets in batches), trials or study.trials
    if study.sampler != "grid" and total and first < total:
        say(f"These are the first {first} of {total} trials: what is asked next depends on results.")


def _finish(study: Study, folder: Path, nets: pd.DataFrame, portraits: int) -> None:
    """Summary, report and answer of a finished study."""
    described = loading.description(folder)
    described["importance"] = importance(nets, study)
    nets = loading.with_choices(nets)
    described["answer"] = _answer(study, nets)
    Store(folder).write("study.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    by = list(study.by) or statistics.default_by(nets)
    _show_summary(study, nets, by, described["importance"])
    page = write(folder, nets, described, portraits)
    say(f"\n{described['answer'] or default_words(nets, by)}\n\nReport: {page}")


def _show_summary(study: Study, nets: pd.DataFrame, by: list[str], importances: dict[str, float]) -> None:
    say(f"\n{study.about or study.name}\n")
    say(rate_table(nets, by))
    if nets["trial"].nunique() > 12:
        best = statistics.setups_table(nets).head(5).drop(columns=["diverged_rate", "dead_rate", "exact_rate"])
        say("\nBest setups:\n" + text(best.dropna(axis=1, how="all")))
    if importances:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in importances.items())
        say(f"\nImportance of each choice (PED-ANOVA): {shares}.")
    if len(study.objectives) > 1:
        best = objectives.front(nets, study.objectives)
        say(f"\nFront of {', '.join(study.objectives)}, the best ten of {len(best)}:\n{text(best.head(10))}")


def _answer(study: Study, nets: pd.DataFrame) -> str:
    """The study's own words about its table; none if they fail, as the table may lack what they are about."""
    try:
        return study.answer(nets.copy()) if study.answer else ""
    except Exception as error:
        warnings.warn(
            f"the study's answer could not be given ({type(error).__name__}: {error}); its table is complete.",
            stacklevel=2,
        )
        return ""
