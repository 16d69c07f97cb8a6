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
    task = nets.cell.str.split(" ", n=1).str[1]
    unit = nets.model.where(nets.model != "mlp", nets.activation + " net")
    nets = nets.assign(task=task, unit=unit)
    ours = aj.protocols.compare(nets)
    of = {cell: nets[nets.cell == cell] for cell in CELLS}
    tenth = [name for name in MULTIPLIERS if of[f"{name} n=10 mul"].success.mean() >= 0.5]
    sums = [name for name in ADDERS if of[f"{name} n=100 add"].success.mean() >= 0.5]
    divide = nets[nets.task == "simple div"]
    return aj.Answer(
        f"{aj.listed(sums)} learn sums of a hundred inputs, {aj.listed(tenth)} products of sums of ten; "
        f"{aj.brief(divide.success.mean())} divide.",
        [
            f"{ours.inside.sum()} of {len(ours)} published rates lie inside our 95 % intervals.",
            f"Products of sums of ten inputs are learnt by {aj.rate_of(of['nmu n=10 mul'])} of NAUs with an NMU.",
            f"Of quotients {aj.rate_of(divide)} are learnt by any pair.",
        ],
        aj.grid("pairs", "Nets that succeed, in per cent", nets, "unit", "task", about="Blank: none, or not asked."),
        [aj.published("published", "Beside the published cells", ours)],
        {
            "Every cell": aj.summarise(nets, ["cell"])[["nets", "rate", "rate_low", "rate_high", "solved_at"]].round(3),
            "Beside the published cells": ours.drop(columns=["source"]).dropna(axis=1, how="all").round(3),
        },
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
