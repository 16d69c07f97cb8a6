"""Pictures and words from a finished table."""

from __future__ import annotations

import html
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from arithjax import results

matplotlib.use("Agg")
import matplotlib.pyplot as plt

plt.rcParams["svg.hashsalt"] = "arithjax"  # same table, same bytes

BLUE, GREY = "#0072b2", "#8a8a8a"  # colour-blind safe (Okabe & Ito 2008)
GRADE_COLOURS = {
    "diverged": "#000000",
    "dead": "#8a8a8a",
    "failed": "#d55e00",
    "rough": "#e69f00",
    "learned": "#56b4e9",
    "exact": "#0072b2",
}


def write(
    folder: Path, nets: pd.DataFrame, by: list[str], importance: dict[str, float], words: str, title: str
) -> Path:
    """Write the figures and `report.html` of a table; the path of the page.

    by: the columns to group by. importance: share of each choice (may be empty). words: the answer.
    """
    figures = {"rates": rates(nets, by), "parameters": error_against_parameters(nets)}
    if importance:
        figures["importance"] = importances(importance)
    names = []
    for name, figure in figures.items():
        if figure is None:
            continue
        for suffix in ("svg", "png"):
            metadata = {"Date": None} if suffix == "svg" else {"Software": None}  # same table, same bytes
            figure.savefig(folder / f"{name}.{suffix}", dpi=150, metadata=metadata)
        plt.close(figure)
        names.append(name)
    page = folder / "report.html"
    page.write_text(_page(folder, names, results.summarise(nets, by), words, title))
    return page


def rates(nets: pd.DataFrame, by: list[str]) -> plt.Figure:
    """Success rates: a heat map over two columns, else bars with 95 % intervals."""
    return _heat_map(nets, *by[:2]) if len(by) >= 2 else _bars(nets, by)


def _bars(nets: pd.DataFrame, by: list[str]) -> plt.Figure:
    """The share of each grade in a group, and the success rate's interval."""
    groups = results.summarise(nets, by)
    labels = [str(name) for name in groups.index]
    counts = nets.groupby(by if by else (lambda _: "all nets"), dropna=False)["grade"].value_counts(normalize=True)
    shares = counts.unstack(fill_value=0.0).reindex(columns=list(GRADE_COLOURS), fill_value=0.0).loc[groups.index]
    figure, axes = plt.subplots(figsize=(7, 0.45 * len(labels) + 1.6), layout="constrained")
    left = np.zeros(len(labels))
    for grade, colour in reversed(GRADE_COLOURS.items()):
        axes.barh(labels, shares[grade], left=left, color=colour, label=grade, height=0.7)
        left += shares[grade].to_numpy()
    spans = [groups["rate"] - groups["low"], groups["high"] - groups["rate"]]
    axes.errorbar(
        groups["rate"], labels, xerr=np.clip(spans, 0, None), fmt="none", ecolor="white", elinewidth=3.5, capsize=4
    )
    axes.errorbar(
        groups["rate"], labels, xerr=np.clip(spans, 0, None), fmt="none", ecolor="black", elinewidth=1.2, capsize=3
    )
    axes.set(xlim=(0, 1), xlabel="share of nets; whiskers: success rate (learned or exact) with its 95 % interval")
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=6, frameon=False)
    return figure


def _heat_map(nets: pd.DataFrame, down: str, across: str) -> plt.Figure:
    """Success rates over two columns, each cell with its 95 % interval and number of nets."""
    groups = results.summarise(nets, [down, across])
    rate = groups["rate"].unstack()
    rate = rate.loc[rate.mean(1).sort_values(ascending=False).index, rate.mean(0).sort_values(ascending=False).index]
    size = (1.15 * rate.shape[1] + 2.2, 0.62 * rate.shape[0] + 1.4)
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    brightest = max(0.2, float(np.nanmax(rate.to_numpy(float))))
    shown = np.ma.masked_invalid(rate.to_numpy(float))
    image = axes.imshow(shown, cmap="cividis", vmin=0, vmax=brightest, aspect="auto")
    axes.set_xticks(range(rate.shape[1]), rate.columns)
    axes.set_yticks(range(rate.shape[0]), rate.index)
    axes.set(xlabel=across.replace("_", " "), ylabel=down.replace("_", " "))
    for i, row in enumerate(rate.index):
        for j, column in enumerate(rate.columns):
            if (row, column) not in groups.index:
                continue
            cell = groups.loc[(row, column)]
            text = f"{cell['rate']:.0%}\n{100 * cell['low']:.0f}-{cell['high']:.0%}, n={cell['nets']:.0f}"
            axes.text(
                j,
                i,
                text,
                ha="center",
                va="center",
                fontsize=7,
                color="black" if cell["rate"] > brightest / 2 else "white",
            )
    figure.colorbar(image, label="success rate (learned or exact)")
    return figure


def error_against_parameters(nets: pd.DataFrame) -> plt.Figure:
    """Each net's relative RMSE against its number of parameters."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    error = nets["relative_rmse"].where(np.isfinite(nets["relative_rmse"]), np.nan).clip(1e-8, 1e2)
    generator = np.random.default_rng(0)
    for grade, colour in GRADE_COLOURS.items():
        chosen = (nets["grade"] == grade) & error.notna()
        if chosen.any():
            jitter = np.exp(generator.normal(0, 0.02, chosen.sum()))
            axes.scatter(nets["parameters"][chosen] * jitter, error[chosen], s=9, color=colour, alpha=0.6, label=grade)
    axes.axhline(0.01, color=GREY, linewidth=0.8, linestyle="--")
    axes.text(1.0, 0.0105, "learned: at most 1 % ", transform=axes.get_yaxis_transform(), ha="right", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="parameters", ylabel="relative RMSE on test points")
    figure.legend(loc="outside upper center", ncols=6, frameon=False)
    return figure


def importances(importance: dict[str, float]) -> plt.Figure:
    """How much each choice matters."""
    names = list(importance)[::-1]
    figure, axes = plt.subplots(figsize=(7, 0.4 * len(names) + 1), layout="constrained")
    axes.barh([name.replace("_", " ") for name in names], [importance[name] for name in names], color=BLUE)
    axes.set(xlabel="importance for being among the best tenth (PED-ANOVA), as a share")
    return figure


def percent(rate: float, low: float, high: float) -> str:
    """`31 % (23-41 %)`."""
    return f"{100 * rate:.0f} % ({100 * low:.0f}-{100 * high:.0f} %)"


def rate_of(nets: pd.DataFrame) -> str:
    """The success rate of some nets with its interval, in words."""
    all_nets = results.summarise(nets).iloc[0]
    return percent(all_nets["rate"], all_nets["low"], all_nets["high"])


def default_words(nets: pd.DataFrame, by: list[str]) -> str:
    """A sentence on any table: the overall rate, and the best and worst group."""
    words = f"{rate_of(nets)} of {len(nets):,} nets learned it (relative RMSE of at most 1 %)."
    groups = results.summarise(nets, by).sort_values("rate", ascending=False)
    if by and len(groups) > 1:
        best, worst = groups.iloc[0], groups.iloc[-1]
        words += (
            f" Best: {_label(groups.index[0])} with {percent(best['rate'], best['low'], best['high'])}; worst: "
            f"{_label(groups.index[-1])} with {percent(worst['rate'], worst['low'], worst['high'])}."
        )
    return words


def _label(index: object) -> str:
    return " with ".join(map(str, index)) if isinstance(index, tuple) else str(index)


def _page(folder: Path, names: list[str], table: pd.DataFrame, words: str, title: str) -> str:
    """A page that opens offline: the figures are inside it."""
    figures = []
    for name in names:
        svg = (folder / f"{name}.svg").read_text()
        figures.append(f"<figure>{svg[svg.index('<svg') :]}</figure>")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = table.reset_index().to_html(index=False, float_format=lambda v: f"{v:.4g}", border=0)
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in words.splitlines() if line)
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
        "svg{max-width:100%;height:auto;background:#fff}figure{margin:2rem 0}table{border-collapse:collapse;"
        "font-size:.85rem;display:block;overflow-x:auto}td,th{padding:.2rem .6rem;text-align:right}"
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{style}</style><h1>{html.escape(title)}</h1>{paragraphs}"
        f"{''.join(figures)}{cells}</html>\n"
    )
