"""The page of a folder of measurements: its `README.md`, from the JSON files that `arithjax bench` wrote there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arithjax import disk

OURS, USUAL = "arithjax", "jit(vmap)"
"""The way that others are compared with, and the way that most people would take."""

TOP = """# Speed

Written from the measurements in this folder (`arithjax bench --page DIR`). Rates are model-steps per second; a
model-step is one optimiser step of one net. All ways of training a net are measured in turns in one run, and a rate is
the median of its repetitions: compare rates of one file only, since machines differ and are shared. `ratio` is
arithjax's rate divided by the other's.
"""


def write_page(folder: str | Path) -> Path:
    """Write `README.md` into a folder of measurements; the path of the page.

    folder: holds JSON files of `arithjax bench --json`.
    """
    path = Path(folder) / "README.md"
    disk.save(path, page(folder).encode())
    return path


def page(folder: str | Path) -> str:
    """The text of a folder's page, in Markdown: every file of measurements, in the order of their names."""
    files = sorted(Path(folder).glob("*.json"))
    return "\n".join([TOP, *("\n".join(_of_file(file.name, json.loads(file.read_text("utf-8")))) for file in files)])


def _of_file(name: str, measured: dict[str, Any]) -> Iterator[str]:
    versions = ", ".join(f"{package} {number}" for package, number in measured["versions"].items())
    yield f"## {name}\n\n{measured['device']}, {measured['cores']} cores; {versions}.\n"
    if "rows" in measured:
        yield from _of_rows(measured["rows"])
    if "study" in measured:
        yield _of_study(measured["study"])
    if "scale" in measured:
        yield from _of_scale(measured["scale"])
    if lines := measured.get("lines"):
        said = [f"- {'pass' if line['passed'] else 'FAIL'}, {name}: {line['said']}" for name, line in lines.items()]
        yield "\n".join(["What `arithjax bench --device` checked there:\n", *said, ""])


def _of_rows(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Every way on the net that all were tried on, and arithjax beside the usual way on the others."""
    cases = list(dict.fromkeys((row["net"], row["batch"]) for row in rows))
    of = {(row["net"], row["batch"], row["way"]): row for row in rows}
    yield "The net `{}`, batch {}:\n".format(*cases[0])
    measured = ("of FMA peak",) * ("fma_share" in rows[0])
    columns = ("way", "nets", "model-steps/s", "ratio", "GFLOP/s", "of matrix peak", *measured, "compile")
    yield from _table(columns, (_of_way(row) for row in rows if (row["net"], row["batch"]) == cases[0]))
    if pairs := [
        (*case, of[*case, OURS], of[*case, USUAL]) for case in cases[1:] if (*case, OURS) in of and (*case, USUAL) in of
    ]:
        yield f"Other nets, beside `{USUAL}`, the usual way:\n"
        peak, share = peak_of(rows)
        head = ("net", "batch", OURS, f"`{USUAL}`", "ratio", f"of {peak} peak")
        yield from _table(head, (_of_pair(*pair, share) for pair in pairs))


def peak_of(rows: list[dict[str, Any]]) -> tuple[str, str]:
    """Which peak rates are set beside, that of multiply-adds (FMA) where it was measured, and the rows' share of it."""
    return ("FMA", "fma_share") if all(row.get("fma_share") for row in rows) else ("matrix", "peak_share")


def _of_way(row: dict[str, Any]) -> tuple[str, ...]:
    seconds = f"{row['compile_seconds']:.1f} s"
    rate = f"{row['rate']:,.0f}", f"{row['ratio']:,.1f}x"
    shares = [f"{row[name]:.1%}" if row[name] else "-" for name in ("peak_share", "fma_share") if name in row]
    return row["way"], f"{row['nets']:,}", *rate, f"{row['gflops']:.2f}", *shares, seconds


def _of_pair(net: str, batch: int, ours: dict[str, Any], usual: dict[str, Any], share: str) -> tuple[Any, ...]:
    rates = f"{ours['rate']:,.0f}", f"{usual['rate']:,.0f}"
    return net, batch, *rates, f"{usual['ratio']:.1f}x", f"{ours[share]:.1%}"


def _of_study(study: dict[str, Any]) -> str:
    cold, warm = study["cold"], study["warm"]
    return (
        f"A whole mixed study, {study['trials']} setups of `{study['study']}` with {study['seeds']} seeds each for "
        f"{study['steps']:,} steps, takes {cold['seconds']:.0f} s from an empty cache, {study['ratio']:.1f} times "
        f"faster than a `{USUAL}` for each of its setups ({study['usual_seconds']:.0f} s, scaled from "
        f"{len(study['sample'])} of them), and {warm['seconds']:.0f} s once its programs are kept.\n{_of_stages(cold)}"
    )


def _of_stages(run: dict[str, Any]) -> str:
    """Where the time went, if that was measured."""
    spent = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in run.get("stages", {}).items())
    return f"\nIts seconds from an empty cache, summed over threads: {spent}.\n" if spent else ""


def _of_scale(scale: list[dict[str, Any]]) -> Iterator[str]:
    yield f"Studies of nets of the question, {scale[0]['steps']:,} steps each:\n"
    rows = (
        (row["nets"], row["seconds"], 1e3 * row["seconds_a_net"], f"{row['memory'] / 2**30:.2f} GiB") for row in scale
    )
    head = ("nets", "seconds", "milliseconds a net", "memory")
    yield from _table(
        head, ((f"{nets:,}", f"{total:.1f}", f"{each:.2f}", memory) for nets, total, each, memory in rows)
    )


def _table(head: tuple[Any, ...], rows: Any) -> Iterator[str]:
    """The lines of a table in Markdown, with a blank line after it; all columns but the first are numbers."""
    yield _line(head)
    yield _line(("---", *("---:" for _ in head[1:])))
    yield from map(_line, rows)
    yield ""


def _line(cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
