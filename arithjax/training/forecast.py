"""What a plan will cost before anything is trained: its programs, what padding wastes, and the seconds it may take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from arithjax.models.mlp import count_parameters
from arithjax.setup import cell
from arithjax.training.planning import Candidates, Tile, compile_seconds, seconds
from arithjax.training.programs import training_part


def forecast(tiles: Sequence[Tile]) -> pd.DataFrame:
    """A row a program: its form, places and padded layers, its runs and nets, the share of its arithmetic that padding
    and places without a net waste, the expected seconds on one core, and the names it chooses from."""
    runs: dict[tuple, list[Tile]] = defaultdict(list)
    for tile in tiles:
        runs[training_part(tile.program), tile.candidates].append(tile)
    rows = [
        {
            "form": program.form,
            "places": program.nets,
            "layers": _layers(members[0]),
            "batch": program.batch,
            "runs": len(members),
            "nets": sum(len(tile.nets) for tile in members),
            "padding": _padding(members),
            "compile_seconds": compile_seconds(sum(map(len, candidates.layers))),
            "train_seconds": sum(map(seconds, members)),
            "choices": _names(candidates),
        }
        for (program, candidates), members in runs.items()
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
    sizes = [] if tile.program.form == "lifted" else ["-".join(map(str, _sizes(tile)))]
    return " ".join(model + sizes)


def _names(candidates: Candidates) -> str:
    """All activations, optimisers, losses and operations to choose from, each once."""
    kinds = set().union(*candidates.layers), candidates.optimizers, candidates.losses, candidates.ops
    return "; ".join(" ".join(sorted(names)) for names in kinds if names)


def _padding(tiles: Sequence[Tile]) -> float:
    """The share of arithmetic that is not the nets' own."""
    done = used = 0
    for tile in tiles:
        inputs, known = tile.program.inputs, tile.program.form != "lifted"
        done += tile.setup.last_step * tile.program.nets * (count_parameters(_sizes(tile)) if known else 1)
        for net in tile.nets:
            used += net.setup.last_step * (count_parameters((inputs, *net.setup.widths, 1)) if known else 1)
    return 1 - used / done


def _sizes(tile: Tile) -> tuple[int, ...]:
    """Layer sizes as padded, from the inputs on."""
    return tile.program.inputs, *tile.program.network.features
