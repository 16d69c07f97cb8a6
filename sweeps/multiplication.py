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
    scaled = nets[nets.target_transform.isin(["scale", "standardize"]) & (nets.input_transform != "log1p")]
    square = scaled[(scaled.activation == "square") & (scaled.output_activation == "linear")]
    return (
        f"{aj.rate_of(nets)} of these nets learn a · b to 1 %, and {aj.share(nets.r2 >= 0.99, nets)} come to "
        f"R² ≥ 0.99. On raw numbers {aj.rate_of(raw)} learn it; with scaled or standardized targets (and inputs not in "
        f"logarithms) {aj.rate_of(scaled)}; with the square activation and a linear output as well "
        f"{aj.rate_of(square)}: ab = ((a+b)² - (a-b)²) / 4."
    )


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
