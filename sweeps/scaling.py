"""How does the error of products fall with parameters, with examples and with steps? By activation."""

import numpy as np

import arithjax as aj

ACTIVATIONS = ["relu", "gelu", "tanh", "sin", "square"]
START = {"width": 32, "split": 0.5, "steps": 30_000}
ALONG = {
    "width": (2, 4, 8, 16, 32, 64, 128),
    "split": (0.0004, 0.001, 0.004, 0.016, 0.064, 0.25, 0.5),
    "steps": (300, 1000, 3000, 10_000, 30_000, 100_000),
}
CELLS = {f"{name} {value:g}": START | {name: value} for name, values in ALONG.items() for value in values}


def question(trial):
    cell = CELLS[trial.suggest_categorical("cell", list(CELLS))]
    return aj.Setup(
        op="mul",
        activation=trial.suggest_categorical("net", ACTIVATIONS),
        widths=(cell["width"],) * 2,
        examples="all",  # of the 250,000 pairs, of which `split` are trained on and all others judge
        split=cell["split"],
        steps=cell["steps"],
        evaluate_every=cell["steps"],
        learning_rate=0.01,
        schedule="cosine",
    )


def answer(nets):
    nets = nets.assign(pairs=(250_000 * nets.split).round(), what=nets.cell.str.split().str[0])
    along = {"width": "parameters", "split": "pairs", "steps": "steps"}
    curves = {name: medians(nets[nets.what == name], column) for name, column in along.items()}
    gains = {name: table.groupby("who").apply(gain) for name, table in curves.items()}
    charts = [
        aj.lines(name, f"With more {said}", curves[name].assign(y=np.log10(curves[name].y)), "", said, LOG)
        for name, said in SAID.items()
    ]
    return aj.Answer(
        f"Ten times the pairs divide the error of products by {gains['split'].median():.0f}, ten times the "
        f"parameters by {gains['width'].median():.0f}, ten times the steps by {gains['steps'].median():.0f}.",
        [
            f"Ten times the {said} help {of.idxmax()} most: they divide its error by {of.max():.0f}."
            for said, of in zip(SAID.values(), gains.values(), strict=True)
        ],
        charts[0],
        charts[1:],
        {f"Median relative RMSE, by {said}": curves[name].pivot_table("y", "x", "who") for name, said in SAID.items()},
    )


SAID = {"width": "parameters", "split": "pairs to learn from", "steps": "steps"}
LOG = "log₁₀ of the median relative RMSE on pairs not trained on"


def medians(nets, column):
    errors = nets.groupby(["activation", column]).relative_rmse.median().rename("y").reset_index()
    return errors.rename(columns={"activation": "who", column: "x"})


def gain(line):
    """What ten times as much divides the error by, by least squares over logarithms."""
    return 10 ** -np.polyfit(np.log10(line.x), np.log10(line.y), 1)[0]


study = aj.Study(
    "scaling",
    question,
    sampler="grid",
    seeds=8,
    by=("net", "cell"),
    about="How does the error of products fall with parameters, with examples and with steps?",
    answer=answer,
)
