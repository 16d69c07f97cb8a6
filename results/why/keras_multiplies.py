"""The question's script with four activations changed, marked `# was`, until it multiplies.

In 98 % (93-99 %) of 100 seeds such nets learn it to 1 % (`arithjax run why`: squared layer, no other relus, linear
output).

pip install keras jax && KERAS_BACKEND=jax python keras_multiplies.py [SEED]
"""

import sys

import numpy as np
from keras import Sequential, layers, ops, utils

utils.set_random_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)

numbers = np.random.randint(0, 500, (10_000, 2)).astype("float32")
products = numbers[:, :1] * numbers[:, 1:]

model = Sequential(
    [
        layers.Input((2,)),
        layers.Dense(3),
        layers.Dense(5, activation=ops.square),  # was relu
        layers.Dense(3),  # was relu
        layers.Dense(5),  # was relu
        layers.Dense(1),  # was relu
    ]
)
model.compile(optimizer="adam", loss="mean_squared_error")
model.fit(numbers, products, batch_size=10, epochs=10, verbose=2)

fresh = np.random.randint(0, 500, (10, 2)).astype("float32")
for (a, b), result in zip(fresh, model.predict(fresh, verbose=0)[:, 0], strict=True):
    print(f"{a:5.0f} x {b:5.0f} = {a * b:8.0f}, answered {result:10.1f}, off by {result - a * b:+.1f}")
everything = np.stack(np.meshgrid(np.arange(500.0), np.arange(500.0)), -1).reshape(-1, 2).astype("float32")
right = everything[:, 0] * everything[:, 1]
error = model.predict(everything, batch_size=50_000, verbose=0)[:, 0] - right
print(f"relative RMSE over all pairs: {np.sqrt(np.mean(error**2)) / np.std(right):.2g}")
