"""The commands that train or use single nets: `fit`, `predict` and `retrain`."""

from __future__ import annotations

import shlex
from typing import Any

import click

from arithjax import environment, nets
from arithjax.cli.output import Parts, say
from arithjax.disk import obstacle
from arithjax.errors import ArithjaxError
from arithjax.registry import OPERATIONS
from arithjax.setup import FIELDS, make
from arithjax.studies.files import find_study
from arithjax.tables import loading
from arithjax.terminal import curve_chart
from arithjax.training.engines import choice

MOST_COLUMNS = 14
"""Columns of the table of answers."""


def fit(op: str, seeds: int, seed: int, save: str | None, curve: bool, engine: str, **options: Any) -> None:
    """Train one setup on an operation, and show what its best net answers.

    options: the other fields of the setup, as text where the command line has no type for them; None is the default.
    """
    if save and (reason := obstacle(save)):
        raise ArithjaxError(f"--save {save}: {reason}; choose another file.")
    choice.use(engine)
    best = nets.fit(make(op=op, **given_fields(options)), seeds, seed)
    parts = Parts()
    saved = bool(save) and parts.attempt("the file of the net", lambda: _saved(best, str(save)), False)
    parts.say("the table", lambda: _answers(best, seeds))
    if curve:
        parts.say("the learning curve", lambda: f"\n{curve_chart(best.curve(seed))}")
    parts.say("the grades", lambda: _grades(best))
    parts.say("the sentence on the best net", lambda: f"Best net: {_sentence(best.row)}")
    parts.say("the formula", lambda: _formula(best))
    if saved:
        click.echo(f"Saved to {save}; 'arithjax predict {shlex.quote(str(save))} ...' uses it.")
    parts.end()


def given_fields(options: dict[str, Any]) -> dict[str, Any]:
    """The fields that options of the command line give: text is parsed, and None was not given."""
    return {
        name: FIELDS[name].parse(name, value) if isinstance(value, str) else value
        for name, value in options.items()
        if value is not None
    }


def _saved(best: nets.Net, path: str) -> bool:
    """Save the net; True."""
    best.save(path)
    return True


def _answers(best: nets.Net, seeds: int) -> str:
    """What the net answers to fresh arguments; of very many arguments the first and the last are shown."""
    table = nets.fresh_pairs(best)
    if len(table.columns) > MOST_COLUMNS:
        kept = [*table.columns[: MOST_COLUMNS - 5], *table.columns[-4:]]
        table = table[kept]
        table.insert(MOST_COLUMNS - 5, "...", "...")
    shown = table.to_string(index=False, float_format=lambda v: f"{v:.7g}")
    symbol = OPERATIONS[best.setup.op].symbol
    return f"Ten fresh arguments of {symbol}, answered by the best of {seeds} nets:\n\n{shown}"


def _grades(best: nets.Net) -> str | None:
    """How many nets have each grade."""
    if best.others is None:
        return None
    counts = best.others["grade"].value_counts().items()
    return f"\nGrades: {', '.join(f'{count} {grade}' for grade, count in counts)}."


def _formula(best: nets.Net) -> str | None:
    """The net as a formula, if it has one."""
    formula = best.formula()
    return None if formula is None else f"As a formula: {formula.summary()}"


def _sentence(row: dict[str, Any]) -> str:
    words = (
        f"{row['grade']}, seed {row['seed']}, {row['parameters']} parameters, relative RMSE {row['relative_rmse']:.2g} "
        f"(extrapolating {row['extrapolation_relative_rmse']:.2g}), largest error {row['max_error']:.3g}."
    )
    if row["grade"] == "exact":
        words += " Every result in the whole range rounds to the right integer."
    return words


def predict(file: str, numbers: tuple[str, ...]) -> None:
    """What the net saved in a file answers to numbers, one for each argument of its operation."""
    net = nets.load_net(file)
    arity = OPERATIONS[net.setup.op].arity
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        raise ArithjaxError(f"numbers={' '.join(numbers)} are not all numbers; give {arity}.") from None
    if len(values) != arity:
        raise ArithjaxError(f"{net.setup.op} takes {arity} numbers, and {len(values)} were given.")
    if not net.inside([values])[0]:
        low, high = net.setup.bounds
        click.echo(f"Outside the training range [{low:g}, {high:g}]: the net extrapolates.", err=True)
    answer = float(net.predict([values])[0])
    click.echo(f"{answer:.0f}" if net.row["grade"] == "exact" else f"{answer:.7g}")


def retrain(folder: str, number: int, source: str | None) -> None:
    """Train one row of a folder's table again, and compare; the study `source` may bring operations and models."""
    if source:
        find_study(source)
    comparison = nets.retrain(folder, number)
    say(comparison.to_string())
    say(f"\n{_verdict(folder, bool(comparison['identical'].all()))}")


def _verdict(folder: str, same: bool) -> str:
    """Whether a net trained again is the stored one, and if the machines differ, in what."""
    there = loading.description(folder)
    here = {"versions": environment.versions(), "device": environment.device()}
    differ = [words for place in (there, *there.get("continued", [])) for words in environment.differences(place, here)]
    elsewhere = f" The study ran elsewhere: {', '.join(dict.fromkeys(differ))}." if differ else ""
    if same:
        return f"Identical to the last bit.{elsewhere}"
    reason = (
        " Other machines and versions round differently." if differ else " Machine and versions are the same: a fault."
    )
    return f"Not identical.{elsewhere}{reason}"
