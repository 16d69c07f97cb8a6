"""Encodings once more, as plain functions of NumPy arrays: of one column `[points]`, and back from a net's outputs.

Scripts hold the source of these functions, as that of `arithjax.export.plain`, whose rules hold here too. Tests compare
what scripts show and read with what the encodings of `arithjax.task.encodings` do. To add an encoding, write both
functions, name them in `ENCODINGS` and `DECODINGS`, and enter what they are called with in `CALLS`
(`arithjax.export.encoded`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# ---- numbers `[points]` as a net is shown them, `[points, numbers]`; all NaN for one that has no code


def coded(x, low, high):
    """Numbers as a column, `[points, 1]`; NaN for each that is no whole number from low to high: it has no code."""
    return np.where((x >= low) & (x <= high) & (x == np.floor(x)), x, np.nan)[:, None]


def binary(x, low, high, bits):
    """The bits of each number, the highest first."""
    return coded(x, low, high) // 2 ** np.arange(bits - 1, -1, -1) % 2


def digits(x, low, high, base, places):
    """The digits of each number, the highest first, each one-hot."""
    found = (coded(x, low, high) // base ** np.arange(places - 1, -1, -1) % base)[:, :, None]
    return (1.0 * (found == np.arange(base)) + 0 * found).reshape(len(x), -1)


def onehot(x, low, high):
    """A 1 in the place of each number, counted from low."""
    x = coded(x, low, high)
    return 1.0 * (x == np.arange(low, high + 1)) + 0 * x


def thermometer(x, low, high):
    """Whether each number is above low, above low + 1, and so on."""
    x = coded(x, low, high)
    return 1.0 * (x > np.arange(low, max(low + 1, high))) + 0 * x


def fourier(x, low, length, waves):
    """Sines and cosines of waves, each half as long as the one before; half of the first is as long as the range."""
    turned = (x[:, None] - low) * 2 ** np.arange(waves) % (2 * length) * (np.pi / length)
    return np.concatenate([np.sin(turned), np.cos(turned)], 1)


ENCODINGS: dict[str, Callable] = {f.__name__: f for f in (binary, digits, onehot, thermometer, fourier)}
"""What shows numbers, by the name of the encoding or its family."""

# ---- the numbers `[points]` that a net's outputs `y [points, numbers]` are nearest to; NaN where an output is


def known(y, x):
    """Equal to x, but NaN where one of y is."""
    return np.where(np.isnan(y).any(1), np.nan, x)


def of_digits(found, base, signed):
    """The numbers with these digits, the highest first; signed ones are negative in the upper half of the highest."""
    x = found[:, 0] - base * signed * (2 * found[:, 0] >= base)
    for place in range(1, found.shape[1]):
        x = base * x + found[:, place]
    return x


def of_binary(y, signed):
    """The numbers whose bits, the highest first, are 1 where y is nearer to 1 than to 0."""
    return known(y, of_digits(1.0 * (y > 0.5), 2, signed))


def of_base(y, base, signed):
    """The numbers whose digits, the highest first, are in the places of the largest of each `base` numbers of y."""
    return known(y, of_digits(1.0 * np.argmax(y.reshape(len(y), -1, base), 2), base, signed))


def of_onehot(y, low):
    """The number in whose place, counted from low, y is largest."""
    return known(y, 1.0 * np.argmax(y, 1) + low)


def of_thermometer(y, low, high):
    """As many above low as numbers of y are nearer to 1 than to 0."""
    return known(y, np.clip(low + np.sum(1.0 * (y > 0.5), 1), None, high))


def of_fourier(y, low, high, length):
    """The number at which sines and cosines are y: each wave tells more exactly what the longer ones tell."""
    waves = y.shape[1] // 2
    turned = np.arctan2(y[:, :waves], y[:, waves:]) / np.pi
    share = np.where(turned[:, 0] < -0.5, 1.0, np.clip(turned[:, 0], 0, None))
    for i in range(1, waves):
        share = 0.5**i * (turned[:, i] + 2 * np.round((share * 2**i - turned[:, i]) / 2))
    return np.clip(low + share * length, low, high)


DECODINGS: dict[str, Callable] = {
    **{"binary": of_binary, "digits": of_base, "onehot": of_onehot},
    **{"thermometer": of_thermometer, "fourier": of_fourier},
}
"""What reads them off a net's outputs, likewise."""
