"""When does a net that knows half of a modular table by heart find its rule? Two layers on one-hot residues modulo 31.

The nets are those of Gromov (2023, arXiv:2301.02679): one hidden layer of squares without biases, and in every step the
mean squared error of all examples; the polynomials are of the kinds of Doshi et al. (2024, arXiv:2406.03495).
"""

import arithjax as aj

NET = {"input_transform": "onehot", "target_transform": "onehot", "activation": "square", "bias": False}
TRAINED = {"optimizer": "adamw", "learning_rate": 0.01, "steps": 1200, "evaluate_every": 20}
START = {"examples": "all", "batch": 31**2, "split": 0.5, "widths": (64,), "weight_decay": 0.5}
RULES = {"a + b": "addmod:31", "a - b": "submod:31", "a · b": "mulmod:31", "a / b": "divmod:31"}
RULES |= {"a² + b²": "polymod:31:a^2+b^2", "(4a + b²)³": "polymod:31:(4*a+b^2)^3"}
RULES |= {"a² + ab + b²": "polymod:31:a^2+a*b+b^2", "a³ + ab² + b": "polymod:31:a^3+a*b^2+b"}
CELLS = {rule: {"op": op} for rule, op in RULES.items()}
for rule in ("a + b", "a · b"):
    changes = {f"decay {decay:g}": {"weight_decay": decay} for decay in (0.0, 0.1, 0.2, 1.0)}
    changes |= {f"{share:.0%} of the table": {"split": share} for share in (0.2, 0.3, 0.4, 0.7)}
    changes |= {f"width {width}": {"widths": (width,)} for width in (16, 32, 128)}
    CELLS |= {f"{rule}, {name}": {"op": RULES[rule], **change} for name, change in changes.items()}


def question(trial):
    return aj.Setup(**NET | TRAINED | START | CELLS[trial.suggest_categorical("cell", list(CELLS))])


def answer(nets):
    nets = nets.assign(right=nets.right_at.notna(), delay=nets.right_at - nets.train_right_at)
    of = dict(list(nets.groupby("cell", sort=False)))
    rules = {rule: of[rule] for rule in RULES if rule in of}
    learnt = [rule for rule, some in rules.items() if some.right.mean() >= 0.5]
    first, undecayed = (of.get(cell, nets[:0]) for cell in ("a + b", "a + b, decay 0"))
    columns = ["train_right_at", "right_at", "delay"]
    return aj.Answer(
        f"A net that is shown half of the table of a + b modulo 31 knows that half "
        f"{after(first.train_right_at, ' steps')}, and the other half {after(first.right_at)}.",
        [
            f"{aj.share(first.right)} of the nets get 99 % of the pairs right that they have never seen.",
            f"Without weight decay {aj.share(undecayed.right)} do.",
            f"Of {len(rules)} rules these are found in at least half of the seeds: {aj.listed(learnt)}.",
        ],
        aj.dots("rules", "Nets that find the rule, half of the table shown", rules, "right"),
        [
            aj.dots(
                name,
                f"Nets that find a {sign} b, one thing changed",
                {cell.split(", ")[-1]: some for cell, some in of.items() if cell.startswith(f"a {sign} b")},
                "right",
            )
            for name, sign in (("sums", "+"), ("products", "·"))
        ],
        {"Median steps to 99 % of the pairs shown, and of all others": nets.groupby("cell")[columns].median()},
    )


def after(steps, unit=""):
    """When the median of the nets that come so far does, in words."""
    return "never" if steps.isna().all() else f"after {steps.median():.0f}{unit}"


study = aj.Study(
    "grokking",
    question,
    sampler="grid",
    seeds=50,
    by=("cell",),
    about="When does a net that knows half of a modular table by heart find its rule?",
    answer=answer,
)
