"""The commands as a user sees them: names, arguments, options and help.

This module imports neither jax nor pandas, so that help is shown at once. What a command does is a function of another
module of this package, which is imported when the command is called and has everything it needs at its top. To add a
command, declare it here, with `body="module:function"`, and write that function; the parameters are its arguments.
"""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any

import click

from arithjax.cli.output import UNASKED, as_options
from arithjax.errors import ArithjaxError
from arithjax.fields import Field, Kind, cell
from arithjax.setup import FIELDS


class Command(click.Command):
    """A command that is carried out by the function `body`, `module:function` in this package, imported when called."""

    def __init__(self, *args: Any, body: str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.body = body
        self.callback = lambda **given: self.function()(**given)

    def function(self) -> Callable[..., None]:
        """The function that carries the command out."""
        module, _, name = self.body.partition(":")
        return getattr(importlib.import_module(f"arithjax.cli.{module}"), name)


class SetupCommand(Command):
    """A command with an option for every field of a setup but `UNASKED`; its mistakes are said in these options."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.params.extend(_option(name, field) for name, field in FIELDS.items() if name not in UNASKED)

    def function(self) -> Callable[..., None]:
        """The function that carries the command out."""
        function = super().function()

        @functools.wraps(function)
        def carried_out(**given: Any) -> None:
            try:
                function(**given)
            except ArithjaxError as error:
                raise ArithjaxError(as_options(str(error))) from None

        return carried_out


def _option(name: str, field: Field) -> click.Option:
    """The option that gives a field's value; None where it is not given."""
    dashed = name.replace("_", "-")
    flags = f"--{dashed}/--no-{dashed}" if field.kind == "bool" else f"--{dashed}"
    default = "" if field.optional else f"  [default: {cell(field.default)}]"
    return click.Option([flags], type=_TYPES.get(field.kind, str), default=None, help=field.help + default)


_TYPES: dict[Kind, type] = {"bool": bool, "whole": int, "number": float}


class Group(click.Group):
    """The group of all commands, which are `Command`s."""

    command_class = Command


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="arithjax")
def arithjax() -> None:
    """Which small neural networks learn arithmetic, why the others do not, and how to build one that does."""


FOLDER = click.argument("folder", metavar="DIR")
CSV = click.option("--csv", is_flag=True, help="Write comma-separated values.")
OWN_MEMBERS = click.option(
    "--study", "source", help="A study, by name or by its file, whose own operations, models and so on are used."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON, for scripts.")


def _hush(context: click.Context, option: click.Parameter, quiet: bool) -> bool:
    """Let the library's notes go unsaid, too."""
    if quiet:
        logging.getLogger("arithjax").setLevel(logging.WARNING)
    return quiet


QUIET = click.option("--quiet", is_flag=True, callback=_hush, help="Say no more than the outcome.")
PORTRAITS = click.option(
    "--portraits", type=int, default=4, show_default=True, help="Nets to train again for the report; 0 for none."
)
ENGINE = click.option(
    "--engine",
    type=click.Choice(["fused", "compiled"]),
    default="fused",
    show_default=True,
    help="What trains dense nets: the CPU's kernel where it can, or XLA; the column program records it.",
)


@arithjax.command(body="run:run")
@click.argument("study")
@click.option("--out", default="runs", show_default=True, help="Folder for results; the study gets one of its own.")
@click.option("--trials", type=int, help="Setups to ask for, instead of the study's number.")
@click.option("--seeds", type=int, help="Nets of each setup, instead of the study's number.")
@click.option("--steps", type=int, help="Optimiser steps, instead of the study's number.")
@click.option("--cluster", help="Train on a Dask cluster: a scheduler's address, or local:N for N processes here.")
@click.option("--plan", is_flag=True, help="Show the programs and the seconds they may take here; train nothing.")
@ENGINE
@PORTRAITS
@QUIET
def run() -> None:
    """Run STUDY, a built-in study by name or a study file by path, or continue it; then show what it found."""


@arithjax.command(body="tables:table")
@FOLDER
@click.option("--by", help="Columns to group by, separated by commas.  [default: the study's]")
@click.option("--where", help="Only nets for which this holds, such as \"depth > 1 and grade != 'dead'\".")
@CSV
@JSON
def table() -> None:
    """Success rates with 95 % intervals from the table in DIR."""


@arithjax.command(body="reports:report")
@FOLDER
@OWN_MEMBERS
@PORTRAITS
def report() -> None:
    """Write report.html and its figures again from the table in DIR, finished or not."""


DATA = click.option(
    "--data", type=click.Path(dir_okay=False), help="Examples of your own, instead of OP: CSV, or parquet, with names."
)
TARGET = click.option(
    "--target", metavar="COLUMN[,COLUMN]", help="The column of results in --data, or several; all others are arguments."
)


@arithjax.command(cls=SetupCommand, body="nets:fit")
@click.argument("op", required=False)
@DATA
@TARGET
@click.option("--seeds", type=int, default=8, show_default=True, help="Nets to train; the best is kept.")
@click.option("--seed", type=int, default=0, show_default=True, help="Root of all randomness.")
@click.option("--save", type=click.Path(dir_okay=False), help="Write the best net to this file.")
@click.option("--curve/--no-curve", default=True, help="Show how its best net learnt.  [default: curve]")
@ENGINE
@OWN_MEMBERS
@QUIET
def fit() -> None:
    """Train one setup on OP, or on --data, and show what its best net answers."""


@arithjax.command(cls=SetupCommand, body="why:why")
@click.argument("op", required=False)
@DATA
@TARGET
@click.option(
    "--net", type=click.Choice(["question"]), help="Ask of the net of the question, 2-3-5-3-5-1 on raw numbers."
)
@click.option(
    "--seconds",
    type=float,
    default=60,
    show_default=True,
    help="What may be spent, on two cores; no answer takes less than about 10.",
)
@click.option("--seeds", type=int, default=96, show_default=True, help="Nets that judge each change that is chosen.")
@click.option("--seed", type=int, default=0, show_default=True, help="Root of all randomness.")
@click.option("--json", "file", type=click.Path(dir_okay=False), help="Also write the answer as data to this file.")
@click.option("--out", type=click.Path(file_okay=False), help="Also write the answer as a page to this folder.")
@OWN_MEMBERS
@ENGINE
def why() -> None:
    """Why a net does not learn OP, or --data, and what makes it learn. The options of `fit` describe the net."""


@arithjax.command(body="predict:predict", context_settings={"ignore_unknown_options": True})
@click.argument("file", type=click.Path())
@click.argument("numbers", nargs=-1, required=True)
@OWN_MEMBERS
@JSON
def predict() -> None:
    """Use the net saved in FILE on NUMBERS, one for each argument of its operation."""


@arithjax.command(body="nets:retrain")
@FOLDER
@click.argument("number", metavar="NET", type=int)
@OWN_MEMBERS
@QUIET
def retrain() -> None:
    """Train row NET of the table in DIR again (0 is the first), and compare."""


@arithjax.command(body="nets:export")
@click.argument("file", type=click.Path())
@click.option("--to", "target", required=True, help="keras, torch, numpy or flax.")
@click.option("--untrained", is_flag=True, help="Write data, model, training loop and judging instead of the weights.")
@click.option("--out", help="The script's file, or - to print it.  [default: FILE_TARGET.py here]")
@OWN_MEMBERS
def export() -> None:
    """Write the net saved in FILE as a script that needs nothing of arithjax: python SCRIPT 12 34 prints the answer."""


@arithjax.command(body="tables:status")
@FOLDER
@JSON
def status() -> None:
    """What is done of the study in DIR, whether it runs, what is left, and how long that will take."""


@arithjax.command(body="tables:compare")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--by", help="Columns to group by, separated by commas.  [default: A's study's, where both vary]")
@CSV
@JSON
def compare() -> None:
    """Success rates of the studies in folders A and B side by side, with the difference B - A and a test of it."""


@arithjax.command("export-optuna", body="reports:export_optuna")
@FOLDER
@click.option("--storage", required=True, help="sqlite:///FILE, postgresql://USER@HOST/DATABASE, or journal:FILE.")
@click.option("--name", help="The study's name there, instead of its own.")
@click.option("--study", "source", help="The study, where its choices are more than study.json can say.")
def export_optuna() -> None:
    """Write the study in DIR to a storage of Optuna's, for optuna-dashboard and optuna.visualization."""


@arithjax.command("list", body="listing:list_members")
@click.argument("kind", required=False)
def list_members() -> None:
    """What there is.

    KIND: operations, models, transforms, activations, initializers, optimizers, schedules, losses, metrics,
    ramps, distributions, causes (of not learning), studies, or columns (of a table); all of them by default.
    """


@arithjax.command(body="bench:bench")
@click.option("--study", is_flag=True, help="A whole mixed study from an empty cache, beside the usual way.")
@click.option("--scale", is_flag=True, help="Studies of 1 to 100,000 nets: what a net costs, and memory.")
@click.option("--device", is_flag=True, help="Is an accelerator right, and fast? Lines that pass or fail, in minutes.")
@click.option("--quick", is_flag=True, help="Only the question's net, or small studies; ends within a minute.")
@click.option("--json", "file", type=click.Path(dir_okay=False), help="Also write what was measured to this file.")
@click.option("--page", type=click.Path(exists=True, file_okay=False), help="Only write README.md from what DIR holds.")
def bench() -> None:
    """How fast arithjax trains on this machine, beside other ways of doing it."""
