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


def rate(nets):
    exact = nets.grade == "exact"
    return f"{exact.sum()} of {len(exact)}, {aj.share(exact)}"


def beyond(row):
    """How many pairs a net gets right, of those whose numbers are both from 500 up to 2, 10 and 100 times that."""
    net = aj.net_again(row, study.seed)
    return [f"{aj.exact_share(net, net.setup.high, k * net.setup.high):.1%}" for k in (2, 10, 100)]


def answer(nets):
    nets["family"] = nets.activation.where(nets.model == "mlp", nets.model)
    cells = dict(list(nets.groupby("cell", sort=False)))
    always = [cell for cell, rows in cells.items() if (rows.grade == "exact").all()]
    alone = [cell for cell in always if (cells[cell].finish == 0).all()]
    finished = [cell for cell in always if cell not in alone]
    nets = nets.sort_values(["parameters", "max_error"])
    smallest = nets[nets.grade == "exact"].drop_duplicates("family")
    near = nets[nets.exact >= 0.99].drop_duplicates("family")
    columns = ["parameters", "exact nets", "to 2x", "to 10x", "to 100x"]
    small = {row.cell: [row.parameters, rate(cells[row.cell]), *beyond(row)] for _, row in smallest.iterrows()}
    front = nets.pivot_table(index="family", columns="parameters", values="max_error", aggfunc="min")
    summary = nets.groupby("cell").agg({"parameters": "first", "exact": "median", "max_error": "median"})
    summary["exact nets"] = pd.Series({cell: rate(rows) for cell, rows in cells.items()})
    missing = sorted(set(nets.family) - set(smallest.family))
    return (
        f"All 250,000 pairs right in every seed: by an optimiser alone, {', '.join(alone) or 'none'}; finished by "
        f"second-order steps, {', '.join(finished) or 'none'}. The smallest exact net of each activation and unit, and "
        f"the share of pairs beyond the range that it gets right:\n"
        f"{pd.DataFrame(small, columns).T.to_string()}\n\n"
        f"Right on 99 % of the test pairs from {listed(near)} parameters on; never exact: "
        f"{', '.join(missing) or 'none'}. Finished nets go on by Levenberg-Marquardt steps in double precision "
        f"after Adam, which alone leaves smooth nets far from exact.\n\n"
        f"Largest error on test pairs of the best net, by parameters:\n{front.round(3).to_string(na_rep='-')}\n\n"
        f"Every cell; medians of the share of test pairs that is right, and of the largest error:\n"
        f"{summary.sort_values('parameters').round(3).to_string()}"
    )


def listed(nets):
    return ", ".join(f"{row.parameters} ({row.family})" for row in nets.itertuples())


study = aj.Study(
    "exact",
    question,
    sampler="grid",
    seeds=100,
    by=("model", "activation", "parameters"),
    about="Which nets multiply whole numbers from 0 to 499 exactly, all 250,000 pairs?",
    answer=answer,
)
