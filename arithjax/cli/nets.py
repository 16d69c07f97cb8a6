"""The commands that train or use single nets: `fit`, `predict` and `retrain`."""

from __future__ import annotations

from typing import Any

import click

from arithjax import environment, nets
from arithjax.errors import ArithjaxError
from arithjax.registry import OPERATIONS
from arithjax.setup import FIELDS, make
from arithjax.studies.files import find_study
from arithjax.tables import loading
from arithjax.terminal import curve_chart
from arithjax.training.engines import choice


def fit(op: str, seeds: int, seed: int, save: str | None, curve: bool, engine: str, **options: Any) -> None:
    """Train one setup on an operation, and show what its best net answers.

    options: the other fields of the setup, as text where the command line has no type for them; None is the default.
    """
    choice.use(engine)
    best = nets.fit(make(op=op, **given_fields(options)), seeds, seed)
    click.echo(f"Ten fresh arguments of {OPERATIONS[op].symbol}, answered by the best of {seeds} nets:\n")
    click.echo(nets.fresh_pairs(best).to_string(index=False, float_format=lambda v: f"{v:.7g}"))
    if curve:
        click.echo(f"\n{curve_chart(best.curve(seed))}")
    _show_net(best)
    if save:
        best.save(save)
        click.echo(f"Saved to {save}; 'arithjax predict {save} ...' uses it.")


def given_fields(options: dict[str, Any]) -> dict[str, Any]:
    """The fields that options of the command line give: text is parsed, and None was not given."""
    return {
        name: FIELDS[name].parse(name, value) if isinstance(value, str) else value
        for name, value in options.items()
        if value is not None
    }


def _show_net(best: nets.Net) -> None:
    """The grades of all nets, and the best net in a sentence and as a formula, if it has one."""
    if best.others is not None:
        counts = best.others["grade"].value_counts().items()
        click.echo(f"\nGrades: {', '.join(f'{count} {grade}' for grade, count in counts)}.")
    click.echo(f"Best net: {_sentence(best.row)}")
    if (formula := best.formula()) is not None:
        click.echo(f"As a formula: {formula.summary()}")


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
    click.echo(comparison.to_string())
    click.echo(f"\n{_verdict(folder, bool(comparison['identical'].all()))}")


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
