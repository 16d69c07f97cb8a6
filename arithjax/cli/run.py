"""The command `run`: train a study, or continue it, and say what it found."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from arithjax.cli.output import Parts, say
from arithjax.cli.text import choice_table, rate_table, text
from arithjax.environment import devices_and_workers
from arithjax.errors import ArithjaxError, counted
from arithjax.report import percent, write
from arithjax.report.answer import Answer, default_answer, restored
from arithjax.studies import runner, samplers
from arithjax.studies.files import find_study
from arithjax.studies.importance import importance
from arithjax.studies.study import Study
from arithjax.tables import groups, loading, objectives, statistics
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
    quiet: bool,
) -> None:
    """Run the study of this name or in this file, or continue it; then show what it found.

    quiet: show neither progress nor tables.
    """
    choice.use(engine)
    resolved = find_study(study)
    if plan:
        _show_plan(resolved, trials, seeds, steps)
        return
    progress = TerminalProgress(Console(stderr=True, quiet=quiet))
    try:
        nets = runner.run(resolved, out, trials, seeds, steps, progress, cluster)
    finally:
        progress.end()
    folder = Path(out) / resolved.name
    if not progress.trained:
        say(f"Nothing to train: {folder} holds all of it, {counted(len(nets), 'net')}.")
    _finish(resolved, folder, nets, portraits, quiet)


def _show_plan(study: Study, trials: int | None, seeds: int | None, steps: int | None) -> None:
    """What a run from the beginning would compile and train on this machine."""
    workers, batches = devices_and_workers()[1], list(runner.asked_nets(study, trials, seeds, steps))
    tiles = [tile for nets in batches for tile in planning.plan(nets, workers)]
    say(forecast.plan_text(tiles, workers))
    first, total = min(samplers.ADAPTIVE, trials or study.trials or 0), trials or study.trials or 0
    if study.sampler not in samplers.FIXED and first < total:
        say(f"These are the first {first} of {total} trials: what is asked next depends on results.")


Importances = dict[str, tuple[float, float, float]]
"""The share of importance of each choice, and its interval."""


def _finish(study: Study, folder: Path, nets: pd.DataFrame, portraits: int, quiet: bool) -> None:
    """Summary, report and answer of a finished study, whose nets are stored by now: no part costs another."""
    parts, store = Parts(), Store(folder)
    nets = loading.with_choices(nets)
    importances = parts.attempt("the importance of each choice", lambda: importance(nets, study), {})
    answer = parts.attempt("the study's answer", lambda: _answer(study, nets))
    found = {"importance": importances, "answer": answer.stored() if answer else ""}
    described = parts.attempt("the study.json", lambda: _described(store, nets, found)) or {
        **loading.description(folder),
        **found,
    }
    by = parts.attempt("the groups", lambda: list(study.by) or statistics.default_by(nets), [])
    if not quiet:
        say(f"\n{study.about or study.name}\n")
        parts.say("the table of rates", lambda: rate_table(nets, by))
        parts.say("the table of the best setups", lambda: _best(nets))
        parts.say("the importance of each choice", lambda: _shares(importances))
        parts.say("the table of choices", lambda: choice_table(nets, list(importances) or list(groups.chosen(nets))))
        parts.say("the front", lambda: _front(study, nets))
    page = parts.attempt("the report", lambda: write(folder, nets, described, portraits))
    parts.say("the answer", lambda: f"\n{answer or default_answer(nets, by, study.objectives)}")
    if page:
        say(f"\nReport: {page}")
    parts.end()


def _described(store: Store, nets: pd.DataFrame, found: dict[str, Any]) -> dict[str, Any]:
    """The content of `study.json` with what was `found` out, written while no other run can write it.

    Of nets that are only a part of what the folder holds nothing is written.
    """
    there = len(store.rows(["trial", "seed"]))
    if len(nets) < there:
        say(f"This is of the nets that were asked for, {len(nets):,} of {there:,} in {store.folder}.")
        asked = {"trials": 1 + int(nets["trial"].max()), "seeds": 1 + int(nets["seed"].max())}
        return {**loading.description(store.folder), **asked, **found}
    with store.lock():
        described = {**loading.description(store.folder), **found}
        store.write("study.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    return described


def _best(nets: pd.DataFrame) -> str | None:
    """The best setups, where there are many."""
    if nets["trial"].nunique() <= 12:
        return None
    extra = ["diverged_rate", "dead_rate", "exact_rate", "setups", "interval", "ranges", "stopped"]
    best = statistics.setups_table(nets).head(5).drop(columns=extra)
    return "\nBest setups:\n" + text(best.dropna(axis=1, how="all"))


def _shares(importances: Importances) -> str | None:
    """How much each choice matters, where that is known."""
    shares = ", ".join(f"{name} {percent(*share)}" for name, share in importances.items())
    return f"\nImportance of each choice for the best tenth of the setups (PED-ANOVA): {shares}." if shares else None


def _front(study: Study, nets: pd.DataFrame) -> str | None:
    """The best trials by several objectives, where there are several."""
    if len(study.objectives) < 2:
        return None
    best = objectives.front(nets, study.objectives)
    return f"\nFront of {', '.join(study.objectives)}, the best ten of {len(best)}:\n{text(best.head(10))}"


def _answer(study: Study, nets: pd.DataFrame) -> Answer | None:
    """What the study says about its table; None if it says nothing or fails, as the table may lack what it is about."""
    try:
        answer = study.answer(nets.copy()) if study.answer else None
        if not (answer is None or isinstance(answer, str | Answer)):
            raise TypeError(f"a {type(answer).__name__} and neither text nor an aj.Answer")
        return restored(answer) if isinstance(answer, str) else answer
    except ArithjaxError as error:
        warnings.warn(f"the study's answer could not be given: {error}", stacklevel=2)
        return None
    except Exception as error:
        warnings.warn(
            f"the study's answer could not be given ({type(error).__name__}: {error}); its table is complete.",
            stacklevel=2,
        )
        return None
