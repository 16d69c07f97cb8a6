"""Which pairs of layers learn arithmetic on sums? The arithmetic dataset with four inputs, and sums of a hundred."""

import arithjax as aj
from arithjax import protocols

PAIRS = ["nmu", "snmu", "nau", "nac_add", "nac_mul", "nac_mul_sigmoid", "nalu", "realnpu"]
OTHERS = ["bilinear", "quadratic", "log_exp", "square", "linear", "relu", "relu6"]
CELLS = {f"{unit} simple {op}": (unit, op, {"simple": True}) for unit in PAIRS + OTHERS for op in protocols.BINARY}
CELLS |= {f"nau n=100 {op}": ("nau", op, {"steps": 50_000}) for op in ("add", "sub")}  # solved by step 18,000


def question(trial):
    unit, op, changes = CELLS[trial.suggest_categorical("cell", list(CELLS))]
    return protocols.arithmetic_dataset(unit, op, **changes)


def answer(nets):
    table = aj.summarise(nets, ["cell"])[["nets", "rate", "rate_low", "rate_high", "solved_at"]]
    return table.join(nets.groupby("cell").sparsity_error.median()).round(3).to_string()


study = aj.Study(
    "units_deep",
    question,
    sampler="grid",
    seeds=16,
    by=("model", "op", "activation"),
    about="Which pairs of layers learn arithmetic on sums of four inputs, and of a hundred?",
    answer=answer,
)
