"""Why does the net of the question not multiply, and what makes it? Changes alone, and six fixes in every order."""

from itertools import accumulate, combinations, permutations

import numpy as np
import pandas as pd

import arithjax as aj
from arithjax import diagnose, results
from arithjax.optimization import LOSSES
from arithjax.report import percent, rate_of

ORIGINAL = aj.Setup(
    op="mul",
    input_transform="raw",
    target_transform="raw",
    widths=(3, 5, 3, 5),
    activation=("linear", "relu", "relu", "relu"),
    output_activation="relu",
    epsilon=1e-7,
    batch=10,
    tests=4096,
)
FIXES = {
    "linear output": {"output_activation": "linear"},
    "std targets": {"target_transform": "standardize"},
    "std inputs": {"input_transform": "standardize"},
    "squared layer": {"second": "square"},
    "no other relus": {"others": "linear"},
    "falling rate": {"learning_rate": 0.01, "schedule": "cosine"},
}
ALONE = {
    "scaled inputs": {"input_transform": "scale"},
    "log inputs": {"input_transform": "log1p"},
    "scaled targets": {"target_transform": "scale"},
    "log targets": {"target_transform": "log1p"},
    **{f"all {name}": {"activation": name} for name in aj.ACTIVATIONS},
    **{f"{name}": {"optimizer": name} for name in aj.OPTIMIZERS if name != "adam"},
    **{f"rate {rate:g}": {"learning_rate": rate} for rate in (1e-5, 1e-4, 1e-2, 1e-1)},
    **{f"{name} loss": {"loss": name} for name in LOSSES if name != "mse"},
    "10x longer": {"steps": 100_000},
    "100x longer": {"steps": 1_000_000},
    "10x data": {"examples": 100_000},
    "batch 100": {"batch": 100},
    "4x wider": {"widths": (12, 20, 12, 20)},
    "twice as deep": {"widths": (3, 5, 3, 5) * 2, "activation": ("linear", *("relu",) * 7)},
    "one hidden layer": {"widths": (5,), "activation": "relu"},
    "numbers below 50": {"high": 50},
    "numbers below 5": {"high": 5, "tests": 25},
    **{name: {"initializer": name} for name in aj.INITIALIZERS if name != ORIGINAL.initializer},
}
SETS = [names for count in range(len(FIXES) + 1) for names in combinations(FIXES, count)]


def joined(names):
    """What a set of fixes is called."""
    missing = [name for name in FIXES if name not in names]
    if len(missing) < 2:
        return f"all but {missing[0]}" if missing else "all six"
    return " + ".join(name for name in FIXES if name in names) or "none"


def fixed(*names):
    """The fields of the setup that a set of fixes changes; two of them share the hidden activations."""
    fields = {key: value for name in names for key, value in FIXES[name].items()}
    others = fields.pop("others", "relu")
    second = fields.pop("second", others)
    return {**fields, "activation": ("linear", second, others, others)}


GELU = fixed("linear output", "std targets", "std inputs", "falling rate") | {"activation": "gelu"}
CHANGES = {joined(names): fixed(*names) for names in SETS} | ALONE
CHANGES |= {"all gelu, mended": GELU, "all gelu, mended, 10x longer": GELU | {"steps": 100_000}}


def question(trial):
    op = trial.suggest_categorical("op", ["mul", "square", "add"])
    return ORIGINAL.replace(op=op, **CHANGES[trial.suggest_categorical("change", list(CHANGES))])


def path(nets):
    """The best order of the fixes for products: the sets of fixes on the way to all of them that learn best."""
    ways = [list(accumulate(order, lambda names, name: (*names, name), initial=())) for order in permutations(FIXES)]
    quality = {names: success_and_error(nets, joined(names)) for names in SETS}
    return max(ways, key=lambda way: tuple(sum(quality[in_order(names)][i] for names in way) for i in (0, 1)))


def in_order(names):
    return tuple(name for name in FIXES if name in names)


def success_and_error(nets, change):
    """What is better is larger: how many products are learnt, and by minus how many decades the others miss."""
    some = nets[(nets.op == "mul") & (nets.change == change)]
    return some.success.sum(), -np.log10(some.relative_rmse.fillna(np.inf).clip(1e-9, 1e3)).median()


def beside(nets, changes):
    """Success rates and the median error of products, `changes` being label -> change, a row each."""
    rows = {}
    for label, change in changes.items():
        by_op = dict(list(nets[nets.change == change].groupby("op")))
        error = by_op["mul"].relative_rmse.fillna(np.inf).median()
        dead = f"{(by_op['mul'].grade == 'dead').mean():.0%}"
        rates = {op: rate_of(by_op[op]) for op in ("mul", "square", "add")}
        rows[label] = {**rates, "mul: dead": dead, "mul: relative RMSE": f"{error:.1e}"}
    return pd.DataFrame(rows).T.to_string()


def answer(nets):
    of = dict(list(nets[nets.op == "mul"].groupby("change")))
    way = path(nets)
    added = [names[-1] for names in way[1:]]
    ladder = {"the question's net": "none"} | {f"{len(names)}. {names[-1]}": joined(names) for names in way[1:]}
    without = {f"without {name}": joined(set(FIXES) - {name}) for name in FIXES}
    singles = sorted([*FIXES, *ALONE], key=lambda change: success_and_error(nets, change), reverse=True)
    best, second, end, gelu = *singles[:2], joined(FIXES), "all gelu, mended"
    rates = {change: rate_of(some) for change, some in of.items()}
    exact = {change: share(some.grade == "exact") for change, some in of.items()}

    dead, living = of["none"][of["none"].dead], of["none"][~of["none"].dead]
    curves = diagnose.record([ORIGINAL], seeds=100, seed=study.seed)
    start = curves[curves.step == 0].set_index("seed")
    a, b = np.indices((500, 500)).astype(float)
    slope = np.cov((a + b).ravel(), (a * b).ravel())[0, 1] / np.var(a + b)
    homogeneous = np.mean((a * b) ** 2) - np.mean(a * b * (a + b)) ** 2 / np.mean((a + b) ** 2)
    return (
        f"Why not? {rates['none']} of the question's nets multiply. {share(of['none'].dead)} end dead: they answer 0 "
        f"to every pair, and lose {start.zero.iloc[0]:.2e}, the 7,000,000,000 of the question. "
        f"{share(start.gradient_norm[dead.seed] == 0)} of these have a gradient of exactly 0 before the first step, "
        f"since their output relu is 0 everywhere; without it {share(of['linear output'].dead)} end dead, and still "
        f"{rates['linear output']} multiply. "
        f"{share((living.mse / homogeneous - 1).abs() < 0.05)} of the living end within 5 % of a loss of "
        f"{homogeneous:.2e}, that of the best c (a + b): on numbers up to 499 their biases, which Adam moves by about "
        f"the rate, 0.001, a step, by 10 in all, stay next to nothing (the best plane alone, with a loss of "
        f"{start.plane.iloc[0]:.2e}, has an intercept of {np.mean(a * b) - slope * np.mean(a + b):,.0f}), and a relu "
        f"net without biases doubles its answer when both numbers double. The product becomes four times as large. "
        f"That is how a sum grows, and why sums work: {rate_of(nets[(nets.op == 'add') & (nets.change == 'none')])} of "
        f"the same nets add, {rate_of(nets[(nets.op == 'add') & (nets.change == 'linear output')])} without the output "
        f"relu.\n"
        f"How then? Of {len(singles)} single changes the best is {best} ({rates[best]} multiply), the next "
        f"{second} ({rates[second]}); the squared layer is the second hidden one, with square "
        f"in place of relu. A square grows as a product does, and "
        f"ab = ((a+b)² - (a-b)²) / 4 takes two of them. The same 2-3-5-3-5-1 with {', '.join(added)} (std: "
        f"standardized; from 0.01 to 0) multiplies: {rates[end]} learn it, and {exact[end]} exactly, all "
        f"250,000 pairs. With gelu in every layer instead {rates[gelu]} learn it, and in ten times the "
        f"steps {rates[f'{gelu}, 10x longer']} ({exact[f'{gelu}, 10x longer']} exactly).\n\n"
        f"Step by step, in the best order:\n{beside(nets, ladder)}\n\n"
        f"One of the six taken away:\n{beside(nets, without)}\n\n"
        f"Each change alone:\n{beside(nets, {name: name for name in singles})}"
    )


def share(which):
    """The share of nets for which something holds, with its interval."""
    return percent(which.mean(), *results.wilson(which.sum(), len(which)))


study = aj.Study(
    "why",
    question,
    sampler="grid",
    seeds=100,
    by=("change", "op"),
    curves=8,
    about="Why does the net of the question not multiply, and what makes it?",
    answer=answer,
    show={
        "The question's net: dead": "op == 'mul' and change == 'none' and dead",
        "The question's net: alive": "op == 'mul' and change == 'none' and not dead",
        "All mended but the activation": f"op == 'mul' and change == '{joined(set(FIXES) - {'squared layer'})}'",
        "Mended": f"op == 'mul' and change == '{joined(FIXES)}'",
    },
)
