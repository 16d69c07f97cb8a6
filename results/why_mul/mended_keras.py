"""a · b, learnt by a net from the beginning; needs Keras with one of its backends.

    python train_keras.py [SEED]
"""

import sys

import numpy as np
from keras import Sequential, layers, ops, optimizers, utils

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
rng = np.random.default_rng(seed)
utils.set_random_seed(seed)


def exact(a, b):
    """a · b."""
    return a * b


def draw(count):
    """Arguments [count, 2] from the training range."""
    return rng.integers(0, 500, (count, 2)).astype(float)


x = draw(10_000)
t = exact(*x.T)[:, None]
X_MEAN = x.mean(0)
X_STD = x.std(0)
T_MEAN = t.mean(0)
T_STD = t.std(0)


def shown(x):
    """Arguments as the net sees them."""
    return (x - X_MEAN) / X_STD


def target(t):
    """Results as the net is to answer them."""
    return (t - T_MEAN) / T_STD


def told(y):
    """The net's outputs in original units."""
    return y * T_STD + T_MEAN


model = Sequential(
    [
        layers.Input((2,)),
        layers.Dense(3),
        layers.Dense(5, activation=ops.square),
        layers.Dense(3),
        layers.Dense(5),
        layers.Dense(1),
    ]
)
model.compile(optimizer=optimizers.Adam(optimizers.schedules.CosineDecay(0.01, 10000)), loss="mean_squared_error")

model.fit(shown(x), target(t), batch_size=10, epochs=10, verbose=2)

# judged on arguments that it has not seen
x = draw(10_000)
t, y = exact(*x.T), told(model.predict(shown(x), batch_size=10_000, verbose=0))[:, 0]
for arguments, right, answer in zip(x[:10], t, y):
    print(f"{arguments} -> {answer:.6g}, off by {answer - right:+.3g}")
print(f"relative RMSE over 10,000 fresh arguments: {np.sqrt(np.mean((y - t) ** 2)) / np.std(t):.2g}")
