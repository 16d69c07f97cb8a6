"""The commands that train single nets, or write them as code: `fit`, `retrain` and `export`."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import click

from arithjax import environment, nets, saved
from arithjax import export as export_code
from arithjax.cli.output import Parts, as_options, say
from arithjax.disk import obstacle
from arithjax.errors import ArithjaxError, counted
from arithjax.registry import OPERATIONS
from arithjax.setup import FIELDS, Setup
from arithjax.studies.files import find_study
from arithjax.tables import loading, words
from arithjax.tables.schema import CERTIFICATES
from arithjax.task.datasets import Dataset
from arithjax.task.points import Task
from arithjax.terminal import curve_chart
from arithjax.training.engines import choice

MOST_COLUMNS = 14
"""Columns of the table of answers."""
FEW = 100
"""Different arguments that are worth a word: nets can learn so few by heart."""


def fit(
    op: str | None,
    data: str | None,
    target: str | None,
    seeds: int,
    seed: int,
    save: str | None,
    curve: bool,
    engine: str,
    source: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Train one setup on an operation, or on the rows of a file, and show what its best net answers.

    data, target: the file and its column of results, in place of an operation.
    source: the study that brings members of its own, if given. quiet: show the best net's line alone.
    options: the other fields of the setup, as text where the command line has no type for them; None is the default.
    """
    if save and (reason := obstacle(save)):
        raise ArithjaxError(f"--save {save}: {reason}; choose another file.")
    choice.use(engine)
    members_of(source)
    setup = Setup(op=asked_op(op, data, target), **given_fields(options))
    if not quiet:
        click.echo(_few_arguments(setup), nl=False)
    best = nets.fit(setup, seeds, seed)
    parts = Parts()
    kept = bool(save) and parts.attempt("the file of the net", lambda: _saved(best, str(save)), False)
    if not quiet:
        parts.say("the table", lambda: _answers(best, seeds))
        if curve:
            parts.say("the learning curve", lambda: f"\n{curve_chart(best.curve(seed))}")
        parts.say("the grades", lambda: _grades(best))
    parts.say("the sentence on the best net", lambda: f"Best net: {_sentence(best)}")
    if not quiet:
        parts.say("the formula", lambda: _formula(best))
    if kept and not quiet:
        click.echo(f"Saved to {save}; 'arithjax predict {shlex.quote(str(save))} ...' uses it.")
    parts.end()


def asked_op(op: str | None, data: str | None, target: str | None) -> str:
    """The name of what is asked about: an operation, or the data set in a file, which is entered under its name.

    Raises:
        ArithjaxError: both or neither are given, or the file is no data set.
    """
    if data is None and target is None and op is not None:
        return op
    if op is not None or data is None or target is None:
        raise ArithjaxError(
            "give either OP or --data FILE --target COLUMN: 'arithjax list operations' shows all there are, and a file "
            "of your own needs a column of results."
        )
    found = Dataset.read(data, target)
    OPERATIONS[found.name] = found
    return found.name


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
    """What the net answers to arguments from its range; of very many columns the first and the last are shown."""
    table = nets.fresh_pairs(best)
    if len(table.columns) > MOST_COLUMNS:
        kept = [*table.columns[: MOST_COLUMNS - 5], *table.columns[-4:]]
        table = table[kept]
        table.insert(MOST_COLUMNS - 5, "...", "...")
    shown = table.to_string(index=False, float_format=lambda v: f"{v:.7g}")
    symbol = OPERATIONS[best.setup.op].symbol
    task = Task.of(best.setup)
    fresh = "fresh argument" if task.unseen(best.setup) else "argument"
    some = f"Ten {fresh}s" if len(table) == 10 else counted(len(table), fresh)
    what = counted(len(table), "row") if task.op.data else some
    return f"{what} of {symbol}, answered by {'the net' if seeds == 1 else f'the best of {seeds} nets'}:\n\n{shown}"


def _grades(best: nets.Net) -> str | None:
    """How many nets have each grade."""
    if best.others is None:
        return None
    counts = best.others["grade"].value_counts().items()
    return f"\nGrades: {', '.join(f'{count} {grade}' for grade, count in counts)}."


def _formula(best: nets.Net) -> str:
    """The net as a formula, or as one for each result; or else why it has none."""
    formulas = best.formulas()
    if None in formulas:
        return as_options(f"No formula: {best.no_formula()}.")
    summaries = [formula.summary() for formula in formulas if formula is not None]
    return "\n".join([f"As {'a formula' if len(summaries) == 1 else 'formulas'}: {summaries[0]}", *summaries[1:]])


def _few_arguments(setup: Setup) -> str:
    """A line that says how many different arguments there are, where they are few; or else nothing."""
    count = Task.of(setup).arguments
    if count is None or count >= FEW:
        return ""
    op, (low, high) = OPERATIONS[setup.op], setup.bounds
    if op.arguments or op.conditional:
        return ""
    names = op.argument_names
    there = "is only 1 argument" if count == 1 else f"are only {count} different arguments"
    return (
        f"There {there}: {' and '.join(names)} whole numbers from {low:g} to {high:g}. "
        f"With --no-integers they are real numbers from {setup.low:g} to {setup.high:g}.\n\n"
    )


def _sentence(best: nets.Net) -> str:
    row = best.row
    about = (
        f"{row['grade']}, seed {row['seed']}, {counted(row['parameters'], 'parameter')}, {words.error(row)}"
        f"{words.extrapolating(row, ' (extrapolating {})')}, largest error {row['max_error']:.3g}{_right(best)}."
    )
    return f"{about} {_certificate(best)}".rstrip()


def _right(best: nets.Net) -> str:
    """The share of right answers where results are classes or whole numbers; nothing where the grade says it."""
    row, task = best.row, Task.of(best.setup)
    share = row["exact"] if math.isnan(row["accuracy"]) else row["accuracy"]
    if math.isnan(share) or row["grade"] == "exact":
        return ""
    judged = "rows" if task.op.data else "test points"
    held = " that it was not trained on" if task.apart else ""
    return f", right on {100 * share:.3g} % of the {judged}{held}"


def _certificate(best: nets.Net) -> str:
    """What is certified of a net, or why nothing is where its errors do not say so; empty where they do."""
    task = Task.of(best.setup)
    if task.op.data:
        seen = (
            ""
            if task.apart
            else " Judged on the rows that it was trained on; --holdout 0.2 keeps a fifth of them apart."
        )
        every = f"Every result rounds to the right integer: all {counted(task.arguments or 0, 'row')}."
        return (every * (best.row["grade"] == "exact") + seen).strip()
    if best.row["grade"] == "exact":
        arguments = counted(task.arguments or 0, "argument")
        return f"Every result in the whole range rounds to the right integer: all {arguments}."
    if not task.integers or not task.uncertain or best.row["grade"] != "learned":
        return ""
    return f"Not certified: {CERTIFICATES[task.uncertain]}."


def export(file: str, target: str, out: str | None, source: str | None, untrained: bool) -> None:
    """Write the net saved in a file, or its setup as a script that trains, as code that needs nothing of arithjax.

    out: the script's file; `-` prints it; None names it after the net's file and the target.
    """
    members_of(source)
    net = nets.load_net(file)
    path = Path(out or f"{Path(file).stem}_{target}{'_untrained' if untrained else ''}.py")
    printed = out == "-"
    if untrained:
        text = export_code.untrained(net.setup, target)
        if not printed:
            export_code.check_name(path)
            saved.put(path, text.encode())
    else:
        text = net.export(target, None if printed else path)
    click.echo(text if printed else f"Wrote {path}.", nl=not printed)


def members_of(source: str | None) -> None:
    """Bring the operations, models and so on that a study adds, given by name or by the path of its file."""
    if source:
        find_study(source)


def retrain(folder: str, number: int, source: str | None, quiet: bool) -> None:
    """Train one row of a folder's table again, and compare; the study `source` may bring operations and models."""
    members_of(source)
    comparison = nets.retrain(folder, number)
    if not quiet:
        say(f"{comparison.to_string()}\n")
    say(_verdict(folder, bool(comparison["identical"].all())))


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
