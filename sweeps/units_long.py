"""The longest published cells: the tables of Madsen & Johansen (2020), sums and products of sums of a hundred inputs in
five million steps. Days on many cores: give it a cluster."""

import arithjax as aj

TABLES = ("sft-last.csv", "function_task_static_nalu.tex", "function_task_static_ablation.tex")
CELLS = {cell.name: cell for cell in aj.protocols.PUBLISHED if cell.source.endswith(TABLES)}


def question(trial):
    return CELLS[trial.suggest_categorical("cell", list(CELLS))].setup()


def answer(nets):
    ours = aj.protocols.compare(nets, list(CELLS.values()))
    return aj.Answer(
        f"{ours.inside.sum()} of {len(ours)} published rates lie inside our 95 % intervals.",
        picture=aj.published("published", "Beside the published cells, disagreements first", ours),
        tables={"Every cell": ours.drop(columns=["source"]).dropna(axis=1, how="all").round(3)},
    )


study = aj.Study(
    "units_long",
    question,
    sampler="grid",
    seeds=100,
    by=("model", "op", "activation"),
    about="Which pairs of layers learn arithmetic on sums of many inputs, given five million steps?",
    answer=answer,
)
