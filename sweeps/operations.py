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
    inside, beyond, exact = (
        nets.groupby(["net", "op"])[name].mean().unstack() for name in ("success", "beyond", "exactly")
    )

    def best(op, rates, column):
        names = listed(rates[op] == rates[op].max())
        of = nets[(nets.op == op) & (nets.net == names.split(", ")[0])]
        return f"{op}: {names}, {aj.rate_of(of.assign(success=of[column]))}"

    widest, furthest = most(inside), most(beyond)
    return (
        f"Of {len(OPERATIONS)} operations the question's net learns {widest[QUESTION]} in at least half of its seeds, "
        f"and mended {widest[MENDED]}. The most within the range, {widest.max()}, are learnt by "
        f"{listed(widest == widest.max())}; the most beyond it, {furthest.max()}, by "
        f"{listed(furthest == furthest.max())}. No kind of net learns in half of its seeds: "
        f"{listed(inside.max() < 0.5)}; none goes beyond the range with: {listed(beyond.max() < 0.5)}.\n"
        f"Best within the range: {'; '.join(best(op, inside, 'success') for op in OPERATIONS if inside[op].any())}.\n"
        f"Best beyond it: {'; '.join(best(op, beyond, 'beyond') for op in OPERATIONS if beyond[op].any())}.\n\n"
        f"Learned, in %:\n{shown(inside)}\n\nExact, in %:\n{shown(exact)}\n\n"
        f"Learned and right beyond the range, to 1 %, in %:\n{shown(beyond)}"
    )


def most(rates):
    """How many operations each kind of net learns in at least half of its seeds."""
    return (rates >= 0.5).sum(axis=1)


def listed(which):
    return ", ".join(which.index[which]) or "none"


def shown(rates):
    """Rates as a table, the nets that learn most first."""
    order = rates.mean(axis=1).sort_values(ascending=False, kind="stable").index
    return (100 * rates.loc[order, OPERATIONS]).round().astype(int).to_string()


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
