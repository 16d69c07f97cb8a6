"""Do published numbers come out? The cells that neither `units` nor `units_deep` holds and that take minutes: all of
the minimal arithmetic of Schlör et al. (2020), the simple arithmetic of Heim et al. (2020), and sums of a hundred
inputs by dense nets, which are solved early."""

import arithjax as aj

EARLY = {"linear add": 200_000, "relu add": 200_000}  # half of the published runs by 61,000 and 61,500
RATES = [cell for cell in aj.protocols.PUBLISHED if cell.protocol == "minimal_arithmetic" or cell.name in EARLY]
ERRORS = [cell for cell in aj.protocols.PUBLISHED if cell.protocol == "simple_arithmetic"]  # four of each net
CELLS = {cell.name: cell for cell in RATES} | {f"simple {cell.arguments['unit']}": cell for cell in ERRORS}
SHOWN = ["cell", "nets", "lost", "runs", "value", "low", "high", "published", "inside", "p"]
OF_ERRORS = ["measure", "value", "lost"]  # columns that rates have not
for metric in aj.protocols.grid_errors():
    aj.METRICS[metric.name] = metric


def question(trial):
    name = trial.suggest_categorical("cell", list(CELLS))
    return CELLS[name].setup(**({"steps": EARLY[name]} if name in EARLY else {}))


def answer(nets):
    ours = aj.protocols.compare(nets, RATES + ERRORS)
    rates, errors = ours[ours.measure.isna()], ours[ours.measure.notna()]
    apart = rates[~rates.inside.astype(bool)]
    return aj.Answer(
        f"{rates.inside.sum()} of {len(rates)} published rates and {errors.inside.sum()} of {len(errors)} mean errors "
        "lie inside our 95 % intervals.",
        [
            f"In {(ours.p < 0.05).sum()} cells the two numbers differ (Fisher's exact test of rates, Welch's of means, "
            f"p < .05; by chance about {0.05 * len(ours):.0f} would, if cells were independent).",
            f"Of the {len(apart)} rates outside, something is known of {(apart.remark != '').sum()}.",
        ],
        aj.published("published", "Where ours and theirs disagree", apart) if len(apart) else None,
        tables={
            "Every rate, disagreements first": rates.drop(columns=[*OF_ERRORS, "source"]).round(3),
            "Every mean error, disagreements first": errors[SHOWN].round(3),
        },
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
