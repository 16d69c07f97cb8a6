"""Do published numbers come out? The cells that neither `units` nor `units_deep` holds and that take minutes: all of
the minimal arithmetic of Schlör et al. (2020), and sums of a hundred inputs by dense nets, which are solved early."""

import arithjax as aj

EARLY = {"linear add": 200_000, "relu add": 200_000}  # half of the published runs by 61,000 and 61,500
CELLS = {cell.name: cell for cell in aj.protocols.PUBLISHED if cell.protocol == "minimal_arithmetic"}
CELLS |= {cell.name: cell for cell in aj.protocols.PUBLISHED if cell.name in EARLY}


def question(trial):
    name = trial.suggest_categorical("cell", list(CELLS))
    return CELLS[name].setup(**({"steps": EARLY[name]} if name in EARLY else {}))


def answer(nets):
    ours = aj.protocols.compare(nets, list(CELLS.values()))
    apart = ours[~ours.inside.astype(bool)]
    return aj.Answer(
        f"{ours.inside.sum()} of {len(ours)} published rates lie inside our 95 % intervals.",
        [
            f"In {(ours.p < 0.05).sum()} cells the two rates differ (Fisher's exact test, p < .05; at most "
            f"{0.05 * len(ours):.0f} by chance).",
            f"Of the {len(apart)} outside, something is known of {(apart.remark != '').sum()}.",
        ],
        aj.published("published", "Where ours and theirs disagree", apart) if len(apart) else None,
        tables={"Every cell, disagreements first": ours.drop(columns=["source"]).round(3)},
    )


study = aj.Study(
    "reproduction",
    question,
    sampler="grid",
    seeds=10,
    by=("cell",),
    about="Do published numbers come out in the other experiments?",
    answer=answer,
)
