"""Judgement: known errors, grades and yardsticks, and a certificate that one wrong pair withholds."""

import jax.numpy as jnp
import numpy as np
import pytest

from arithjax import OPERATIONS, Operation, Setup
from arithjax.tables.schema import GRADES, YARDSTICKS
from arithjax.task.points import Points
from arithjax.task.transforms import Fitted
from arithjax.task.truth import Results
from arithjax.training import grading
from arithjax.training.evaluation import Judge
from arithjax.training.grading import Errors
from arithjax.training.tile import FEWEST_LANES as LANES
from arithjax.training.tile import NetId, named_tile, per_net_arrays, shared_arrays

T = np.array([0, 10, 20, 30], np.float32)
X = np.stack([T, T], 1)
TRUTH = Results(T.astype(float), np.zeros(4), True)
POINTS = Points(X, TRUTH, X[:0], float(T.std()), True, zero=100.0, mean=40.0, plane=10.0)


def judged(*predictions):
    """Errors of nets with these predictions of `T`."""
    block = grading.Block(*(leaf[0] for leaf in grading.blocks(X, TRUTH, POINTS.scale)))
    filled = np.array([[*p, *[p[0]] * (grading.BLOCK - len(T))] for p in predictions], np.float32).T
    sums = grading.sums(jnp.asarray(filled), block)
    return grading.combine(grading.Sums(*(leaf[None] for leaf in sums)), POINTS)


def test_errors_of_hand_made_predictions():
    errors = judged(T, T + 1, [0, 10, 20, 34], T * 0 + 15, T + 0.49)
    mse = (errors.relative_rmse * T.std()) ** 2
    np.testing.assert_allclose(mse, [0, 1, 4, T.var(), 0.49**2], rtol=1e-5)  # sums of four float32 squares
    np.testing.assert_allclose(errors.max_error, [0, 1, 4, 15, 0.49], rtol=1e-5)
    np.testing.assert_array_equal(errors.right, [1, 0, 0.75, 0, 1])
    np.testing.assert_allclose(errors.spread * T.std(), [30, 30, 34, 0, 30], rtol=1e-6)
    np.testing.assert_allclose(1 - errors.relative_rmse[3] ** 2, 0, atol=1e-6)  # R² of the mean


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
def test_a_net_that_is_not_finite_is_diverged_and_no_neighbours_business(bad):
    errors = judged([bad, 10, 20, 30], T)
    grades = grading.grade(errors, np.zeros(2, bool))
    assert [GRADES[g] for g in grades] == ["diverged", "learned"]


@pytest.mark.parametrize(
    ("relative", "spread", "certified", "grade"),
    [
        (np.nan, 1, False, "diverged"),
        (np.inf, 1, False, "diverged"),
        (1.2, 0, False, "dead"),
        (1.2, 1e-7, False, "dead"),
        (1.0, 2, False, "failed"),
        (0.11, 2, False, "failed"),
        (0.0999, 2, False, "rough"),
        (0.011, 2, False, "rough"),
        (0.0099, 2, False, "learned"),
        (1e-6, 2, True, "exact"),
        (0.02, 2, True, "exact"),
    ],
)
def test_grades(relative, spread, certified, grade):
    each = np.array([[relative]]), np.zeros((1, 1))
    errors = Errors(*(np.array([v], float) for v in (relative, relative, 0, 0, spread)), *each)
    assert GRADES[grading.grade(errors, np.array([certified]))[0]] == grade


@pytest.mark.parametrize(
    ("mse", "beats"),
    [(np.nan, "none"), (100, "none"), (99.5, "none"), (98, "zero"), (39, "mean"), (9.95, "mean"), (9, "plane")],
)
def test_yardsticks(mse, beats):
    assert YARDSTICKS[grading.yardstick(np.array([mse], float), POINTS)[0]] == beats


@pytest.mark.parametrize("count", [1, grading.BLOCK - 1, grading.BLOCK, grading.BLOCK + 1, 2500])
def test_blocks_hold_every_point_once(count):
    x = np.arange(count, dtype=np.float32)[:, None]
    blocks = grading.blocks(x, Results(x[:, 0].astype(float), np.zeros(count), True), 1.0)
    assert blocks.x.shape == (-(-count // grading.BLOCK), grading.BLOCK, 1)
    np.testing.assert_array_equal(blocks.t[blocks.weight == 1], x[:, 0])


@pytest.fixture
def product_judge():
    """A judge of a hand-set 2-2-1 square net that computes a·b exactly: ((a+b)² - (a-b)²) / 4."""

    def of(op):
        setup = Setup(op=op, low=0, high=60, widths=(2,), activation="square", bias=False, tests=32)
        tile = named_tile("lanes", NetId(0, 0, setup))
        first, second = np.array([[1, 1], [1, -1]]), np.array([[0.25], [-0.25]])
        params = {
            f"Dense_{i}": {"kernel": jnp.asarray(np.repeat(w[:, :, None], LANES, 2), jnp.float32)}
            for i, w in enumerate((first, second))
        }
        plain = [Fitted(jnp.zeros(shape), jnp.ones(shape)) for shape in ((2, LANES), (LANES,))]
        return Judge(tile, tuple(plain), shared_arrays(tile), per_net_arrays(tile)), params

    return of


@pytest.mark.parametrize("wrong", [(0, 0), (31, 17), (59, 59)])
def test_one_wrong_pair_of_all_withholds_the_certificate(product_judge, add, wrong):
    def fn(a, b):
        return a * b + ((a == wrong[0]) & (b == wrong[1]))

    add(OPERATIONS, Operation("nearly", "a · b, but once", fn))
    every = np.ones(LANES, bool)
    (right, params), (nearly, _) = product_judge("mul"), product_judge("nearly")
    assert right.certify(params, every).all()
    assert not nearly.certify(params, every).any()
    assert not right.certify(params, ~every).any(), "only candidates are certified"


def test_the_hand_set_net_is_judged_exact_everywhere(product_judge):
    judge, params = product_judge("mul")
    for points in (judge.task.interpolation_points, judge.task.extrapolation_points):
        errors = judge.errors(params, points)
        np.testing.assert_array_equal(errors.max_error, 0)
        np.testing.assert_array_equal(errors.right, 1)
