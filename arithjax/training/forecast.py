"""Forecast: what a plan costs before anything is trained, as `arithjax run --plan` shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from arithjax.models.mlp import count_parameters
from arithjax.setup import cell
from arithjax.training.cost import compile_seconds, seconds
from arithjax.training.specs import Branches, TrainSpec
from arithjax.training.tile import Tile


def forecast(tiles: Sequence[Tile]) -> pd.DataFrame:
    """A row a program.

    Columns: its form, places and padded layers, its runs and nets, the share of its arithmetic that padding and places
    without a net waste, the expected seconds on one core, and the names it chooses from.
    """
    runs: dict[tuple[TrainSpec, Branches], list[Tile]] = defaultdict(list)
    for tile in tiles:
        runs[tile.specs.train, tile.branches].append(tile)
    rows = [
        {
            "form": spec.layout.name,
            "places": spec.nets,
            "layers": _layers(members[0]),
            "batch": spec.batch,
            "runs": len(members),
            "nets": sum(len(tile.nets) for tile in members),
            "padding": _padding(members),
            "compile_seconds": compile_seconds(branches, spec.layout),
            "train_seconds": sum(map(seconds, members)),
            "choices": _names(branches),
        }
        for (spec, branches), members in runs.items()
    ]
    return pd.DataFrame(rows).sort_values("train_seconds", ascending=False, ignore_index=True)


def plan_text(tiles: Sequence[Tile], workers: int) -> str:
    """The forecast for people, and how long so many workers take: their share of all, or the longest run."""
    table = forecast(tiles)
    compiling, training = table["compile_seconds"].sum(), table["train_seconds"].sum()
    longest = table["compile_seconds"].min() + max(map(seconds, tiles))
    shown = table.assign(padding=[f"{share:.0%}" for share in table["padding"]]).round(1)
    return (
        f"{shown.to_string()}\n\n"
        f"{len(table):,} programs, {len(tiles):,} runs, {table['nets'].sum():,} nets; {_padding(tiles):.0%} of the "
        f"arithmetic is padding.\n"
        f"Expected: {compiling:,.0f} s compiling (less where programs are kept from before) and {training:,.0f} s "
        f"training, by {workers} workers in {max((compiling + training) / workers, longest):,.0f} s."
    )


def _layers(tile: Tile) -> str:
    """Layer sizes, as padded, after the models they are of; a user's own model is named alone."""
    model = [] if tile.setup.model == "mlp" else [cell(tile.setup.model)]
    sizes = _sizes(tile)
    return " ".join(model + (["-".join(map(str, sizes))] if sizes else []))


def _names(branches: Branches) -> str:
    """All activations, optimisers, losses and operations to choose from, each once."""
    kinds = set().union(*branches.layers), branches.optimizers, branches.losses, branches.ops
    return "; ".join(" ".join(sorted(names)) for names in kinds if names)


def _padding(tiles: Sequence[Tile]) -> float:
    """The share of arithmetic that is not the nets' own."""
    done = used = 0
    for tile in tiles:
        sizes = _sizes(tile)
        done += tile.setup.last_step * tile.places * (count_parameters(sizes) if sizes else 1)
        for net in tile.nets:
            own = count_parameters((tile.specs.train.inputs, *net.setup.widths, 1)) if sizes else 1
            used += net.setup.last_step * own
    return 1 - used / done


def _sizes(tile: Tile) -> tuple[int, ...]:
    """Layer sizes as padded, from the inputs on; empty where nothing is known of the layers."""
    spec = tile.specs.train
    return (spec.inputs, *spec.network.features) if spec.network.features else ()
