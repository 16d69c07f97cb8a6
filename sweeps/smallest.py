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
    rows = {op: checked(nets[nets.op == op]) for op in OPERATIONS}
    columns = ["parameters", "net", "exact in the search", f"of {FRESH} fresh seeds"]
    return (
        "The fewest parameters with which any net is right on its whole domain, and of the setups that have so few the "
        "one that was exact most often: in the search, which chose it, and again from seeds that it has not seen.\n"
        f"{pd.DataFrame(rows, columns).T.to_string()}"
    )


def checked(nets):
    """The smallest exact net of an operation, and how often it is exact."""
    exact = nets[nets.grade == "exact"]
    if exact.empty:
        return ["-", "none", f"0 of {len(nets)}", "-"]
    smallest = exact[exact.parameters == exact.parameters.min()]
    row = smallest[smallest.trial == smallest.trial.mode()[0]].iloc[0]
    fresh = aj.train([aj.Setup.from_row(row)], seeds=FRESH, seed=study.seed + 1)
    found = nets[nets.trial == row.trial]
    net = f"{row.widths} {row.activation}" + " without biases" * (not row.bias)
    return [row.parameters, net, rate(found), rate(fresh)]


def rate(nets):
    exact = nets.grade == "exact"
    return f"{exact.sum()} of {len(exact)}, {aj.share(exact)}"


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
