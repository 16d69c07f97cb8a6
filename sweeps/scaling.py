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
    nets = nets.assign(pairs=(250_000 * nets.split).round(), width=nets.widths.str.split(",").str[0].astype(int))
    curves = {column: medians(along(nets, name), column) for name, column in ALONG_AS.items()}
    if not all(table.groupby("who").x.nunique().min() >= 2 for table in curves.values()):
        raise aj.ArithjaxError("a line needs two sizes of each kind of net at least; run the study without --trials.")
    gains = {column: table.groupby("who").apply(gain) for column, table in curves.items()}
    typical = curves["pairs"].groupby("x").y.median()
    enough = int(typical.index[typical < 1.5 * typical.iloc[-1]][0])
    charts = [
        aj.lines(column, f"With more {said}", curves[column].assign(y=np.log10(curves[column].y)), "", said, LOG)
        for column, said in SAID.items()
    ]
    return aj.Answer(
        f"{enough:,} pairs teach products about as well as {int(typical.index[-1]):,}. Ten times the parameters divide "
        f"the error by {times(gains['parameters'].median())}, ten times the steps by "
        f"{times(gains['steps'].median())}.",
        [
            f"Ten times the {said} help {gains[column].idxmax()} nets most: they divide their error by "
            f"{times(gains[column].max())}."
            for column, said in SAID.items()
        ],
        charts[0],
        charts[1:],
        {
            f"Median relative RMSE, by {said}": curves[column].pivot_table("y", "x", "who")
            for column, said in SAID.items()
        },
    )


ALONG_AS = {"width": "parameters", "split": "pairs", "steps": "steps"}
SAID = {"parameters": "parameters", "pairs": "pairs to learn from", "steps": "steps"}
LOG = "log₁₀ of the median relative RMSE on pairs not trained on"


def along(nets, name):
    """The nets that differ from the start in one field alone, if at all."""
    others = [field for field in ("split", "steps") if field != name]
    same = nets[others].eq([START[field] for field in others]).all(axis=1)
    return nets[same] if name == "width" else nets[same & (nets.width == START["width"])]


def medians(nets, column):
    errors = nets.groupby(["activation", column]).relative_rmse.median().rename("y").reset_index()
    return errors.rename(columns={"activation": "who", column: "x"})


def gain(line):
    """What ten times as much divides the error by, by least squares over logarithms."""
    return 10 ** -np.polyfit(np.log10(line.x), np.log10(line.y), 1)[0]


def times(factor):
    return f"{factor:.1f}" if factor < 10 else f"{factor:.0f}"


study = aj.Study(
    "scaling",
    question,
    sampler="grid",
    seeds=8,
    by=("net", "cell"),
    about="How does the error of products fall with parameters, with examples and with steps?",
    answer=answer,
)
