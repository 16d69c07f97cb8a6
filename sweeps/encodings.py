"""What is learnt from numbers shown as bits, digits, waves or one by one? Half of all pairs is held out, and judges."""

import arithjax as aj

SHOWN = ["standardize", "binary", "digits:4", "onehot", "thermometer", "fourier:4"]
ANSWERED = {"standardize": "mse", "binary": "bit_cross_entropy", "digits:4": "mse", "onehot": "cross_entropy"}
ANSWERED |= {"thermometer": "bit_cross_entropy", "fourier:4": "mse"}
OPERATIONS = {name: {"op": name} for name in ("add", "sub", "mul", "max", "xor", "equal", "addmod:16", "mulmod:16")}
OPERATIONS |= {name: {"op": name, "low": 1, "high": 17} for name in ("floordiv", "mod", "gcd")}
OPERATIONS |= {"parity": {"op": "parity", "high": 256}}
WIDTHS = (4, 8, 16, 32, 64)


def question(trial):
    answered = trial.suggest_categorical("answered", list(ANSWERED))
    asked = OPERATIONS[trial.suggest_categorical("operation", list(OPERATIONS))]
    return aj.Setup(
        **{"low": 0, "high": 16, **asked},
        input_transform=trial.suggest_categorical("shown", SHOWN),
        target_transform=answered,
        loss=ANSWERED[answered],
        widths=(trial.suggest_categorical("width", WIDTHS),),
        activation="relu",
        examples="all",
        split=0.5,
        batch=32,
        learning_rate=0.01,
        schedule="cosine",
        steps=2000,
        evaluate_every=2000,
    )


def answer(nets):
    nets = nets.assign(right=nets.exact.fillna(nets.accuracy) >= 0.99, cell=nets.shown + " → " + nets.answered)
    best = {op: nets[nets.trial == best_trial(nets[nets.operation == op])].iloc[0] for op in OPERATIONS}
    fresh = {op: aj.train([aj.Setup.from_row(row)], seeds=50, seed=study.seed + 1) for op, row in best.items()}
    fresh = {op: rows.assign(right=rows.exact.fillna(rows.accuracy) >= 0.99) for op, rows in fresh.items()}
    names = {op: f"{op}: {row.cell}, {row.parameters} parameters" for op, row in best.items()}
    learnt = [op for op in OPERATIONS if fresh[op].right.mean() >= 0.5]
    plain = nets[nets.cell == "standardize → standardize"].groupby(["operation", "width"]).right.mean()
    alone = [op for op in OPERATIONS if plain[op].max() >= 0.5]
    return aj.Answer(
        f"Of {len(OPERATIONS)} operations {len(learnt)} are learnt, on pairs never seen, in some encoding of numbers, "
        f"and {len(alone)} without any.",
        [
            f"With plain numbers these are {aj.listed(alone, 12)}; encodings add "
            f"{aj.listed([op for op in learnt if op not in alone], 12)}.",
            f"In half of the seeds no encoding here teaches "
            f"{aj.listed([op for op in OPERATIONS if op not in learnt], 12)}.",
        ],
        aj.dots(
            *("best", "The best encoding of each operation, and nets that learn it with it"),
            {names[op]: rows for op, rows in fresh.items()},
            "right",
            "Right on 99 % of the held-out half; of 50 fresh seeds, which took no part in choosing.",
        ),
        tables={
            f"{op}: nets that are right on 99 % of the held-out half, at the best size": rates(some)
            for op, some in nets.groupby("operation", sort=False)
        },
    )


def best_trial(nets):
    """The trial whose nets are right most often; of equal ones that with the fewest parameters."""
    trials = nets.groupby("trial").agg({"right": "mean", "parameters": "first"})
    return trials.sort_values(["right", "parameters"], ascending=[False, True], kind="stable").index[0]


def rates(nets):
    return nets.groupby(["shown", "answered", "width"]).right.mean().groupby(["shown", "answered"]).max().unstack()


study = aj.Study(
    "encodings",
    question,
    sampler="grid",
    seeds=50,
    by=("op", "shown", "answered"),
    about="What is learnt from numbers shown as bits, digits, waves or one by one?",
    answer=answer,
)
