"""Which arithmetic unit learns which operation? The single-module task: every unit, four operations, nine ranges."""

import arithjax as aj

CONTROLS = ["linear", "relu", "relu6", "square"]
UNITS = [name for name, model in aj.MODELS.items() if model.stackable and name != "dense"]
RANGES = aj.protocols.RANGES
TASKS = {f"{op} {low:g},{high:g}": (op, (low, high)) for op in ("add", "sub", "mul") for low, high in RANGES}
TASKS |= {f"div {low:g},{high:g}": ("div", (low, high)) for low, high in RANGES if low * high > 0}  # no pole
PUBLISHED = [cell for cell in aj.protocols.PUBLISHED if cell.protocol == "single_module"]


def question(trial):
    unit = trial.suggest_categorical("unit", UNITS + CONTROLS)
    return aj.protocols.single_module(unit, *TASKS[trial.suggest_categorical("task", list(TASKS))])


def answer(nets):
    ours = aj.protocols.compare(nets, PUBLISHED)
    ratio = ours["mean"] / ours.published_mean
    rates = nets.groupby(["model", "activation", "op"]).success.mean().unstack()
    epsilon = aj.protocols.by_epsilon(nets).pivot(index=["op", "model", "activation"], columns="epsilon", values="rate")
    epsilon.columns = [f"{value:.0e}" for value in epsilon.columns]
    multiply = nets[nets.op == "mul"]
    square = multiply[(multiply.model == "mlp") & (multiply.activation == "square")]
    beyond = multiply.groupby("model").extrapolation_relative_rmse.median()
    units = {name: aj.rate_of(multiply[multiply.model == name]) for name in ("log_exp", "quadratic", "bilinear", "nmu")}
    return (
        f"{len(ours)} of the {len(PUBLISHED)} published cells are here. {ours.inside.sum()} of their rates lie inside "
        f"our 95 % intervals, and {((ratio - 1).abs() <= 0.1).sum()} of {ratio.notna().sum()} mean steps of successful "
        f"nets within ten per cent of the published one. Disagreements first:\n"
        f"{ours.drop(columns=['paper', 'source']).round(3).to_string()}\n\n"
        f"Success by operation, over its nine ranges (division: eight):\n{rates.round(2).to_string()}\n\n"
        f"The same for other ε than 1e-05, on which the order of the units hangs:\n{epsilon.round(2).to_string()}\n\n"
        f"Not among the published cells, on products over these ranges: log-exp layers succeed in {units['log_exp']} "
        f"of nets, bilinear ones in {units['bilinear']}, quadratic neurons in {units['quadratic']} and square nets in "
        f"{aj.rate_of(square)}, against {units['nmu']} for the NMU. They all represent products, as NAC• does, and "
        f"come close: half of the bilinear nets have a relative error beyond the range below "
        f"{beyond['bilinear']:.0e}, half of the log-exp nets below {beyond['log_exp']:.0e}. It is the threshold, an "
        f"error as of weights that are off by 1e-5, that most of them miss in 50,000 steps."
    )


study = aj.Study(
    "units",
    question,
    sampler="grid",
    seeds=25,
    by=("model", "op", "activation"),
    about="Which arithmetic unit learns which operation, on the single-module task?",
    answer=answer,
)
