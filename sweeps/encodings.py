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
    nets = judged(nets)
    asked = [op for op in OPERATIONS if (nets.operation == op).any()]
    best = {op: nets[nets.trial == best_trial(nets[nets.operation == op])].iloc[0] for op in asked}
    fresh = {op: judged(aj.train([aj.Setup.from_row(row)], seeds=50, seed=study.seed + 1)) for op, row in best.items()}
    names = {op: f"{op}: {row.cell}, {row.parameters:,} parameters" for op, row in best.items()}
    learnt = [op for op in asked if fresh[op].right.mean() >= 0.5]
    others = [op for op in asked if op not in learnt]
    of = nets.groupby(["operation", "cell", "width"])[["right", "heart"]].mean()
    plain = of.right[of.index.get_level_values("cell") == "standardize → standardize"].groupby("operation").max()
    alone = [op for op in asked if plain.get(op, 0) >= 0.5]
    heart = [op for op in asked if of.heart[op].max() >= 0.5]
    halfway = aj.listed([f"{op} {fresh[op].share.median():.0%}".replace("%", " %") for op in others], 12)
    return aj.Answer(
        f"{all_of(heart, asked)} operations are learnt by heart, {len(learnt)} of them also on pairs that were never "
        "shown.",
        [
            f"With plain numbers nets learn {aj.listed(alone, 12)}; encodings add "
            f"{aj.listed([op for op in learnt if op not in alone], 12)}.",
            f"Of the others, nets with the best encoding get these shares of the pairs never shown right: {halfway}.",
        ],
        aj.dots(
            *("best", "The best encoding of each operation, and nets that learn it with it"),
            {names[op]: fresh[op] for op in sorted(fresh, key=lambda op: fresh[op].share.median(), reverse=True)},
            "right",
            "How numbers are shown → how results are. A net learns it that is right on 99 % of the half of all pairs "
            "that it was not shown; of 50 fresh seeds, which took no part in choosing the encoding. Whiskers: 95 % "
            "intervals.",
        ),
        tables={
            f"{op}: nets that are right on 99 % of the held-out half, at the best size": rates(some)
            for op, some in nets.groupby("operation", sort=False)
        },
    )


def all_of(names, asked):
    return f"All {len(asked)}" if len(names) == len(asked) else f"{len(names)} of {len(asked)}"


def judged(nets):
    """With the share of the held-out half that is right, whether that is 99 % of it, and 99 % of the half shown."""
    share = nets.exact.fillna(nets.accuracy)
    nets = nets.assign(share=share, right=share >= 0.99, heart=nets.train_exact >= 0.99)
    return nets.assign(cell=nets.input_transform + " → " + nets.target_transform)


def best_trial(nets):
    """The trial whose nets are right most often, or else on most pairs; of equal ones the smallest."""
    trials = nets.groupby("trial").agg({"right": "mean", "share": "median", "parameters": "first"})
    order = {"right": False, "share": False, "parameters": True}
    return trials.sort_values([*order], ascending=[*order.values()], kind="stable").index[0]


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
