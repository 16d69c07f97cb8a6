"""Why does the Keras net of the question add and not multiply, and how must it change?"""

import numpy as np
import pandas as pd

import arithjax as aj

ORIGINAL = aj.protocols.question(tests=4096)
FIXES = {  # by what `arithjax why` calls them
    "linear output": "linear output",
    "std targets": "standardized targets",
    "std inputs": "standardized inputs",
    "squared layer": "layer 2 square",
    "no other relus": "all layers linear",
    "falling rate": "rate falling from 0.01",
}
SAME = ("rate 1e-05", "rate 0.0001", "rate 0.01", "rate 0.1", "mae loss", "huber loss", "relative loss")
ALONE = {
    **{"scaled inputs": "scaled inputs", "log inputs": "log1p inputs"},
    **{"scaled targets": "scaled targets", "log targets": "log1p targets"},
    **{f"all {name}": f"all layers {name}" for name in aj.ACTIVATIONS},
    **{name: {"optimizer": name} for name in aj.OPTIMIZERS if name != "adam"},
    **{name: name for name in SAME},
    **{"10x longer": "10x the steps", "100x longer": {"steps": 1_000_000}, "10x data": "10x the examples"},
    **{"batch 100": "batch 100", "4x wider": "4x wider"},
    "twice as deep": {"widths": (3, 5, 3, 5) * 2, "activation": ("linear", *("relu",) * 7)},
    "one hidden layer": {"widths": (5,), "activation": "relu"},
    **{"numbers below 50": {"high": 50}, "numbers below 5": {"high": 5, "tests": 25}},
    **{name: name for name in aj.INITIALIZERS if name != ORIGINAL.initializer},
}
GELU = (*(FIXES[name] for name in FIXES if name not in ("squared layer", "no other relus")), "all layers gelu")
MORE = {"all gelu, mended": GELU, "all gelu, mended, 10x longer": (*GELU, "10x the steps")}
TRIED = aj.Combinations(ORIGINAL, FIXES, ALONE | MORE)


def question(trial):
    return TRIED.suggest(trial, ["mul", "square", "add"])


def answer(nets):
    of = TRIED.of(nets, "mul")
    end, singles, best, way = TRIED.called(FIXES), TRIED.singles(of), TRIED.best(of), TRIED.path(of)
    dead, alive = (of["none"][of["none"].dead == is_dead] for is_dead in (True, False))
    drawn = {"dead": dead, "alive": alive, "mended": of[end]}
    add = {change: some.success.mean() for change, some in nets[nets.op == "add"].groupby("change")}
    ladder = {"the question's net": "none"} | {f"{len(one)}. {one[-1]}": TRIED.called(one) for one in way[1:]}
    shown = TRIED.ranked(of)[:16]
    without = [names for names in shown if best not in names and of[TRIED.called(names)].success.any()]
    lost = ""
    if add[TRIED.called(way[1])] < add["none"] < add[end]:
        lost = f" Sums get lost with the {way[1][-1]}, and come back with the last changes."
    return aj.Answer(
        f"Of these nets {aj.brief(add['none'])} learn to add and {aj.brief(of['none'].success.mean())} to multiply. "
        f"With a {best} alone {aj.brief(of[best].success.mean())} multiply, with six changes "
        f"{aj.brief(of[end].success.mean())}.",
        [
            f"{aj.share(of['none'].dead)} of the nets for products are dead: their last relu, which makes 0 of numbers "
            "below 0, makes 0 of every pair, and no gradient can change that. (In brackets: 95 % intervals.)",
            "The others are alive, but relus make straight pieces: when both numbers double so does the answer, and so "
            "does a sum, while a product becomes four times as large. Their median error (RMSE) is "
            f"{aj.brief(alive.relative_rmse.median())} of that of always answering the mean.",
            "Squares grow as products do: those of a + b and of a - b differ by 4ab. Mended by all six changes, "
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
                TRIED.crowd(of),
                *("Each dot is one change made alone, for products.", "median error, relative", "nets that learn it"),
            ),
            aj.sets(
                *("together", f"The {best} is in every combination that multiplies" if not without else "Combinations"),
                {names: of[TRIED.called(names)] for names in shown},
                f"The best {len(shown)} of all {len(TRIED.sets)} combinations of the six changes, for products.",
            ),
        ],
        {
            "What the living are near, to 5 % of the loss": near(alive),
            "Every change": aj.summarise(nets, ["change", "op"])[
                ["nets", "rate", "rate_low", "rate_high", "relative_rmse"]
            ],
        },
        aj.recipes(TRIED.setups[end].replace(tests=1024), aj.protocols.question()),
    )


def near(nets):
    """How many nets come near the best answers that double when both numbers double."""
    a, b = np.indices((500, 500)).astype(float)
    rows = {}
    for name, x in {"c (a + b)": a + b, "c min(a, b), the least such loss": np.minimum(a, b)}.items():
        loss = np.mean((a * b) ** 2) - np.mean(x * a * b) ** 2 / np.mean(x * x)
        rows[f"the best {name}"] = [f"{loss:.2e}", aj.share((nets.mse / loss - 1).abs() < 0.05)]
    return pd.DataFrame(rows, ["loss", "nets"]).T


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
        "All mended but the activation": f"op == 'mul' and change == '{TRIED.called({*FIXES} - {'squared layer'})}'",
        "Mended": f"op == 'mul' and change == '{TRIED.called(FIXES)}'",
    },
)
