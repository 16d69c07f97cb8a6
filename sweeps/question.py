"""The question verbatim: a 2-3-5-3-5-1 net on raw numbers, for six operations."""

import arithjax as aj


def question(trial):
    op = trial.suggest_categorical("op", ["add", "sub", "mul", "square", "times:7", "plus:7"])
    return aj.protocols.question(op, tests=4096)


def answer(nets):
    of = dict(list(nets.groupby("op", sort=False)))
    learnt = [aj.OPERATIONS[op].symbol for op, some in of.items() if some.success.any()]
    never = [aj.OPERATIONS[op].symbol for op, some in of.items() if not some.success.any()]
    middle = {op: aj.median_net(of[op]) for op in ("add", "mul") if op in of}
    add, mul = (of.get(op, nets[:0]) for op in ("add", "mul"))
    pairs = {op: aj.fresh_pairs(aj.net_again(row, study.seed)).round(1) for op, row in middle.items()}
    told = {op: f"Ten fresh pairs, the net of {op} with the median error ({row.grade})" for op, row in middle.items()}
    return aj.Answer(
        f"This net learns {aj.listed(learnt)} in some seeds, and {aj.listed(never)} in none.",
        [
            f"{aj.rate_of(add)} of the nets learn to add: their error is at most 1 % of the spread of the sums.",
            f"{aj.rate_of(mul)} learn to multiply, and {aj.share(mul.dead)} answer the same to every pair.",
            "The command below says why, and what makes this net multiply.",
        ],
        aj.dots("rates", "Nets that learn it, of 100 each", {aj.OPERATIONS[op].symbol: of[op] for op in of}),
        tables={
            "Share of nets that beat answering 0, the mean, and the best plane": aj.yardsticks(nets, ["op"]).round(2),
            **{told[op]: pairs[op] for op in pairs},
        },
        recipes={"Why it does not multiply, and what makes it": "arithjax why mul --net question"},
    )


study = aj.Study(
    "question",
    question,
    sampler="grid",
    seeds=100,
    by=("op",),
    about="Which operations does the net of the question learn?",
    answer=answer,
)
