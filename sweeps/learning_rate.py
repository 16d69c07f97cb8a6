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
    decade = [float(f"1e{exponent:.0f}") for exponent in np.floor(np.log10(nets.learning_rate))]
    nets = nets.assign(decade=decade, who=nets.unit + ", " + nets.optimizer)
    rates = nets.groupby(["who", "decade"]).success.mean()
    (unit, optimizer), of = best(nets, ["unit", "optimizer"]), aj.summarise(nets, ["unit"])
    units = nets.groupby("unit").success.mean()
    spread = rates[f"{unit}, {optimizer}"]
    lines = rates.rename("y").reset_index().rename(columns={"decade": "x"})
    return aj.Answer(
        f"The rate decides between {aj.brief(spread.min())} and {aj.brief(spread.max())} ({unit} with {optimizer}), "
        f"the unit between {aj.brief(units.min())} and {aj.brief(units.max())}.",
        [
            f"Of {name}, over all rates and optimisers, {aj.rate_of(some)} learn products."
            for name, some in nets.groupby("unit")
        ],
        aj.lines(
            *("rates", "Nets that learn products, by decade of the rate", lines.sort_values(["who", "x"])),
            *("Each point is of all setups in the decade that begins there.", "learning rate", "nets that learn it"),
        ),
        [aj.grid("optimizers", "By unit and optimiser, over all rates, in per cent", nets, "unit", "optimizer")],
        {"By unit": of, "By decade": rates.unstack().round(3)},
    )


def best(nets, names):
    return nets.groupby(names).success.mean().idxmax()


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
