"""Why does the Keras net of the question add and not multiply, and how must it change?"""

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
    **{f"{name} loss": {"loss": name} for name in aj.LOSSES if name != "mse" and "entropy" not in name},
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


def answer(nets):
    nets = nets.assign(relative_rmse=nets.relative_rmse.fillna(float("inf")))
    of = dict(list(nets[nets.op == "mul"].groupby("change", sort=False)))
    end, singles = joined(FIXES), [change for change in (*FIXES, *ALONE) if change in of]
    singles = list({tuple(of[one].sort_values("seed").mse.fillna(-1)): one for one in singles}.values())
    best = max(singles, key=lambda change: quality(of[change]))
    way = path({names: of[joined(names)] for names in SETS})
    dead, alive = (of["none"][of["none"].dead == is_dead] for is_dead in (True, False))
    drawn = {"dead": dead, "alive": alive, "mended": of[end]}
    add = {change: some.success.mean() for change, some in nets[nets.op == "add"].groupby("change")}
    ladder = {"the question's net": "none"} | {f"{len(names)}. {names[-1]}": joined(names) for names in way[1:]}
    crowd = pd.DataFrame(
        [[one, of[one].relative_rmse.median(), of[one].success.mean(), one == best] for one in singles]
    )
    shown = sorted(SETS, key=lambda names: quality(of[joined(names)]), reverse=True)[:16]
    without = [names for names in shown if best not in names and of[joined(names)].success.any()]
    lost = ""
    if add[joined(way[1])] < add["none"] < add[end]:
        lost = f" Sums get lost with the {way[1][-1]}, and come back with the last changes."
    return aj.Answer(
        f"Of these nets {aj.brief(add['none'])} learn to add and {aj.brief(of['none'].success.mean())} to multiply. "
        f"A {best} alone makes that {aj.brief(of[best].success.mean())}, six changes "
        f"{aj.brief(of[end].success.mean())}.",
        [
            f"{aj.share(of['none'].dead)} of the nets for products are dead: the relu of the output, 0 for all that is "
            "negative, is 0 for every pair, and no gradient can change that.",
            "The others are straight pieces: when both numbers double so does their answer, and so does a sum, but a "
            "product becomes four times as large. Their median error is "
            f"{aj.brief(alive.relative_rmse.median())} of that of always answering the mean.",
            "Squares grow as products do, and (a + b)² - (a - b)² = 4ab. With all six changes "
            f"{aj.share(of[end].grade == 'exact')} of the nets get all 250,000 products of numbers below 500 right, "
            "when rounded.",
        ],
        aj.along(
            *("along", "Where a = b a product grows as a², and nets of relus in straight lines"),
            {name: aj.median_net(some) for name, some in drawn.items() if len(some)},
            *(study.seed, "Each line is the net with the median error of its kind."),
        ),
        [
            aj.dots(
                *("ladder", "Six changes, one after another"),
                {label: nets[nets.change == change] for label, change in ladder.items()},
                about="Each row has all changes above it as well, in that of all 720 orders whose nets learn products "
                f"most often.{lost} Whiskers: 95 % intervals.",
            ),
            aj.scatter(
                *("alone", f"Of {len(singles)} single changes, the {best} stands out"),
                crowd.set_axis(["what", "x", "y", "named"], axis=1),
                *("Each dot is one change made alone, for products.", "median error, relative", "nets that learn it"),
            ),
            aj.sets(
                *("together", f"The {best} is in every combination that multiplies" if not without else "Combinations"),
                {names: of[joined(names)] for names in shown},
                f"The best {len(shown)} of all {len(SETS)} combinations of the six changes, for products.",
            ),
        ],
        {
            "What the living are near, to 5 % of the loss": near(alive),
            "Every change": aj.summarise(nets, ["change", "op"])[
                ["nets", "rate", "rate_low", "rate_high", "relative_rmse"]
            ],
        },
        aj.recipes(aj.protocols.question(**CHANGES[end]), aj.protocols.question()),
    )


def near(nets):
    """How many nets come near the best answers that double when both numbers double."""
    a, b = np.indices((500, 500)).astype(float)
    rows = {}
    for name, x in {"c (a + b)": a + b, "c min(a, b), the least such loss": np.minimum(a, b)}.items():
        loss = np.mean((a * b) ** 2) - np.mean(x * a * b) ** 2 / np.mean(x * x)
        rows[f"the best {name}"] = [f"{loss:.2e}", aj.share((nets.mse / loss - 1).abs() < 0.05)]
    return pd.DataFrame(rows, ["loss", "nets"]).T


def quality(nets):
    """What is better is larger: how many nets learn it, and by how much the median one misses."""
    return nets.success.sum(), -nets.relative_rmse.median()


def path(of):
    """The best order of the fixes: the sets of fixes on the way to all of them that learn best."""
    score = {names: quality(some) for names, some in of.items()}
    ways = [list(accumulate(order, lambda names, name: (*names, name), initial=())) for order in permutations(FIXES)]
    sets = [[tuple(name for name in FIXES if name in names) for names in way] for way in ways]
    return max(zip(ways, sets, strict=True), key=lambda way: [sum(score[n][i] for n in way[1]) for i in (0, 1)])[0]


study = aj.Study(
    "why",
    question,
    sampler="grid",
    seeds=100,
    by=("change", "op"),
    curves=8,
    about="Why does a Keras net 2-3-5-3-5-1 of relus add and not multiply, and how must it change?",
    answer=answer,
    show={
        "The question's net: dead": "op == 'mul' and change == 'none' and dead",
        "The question's net: alive": "op == 'mul' and change == 'none' and not dead",
        "All mended but the activation": f"op == 'mul' and change == '{joined(set(FIXES) - {'squared layer'})}'",
        "Mended": f"op == 'mul' and change == '{joined(FIXES)}'",
    },
)
