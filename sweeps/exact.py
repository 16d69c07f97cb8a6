"""Which nets multiply exactly, all 250,000 pairs? The smallest of each kind, and how far they stay so."""

import pandas as pd

import arithjax as aj

PLAIN = {"learning_rate": 0.02, "schedule": "cosine", "steps": 20_000}
FINISHED = {"learning_rate": 0.02, "schedule": "cosine", "steps": 1000, "examples": 1000, "precision": "float64"}
UNIT = FINISHED | {"steps": 2000, "learning_rate": 0.01, "input_transform": "raw", "target_transform": "raw"}
SMOOTH = ["gelu", "silu", "tanh", "sigmoid", "softplus"]
WIDTHS = {(3,): 4000, (4,): 4000, (8,): 2000, (6, 6): 1000}  # and the steps that finish such a net
UNITS = ["nmu", "snmu", "nac_mul_sigmoid", "nac_mul", "log_exp", "realnpu", "bilinear", "quadratic", "inalu"]
SINGLE = {"precision": "float32", "examples": 2000}  # for comparison


def mlp(activation, widths, **changes):
    kind = "-".join(map(str, (2, *widths, 1)))
    name = f"{activation} {kind}" + ", finished" * ("finish" in changes) + f", {changes.get('precision', 'float32')}"
    return name, {"activation": activation, "widths": widths, **changes}


CELLS = [mlp(name, (16,), **PLAIN) for name in [*SMOOTH, "sin", "elu", "relu"]]
CELLS += [mlp("square", (4,), **PLAIN), mlp("square", (4,), **FINISHED | {"finish": 500})]
CELLS += [mlp(name, w, **FINISHED | {"finish": n}) for name in SMOOTH for w, n in WIDTHS.items()]
CELLS += [mlp("sin", (2,), **FINISHED | {"finish": 5000}), mlp("square", (2,), **FINISHED | {"finish": 500})]
CELLS += [mlp(name, (6, 6), **FINISHED | {"finish": 1000}) for name in ("sin", "elu", "relu")]
CELLS += [mlp("gelu", (6, 6), **FINISHED | SINGLE | {"finish": 1000})]
CELLS = dict(CELLS) | {name: {"model": name, **UNIT, "finish": 1000} for name in UNITS}
CELLS |= {f"{name}, Adam alone": {"model": name, **UNIT} for name in UNITS}


def question(trial):
    return aj.Setup(op="mul", **CELLS[trial.suggest_categorical("cell", list(CELLS))])


def answer(nets):
    family = nets.activation.where(nets.model == "mlp", nets.model)
    nets = nets.assign(family=family, whole=nets.grade == "exact").sort_values(["parameters", "max_error"])
    cells = dict(list(nets.groupby("cell", sort=False)))
    smallest = nets[nets.whole].drop_duplicates("family")
    always = {some.family.iloc[0]: some for some in cells.values() if some.whole.all()}
    alone = [name for name, some in cells.items() if some.whole.any() and not some.finish.any()]
    never = sorted(set(nets.family) - set(smallest.family))
    relu = nets[nets.family == "relu"]
    counts = nets.groupby("cell", sort=False).agg({"parameters": "first", "exact": "median", "max_error": "median"})
    front = nets.pivot_table(index="family", columns="parameters", values="max_error", aggfunc="min")
    return aj.Answer(
        f"{len(always)} kinds of nets multiply all 250,000 pairs exactly in every seed; {aj.listed(never)} never do.",
        [
            *(
                f"The smallest has {size} parameters ({aj.listed(always)} are exact in every seed)."
                for size in smallest.parameters[:1]
            ),
            f"By an optimiser alone only {aj.listed(alone)} are ever exact; second-order steps finish others.",
            f"Of the relu nets {aj.share(relu.whole)} are exact: pieces of planes only come near a product.",
        ],
        aj.dots(
            *("smallest", "The smallest exact net of each kind, and how often it is exact"),
            {f"{row.cell} ({row.parameters} parameters)": cells[row.cell] for row in smallest.itertuples()},
            *("whole", "Of 100 seeds each, with 95 % intervals."),
            title="nets that are exact",
        ),
        [
            aj.Picture(
                *("beyond", "How far the best of them stays exact: right pairs beyond the range, in per cent"),
                pd.concat(shares),
                "grid",
                "Of pairs whose numbers are both from 500 up to 2, 10 and 100 times that.",
            )
            for shares in [[beyond(row) for _, row in smallest.iterrows()]]
            if shares
        ],
        {
            "Every cell, medians of test pairs": counts.round(4),
            "Largest error of the best net, by parameters": front.round(3),
        },
    )


def beyond(row):
    """The share of pairs that a net gets right beyond its range, up to some multiples of it."""
    net = aj.net_again(row, study.seed)
    shares = [aj.exact_share(net, net.setup.high, k * net.setup.high) for k in (2, 10, 100)]
    return pd.DataFrame({"down": row.cell, "across": ["to 2x", "to 10x", "to 100x"], "rate": shares})


study = aj.Study(
    "exact",
    question,
    sampler="grid",
    seeds=100,
    by=("model", "activation", "parameters"),
    about="Which nets multiply whole numbers from 0 to 499 exactly, all 250,000 pairs?",
    answer=answer,
)
