"""Operations: known answers from numpy, where they are defined, and how one is added."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arithjax import OPERATIONS, ArithjaxError, Operation, Setup
from arithjax.training.compiled import quick_options

REFERENCES = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "square": np.square,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "max": np.maximum,
    "min": np.minimum,
    "mod": np.mod,
    "hypot": np.hypot,
    "floordiv": np.floor_divide,
    "power": np.power,
    "equal": np.equal,
    "greater": np.greater,
    "gcd": np.gcd,
    "xor": np.bitwise_xor,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "abs": np.abs,
    "sign": np.sign,
    "sin": np.sin,
    "log": np.log,
    "parity": lambda a: np.vectorize(lambda one: f"{one:b}".count("1") % 2)(a),
}
INTERVALS = [(0, 50), (1, 50), (-40, -3), (-20, 30)]
SMALLER = {"power": 9}
"""The upper end of intervals for what is too large beyond it."""


def arguments(op, low, high, integers):
    generator = np.random.default_rng(0)
    x = (
        generator.integers(low, high + 1, (500, op.arity))
        if integers
        else generator.uniform(low, high, (500, op.arity))
    )
    return x.astype(np.float32)


@pytest.mark.parametrize("integers", [True, False])
@pytest.mark.parametrize(("low", "high"), INTERVALS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_equals_numpy_where_defined(name, low, high, integers):
    op, high = OPERATIONS[name], min(high, SMALLER.get(name, high))
    wholes = any(argument.integers for argument in op.arguments)
    if wholes and not integers:
        assert all(span.integers for span in op.spans(low, high, integers)), "whole numbers, whatever a setup says"
        return
    if not op.defined(low, high):
        with pytest.raises(ArithjaxError, match=f"low, high: {name} .* is not defined on .* it is defined where"):
            op.check(low, high)
        return
    x = arguments(op, low, high, integers)
    t = op(jnp.asarray(x))
    assert t.shape == (500,)
    reference = REFERENCES[name](*(x.astype(int) if wholes else x).T)
    np.testing.assert_allclose(t, reference, rtol=1e-6)  # a few units in the last place of float32


@pytest.mark.parametrize("name", OPERATIONS)
def test_arguments_may_carry_lanes(name):
    op = OPERATIONS[name]
    x = jnp.asarray(arguments(op, 1, SMALLER.get(name, 50), True))
    lanes = jnp.stack([x, x[::-1]], axis=-1)
    np.testing.assert_array_equal(op(lanes), jnp.stack([op(x), op(x[::-1])], axis=-1))


@pytest.mark.parametrize("constant", ["7", "-2.5", "0", "1e-3", "0.12345678"])
def test_operations_with_a_constant(constant):
    x = np.arange(-5, 6, dtype=np.float32)[:, None]
    c = np.float32(constant)
    np.testing.assert_array_equal(OPERATIONS[f"times:{constant}"](jnp.asarray(x)), c * x[:, 0])
    np.testing.assert_array_equal(OPERATIONS[f"plus:{constant}"](jnp.asarray(x)), x[:, 0] + c)


def test_a_constant_names_one_operation():
    assert OPERATIONS["times:7"] == OPERATIONS["times:7"], "programs are compared by their operations"
    assert OPERATIONS["times:0.1234567"].name != OPERATIONS["times:0.1234568"].name


@pytest.mark.parametrize("name", ["times:", "plus:seven", "times:nan", "times:inf", "plus:1e400"])
def test_a_constant_is_a_finite_number(name):
    with pytest.raises(ArithjaxError, match=f"operation '{name}' needs a .*number after the colon, as in"):
        OPERATIONS[name]


def products(*counts):
    return np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, len(counts))


FAMILIES = {
    "addmod:97": (products(97, 97), lambda a, b: (a + b) % 97),
    "submod:97": (products(97, 97), lambda a, b: (a - b) % 97),
    "mulmod:97": (products(97, 97), lambda a, b: a * b % 97),
    "divmod:97": (products(97, 97)[np.arange(97 * 97) % 97 > 0], lambda a, b: a * pow(b, -1, 97) % 97),
    "divmod:2": (np.array([[0, 1], [1, 1]]), lambda a, b: a),
    "quadmod:97": (products(97, 97), lambda a, b: (a * a + a * b + b * b) % 97),
    "quadmod:31": (products(31, 31), lambda a, b: (a * a + a * b + b * b) % 31),
    "mulmod:46340": (products(50, 50) + 46290, lambda a, b: a * b % 46340),
    "divmod:46337": (products(50, 50) + 46287, lambda a, b: a * pow(b, -1, 46337) % 46337),
    "polymod:97:(4*a+b^2)^3": (products(97, 97), lambda a, b: (4 * a + b**2) ** 3 % 97),
    "polymod:31:a^3-a*b**2+7-c": (products(31, 31, 31), lambda a, b, c: (a**3 - a * b**2 + 7 - c) % 31),
    "polymod:5:-3*(a-b)*(a+b)": (products(5, 5), lambda a, b: -3 * (a - b) * (a + b) % 5),
    "polymod:2:2*a": (products(2), lambda a: 0),
    "sum:3": (products(9, 9, 9) - 4, lambda *x: sum(x)),
    "max:3": (products(9, 9, 9) - 4, lambda *x: max(x)),
    "min:3": (products(9, 9, 9) - 4, lambda *x: min(x)),
    "dot:2": (products(5, 5, 5, 5) - 2, lambda a, b, c, d: a * c + b * d),
    "max:4:0-2:2-4": (products(5, 5, 5, 5) - 2, lambda a, b, c, d: max(a + b, c + d)),
    "xor:4:0-2:2-4": (products(5, 5, 5, 5), lambda a, b, c, d: (a + b) ^ (c + d)),
}


def compiled(op, x):
    """What a compiled program in float32 gives, with the options of those that compute targets."""
    return jax.jit(op, compiler_options=quick_options())(jnp.asarray(x, jnp.float32))


@pytest.mark.parametrize("name", FAMILIES)
def test_families_equal_pythons_whole_numbers(name):
    """Outside compiled programs and within them, in float32."""
    op, (x, function) = OPERATIONS[name], FAMILIES[name]
    assert op.name == name and op.arity == x.shape[1]
    expected = [function(*row) for row in x.tolist()]
    found = op.exact(x, integers=True)
    assert found.known and found.whole
    np.testing.assert_array_equal(found.t, expected)
    np.testing.assert_array_equal(compiled(op, x), expected)


def test_sorting_gives_as_many_results():
    op, x = OPERATIONS["sort:3"], products(9, 9, 9) - 4
    assert Setup(op="sort:3").outputs == 3
    np.testing.assert_array_equal(op.exact(x, integers=True).t, np.sort(x, 1))
    np.testing.assert_array_equal(compiled(op, x), np.sort(x, 1))


def test_four_results_at_once():
    """Roots are those of magnitudes, so that the other results have negative arguments, too."""
    op, x = OPERATIONS["four"], np.array([[1.5, 0.5], [-4.0, 0.25], [2.25, -3.0]])
    a, b = x.T
    np.testing.assert_allclose(op.exact(x, integers=False).t, np.stack([a + b, a * b, a / b, np.abs(a) ** 0.5], 1))
    assert Setup(op="four", low=1).results == 4 and op is OPERATIONS["four"] and "four" not in list(OPERATIONS)
    with pytest.raises(ArithjaxError, match="b ≠ 0"):
        Setup(op="four", low=-1, high=1)


def test_whole_numbers_that_floats_cannot_tell_apart_are_exact():
    top = 2**53 - 1
    for name, function in {"xor": int.__xor__, "or": int.__or__, "gcd": math.gcd, "floordiv": int.__floordiv__}.items():
        x = np.array([[top, 3], [top - 1, top], [top // 5, 7]])
        assert OPERATIONS[name].exact(x, integers=True).t.tolist() == [function(*row) for row in x.tolist()]
    found = OPERATIONS["power"].exact(np.array([[7, 22], [2, 3]]), integers=True)
    assert found.known and int(found.t[0]) + int(found.rest[0]) == 7**22, "beyond 2**53, and of Python's numbers"


@pytest.mark.parametrize("name", OPERATIONS)
def test_compiled_programs_compute_targets(name):
    low, high = 1, SMALLER.get(name, 50)
    assert OPERATIONS[name].trial(OPERATIONS[name].spans(low, high + 1, True), "float32").traced


@pytest.mark.parametrize("p", [5, 97])
def test_residues_are_the_arguments_of_modular_operations(p):
    residues, units = (0, p - 1), (1, p - 1)
    bounds = {"addmod": (residues, residues), "divmod": (residues, units), "quadmod": (residues, residues)}
    for name, expected in bounds.items():
        spans = OPERATIONS[f"{name}:{p}"].spans(3.5, 1000, integers=False)
        assert tuple(span.ends for span in spans) == expected and all(span.integers for span in spans)


def test_there_is_no_inverse_of_a_multiple_of_the_modulus():
    assert np.isnan(OPERATIONS["divmod:5"].exact(np.array([[2, 0], [2, 10]]), integers=True).t).all()


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        *((name, "needs a number from 2 to 1024") for name in ("sum:1", "sum:x", "max:05", "dot:2000", "min:")),
        *((name, "needs a whole number from 2 to 46340") for name in ("addmod:", "mulmod:1", "quadmod:46341")),
        *((name, "needs a prime from 2 to 46337") for name in ("divmod:96", "divmod:1", "divmod:p")),
        *(
            (f"polymod:{rest}", "needs a modulus and a polynomial of a, b .* as in 'polymod:97:")
            for rest in [
                "97",
                "97:",
                "97:7",
                "97:b",
                "97:a**b",
                "97:a/2",
                "97:a^2.5",
                "97:a^33",
                "97:f(a)",
                "97:A",
                "1:a",
            ]
        ),
        ("polymod:97:" + "+".join(["a*b"] * 99), "needs a modulus and a polynomial"),
        ("polymod:97:(a+b+c+d+e+f)^9", "needs a modulus and a polynomial"),
    ],
)
def test_what_stands_after_a_colon_has_to_fit(name, phrase):
    with pytest.raises(ArithjaxError, match=rf"operation '{re.escape(name[:60])}.*' {phrase}"):
        OPERATIONS[name]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        *(("div", 0, 5), ("div", -1, 1), ("div", -5, 0), ("reciprocal", -3, 3), ("sqrt", -1, 4), ("mod", -2, 2)),
        *(("log", 0, 4), ("floordiv", -2, 2), ("power", -2, 2), ("parity", -2, 2)),
    ],
)
def test_undefined_ranges_are_refused(name, low, high):
    with pytest.raises(ArithjaxError, match=r"low, high: .* Choose another interval"):
        OPERATIONS[name].check(low, high)
    with pytest.raises(ArithjaxError, match=r"extrapolation: .* is not defined on"):
        Setup(op=name, low=1, high=5, extrapolation=(low, high + 1))


@pytest.mark.parametrize(
    ("name", "ends", "changes", "end"),
    [
        ("mod", (0, 500), {}, {"low": 1}),
        ("sqrt", (-5, 5), {}, {"low": 0}),
        ("log", (0, 0.5), {"integers": False}, {"low": 0.005}),
        ("div", (-5, 1), {}, {"high": 0}),
        ("div", (-5, 0), {"integers": False}, {"high": -1}),
        ("reciprocal", (-2, 2), {}, {"high": 0}),  # from 1 to 2 there is one whole number
        ("add", (0, 9), {"input_transform": "log"}, {"low": 1}),
        ("log", (-3, 1), {}, {}),
        ("mod", (0, 500), {"extrapolation": (-5, 5)}, {}),  # that does not hold either
        ("add", (5, 3), {}, {}),
    ],
)
def test_a_refused_range_comes_with_an_end_that_is_allowed(name, ends, changes, end):
    given = {"op": name, "low": ends[0], "high": ends[1], **changes}
    with pytest.raises(ArithjaxError) as refused:
        Setup(**given)
    said = re.findall(r" (low|high)=(\S+) \(--\1 \2\) will do\.$", str(refused.value))
    assert {word: float(value) for word, value in said} == end
    assert not end or Setup(**given | end)


def test_integers_leave_the_upper_end_out():
    assert Setup(op="div", low=-5, high=0, extrapolation=(1, 5)).bounds == (-5, -1)
    with pytest.raises(ArithjaxError, match=r"low, high: div .* is not defined"):
        Setup(op="div", low=-5, high=0, extrapolation=(1, 5), integers=False)


def test_a_users_operation_is_one_entry(add):
    op = add(OPERATIONS, Operation("cube", "a³", lambda a: a**3, arity=1))
    assert Setup(op="cube", low=-3, high=4).op == "cube"
    np.testing.assert_array_equal(op(jnp.asarray([[-2.0], [3.0]])), [-8, 27])
