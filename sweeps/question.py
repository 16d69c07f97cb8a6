"""The question verbatim: a 2-3-5-3-5-1 net on raw numbers, for six operations."""

import arithjax as aj


def question(trial):
    op = trial.suggest_categorical("op", ["add", "sub", "mul", "square", "times:7", "plus:7"])
    return aj.protocols.question(op, tests=4096)


def answer(nets):
    words = ["Share of nets that beat answering 0, the mean, and the best plane:"]
    words.append(aj.yardsticks(nets, ["op"]).round(2).to_string())
    for op in ("add", "mul"):
        rows = nets[nets.op == op].sort_values("mse")
        middle = rows.iloc[(len(rows) - 1) // 2]
        words.append(
            f"\nTen fresh pairs for the net of {op} with the median error (seed {middle.seed}, {middle.grade}):"
        )
        words.append(aj.fresh_pairs(aj.net_again(middle, study.seed)).to_string(index=False, float_format="%.1f"))
    return "\n".join(words)


study = aj.Study(
    "question",
    question,
    sampler="grid",
    seeds=100,
    by=("op",),
    about="Which operations does the net of the question learn?",
    answer=answer,
)
