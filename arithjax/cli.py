"""The command line. Nothing here imports jax until something has to be trained or listed."""

from __future__ import annotations

import sys
import warnings
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arithjax.errors import ArithjaxError

if TYPE_CHECKING:
    import pandas as pd

    from arithjax.studies.study import Study


def main() -> None:
    """Run the command line; exit status 0 done, 2 a mistake of the user's, 130 interrupted."""
    from arithjax.studies import signals

    warnings.showwarning = lambda message, *_: click.echo(f"arithjax: warning: {message}", err=True)
    try:
        with signals.in_order():
            arithjax.main(prog_name="arithjax", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"arithjax: {error.format_message()} ('arithjax --help' shows the commands.)", err=True)
        sys.exit(2)
    except ArithjaxError as error:
        click.echo(f"arithjax: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        again = " ".join(["arithjax", *sys.argv[1:]])
        kept = f" What was finished is kept. To go on: {again}" if sys.argv[1:2] == ["run"] else ""
        click.echo(f"arithjax: interrupted.{kept}", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that went away
        where = f" {error.filename}" if error.filename else ""
        click.echo(
            f"arithjax: the system refuses{where} ({error.strerror or error}); what was finished is kept.", err=True
        )
        sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="arithjax")
def arithjax() -> None:
    """Which small neural networks learn arithmetic, why the others do not, and how to build one that does."""


PORTRAITS = click.option(
    "--portraits", type=int, default=4, show_default=True, help="Nets to train again for the report; 0 for none."
)


@arithjax.command()
@click.argument("study")
@click.option("--out", default="runs", show_default=True, help="Folder for results; the study gets one of its own.")
@click.option("--trials", type=int, help="Setups to ask for, instead of the study's number.")
@click.option("--seeds", type=int, help="Nets of each setup, instead of the study's number.")
@click.option("--steps", type=int, help="Optimiser steps, instead of the study's number.")
@click.option("--cluster", help="Train on a Dask cluster: a scheduler's address, or local:N for N processes here.")
@click.option("--plan", is_flag=True, help="Show the programs and the seconds they may take here; train nothing.")
@PORTRAITS
def run(
    study: str,
    out: str,
    trials: int | None,
    seeds: int | None,
    steps: int | None,
    cluster: str | None,
    plan: bool,
    portraits: int,
) -> None:
    """Run STUDY, a built-in study by name or a study file by path, or continue it; then show what it found."""
    from rich.console import Console

    from arithjax.studies.files import find_study
    from arithjax.studies.runner import run as run_study
    from arithjax.terminal import TerminalProgress

    resolved = find_study(study)
    if plan:
        _show_plan(resolved, trials, seeds, steps)
        return
    progress = TerminalProgress(Console(stderr=True))
    try:
        nets = run_study(resolved, out, trials, seeds, steps, progress, cluster)
    finally:
        progress.end()
    folder = Path(out) / resolved.name
    if not progress.trained:
        click.echo(f"Nothing to train: all {len(nets):,} nets are in {folder}.")
    _finish(resolved, folder, nets, portraits)


def _show_plan(study: Study, trials: int | None, seeds: int | None, steps: int | None) -> None:
    """What a run from the beginning would compile and train on this machine."""
    from arithjax.environment import devices_and_workers
    from arithjax.studies.runner import asked_nets
    from arithjax.training.forecast import plan_text
    from arithjax.training.planning import plan

    workers, batches = devices_and_workers()[1], list(asked_nets(study, trials, seeds, steps))
    click.echo(plan_text([tile for nets in batches for tile in plan(nets, workers)], workers))
    first, total = 1 + max(nets[-1].trial for nets in batches), trials or study.trials
    if study.sampler != "grid" and first < total:
        click.echo(f"These are the first {first} of {total} trials: what is asked next depends on results.")


def _finish(study: Study, folder: Path, nets: pd.DataFrame, portraits: int) -> None:
    """Summary, figures and the answer of a finished study."""
    import json

    from arithjax import report as report_module
    from arithjax.studies.search import importance
    from arithjax.tables import loading, objectives, statistics
    from arithjax.tables.store import Store

    described = loading.description(folder)
    described["importance"] = importance(nets, study)
    nets = loading.with_choices(nets)
    described["answer"] = _answer(study, nets)
    Store(folder).write("study.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    by = list(study.by) or statistics.default_by(nets)
    click.echo(f"\n{study.about or study.name}\n")
    click.echo(rate_table(nets, by))
    if nets["trial"].nunique() > 12:
        click.echo("\nBest setups:\n" + text(_short(statistics.setups_table(nets).head(5))))
    if described["importance"]:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in described["importance"].items())
        click.echo(f"\nImportance of each choice (PED-ANOVA): {shares}.")
    if len(study.objectives) > 1:
        best = objectives.front(nets, study.objectives)
        click.echo(f"\nFront of {', '.join(study.objectives)}, the best ten of {len(best)}:\n{text(best.head(10))}")
    page = report_module.write(folder, nets, described, portraits)
    click.echo(f"\n{described['answer'] or _words(nets, by)}\n\nReport: {page}")


def _answer(study: Study, nets: pd.DataFrame) -> str:
    """What the study's own words make of its table, which may lack what they speak of."""
    try:
        return study.answer(nets.copy()) if study.answer else ""
    except Exception as error:
        warnings.warn(
            f"the study's answer could not be given ({type(error).__name__}: {error}); its table is complete.",
            stacklevel=2,
        )
        return ""


def _words(nets: pd.DataFrame, by: list[str]) -> str:
    from arithjax.report import default_words

    return default_words(nets, by)


@arithjax.command()
@click.argument("folder", metavar="DIR")
@click.option("--by", help="Columns to group by, separated by commas.  [default: the study's]")
@click.option("--where", help="Only nets for which this holds, such as \"depth > 1 and grade != 'dead'\".")
@click.option("--csv", is_flag=True, help="Write comma-separated values.")
def table(folder: str, by: str | None, where: str | None, csv: bool) -> None:
    """Success rates with 95 % intervals from the table in DIR."""
    from arithjax.tables import loading, statistics

    nets = loading.with_choices(loading.load(folder))
    if where:
        nets = loading.where(nets, where, "--where")
        if nets.empty:
            raise ArithjaxError(f"--where {where!r} holds for none of the nets; loosen it.")
    columns = [name.strip() for name in by.split(",")] if by else _default_by(folder, nets)
    summary = statistics.summarise(nets, columns)
    click.echo(summary.to_csv().rstrip() if csv else text(summary))


def _default_by(folder: str, nets: pd.DataFrame) -> list[str]:
    from arithjax.tables import loading, statistics

    try:
        return list(loading.description(folder).get("by") or statistics.default_by(nets))
    except ArithjaxError:
        return statistics.default_by(nets)


@arithjax.command()
@click.argument("folder", metavar="DIR")
@click.option("--study", "source", help="The study, if it brings operations or models of its own.")
@PORTRAITS
def report(folder: str, source: str | None, portraits: int) -> None:
    """Write report.html and its figures again from the table in DIR, finished or not."""
    from arithjax import report as report_module
    from arithjax.report.words import missing
    from arithjax.tables import loading
    from arithjax.tables.store import Store

    described = loading.description(folder) if (Path(folder) / "study.json").exists() else {}
    nets = Store(Path(folder)).rows() if described else loading.load(folder)
    if source:
        from arithjax.studies.files import find_study

        find_study(source)
    if described and missing(nets, described):
        click.echo(missing(nets, described))
    click.echo(f"Report: {report_module.write(Path(folder), nets, described, portraits)}")


class SetupCommand(click.Command):
    """A command with an option for every field of a setup."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        from arithjax.setup import Setup

        for f in fields(Setup):
            if f.name != "op":
                self.params.append(_option(f))


def _option(f: Any) -> click.Option:
    flag, kind = f"--{f.name.replace('_', '-')}", str(f.type).removesuffix(" | None")
    shown = "" if f.default is None else f"  [default: {_text_of(f.default)}]"
    if kind == "bool":
        return click.Option([f"{flag}/--no-{flag[2:]}"], default=None, help=f.metadata["help"] + shown)
    types = {"int": int, "float": float}
    return click.Option([flag], type=types.get(kind, str), default=None, help=f.metadata["help"] + shown)


def _text_of(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parse(name: str, value: Any) -> Any:
    """An option's text as the field's value."""
    if name in ("widths", "extrapolation"):
        try:
            return [float(part) for part in value.split(",")]
        except ValueError:
            raise ArithjaxError(f"{name}={value!r} is not allowed; give numbers separated by commas.") from None
    return value.split(",") if name in ("activation", "model") and "," in value else value


@arithjax.command(cls=SetupCommand)
@click.argument("op")
@click.option("--seeds", type=int, default=8, show_default=True, help="Nets to train; the best is kept.")
@click.option("--seed", type=int, default=0, show_default=True, help="Root of all randomness.")
@click.option("--save", type=click.Path(dir_okay=False), help="Write the best net to this file.")
@click.option("--curve/--no-curve", default=True, help="Show how its best net learnt.  [default: curve]")
def fit(op: str, seeds: int, seed: int, save: str | None, curve: bool, **options: Any) -> None:
    """Train one setup on OP, and show what its best net answers."""
    from arithjax import net as nets
    from arithjax.registry import OPERATIONS
    from arithjax.setup import make

    given = {name: _parse(name, value) for name, value in options.items() if value is not None}
    setup = make(op=op, **given)
    best = nets.fit_setup(setup, seeds, seed)
    row, others = best.row, best.others
    click.echo(f"Ten fresh arguments of {OPERATIONS[op].symbol}, answered by the best of {seeds} nets:\n")
    click.echo(nets.fresh_pairs(best).to_string(index=False, float_format=lambda v: f"{v:.7g}"))
    if curve:
        from arithjax.terminal import curve_chart
        from arithjax.training.curves import curve_of

        click.echo(f"\n{curve_chart(curve_of(best, seed))}")
    click.echo(f"\nGrades: {', '.join(f'{n} {grade}' for grade, n in others['grade'].value_counts().items())}.")
    click.echo(f"Best net: {_sentence(row)}")
    if (formula := best.formula()) is not None:
        click.echo(f"As a formula: {formula.told()}")
    if save:
        best.save(save)
        click.echo(f"Saved to {save}; 'arithjax predict {save} ...' uses it.")


def _sentence(row: dict[str, Any]) -> str:
    words = (
        f"{row['grade']}, seed {row['seed']}, {row['parameters']} parameters, relative RMSE {row['relative_rmse']:.2g} "
        f"(extrapolating {row['extrapolation_relative_rmse']:.2g}), largest error {row['max_error']:.3g}."
    )
    if row["grade"] == "exact":
        words += " Every result in the whole range rounds to the right integer."
    return words


@arithjax.command(context_settings={"ignore_unknown_options": True})
@click.argument("file", type=click.Path())
@click.argument("numbers", nargs=-1, required=True)
def predict(file: str, numbers: tuple[str, ...]) -> None:
    """Use the net saved in FILE on NUMBERS, one for each argument of its operation."""
    from arithjax.net import load_net
    from arithjax.registry import OPERATIONS

    net = load_net(file)
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


@arithjax.command()
@click.argument("folder", metavar="DIR")
@click.argument("number", metavar="NET", type=int)
@click.option("--study", "source", help="The study, if it brings operations or models of its own.")
def retrain(folder: str, number: int, source: str | None) -> None:
    """Train row NET of the table in DIR again (0 is the first), and compare."""
    from arithjax import net

    if source:
        from arithjax.studies.files import find_study

        find_study(source)
    comparison = net.retrain(folder, number)
    click.echo(comparison.to_string())
    click.echo(f"\n{_verdict(folder, bool(comparison['identical'].all()))}")


def _verdict(folder: str, same: bool) -> str:
    """Whether a net trained again is the stored one, and if the machines differ, in what."""
    from arithjax import environment
    from arithjax.tables import loading

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


@arithjax.command()
@click.argument("folder", metavar="DIR")
def status(folder: str) -> None:
    """What is done of the study in DIR, whether it runs, what is left, and how long that will take."""
    from arithjax.tables import loading
    from arithjax.tables.store import Store

    described, store = loading.description(folder), Store(Path(folder))
    asked = described["trials"] * described["seeds"]
    rows = store.rows(["trial", "seed"])
    done = int(((rows["trial"] < described["trials"]) & (rows["seed"] < described["seeds"])).sum())
    running, left = store.running(), asked - done
    click.echo(f"{described['name']}: {described['trials']:,} setups x {described['seeds']:,} seeds = {asked:,} nets")
    click.echo(f"done     {done:,} ({done / asked:.0%})")
    click.echo(f"left     {left:,}")
    click.echo(f"running  {'yes' if running else 'no; the same `arithjax run` goes on' if left else 'no'}")
    if left:
        click.echo(f"time     {_time_left(store.times(), left)}")


def _time_left(sessions: list[dict], left: int) -> str:
    """How long `left` nets will take, by the rate of the latest session."""
    try:
        last = sessions[-1]
        rate = last["nets"] / (last["until"] - last["began"])
        return f"about {_duration(left / rate)} at {rate:,.1f} nets/s, as of the latest run"
    except (IndexError, KeyError, TypeError, ZeroDivisionError):
        return "not known before the first nets are written"


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@arithjax.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--by", help="Columns to group by, separated by commas.  [default: A's study's, where both vary]")
@click.option("--csv", is_flag=True, help="Write comma-separated values.")
def compare(first: str, second: str, by: str | None, csv: bool) -> None:
    """Success rates of the studies in folders A and B side by side, with the difference B - A and a test of it."""
    from arithjax.tables import loading, statistics

    a, b = (loading.with_choices(loading.load(folder)) for folder in (first, second))
    columns = [name.strip() for name in by.split(",")] if by else []
    overall, groups = statistics.compare(a, b), statistics.compare(a, b, columns or _default_by(first, a))
    if csv:
        click.echo((groups if columns else overall).to_csv().rstrip())
        return
    click.echo(f"A = {first}\nB = {second}\n\n{text(overall)}\n")
    click.echo(
        f"{text(groups)}\n\n'low' to 'high': 95 % interval of the difference (Newcombe); p: Fisher's exact test."
    )


@arithjax.command("export-optuna")
@click.argument("folder", metavar="DIR")
@click.option("--storage", required=True, help="sqlite:///FILE, postgresql://USER@HOST/DATABASE, or journal:FILE.")
@click.option("--name", help="The study's name there, instead of its own.")
@click.option("--study", "source", help="The study, where its choices are more than study.json can say.")
def export_optuna(folder: str, storage: str, name: str | None, source: str | None) -> None:
    """Write the study in DIR to a storage of Optuna's, for optuna-dashboard and optuna.visualization."""
    from arithjax.studies.files import find_study
    from arithjax.studies.optuna_export import export

    trials = export(folder, storage, name, find_study(source) if source else None)
    click.echo(f"{trials:,} trials are in {storage}. To look at them: optuna-dashboard {storage}")


@arithjax.command("list")
@click.argument("kind", required=False)
def list_members(kind: str | None) -> None:
    """What there is. KIND: operations, models, transforms, activations, initializers, optimizers, schedules, losses,
    ramps, distributions or studies; all of them by default."""
    from arithjax import models
    from arithjax.errors import nearest
    from arithjax.registry import ACTIVATIONS, DISTRIBUTIONS, INITIALIZERS, OPERATIONS, TRANSFORMS
    from arithjax.studies.files import about_file, sweeps
    from arithjax.training import optimizers

    def lines(registry: dict, about: Any) -> list[tuple[str, str]]:
        return [(name, about(entry)) for name, entry in registry.items()]

    constants = [("times:c", "c·a, for any constant c, such as times:7"), ("plus:c", "a + c, for any constant c")]
    kinds = {
        "operations": lines(OPERATIONS, lambda o: f"{o.symbol}, defined {o.where}") + constants,
        "models": lines(models.MODELS, lambda m: m.about),
        "transforms": lines(TRANSFORMS, lambda t: f"{t.formula}, for {t.domain}"),
        "activations": lines(ACTIVATIONS, lambda a: a.formula),
        "initializers": lines(INITIALIZERS, lambda i: i.source),
        "optimizers": lines(optimizers.OPTIMIZERS, lambda o: o.source),
        "schedules": lines(optimizers.SCHEDULES, lambda s: s.formula),
        "losses": lines(optimizers.LOSSES, lambda entry: entry.formula),
        "ramps": lines(optimizers.RAMPS, lambda r: r.formula),
        "distributions": lines(DISTRIBUTIONS, lambda d: d.about),
        "studies": [(path.stem, about_file(path)) for path in sorted(sweeps().glob("*.py"))],
    }
    if kind is not None and kind not in kinds:
        raise ArithjaxError(f"unknown kind '{kind}'{nearest(kind, kinds)} There are {', '.join(kinds)}.")
    for name in [kind] if kind else kinds:
        click.echo(f"{name}:" if not kind else "", nl=not kind)
        for member, about in kinds[name]:
            click.echo(f"  {member:<16}{about}")


@arithjax.command()
@click.option("--study", is_flag=True, help="A whole mixed study from an empty cache, beside the usual way.")
@click.option("--scale", is_flag=True, help="Studies of 1 to 100,000 nets: what a net costs, and memory.")
@click.option("--quick", is_flag=True, help="Only the question's net, or small studies; ends within a minute.")
@click.option("--json", "file", type=click.Path(dir_okay=False), help="Also write what was measured to this file.")
def bench(study: bool, scale: bool, quick: bool, file: str | None) -> None:
    """How fast arithjax trains on this machine, beside other ways of doing it."""
    from arithjax import bench as measure

    measured: dict[str, Any] = {}
    if study:
        measured["study"] = measure.compare_study(*((4, 2, 100, 2) if quick else ()))
    if scale:
        measured["scale"] = measure.scale(*(((1, 100, 1000), 500) if quick else ()))
    if not (study or scale):
        measured = measure.bench(quick)
    if file:
        measure.write(file, measured)


def rate_table(nets: pd.DataFrame, by: list[str]) -> str:
    """Success rates as text: a grid over two columns, else a row a group."""
    from arithjax.tables import statistics

    summary = statistics.summarise(nets, by)
    if len(by) != 2:
        return text(summary)
    cells = [
        f"{100 * r:.0f} ({100 * a:.0f}-{100 * b:.0f})"
        for r, a, b in summary[["rate", "rate_low", "rate_high"]].to_numpy()
    ]
    summary["cell"] = cells
    grid = summary["cell"].unstack(fill_value="")
    order = nets.assign(good=statistics.success(nets))
    down, across = (order.groupby(name)["good"].mean().sort_values(ascending=False).index for name in by)
    return f"Success rate in % (95 % interval), {by[0]} by {by[1]}:\n{grid.loc[down, across].to_string()}"


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Without the columns that are missing in every row."""
    return table.drop(columns=["diverged_rate", "dead_rate", "exact_rate"]).dropna(axis=1, how="all")


def text(table: pd.DataFrame, index: bool = True) -> str:
    """A table for people: rates as they are, numbers with four digits."""
    return table.to_string(index=index, float_format=lambda v: f"{v:.4g}")
