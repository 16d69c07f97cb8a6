"""The kernel's forward pass in NumPy: the bits of the kernel itself, for every activation."""

import numpy as np
import pytest

from arithjax.training.engines import functions, numeric
from arithjax.training.engines.fused import Shape, from_vectors, pack, predict, to_vectors


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["linear", *functions.ACTIVATIONS])
def test_it_has_the_kernels_bits(name, dtype):
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1.0, 30.0):
        sizes = [(2, 5), (5, 3), (3, 1)]
        params = {
            f"Dense_{i}": {
                "kernel": (scale * rng.normal(size=(a, b, 1))).astype(dtype),
                "bias": (scale * rng.normal(size=(1, b, 1))).astype(dtype),
            }
            for i, (a, b) in enumerate(sizes)
        }
        x = (rng.normal(size=(500, 2)) * 10 ** rng.uniform(-40, 4, (500, 1))).astype(dtype)
        shape = Shape((2, 5, 3, 1), (name, name, "linear"))
        own = from_vectors(predict(shape, to_vectors(pack(shape, params)), to_vectors(x[..., None])), 1)[:, 0]
        layers = [{part: p[..., 0] for part, p in params[f"Dense_{i}"].items()} for i in range(3)]
        np.testing.assert_array_equal(numeric.predict(layers, shape.activations, x), own)


def test_a_fused_product_and_sum_is_rounded_once():
    one, tiny = np.float64(1 + 2.0**-30), 2.0**-60
    np.testing.assert_equal(numeric.fma(np.array([one]), np.array([one]), np.array([-1 - 2.0**-29])), [tiny])
    # the product ends halfway between two float32 numbers, and the third number decides
    x = np.array([1 + 2.0**-12], np.float32)
    for little, right in ((2.0**-50, 1 + 2.0**-11 + 2.0**-23), (-(2.0**-50), 1 + 2.0**-11)):
        assert numeric.fma(x, x, np.array([little], np.float32)) == np.float32(right)
