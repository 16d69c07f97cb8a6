"""Why does the net of the question not multiply, and what makes it? Changes alone, and six fixes in every order."""

from itertools import accumulate, combinations, permutations

import numpy as np
import pandas as pd

import arithjax as aj

ORIGINAL = aj.protocols.question(tests=4096)
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
    **{f"{name} loss": {"loss": name} for name in aj.LOSSES if name != "mse"},
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
        rates = {op: aj.rate_of(by_op[op]) for op in ("mul", "square", "add")}
        rows[label] = {**rates, "mul: dead": dead, "mul: relative RMSE": f"{error:.1e}"}
    return pd.DataFrame(rows).T.to_string()


def answer(nets):
    of = dict(list(nets[nets.op == "mul"].groupby("change")))
    way = path(nets)
    added = [names[-1] for names in way[1:]]
    ladder = {"the question's net": "none"} | {f"{len(names)}. {names[-1]}": joined(names) for names in way[1:]}
    without = {f"without {name}": joined(set(FIXES) - {name}) for name in FIXES}
    there = [change for change in (*FIXES, *ALONE) if change in of]  # all linear is the same as no other relus
    singles = sorted(there, key=lambda change: success_and_error(nets, change), reverse=True)
    best, second, end, gelu = *singles[:2], joined(FIXES), "all gelu, mended"
    rates = {change: aj.rate_of(some) for change, some in of.items()}
    exact = {change: aj.share(some.grade == "exact") for change, some in of.items()}

    dead, living = of["none"][of["none"].dead], of["none"][~of["none"].dead]
    start = aj.curves([ORIGINAL], seeds=100, seed=study.seed).query("step == 0").set_index("seed")
    sums, least = (proportional(living, which) for which in (np.add, np.minimum))
    add = nets[nets.op == "add"].set_index("change")
    return (
        f"Why not? {rates['none']} of the question's nets multiply. {aj.share(of['none'].dead)} end dead: they "
        f"answer 0 to every pair, and lose {start.zero.iloc[0]:.2e}, the 7,000,000,000 of the question. "
        f"{aj.share(start.gradient_norm[dead.seed] == 0)} of these have a gradient of exactly 0 before the first step "
        f"(on 1,024 of their examples), as the output relu is 0 everywhere; without it "
        f"{aj.share(of['linear output'].dead)} end dead, and still {rates['linear output']} multiply. Of the living "
        f"{aj.share(sums[1])} end within 5 % of a loss of {sums[0]:.2e}, that of the best c (a + b), and "
        f"{aj.share(least[1])} of {least[0]:.2e}, that of the best c min(a, b), the least for an answer that "
        f"doubles when both numbers double. Without biases a relu net is such an answer, and the biases stay small "
        f"beside numbers up to 499: Adam moves them by about the rate, 0.001, a step, 10 in all. A product becomes "
        f"four times as large. With ten times the steps, and so biases, "
        f"{aj.share(of['10x longer'].mse < 0.95 * least[0])} fall below that bound. A sum does double, and "
        f"{aj.rate_of(add.loc['none'])} of the same nets add, "
        f"{aj.rate_of(add.loc['linear output'])} without the output relu.\n"
        f"How then? Of {len(singles)} single changes the best is {best} ({rates[best]} multiply), the next "
        f"{second} ({rates[second]}); the squared layer is the second hidden one, with square in place of relu. A "
        f"square grows as a product does, and ab = ((a+b)² - (a-b)²) / 4 takes two of them. Together with "
        f"{', '.join(name for name in added[:3] if name != best)} it is enough: {rates[joined(way[3])]}. With all of "
        f"{', '.join(added)} (std: standardized; from 0.01 to 0) {rates[end]} of the 2-3-5-3-5-1 nets learn to "
        f"multiply, {exact[end]} exactly, all 250,000 pairs, and the same nets learn sums and squares; inputs and "
        f"targets have to be standardized together, one without the other does harm. With gelu in every hidden layer "
        f"and all else but the square {rates[gelu]} learn it, and in ten times the steps "
        f"{rates[f'{gelu}, 10x longer']} ({exact[f'{gelu}, 10x longer']} exactly).\n\n"
        f"Step by step, in the best of all orders for products:\n{beside(nets, ladder)}\n\n"
        f"One of the six taken away:\n{beside(nets, without)}\n\n"
        f"Each change alone (numbers below 5 or 50 are another question):\n{beside(nets, {n: n for n in singles})}"
    )


def proportional(nets, function):
    """The smallest loss of an answer c function(a, b), and which nets come within 5 % of it."""
    a, b = np.indices((500, 500)).astype(float)
    x, t = function(a, b), a * b
    loss = np.mean(t * t) - np.mean(x * t) ** 2 / np.mean(x * x)
    return loss, (nets.mse / loss - 1).abs() < 0.05


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
