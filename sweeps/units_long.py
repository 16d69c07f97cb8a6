"""The longest published cells: products of sums of ten and of a hundred inputs, sums, five million steps. Days on two
cores: give it a cluster."""

import arithjax as aj

UNITS = ["nmu", "nac_mul_sigmoid", "nac_mul", "nalu", "nac_add", "linear", "relu", "relu6"]
CELLS = {f"{unit} n={n} mul": (unit, "mul", n) for unit in UNITS for n in (10, 100)}
CELLS |= {f"{unit} n=100 {op}": (unit, op, 100) for unit in ("nau", "nac_add", "nalu") for op in ("add", "sub")}


def question(trial):
    unit, op, n = CELLS[trial.suggest_categorical("cell", list(CELLS))]
    return aj.protocols.arithmetic_dataset(unit, op, n=n)


study = aj.Study(
    "units_long",
    question,
    sampler="grid",
    seeds=100,
    by=("model", "op", "activation"),
    about="Which pairs of layers learn arithmetic on sums of many inputs, given five million steps?",
)
