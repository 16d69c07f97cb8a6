"""What is the smallest dense net that computes an operation exactly? For each a search over error and parameters."""

import optuna
import pandas as pd
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

import arithjax as aj

OPERATIONS = ["add", "sub", "mul", "square", "max", "min", "times:7", "plus:7"]
WIDTH, ACTIVATIONS = (1, 6), ["linear", "relu", "square"]
SPACE = {
    **{"depth": IntDistribution(1, 2), "bias": CategoricalDistribution([True, False])},
    **{f"width{i}": IntDistribution(*WIDTH) for i in (1, 2)},
    **{f"activation{i}": CategoricalDistribution(ACTIVATIONS) for i in (1, 2)},
    "learning_rate": FloatDistribution(3e-3, 0.1, log=True),
}
WORDS = {"add": "sums", "mul": "products", "max": "the larger of two numbers"}
FRESH = 100  # seeds that the search has not seen


def operation(trial):
    return OPERATIONS[trial.number % len(OPERATIONS)]


class Each(optuna.samplers.RandomSampler):
    """NSGA-II for each operation on its own, so that the easy ones do not crowd out the others."""

    def __init__(self):
        super().__init__(seed=0)
        samplers = [optuna.samplers.NSGAIISampler(seed=i, population_size=16) for i in range(len(OPERATIONS))]
        studies = [optuna.create_study(directions=["minimize"] * 2, sampler=sampler) for sampler in samplers]
        self.studies, self.asked = dict(zip(OPERATIONS, studies, strict=True)), {}

    def sample_independent(self, study, trial, name, distribution):
        if trial.number not in self.asked:
            self.asked[trial.number] = self.studies[operation(trial)].ask(SPACE)
        return self.asked[trial.number].params[name]

    def after_trial(self, study, trial, state, values):
        self.studies[operation(trial)].tell(self.asked[trial.number], values, skip_if_finished=True)


def question(trial):
    layers = range(1, 1 + trial.suggest_int("depth", 1, 2))
    return aj.Setup(
        op=operation(trial),
        widths=[trial.suggest_int(f"width{i}", *WIDTH) for i in layers],
        activation=[trial.suggest_categorical(f"activation{i}", ACTIVATIONS) for i in layers],
        bias=trial.suggest_categorical("bias", [True, False]),
        input_transform="scale",
        target_transform="scale",
        learning_rate=trial.suggest_float("learning_rate", 3e-3, 0.1, log=True),
        schedule="cosine",
        batch=32,
        steps=10_000,
    )


def answer(nets):
    found = {op: smallest(nets[nets.op == op]) for op in OPERATIONS}
    fresh = {
        op: aj.train([aj.Setup.from_row(row)], seeds=FRESH, seed=study.seed + 1)
        for op, row in found.items()
        if row is not None
    }
    fresh = {op: rows.assign(whole=rows.grade == "exact") for op, rows in fresh.items()}
    names = {op: f"{op}: {found[op].parameters} parameters" for op in fresh}
    table = [[op, found[op].parameters, found[op].widths, found[op].activation, bool(found[op].bias)] for op in fresh]
    missing = [op for op in OPERATIONS if op not in fresh]
    sizes = [found[op].parameters for op in fresh]
    return aj.Answer(
        (f"{min(sizes)} to {max(sizes)} parameters suffice for {aj.listed(fresh)}." if fresh else "")
        + (f" For {aj.listed(missing)} no exact net was found." if missing else ""),
        [
            f"The smallest found for {words} has {found[op].parameters} parameters; from fresh seeds "
            f"{aj.share(fresh[op].whole)} are exact."
            for op, words in WORDS.items()
            if op in fresh
        ],
        aj.dots(
            *("fresh", "The smallest exact net of each operation, and how often it is exact again"),
            {names[op]: fresh[op] for op in fresh},
            "whole",
            f"Of {FRESH} fresh seeds, which took no part in the search.",
            title="nets that are exact",
        ),
        tables={"The smallest nets": pd.DataFrame(table, columns=["op", "parameters", "widths", "activation", "bias"])},
        recipes=aj.recipes(aj.Setup.from_row(found["mul"])) if "mul" in fresh else {},
    )


def smallest(nets):
    """A row of the smallest exact setup of an operation, of equally small ones the one that is exact most often."""
    exact = nets[nets.grade == "exact"]
    fewest = exact[exact.parameters == exact.parameters.min()]
    return None if exact.empty else fewest[fewest.trial == fewest.trial.mode()[0]].iloc[0]


study = aj.Study(
    "smallest",
    question,
    trials=96 * len(OPERATIONS),
    seeds=16,
    sampler=Each(),
    objectives=("error", "parameters"),
    by=("op",),
    about="What is the smallest dense net that computes an operation exactly, for all whole numbers from 0 to 499?",
    answer=answer,
)
