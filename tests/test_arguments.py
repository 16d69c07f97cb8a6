"""Arguments: what is wrong with one is said in one line, and ranges of their own are known to the setup."""

import pytest

from arithjax import OPERATIONS, Argument, ArithjaxError, Operation, Setup

BODY = (Argument("kg", 40, 120), Argument("m", 1.4, 2.1), Argument("age", 20, 80, integers=True))


@pytest.fixture
def own(add):
    """`own(name, fn, ...)` enters an operation until the test ends."""
    return lambda name, fn, **more: add(OPERATIONS, Operation(name, name, fn, **more))


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("name=''", {"name": ""}),
        ("name=3", {"name": 3}),
        ("'kg': low=120, high=40", {"name": "kg", "low": 120, "high": 40}),
        ("'kg': has one end", {"name": "kg", "low": 40}),
        ("'kg': low='a'", {"name": "kg", "low": "a", "high": 4}),
        ("'n': low=0.2, high=0.9: no whole number", {"name": "n", "low": 0.2, "high": 0.9, "integers": True}),
        ("'s': values is empty", {"name": "s", "values": ()}),
        ("'s': values=3", {"name": "s", "values": 3}),
        ("'s': has values and a range", {"name": "s", "values": (0, 1), "low": 0, "high": 2}),
        ("'s': values=nan", {"name": "s", "values": (0, float("nan"))}),
        ("'s': integers='yes'", {"name": "s", "integers": "yes"}),
    ],
)
def test_what_is_wrong_with_an_argument_is_named(words, given):
    with pytest.raises(ArithjaxError, match=words):
        Argument(**given)


def test_arguments_fit_their_function(own):
    with pytest.raises(ArithjaxError, match="names 3, and its function takes 1"):
        own("one", lambda a: a, arguments=BODY)
    with pytest.raises(ArithjaxError, match="two arguments are called 'a'"):
        own("two", lambda a, b: a, arguments=(Argument("a"), Argument("a")))
    with pytest.raises(ArithjaxError, match="holds a str"):
        own("three", lambda a: a, arguments=("a",))


def test_each_argument_has_its_own_bounds(own):
    own(
        "switched",
        lambda a, b, s: a + b * s,
        arguments=(Argument("a"), Argument("b", 1, 2), Argument("s", values=(1, 0))),
    )
    assert Setup(op="switched", low=0, high=100).argument_bounds == ((0, 99), (1, 2), (0, 1))
    assert Setup(op="mul", low=0, high=100).argument_bounds == ((0, 99), (0, 99))
    assert Setup(op="mul", low=0, high=9, integers=False).argument_bounds == ((0, 9), (0, 9))
