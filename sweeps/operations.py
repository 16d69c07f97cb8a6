"""What learns what? Every operation by a dozen kinds of nets, within the range and beyond it."""

import arithjax as aj

RAW = {"input_transform": "raw", "target_transform": "raw"}
SCALED = {"input_transform": "scale", "target_transform": "scale"}
LOGS = {"input_transform": "symlog", "target_transform": "symlog"}
SMALL = {"widths": (16, 16), "learning_rate": 0.01}
NETS = {
    "the question's": {  # with the epsilon that all nets have here
        **RAW,
        **{"widths": (3, 5, 3, 5), "activation": ("linear", "relu", "relu", "relu"), "output_activation": "relu"},
        **{"learning_rate": 1e-3, "schedule": "constant", "batch": 10, "steps": 10_000},
    },
    "the question's, mended": {"widths": (3, 5, 3, 5), "activation": ("linear", "square", "linear", "linear")},
    **{f"{name} 16-16": {**SMALL, "activation": name} for name in ("relu", "gelu", "tanh", "sin", "square")},
    "gelu 16-16 in logs": {**SMALL, **LOGS, "activation": "gelu"},
    **{name: {**RAW, "model": name} for name in ("nau", "nmu", "nru")},
    **{name: {**RAW, "model": name, "learning_rate": 0.1} for name in ("nac_mul", "nalu", "inalu")},
    "bilinear": {**SCALED, "model": "bilinear"},
}
QUESTION, MENDED = list(NETS)[:2]
OPERATIONS = [
    *("add", "sub", "mul", "div", "square", "sqrt", "reciprocal", "max", "min", "mod", "hypot", "times:7", "plus:7"),
]


def question(trial):
    op = trial.suggest_categorical("op", OPERATIONS)
    setup = {"learning_rate": 0.01, "schedule": "cosine", "batch": 32, "steps": 10_000, "tests": 4096}
    setup |= {"op": op, "low": 1 if op in ("div", "reciprocal", "mod") else 0}
    return aj.Setup(**setup | NETS[trial.suggest_categorical("net", list(NETS))])


def answer(nets):
    nets = nets.assign(beyond=nets.success & nets.extrapolation_solved.astype(bool), exactly=nets.grade == "exact")
    inside, beyond = (nets.groupby(["net", "op"])[name].mean().unstack() for name in ("success", "beyond"))
    widest, furthest = (rates >= 0.5 for rates in (inside, beyond))
    most, far = widest.sum(axis=1), furthest.sum(axis=1)
    learners, keepers = (list(count.index[count == count.max()]) for count in (most, far))
    never = [op for op in OPERATIONS if op in widest and not widest[op].any()]
    own, mended = (most.get(net, 0) for net in (QUESTION, MENDED))
    return aj.Answer(
        f"{aj.listed(learners)} learn {most.max()} of {len(widest.columns)} operations within the range; beyond it no "
        f"kind of net keeps more than {far.max()}.",
        [
            f"Within the range the question's net learns {own} operations in at least half of its seeds, "
            f"and with one layer squared {mended}.",
            f"Beyond it {aj.listed(keepers)} keep most, {far.max()} each; tanh keeps {far.get('tanh 16-16', 0)}.",
            f"No kind of net learns {aj.listed(never)} in half of its seeds.",
        ],
        aj.grid("inside", "Learned within the range, in per cent of the seeds", nets, "net", "op"),
        [
            aj.grid("beyond", "Learned, and right beyond the range as well, to 1 %", nets, "net", "op", "beyond"),
            aj.grid("exact", "Exact on all whole numbers of the range", nets, "net", "op", "exactly"),
        ],
    )


study = aj.Study(
    "operations",
    question,
    sampler="grid",
    seeds=100,
    by=("net", "op"),
    about="What learns what? Every operation by a dozen kinds of nets, within the range and beyond it",
    answer=answer,
    show={
        "A relu net, beyond its range": "op == 'mul' and net == 'relu 16-16'",
        "An NMU": "op == 'mul' and net == 'nmu'",
    },
)
