"""Why does the Keras net of the question add and not multiply, and how must it change?"""

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
SQUARES = "Squares grow as products do: those of a + b and of a - b differ by 4ab."


def question(trial):
    return TRIED.suggest(trial, ["mul", "square", "add"])


study = aj.Study(
    "why",
    question,
    sampler="grid",
    seeds=100,
    by=("change", "op"),
    curves=8,
    about="Why does a Keras net 2-3-5-3-5-1 of relus add and not multiply, and how must it change?",
    answer=lambda nets: TRIED.answer(nets, "mul", study.seed, SQUARES),
    show={
        "The question's net: dead": "op == 'mul' and change == 'none' and dead",
        "The question's net: alive": "op == 'mul' and change == 'none' and not dead",
        "All mended but the activation": f"op == 'mul' and change == '{TRIED.called({*FIXES} - {'squared layer'})}'",
        "Mended": f"op == 'mul' and change == '{TRIED.called(FIXES)}'",
    },
)
