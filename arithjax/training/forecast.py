"""Forecast: what a plan costs before anything is trained, as `arithjax run --plan` shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from arithjax.errors import counted
from arithjax.fields import cell
from arithjax.models.mlp import layer_activations
from arithjax.setup import Setup
from arithjax.training.cost import compile_seconds, numbers_moved, seconds
from arithjax.training.specs import TrainSpec
from arithjax.training.tile import Tile


def forecast(tiles: Sequence[Tile]) -> pd.DataFrame:
    """A row a program.

    Columns: its form, places and layers, its runs and nets, the share of its arithmetic that is spent on places without
    a net, the expected seconds on one core, and its activations, optimiser and loss.
    """
    runs: dict[TrainSpec, list[Tile]] = defaultdict(list)
    for tile in tiles:
        runs[tile.specs.train].append(tile)
    rows = [
        {
            "form": spec.layout.name,
            "places": spec.nets,
            "layers": _layers(members[0]),
            "batch": spec.batch,
            "runs": len(members),
            "nets": sum(len(tile.nets) for tile in members),
            "empty": _empty(members),
            "compile_seconds": compile_seconds(spec),
            "train_seconds": sum(map(seconds, members)),
            "members": _names(members[0].setup),
        }
        for spec, members in runs.items()
    ]
    return pd.DataFrame(rows).sort_values("train_seconds", ascending=False, ignore_index=True)


def plan_text(tiles: Sequence[Tile], workers: int) -> str:
    """The forecast for people, and how long so many workers take: their share of all, or the longest run."""
    table = forecast(tiles)
    compiling, training = table["compile_seconds"].sum(), table["train_seconds"].sum()
    longest = table["compile_seconds"].min() + max(map(seconds, tiles))
    shown = table.assign(empty=[f"{share:.0%}" for share in table["empty"]]).round(1)
    counts = {"program": len(table), "run": len(tiles), "net": int(table["nets"].sum())}
    return (
        f"{shown.to_string()}\n\n"
        f"{', '.join(counted(count, noun) for noun, count in counts.items())}; {_empty(tiles):.0%} of the "
        f"arithmetic is spent on places without a net.\n"
        f"Expected: {compiling:,.0f} s compiling (less where programs are kept from before) and {training:,.0f} s "
        f"training, by {counted(workers, 'worker')} in {max((compiling + training) / workers, longest):,.0f} s."
    )


def _layers(tile: Tile) -> str:
    """Layer sizes after the models they are of; a user's own model is named alone."""
    model = [] if tile.setup.model == "mlp" else [cell(tile.setup.model)]
    spec = tile.specs.train
    sizes = (spec.inputs, *spec.network.features) if spec.network.features else ()
    return " ".join(model + (["-".join(map(str, sizes))] if sizes else []))


def _names(setup: Setup) -> str:
    """All activations, the optimiser and the loss."""
    return "; ".join((" ".join(dict.fromkeys(layer_activations(setup))), setup.optimizer, setup.loss))


def _empty(tiles: Sequence[Tile]) -> float:
    """The share of arithmetic that is not the nets' own."""
    done, used = (sum(tile.setup.last_step * numbers_moved(tile)[i] for tile in tiles) for i in range(2))
    return 1 - used / done
