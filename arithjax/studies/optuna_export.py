"""Export of a study's table to a storage of Optuna's, for optuna-dashboard and `optuna.visualization`."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from arithjax.errors import ArithjaxError
from arithjax.setup import Setup
from arithjax.studies.search import as_chosen, fixed
from arithjax.studies.study import Study
from arithjax.tables import groups, loading, statistics
from arithjax.tables.objectives import objectives as objective_values

COMPLETE = "arithjax_complete"
"""The user attribute of a study in the storage that says whether its export was finished."""


def export(folder: str | Path, url: str, name: str | None = None, study: Study | None = None) -> int:
    """Write a folder's results as an Optuna study to the storage at a URL; returns the number of its trials.

    folder: a study's folder.
    url: `sqlite:///FILE`, `postgresql://...` or any database of SQLAlchemy's, or `journal:FILE`.
    name: the study's name in the storage; default: its own.
    study: is asked for the distributions of parameters; default: they are what `study.json` says.

    Each trial has its parameters with their distributions, its objectives as values, and as user attributes its setup
    and the columns of `summarise`, such as its success rate.

    Raises `ArithjaxError` when the storage cannot be written or has a study of that name, when the folder holds no
    results, or when `study.json` does not say what a parameter was chosen from.
    """
    rows, described = loading.load(folder), loading.description(folder)
    names = tuple(described.get("objectives", ["error"]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Choices for a categorical distribution")  # lists, which storages do hold
        return _exported(_trials(rows, described, names, study), described, names, url, name)


def _exported(
    trials: list[FrozenTrial], described: dict[str, Any], names: tuple[str, ...], url: str, name: str | None
) -> int:
    """Write trials to the storage at a URL; returns their number."""
    try:
        with opened(url) as storage:
            _fill(_new_study(storage, name or described["name"], names), trials, described)
    except (ArithjaxError, KeyboardInterrupt):
        raise
    except Exception as error:  # a database's own errors, of any of its drivers
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ArithjaxError(f"--storage {url}: {reason} ({type(error).__name__}); check the address.") from None
    return len(trials)


@contextmanager
def opened(url: str) -> Iterator[optuna.storages.BaseStorage]:
    """Optuna's storage at a URL, open in this context; PostgreSQL through psycopg, unless the URL names a driver."""
    scheme, _, rest = url.partition(":")
    if scheme == "journal" and rest:
        yield optuna.storages.JournalStorage(JournalFileBackend(rest))
        return
    url = f"postgresql+psycopg:{rest}" if scheme in ("postgresql", "postgres") else url
    storage = optuna.storages.RDBStorage(url)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _new_study(storage: optuna.storages.BaseStorage, name: str, objectives: tuple[str, ...]) -> optuna.Study:
    """An empty Optuna study in a storage; one that an interrupted export left incomplete is replaced."""
    known = {summary.study_name: summary for summary in optuna.get_all_study_summaries(storage)}
    if name in known:
        if known[name].user_attrs.get(COMPLETE) is not False:
            raise ArithjaxError(f"the storage holds a study '{name}' already; choose another name with --name.")
        optuna.delete_study(study_name=name, storage=storage)
    study = optuna.create_study(study_name=name, storage=storage, directions=["minimize"] * len(objectives))
    study.set_user_attr(COMPLETE, False)
    return study


def _fill(there: optuna.Study, trials: list[FrozenTrial], described: dict[str, Any]) -> None:
    """Add the trials and what `study.json` says to an Optuna study."""
    answer = described.get("answer")
    if isinstance(answer, dict):
        described = {**described, "answer": "\n".join([answer["finding"], *answer["sentences"]])}
    for key in ("about", "answer", "seed", "seeds", "sampler", "steps", "versions", "device", "hash", "source"):
        if described.get(key) is not None:
            there.set_user_attr(key, described[key])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        there.set_metric_names(list(described.get("objectives", ["error"])))
    there.add_trials(trials)
    there.set_user_attr(COMPLETE, True)


def _trials(
    rows: pd.DataFrame, described: dict[str, Any], objectives: tuple[str, ...], study: Study | None
) -> list[FrozenTrial]:
    """The trials of a table as Optuna keeps finished ones, in order."""
    values, firsts = objective_values(rows, objectives), rows.drop_duplicates("trial").set_index("trial")
    summaries = statistics.summarise_by(rows, [rows["trial"]])
    setups = firsts[[*Setup.field_names(), "parameters"]].to_dict("index")
    chosen = {int(n): (int(n), groups.parsed_choices(text)) for n, text in firsts["choices"].items()}
    chosen |= {
        int(n): (one["of"], one["choices"]) for n, one in described.get("repeats", {}).items() if one["of"] in chosen
    }
    space = _space(described)
    trials = []
    for number, (first, params) in sorted(chosen.items()):
        if study is not None:
            one = fixed(study, params, number)
            params, distributions = one.params, one.distributions
        else:
            params, distributions = _placed(params, space, number)
        attributes = {**setups[first], **summaries.loc[first].to_dict(), "trial": number, "repeats": first}
        if first == number:
            del attributes["repeats"]
        trials.append(
            optuna.trial.create_trial(
                params=params,
                distributions=distributions,
                values=values.loc[first].tolist(),
                user_attrs={name: plain(value) for name, value in attributes.items()},
            )
        )
    return trials


def _space(described: dict[str, Any]) -> dict[str, BaseDistribution]:
    """The distribution of each parameter, as `study.json` says."""
    try:
        return {name: json_to_distribution(json.dumps(d)) for name, d in described.get("space", {}).items()}
    except Exception as error:
        raise ArithjaxError(f"study.json is damaged (space: {type(error).__name__}); restore it.") from None


def _placed(
    params: dict[str, Any], space: dict[str, BaseDistribution], number: int
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """A trial's parameters, which JSON may have changed in type, and their distributions in a search space."""
    distributions, found = {}, {}
    for name, value in params.items():
        distribution = space.get(name)
        value = value if distribution is None else as_chosen(distribution, value)
        if distribution is None or not _contains(distribution, value):
            raise ArithjaxError(
                f"study.json does not say what '{name}'={value!r} of trial {number} was chosen from; give the study "
                f"file with --study."
            )
        distributions[name], found[name] = distribution, value
    return found, distributions


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a distribution has a value."""
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:
        return False


def plain(value: Any) -> Any:
    """A value as JSON holds it: Python's scalars, lists for tuples, None for numbers that are not finite."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else None if value is pd.NA else value
