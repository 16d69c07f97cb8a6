"""The longest published cells: products of sums of a hundred inputs, five million steps. About a day on two cores."""

import arithjax as aj
from arithjax import protocols

UNITS = ["nmu", "nac_mul_sigmoid", "nac_mul", "nalu", "nac_add", "linear", "relu", "relu6"]


def question(trial):
    return protocols.arithmetic_dataset(trial.suggest_categorical("unit", UNITS), "mul")


study = aj.Study(
    "units_long",
    question,
    sampler="grid",
    seeds=100,
    by=("model", "activation"),
    about="Which pairs of layers learn products of sums of a hundred inputs, given five million steps?",
)
