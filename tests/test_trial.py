"""The trial call of an operation: known answers, and what is wrong with a function is told before anything trains."""

from collections import Counter

import pytest

from arithjax import OPERATIONS, Operation
from arithjax.task.arguments import Span


def trial(op, low=0, high=10, integers=True):
    return op.trial(op.spans(low, high, integers), "float32")


def test_what_is_seen_of_results():
    found = trial(OPERATIONS["mul"], -3, 8)
    assert not found.obstacle and found.traced and not found.boolean
    assert (found.smallest, found.largest, found.bounds) == (-21, 49, ((-21, 49),))
    assert found.classes == len(set(found.values)) == len({a * b for a in range(-3, 8) for b in range(-3, 8)})


def test_real_results_are_no_classes():
    assert trial(OPERATIONS["div"], 1, 9).values == ()


def test_comparisons_are_true_or_false():
    found = trial(OPERATIONS["greater"])
    assert found.boolean and found.values == (0, 1) and found.classes == 2


def test_several_results_have_bounds_each():
    both = Operation("both", "a + b, a - b", lambda a, b: (a + b, a - b))
    assert trial(both).bounds == ((0, 18), (-9, 9))
    assert both.result_bounds(both.spans(0, 10, True), "float32") == (((0, 18), (-9, 9)), (True, True))


def test_a_function_that_compiled_programs_cannot_call_is_computed_outside():
    found = trial(Operation("digits", "digits of a", lambda a: len(str(a))), 1, 200)
    assert not found.obstacle and not found.traced and found.largest == 3


@pytest.mark.parametrize(
    ("words", "op", "high"),
    [
        ("another result beside other points", Operation("centred", "a - mean", lambda a: a - a.mean()), 10),
        ("is 8.08281e+38 at a = 6, more than float32 holds", Operation("huge", "a⁵⁰", lambda a: (1.0 * a) ** 50), 11),
        ("not finite", Operation("pole", "1 / a", lambda a: 1 / a), 10),
        ("gives 1 results and has outputs=2", Operation("one", "a", lambda a: a, outputs=2), 10),
        ("holds for 0.001 of all arguments", Operation("rare", "a", lambda a: a, where=lambda a: a == 7), 1000),
    ],
    ids=lambda value: value.name if isinstance(value, Operation) else None,
)
def test_obstacles_are_named(words, op, high):
    assert words in trial(op, high=high).obstacle


def test_the_point_is_named_where_a_function_fails_at_its_second_call():
    calls = Counter()

    def moody(a):
        calls[a] += 1
        if a == 8 and calls[a] > 1:
            raise ValueError("not again")
        return a

    assert "raises ValueError (not again) at a = 8;" in trial(Operation("moody", "a", moody)).obstacle


def test_rows_are_those_for_which_the_condition_holds():
    rising = Operation("rising", "b - a", lambda a, b: b - a, where=lambda a, b: a < b)
    spans = (Span(0, 4, True), Span(0, 4, True))
    assert rising.rows(spans, 16).tolist() == [[a, b] for a in range(4) for b in range(4) if a < b]
    assert rising.rows(spans, 15) is None and rising.rows((Span(0, 4, False),) * 2, 16) is None


@pytest.mark.parametrize(
    ("op", "low", "high", "smallest"),
    [("mul", -3, 7, -21), ("square", -3, 7, 0), ("sub", 0, 9, -9), ("reciprocal", 1, 4, 0.25), ("min", 2, 9, 2)],
)
def test_smallest_result(op, low, high, smallest):
    assert OPERATIONS[op].smallest(low, high, True) == smallest
