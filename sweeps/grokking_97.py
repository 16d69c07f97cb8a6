"""Is the rule of a larger modular table found as well? The rules of `grokking` modulo 97.

Of 9,409 pairs 4,705 are shown and 4,704 held out; of a / b, where b is not 0, 4,656 each. The layer is wider than in
`grokking`, 192 squares for 64, and trains for 600 steps instead of 1,200; all else is as there. The nets are those of
Gromov (2023, arXiv:2301.02679), the polynomials of the kinds of Doshi et al. (2024, arXiv:2406.03495).
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
    found = [rule for rule in of if of[rule].right.mean() >= 0.5]
    unknown = [rule for rule in RULES if rule in of and of[rule].heart.mean() < 0.5]
    return aj.Answer(
        f"Shown half of a table modulo 97, most nets find the rest of {len(found)} of {len(of)} rules.",
        [
            *(
                f"The half of a + b that is shown is right {after(some.train_right_at, ' steps')}, 99 % of the other "
                f"half {after(some.right_at)}, in {aj.share(some.right)} of seeds."
                for rule, some in of.items()
                if rule == "a + b"
            ),
            *([f"Known by heart in fewer than half of the seeds: {aj.listed(unknown)}."] if unknown else []),
        ],
        aj.dots("rules", "Nets that find the rule", of, "right", "Right on 99 % of the half that was held out."),
        tables={
            "Median steps to 99 % of the pairs shown, and of all others": nets.groupby("rule", sort=False)[
                ["train_right_at", "right_at"]
            ].median()
        },
    )


def after(steps, unit=""):
    """When the median of the nets that come so far does, in words."""
    return "never" if steps.isna().all() else f"after {steps.median():.0f}{unit}"


study = aj.Study(
    "grokking_97",
    question,
    sampler="grid",
    seeds=16,
    by=("rule",),
    about="Is the rule of a larger modular table found as well?",
    answer=answer,
)
