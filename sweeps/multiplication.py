"""Which networks learn to multiply? Depth, widths, activations, transforms, optimiser and learning rate."""

import arithjax as aj


def question(trial):
    depth = trial.suggest_int("depth", 1, 4)
    return aj.Setup(
        op="mul",
        widths=[trial.suggest_int(f"width{i + 1}", 2, 64, log=True) for i in range(depth)],
        activation=trial.suggest_categorical(
            "activation", ["relu", "elu", "gelu", "silu", "tanh", "sigmoid", "sin", "square"]
        ),
        output_activation=trial.suggest_categorical("output_activation", ["linear", "relu"]),
        input_transform=trial.suggest_categorical("input_transform", ["raw", "scale", "standardize", "log1p"]),
        target_transform=trial.suggest_categorical("target_transform", ["raw", "scale", "standardize", "log1p"]),
        optimizer=trial.suggest_categorical("optimizer", ["adam", "rmsprop", "sgd"]),
        learning_rate=trial.suggest_float("learning_rate", 1e-3, 1e-1, log=True),
        schedule="cosine",
        batch=32,
        steps=2000,
    )


def answer(nets):
    raw = nets[(nets.input_transform == "raw") & (nets.target_transform == "raw")]
    scales = ["scale", "standardize"]
    scaled = nets[nets.input_transform.isin(scales) & nets.target_transform.isin(scales)]
    linear = scaled[scaled.output_activation == "linear"]
    square = linear[linear.activation == "square"]
    best = aj.Setup.from_row(best_net(square if square.success.any() else nets))
    best = best.replace(learning_rate=float(f"{best.learning_rate:.2g}"))
    again = aj.train([best], seeds=32, seed=study.seed + 1)
    return aj.Answer(
        f"{aj.brief(nets.success.mean())} of these nets learn to multiply; of those that square scaled numbers "
        f"{aj.brief(square.success.mean())} do.",
        [
            f"{aj.rate_of(nets)} of them learn a · b to 1 %, {aj.rate_of(raw)} of those on raw numbers.",
            f"With scaled inputs and targets, squares and a linear output {aj.rate_of(square)} do: "
            "ab = ((a+b)² - (a-b)²) / 4.",
            f"The recipe learns it in {aj.rate_of(again)} of 32 fresh seeds.",
        ],
        aj.dots(
            *("rates", "What multiplies, and what does not"),
            {"all nets": nets, "raw numbers": raw, "scaled": scaled, "scaled, linear output": linear}
            | {"scaled, linear output, square": square},
            best="scaled, linear output, square",
            about="Scaled: inputs and targets scaled or standardized. Setups were drawn at random.",
        ),
        [
            aj.dots(
                *("activations", "Scaled and with a linear output, by activation"),
                dict(list(linear.groupby("activation"))),
                best="square",
            ),
        ],
        recipes=aj.recipes(best),
    )


def best_net(nets):
    """A net of the setup that most of its seeds learn, of several the smallest."""
    rates = nets.groupby("trial").agg({"success": "mean", "parameters": "first"})
    return nets[nets.trial == rates.sort_values(["success", "parameters"], ascending=[False, True]).index[0]].iloc[0]


study = aj.Study(
    "multiplication",
    question,
    trials=512,
    seeds=4,
    sampler="random",
    by=("activation", "target_transform"),
    about="Which networks learn to multiply whole numbers from 0 to 499?",
    answer=answer,
)
