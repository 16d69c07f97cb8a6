"""Which arithmetic unit learns which operation? The single-module task: every unit, four operations, nine ranges."""

import arithjax as aj

CONTROLS = ["linear", "relu", "relu6", "square"]
LAYERS = ("dense", "residual", "kan")  # not made for arithmetic
UNITS = [name for name, model in aj.MODELS.items() if model.stackable and name not in LAYERS]
RANGES = aj.protocols.RANGES
TASKS = {f"{op} {low:g},{high:g}": (op, (low, high)) for op in ("add", "sub", "mul") for low, high in RANGES}
TASKS |= {f"div {low:g},{high:g}": ("div", (low, high)) for low, high in RANGES if low * high > 0}  # no pole
RATES = "A rate is over nine ranges of numbers (division: eight), 25 seeds each, and of no others."
PUBLISHED = [cell for cell in aj.protocols.PUBLISHED if cell.protocol == "single_module"]


def question(trial):
    unit = trial.suggest_categorical("unit", UNITS + CONTROLS)
    return aj.protocols.single_module(unit, *TASKS[trial.suggest_categorical("task", list(TASKS))])


def answer(nets):
    ours = aj.protocols.compare(nets, PUBLISHED)
    unit = nets.model.where(nets.model != "mlp", nets.activation + " net")
    nets = nets.assign(unit=unit)
    rates = nets.groupby(["unit", "op"]).success.mean().unstack().fillna(0)
    can = {op: list(rates.index[rates[op] >= 0.9]) if op in rates else [] for op in ("add", "sub", "mul", "div")}
    multiply = nets[nets.op == "mul"]
    epsilon = aj.protocols.by_epsilon(multiply, ["unit"])
    epsilon = epsilon.assign(across=epsilon.epsilon.map("{:.0e}".format))
    epsilon["mean"] = epsilon.groupby("unit").rate.transform("mean")
    epsilon = epsilon.sort_values(["mean", "unit", "epsilon"], ascending=[False, True, True])
    all_four = set.intersection(*map(set, can.values()))
    return aj.Answer(
        f"{'One' if len(all_four) else 'No'} unit learns all four operations: {aj.listed(can['add'])} add, "
        f"{aj.listed(can['mul'])} multiply, {aj.listed(can['div'])} divide.",
        [
            f"{ours.inside.sum()} of {len(ours)} published rates lie inside our 95 % intervals.",
            f"The NMU multiplies in {aj.rate_of(multiply[multiply.unit == 'nmu'])} of its nets over these nine ranges.",
            f"Success is an error below that of weights off by 1e-5, and hangs on it: bilinear layers succeed in "
            f"{aj.rate_of(multiply[multiply.unit == 'bilinear'])}, and come close in many more.",
        ],
        aj.grid("units", "Nets that succeed, in per cent, over these ranges", nets, "unit", "op", about=RATES),
        [
            aj.Picture(
                *("epsilon", "Products: success against ε, on which the order of the units hangs"),
                epsilon.rename(columns={"unit": "down"})[["down", "across", "rate", "low", "high", "nets"]],
                "grid",
                "In per cent; a larger ε asks for less.",
            ),
            aj.published("published", "Beside the published cells, disagreements first", ours),
        ],
        {"Every published cell": ours.drop(columns=["source"]).dropna(axis=1, how="all").round(3)},
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
