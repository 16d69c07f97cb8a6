"""Which pairs of layers learn arithmetic on sums? The arithmetic dataset: its simple form, products of sums of four and
ten inputs at the full five million steps, and sums of a hundred."""

import arithjax as aj

PAIRS = ["nmu", "snmu", "nau", "nac_add", "nac_mul", "nac_mul_sigmoid", "nalu", "realnpu"]
OTHERS = ["bilinear", "quadratic", "log_exp", "square", "linear", "relu", "relu6"]
CELLS = {f"{unit} simple {op}": (unit, op, {"simple": True}) for unit in PAIRS + OTHERS for op in aj.protocols.BINARY}
MULTIPLIERS = ["nmu", "nac_mul", "nac_mul_sigmoid"]
CELLS |= {f"{unit} n={n} mul": (unit, "mul", {"n": n}) for unit in MULTIPLIERS for n in (4, 10)}
ADDERS = {"nau": 50_000, "nac_add": 500_000}  # half of the published sums are solved by 18,000 and by 248,500
CELLS |= {f"{unit} n=100 {op}": (unit, op, {"steps": ADDERS[unit]}) for unit in ADDERS for op in ("add", "sub")}


def question(trial):
    unit, op, changes = CELLS[trial.suggest_categorical("cell", list(CELLS))]
    return aj.protocols.arithmetic_dataset(unit, op, **changes)


def answer(nets):
    table = aj.summarise(nets, ["cell"])[["nets", "rate", "rate_low", "rate_high", "solved_at"]]
    table = table.join(nets.groupby("cell").sparsity_error.median())
    ours = aj.protocols.compare(nets)
    return (
        f"Beside the published cells, disagreements first; {ours.inside.sum()} of {len(ours)} rates lie inside our "
        f"95 % intervals. Where ours end early (`until`), both sides are those solved by then:\n"
        f"{ours.drop(columns=['paper', 'source']).round(3).to_string()}\n\n"
        f"Every cell; medians of the step, of those solved, and of the sparsity error:\n{table.round(3).to_string()}"
    )


study = aj.Study(
    "units_deep",
    question,
    sampler="grid",
    seeds=16,
    by=("model", "op", "activation"),
    about="Which pairs of layers learn arithmetic on sums of four, ten and a hundred inputs?",
    answer=answer,
)
