"""Truth: exact results however a function is written, certificates that hold against whole numbers, and yardsticks."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import arithjax as aj
from arithjax import nets
from arithjax.registry import ACTIVATIONS, DISTRIBUTIONS, INITIALIZERS, LOSSES, OPERATIONS, OPTIMIZERS, SCHEDULES
from arithjax.task import truth
from arithjax.task.points import Task
from arithjax.task.truth import Results
from arithjax.training import grading

SMALL = {"steps": 2, "examples": 64, "batch": 8, "tests": 16, "widths": (2,)}


def columns(*values):
    return [np.array(column) for column in values]


@pytest.mark.parametrize(
    ("fn", "arguments", "expected"),
    [
        (lambda a, b: a * b, ([4097, 3], [4097, -2]), [4097**2, -6]),
        (lambda a, b: a > b, ([1, 3], [2, 2]), [0, 1]),
        (lambda a, b: jnp.logical_xor(a > 0, b > 0), ([0, 1], [1, 1]), [1, 0]),
        (lambda a: math.isqrt(a), ([24, 25],), [4, 5]),
        (lambda a: sum(int(digit) for digit in str(a)), ([307, 99],), [10, 18]),
        (lambda a: a if a > 5 else -a, ([5, 6],), [-5, 6]),
        (lambda a, b: max(a, b), ([1, 9], [4, 2]), [4, 9]),
        (lambda a, b: a ^ b, ([5, 6], [1, 3]), [4, 5]),
        (lambda a, b: a**b, ([2, 3], [-1, 2]), [0.5, 9]),
        (lambda a: np.maximum(a, 3), ([1, 7],), [3, 7]),
        (lambda a, b: 7, ([1, 2], [3, 4]), [7, 7]),
        (lambda a: a**21 % 10, ([7, 9],), [7, 9]),  # 9**21 is beyond int64 and float64
        (lambda a: (a**30 + 1) - a**30, ([3, 9],), [1, 1]),
    ],
)
def test_results_are_exact_however_a_function_is_written(fn, arguments, expected):
    found = truth.results(fn, columns(*arguments))
    np.testing.assert_array_equal(found.t, expected)
    assert found.known


def test_whole_numbers_beyond_float64_keep_what_it_leaves_out():
    found = truth.results(lambda a: a**4, columns([3**10 + 2, 7]))
    exact = [(3**10 + 2) ** 4, 7**4]
    assert [int(t) + int(rest) for t, rest in zip(found.t, found.rest, strict=True)] == exact
    assert found.known and not found.held("float64")


def test_what_overflows_unseen_is_not_called_exact():
    assert not truth.results(lambda a: jnp.mod(a**21, 10), columns([7, 9])).known


@pytest.mark.parametrize(
    ("value", "precision", "held"),
    [
        (2**24, "float32", True),
        (2**24 + 1, "float32", False),
        (2**24 + 2, "float32", True),
        (2**40 + 1, "float64", True),
    ],
)
def test_whether_a_precision_holds_a_result(value, precision, held):
    assert Results(np.array([float(value)]), np.zeros(1), True).held(precision) == held


@given(st.integers(-(2**62), 2**62), st.floats(-100, 100, width=32), st.sampled_from(["float32", "float64"]))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_right_is_right_in_whole_numbers(exact, off, precision):
    """A prediction counts as right just where it is less than a half off, whatever its precision can hold."""
    result = truth.results(lambda a: a, columns([exact, exact]))
    prediction = np.array([float(exact) + off], precision)
    t, rest = (part[:1] for part in result.split(precision))
    with np.errstate(over="ignore"):
        error = (prediction - t) - rest
    whole, part = divmod(float(prediction[0]), 1)
    assert bool(abs(error[0]) < 0.5) == (abs(2 * (int(whole) - exact) + 2 * part) < 1)


# operations


def own(name, fn, **more):
    return aj.Operation(name, f"{name} of a", fn, **more)


REFUSED = {
    "minus infinity": (own("own", jnp.log), {}, r"low, high: own .* is -inf at a = 0, not finite"),
    "once in many": (own("own", lambda a, b: 1 / (a - b + 13)), {"low": 0}, r"is inf at a = 0, b = 13, not finite"),
    "an exception": (own("own", lambda a: math.log(a)), {}, r"raises ValueError \(.*\) at a = 0; choose another range"),
    "a name": (own("own", lambda a: a + nothing), {}, r"raises NameError .* at a = 0"),  # noqa: F821
    "no result": (own("own", lambda a, b: ()), {}, "gives no result; it has to give one, or a tuple"),
    "a sum": (own("own", lambda a, b: jnp.sum(a) + b), {}, "another result beside other points"),
    "text": (own("own", lambda a: str(a)), {}, "gives .* it has to give a real number at a = 0"),
    "overflow": (own("own", lambda a, b: (a + 1.0) ** b), {}, "more than float32 holds; .* or precision=float64"),
    "underflow": (own("own", lambda a: a * 1e-45), {}, "is at most .* which is 0 in float32"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_operation_that_nets_cannot_learn_is_refused_before_anything_trains(add, name):
    op, changes, message = REFUSED[name]
    add(OPERATIONS, op)
    with pytest.raises(aj.ArithjaxError, match=message) as raised:
        aj.Setup(op="own", **{"low": 0, "high": 100} | changes)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("fn", "arity"),
    [
        (lambda a, b, c: a * b * c, 3),
        (lambda a, p=97: a % p, 1),
        (jnp.hypot, 2),
        (np.maximum, 2),
        (math.sin, 1),
        (jnp.log, 1),
    ],
)
def test_the_number_of_arguments_is_the_functions(fn, arity):
    assert own("own", fn).arity == arity


def test_a_number_of_arguments_that_does_not_fit():
    with pytest.raises(aj.ArithjaxError, match="takes 2 arguments, not arity=3; leave arity out"):
        own("own", lambda a, b: a, arity=3)
    with pytest.raises(aj.ArithjaxError, match="cannot be told from its function; give arity=2"):
        own("own", lambda *arguments: arguments[0])


def test_python_functions_train_on_exact_targets(add):
    """As the same function in JAX does; and one that float32 would compute wrongly trains on the right results."""
    add(OPERATIONS, own("plain", lambda a, b: float(a) if a > b else float(b)))
    add(OPERATIONS, own("residue", lambda a, b: (a * b) % 97))
    setups = [aj.Setup(op=op, high=9000, **SMALL) for op in ("plain", "max", "residue")]
    tasks = [Task.of(setup) for setup in setups]
    assert [task.traced for task in tasks] == [False, True, False]
    x = tasks[2].interpolation_points.x.astype(int)
    np.testing.assert_array_equal(tasks[2].interpolation_points.t, x[:, 0] * x[:, 1] % 97)
    np.testing.assert_array_equal(tasks[0].interpolation_points.t, tasks[1].interpolation_points.t)
    assert np.isfinite(aj.train(setups).mse).all()
    with pytest.raises(aj.ArithjaxError, match="fresh=True computes plain inside the training program"):
        setups[0].replace(fresh=True)


def test_targets_outside_a_program_are_those_inside(add):
    from arithjax.training.tile import NetId, named_tile
    from arithjax.training.trainer import Trainer

    add(OPERATIONS, own("plain", lambda a, b: float(a) if a > b else float(b)))
    trainers = [
        Trainer(named_tile("fused", NetId(0, 0, aj.Setup(op=op, input_transform="raw", **SMALL))), 0)
        for op in ("plain", "max")
    ]
    own_x, our_x = (np.asarray(trainer.examples.x)[..., 0] for trainer in trainers)
    scale, shift = (np.asarray(part)[0] for part in (trainers[0].fits[1].scale, trainers[0].fits[1].shift))
    np.testing.assert_allclose(np.asarray(trainers[0].examples.t)[:, 0] * scale + shift, own_x.max(1), rtol=1e-5)
    assert own_x.shape == our_x.shape


# ranges


def test_the_default_extrapolation_goes_where_the_operation_is_defined():
    assert aj.Setup(op="reciprocal", low=-10, high=-1).extrapolation_intervals == [(-19, -10)]
    assert aj.Setup(op="reciprocal", low=1, high=10).extrapolation_intervals == [(10, 19)]
    assert aj.Setup(low=0, high=2**24).extrapolation_intervals == [(-(2**24), 0)]
    with pytest.raises(
        aj.ArithjaxError, match=r"extrapolation: .* Set extrapolation, whose default is the next interval"
    ):
        aj.Setup(op="sqrt", low=0, high=1e18, integers=False)


def test_float64_takes_whole_numbers_up_to_its_own_limit():
    setup = aj.Setup(op="sub", high=10**9, precision="float64", **SMALL)
    assert np.isfinite(aj.train([setup]).mse).all()
    points = Task.of(setup).interpolation_points
    assert len(np.unique(points.x % 2)) == 2 and points.x.max() > 9e8
    with pytest.raises(aj.ArithjaxError, match=r"within ±2\*\*24, what float32 .*; precision=float64 takes"):
        aj.Setup(op="sub", high=10**9)
    with pytest.raises(aj.ArithjaxError, match=r"within ±2\*\*53, what float64 can tell apart\."):
        aj.Setup(op="sub", high=2**54, precision="float64")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 1e-50}, "learning_rate=1e-50 is not allowed; it is 0 in float32"),
        ({"integers": False, "low": 1, "high": 1 + 1e-9}, "are the same number in float32; widen"),
        ({"integers": False, "low": 0, "high": 1e-50}, "are the same number in float32; widen"),
        ({"op": "times:1e-50"}, "which is 0 in float32; choose a range with larger results"),
        ({"fresh": True, "high": 2**23 + 2}, r"more whole numbers than the 2\*\*23 that fresh=True"),
    ],
)
def test_numbers_that_a_precision_cannot_tell_apart(changes, message):
    with pytest.raises(aj.ArithjaxError, match=message):
        aj.Setup(**changes)


# yardsticks


@pytest.mark.parametrize(
    ("op", "changes", "scale", "varies"),
    [
        ("times:0", {}, 0, False),
        ("max", {"low": 7, "high": 8}, 7, False),
        ("times:0.1", {"low": 4, "high": 5}, 0.4, False),
        ("add", {"tests": 1}, 204, True),
        ("add", {"tests": 4096}, 204, True),
    ],
)
def test_no_choice_of_points_makes_a_yardstick_vanish(op, changes, scale, varies):
    points = Task.of(aj.Setup(op=op, **changes)).interpolation_points
    assert points.scale == pytest.approx(scale, rel=0.01) and points.varies == varies
    assert (points.mean > 0) == varies


def test_rare_results_are_found():
    aj.OPERATIONS["same"] = aj.Operation("same", "a = b", lambda a, b: a == b)
    try:
        points = Task.of(aj.Setup(op="same", high=5000, tests=1)).interpolation_points
    finally:
        del aj.OPERATIONS["same"]
    assert points.varies and points.scale == pytest.approx(math.sqrt(1 / 5000), rel=0.5)


def test_a_net_that_is_right_about_a_constant_is_exact():
    setup = aj.Setup(op="times:0", widths=(2,), activation="relu", steps=200, learning_rate=0.02, high=20, examples=64)
    rows = aj.train([setup], seeds=3)
    assert rows.r2.isna().all() and not rows.dead.any()
    assert ((rows.grade == "exact") == (rows.max_error < 0.5)).all() and "exact" in set(rows.grade)
    assert ((rows.certificate == "certified") == (rows.grade == "exact")).all()
    # beyond the range no error is a share of results that are all 0, and answers that round to 0 are right
    near = rows[(rows.extrapolation_mse > 0) & (rows.extrapolation_mse < 1e-4)]
    assert len(near) and near.extrapolation_solved.all() and np.isinf(near.extrapolation_relative_rmse).all()
    untrained = aj.train([setup.replace(steps=1)], seeds=3)
    far = untrained[untrained.extrapolation_mse > 0.25]
    assert len(far) and not far.extrapolation_solved.any()


def test_one_test_point_makes_no_net_dead():
    rows = aj.train([aj.Setup(op="add", high=20, **SMALL | {"tests": 1, "widths": (8,)})], seeds=4)
    assert not rows.dead.any()


def test_an_infinite_relative_error_is_no_divergence():
    points = Task.of(aj.Setup(op="times:0", integers=False)).interpolation_points
    one = np.ones((1, 2), np.float32)
    errors = grading.combine(grading.Sums(one * [0, 4], one * [0, 2], one * 0, one, one, one * 0), points)
    np.testing.assert_array_equal(errors.relative_rmse, [0, np.inf])
    assert [aj.tables.schema.GRADES[g] for g in grading.grade(errors, np.zeros(2, bool))] == ["learned", "failed"]


# certificates

NMU = {"model": "nmu", "widths": (), "input_transform": "raw", "target_transform": "raw"}


@pytest.mark.parametrize(
    ("changes", "certificate"),
    [
        ({"low": 4096, "high": 4099}, "beyond float32"),
        ({"low": 4096, "high": 4099, "precision": "float64"}, "certified"),
        ({"low": 0, "high": 5}, "certified"),
        ({"low": 0, "high": 5, "integers": False}, "real arguments"),
        ({"low": 0, "high": 2000}, "too many arguments"),
        ({"low": 1, "high": 5, "op": "div"}, "results not whole"),
    ],
    ids=str,
)
def test_a_net_is_certified_where_its_precision_holds_the_answers(changes, certificate):
    setup = aj.Setup(**NMU | SMALL | {"widths": (), "learning_rate": 1e-2, "steps": 300, "examples": 256} | changes)
    net = aj.fit(setup, seeds=3)
    assert net.row["certificate"] in (certificate, "a wrong answer" if certificate == "certified" else certificate)
    assert (net.row["grade"] == "exact") == (net.row["certificate"] == "certified")
    if certificate == "certified":
        assert_certificate_holds(net)


def assert_certificate_holds(net):
    """What whole numbers of Python's say of a net that is graded exact."""
    if net.row["grade"] != "exact":
        return
    task = Task.of(net.setup)
    arguments = task.domain.astype(int).tolist()
    exact = [int(task.op.fn(*row)) for row in arguments] if not hasattr(task.op, "slices") else None
    if exact is not None:
        said = [float(value) for value in net.predict(task.domain)]
        assert all(abs(2 * (math.floor(s) - t) + 2 * (s % 1)) < 1 for s, t in zip(said, exact, strict=True))


def test_a_right_formula_is_right_beyond_float32():
    import sympy

    from arithjax.formula import Formula

    a = sympy.Symbol("a")
    task = Task.of(aj.Setup(op="square", high=5000))
    assert Formula(1.0 * a**2, (a,), task).right(0) == (5000, 5000)
    assert Formula(1.0 * a**2 + 1.0 * a, (a,), task).right(0) == (1, 5000)


# everything at once


@st.composite
def expressions(draw, names, depth=2):
    """Source text of a function of whole numbers."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(names) | st.integers(-9, 9).map(lambda n: f"({n})"))
    first, second = (draw(expressions(names, depth - 1)) for _ in range(2))
    return draw(
        st.sampled_from(
            [
                f"({first} + {second})",
                f"({first} - {second})",
                f"({first} * {second})",
                f"({first} * 4099 + {second})",
                f"({first}) ** 2",
                f"({first} > {second})",
                f"({first} % 7)",
                f"abs({first})",
                f"({first} if {second} > 2 else {second})",
            ]
        )
    )


KNOWN = [*OPERATIONS, "times:7", "plus:-2.5", "times:0", "add:3:0-2:2-3", "mul:4:0-4:0-2"]


@st.composite
def operations(draw):
    """An operation: a name of ours, of sums or with a constant; or a user's own of one to six arguments, as source."""
    if draw(st.booleans()):
        return draw(st.sampled_from(KNOWN)), None
    names = list("abcdef")[: draw(st.integers(1, 6))]
    source = f"lambda {', '.join(names)}: {draw(expressions(names))}"
    return "own", source


@st.composite
def setups(draw):
    op, source = draw(operations())
    low = draw(st.sampled_from([0, 1, -1, -3, 2, 4095, -20]))
    fields = {
        "op": op,
        "low": low,
        "high": low + draw(st.sampled_from([1, 2, 3, 5, 9])),
        "integers": draw(st.booleans() | st.just(True)),
        "examples": 32,
        "batch": draw(st.sampled_from([8, 32])),
        "steps": draw(st.sampled_from([1, 5])),
        "tests": draw(st.sampled_from([1, 16, 33])),
        "fresh": draw(st.booleans()),
        "model": draw(st.sampled_from(["mlp", "mlp", "nau", "nmu", "nalu"])),
        "activation": draw(st.sampled_from(list(ACTIVATIONS))),
        "output_activation": draw(st.sampled_from(["linear", "linear", "relu"])),
        "bias": draw(st.booleans()),
        "initializer": draw(st.sampled_from(list(INITIALIZERS))),
        "optimizer": draw(st.sampled_from(list(OPTIMIZERS))),
        "loss": draw(st.sampled_from(list(LOSSES))),
        "schedule": draw(st.sampled_from(list(SCHEDULES))),
        "distribution": draw(st.sampled_from(list(DISTRIBUTIONS))),
        "input_transform": draw(st.sampled_from(["standardize", "raw", "minmax", "log1p", "sqrt"])),
        "target_transform": draw(st.sampled_from(["standardize", "raw", "symlog", "log"])),
        "learning_rate": draw(st.sampled_from([1e-3, 0.1, 10.0])),
        "weight_decay": draw(st.sampled_from([None, 1e-3])),
        "clip": draw(st.sampled_from([None, 1.0])),
        "clip_value": draw(st.sampled_from([None, 0.5])),
        "stop_early": draw(st.booleans()),
        "threshold": draw(st.sampled_from([None, 1e-2])),
        "restart": draw(st.sampled_from([None, 1e4])),
        "warmup": draw(st.sampled_from([0, 1])),
        "precision": draw(st.sampled_from(["float32", "float32", "float64"])),
        "finish": draw(st.sampled_from([0, 0, 5, 30])),
    }
    if fields["model"] == "mlp":
        fields["widths"] = draw(st.sampled_from([(2,), (3, 2)]))
    else:
        fields |= {"regularizer": draw(st.sampled_from([0.0, 0.1])), "alternate": draw(st.booleans())}
    fields["distribution"] = "uniform" if fields["integers"] else fields["distribution"]
    fields["loss"] = "mse" if fields["finish"] else fields["loss"]
    return fields, source


def asked(fields, source):
    """Train what is asked, or get one line; then nothing that is said of the net may be refuted."""
    if source is not None:
        OPERATIONS["own"] = aj.Operation("own", source, eval(source))
    try:
        setup = aj.Setup(**fields)
        net = aj.fit(setup, seeds=2)
    except aj.ArithjaxError as error:
        assert "\n" not in str(error)
        return "refused"
    else:
        assert_certificate_holds(net)
        again = nets.net_again(net.others.iloc[int(net.row["seed"])], 0)
        assert all(again.row[name] == value or value != value for name, value in net.row.items())
        nets.fresh_pairs(net)
        net.formula()
        return net.row["grade"]
    finally:
        OPERATIONS.pop("own", None) if source is not None else None


ANY = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck), "database": None}


@given(setups())
@settings(max_examples=4, **ANY)
def test_any_setup_trains_or_is_refused_in_one_line(given_setup):
    asked(*given_setup)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_a_thousand_setups(part):
    """All parts on two cores: `pytest -m slow tests/test_truth.py -k thousand --dist load`."""

    @seed(part)
    @settings(max_examples=125, **ANY | {"derandomize": False})
    @given(setups())
    def tried(given_setup):
        asked(*given_setup)

    tried()
