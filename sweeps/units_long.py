"""The longest published cells: the tables of Madsen & Johansen (2020), sums and products of sums of a hundred inputs in
five million steps. Days on many cores: give it a cluster."""

import arithjax as aj

TABLES = ("sft-last.csv", "function_task_static_nalu.tex", "function_task_static_ablation.tex")
CELLS = {cell.name: cell for cell in aj.protocols.PUBLISHED if cell.source.endswith(TABLES)}


def question(trial):
    return CELLS[trial.suggest_categorical("cell", list(CELLS))].setup()


def answer(nets):
    ours = aj.protocols.compare(nets, list(CELLS.values()))
    table = ours.drop(columns=["paper", "source"]).round(3)
    return f"Beside the published cells, disagreements first:\n{table.to_string()}"


study = aj.Study(
    "units_long",
    question,
    sampler="grid",
    seeds=100,
    by=("model", "op", "activation"),
    about="Which pairs of layers learn arithmetic on sums of many inputs, given five million steps?",
    answer=answer,
)
