"""Does the unit matter more, or its learning rate? NAC• and NALU over five decades and three optimisers."""

import numpy as np

import arithjax as aj


def question(trial):
    return aj.protocols.arithmetic_dataset(
        trial.suggest_categorical("unit", ["nac_mul", "nalu"]),
        "mul",
        simple=True,
        optimizer=trial.suggest_categorical("optimizer", ["adam", "rmsprop", "sgd"]),
        learning_rate=trial.suggest_float("learning_rate", 1e-5, 1.0, log=True),
    )


def answer(nets):
    decade = 10.0 ** np.floor(np.log10(nets.learning_rate))
    rates = nets.groupby(["model", "optimizer", decade]).success.mean()
    within = rates.groupby(["model", "optimizer"]).agg(["min", "max"])
    return (
        f"Success by unit, optimiser and decade of the rate:\n{rates.unstack().round(2).to_string()}\n\n"
        f"Lowest and highest over the decades, from few setups each:\n{within.round(2).to_string()}"
    )


study = aj.Study(
    "learning_rate",
    question,
    trials=120,
    seeds=10,
    sampler="quasi-random",
    by=("model", "optimizer"),
    about="Does the unit matter more, or its learning rate?",
    answer=answer,
)
