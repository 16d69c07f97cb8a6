"""Is the rule of a larger modular table found as well? As `grokking`, modulo 97: 4,704 pairs shown, 4,705 held out.

The nets are those of Gromov (2023, arXiv:2301.02679), the polynomials of the kinds of Doshi et al. (2024,
arXiv:2406.03495).
"""

import arithjax as aj

RULES = {"a + b": "addmod:97", "a - b": "submod:97", "a · b": "mulmod:97", "a / b": "divmod:97"}
RULES |= {"a² + b²": "polymod:97:a^2+b^2", "(4a + b²)³": "polymod:97:(4*a+b^2)^3"}
RULES |= {"a² + ab + b²": "polymod:97:a^2+a*b+b^2", "a³ + ab² + b": "polymod:97:a^3+a*b^2+b"}


def question(trial):
    return aj.Setup(
        op=RULES[trial.suggest_categorical("rule", list(RULES))],
        input_transform="onehot",
        target_transform="onehot",
        activation="square",
        bias=False,
        widths=(192,),
        optimizer="adamw",
        learning_rate=0.01,
        weight_decay=0.5,
        examples="all",
        split=0.5,
        batch=97**2,
        steps=600,
        evaluate_every=20,
    )


def answer(nets):
    nets = nets.assign(right=nets.right_at.notna(), heart=nets.train_right_at.notna())
    of = dict(list(nets.groupby("rule", sort=False)))
    found, learnt = ([rule for rule in RULES if of[rule][what].mean() >= 0.5] for what in ("right", "heart"))
    first, others = of["a + b"], [rule for rule in RULES if rule not in learnt]
    return aj.Answer(
        f"Shown half of a table modulo 97, most nets find the rest of {len(found)} of {len(RULES)} rules.",
        [
            f"The half of a + b that is shown is right after {first.train_right_at.median():.0f} steps, 99 % of the "
            f"other half after {first.right_at.median():.0f}, in {aj.share(first.right)} of seeds.",
            *([f"Not even known by heart after 600 steps: {aj.listed(others)}."] if others else []),
        ],
        aj.dots("rules", "Nets that find the rule", of, "right", "Right on 99 % of the half that was held out."),
        tables={
            "Median steps to 99 % of the pairs shown, and of all others": nets.groupby("rule", sort=False)[
                ["train_right_at", "right_at"]
            ].median()
        },
    )


study = aj.Study(
    "grokking_97",
    question,
    sampler="grid",
    seeds=16,
    by=("rule",),
    about="Is the rule of a larger modular table found as well?",
    answer=answer,
)
