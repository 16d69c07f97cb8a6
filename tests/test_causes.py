"""Causes: each is recognised in nets that are built to have it, and its sentence says so."""

import numpy as np
import pytest

import arithjax as aj
from arithjax.diagnosis.causes import detected, first_of_each
from arithjax.diagnosis.evidence import Effect, image, observe
from arithjax.diagnosis.race import Budget, Race

RAW = {"input_transform": "raw", "target_transform": "raw"}
SMALL = aj.Setup(op="add", high=100, widths=(4,), activation="relu", examples=256, batch=16, steps=300, tests=256)
QUESTION = aj.protocols.question("mul", steps=2000, examples=1000, tests=256)

BUILT = {
    "dead_at_start": QUESTION,
    "homogeneous": QUESTION,
    "output_range": SMALL.replace(low=-100, output_activation="relu", **RAW),
    "saturated": SMALL.replace(activation="tanh", high=100_000, input_transform="raw"),
    "plane": SMALL.replace(op="mul", activation="linear", learning_rate=0.01, steps=2000),
    "diverges": SMALL.replace(op="mul", optimizer="sgd", learning_rate=1e3, **RAW),
    "unreached": SMALL.replace(op="mul", high=10_000, target_transform="raw"),
    "died": SMALL.replace(low=-99, high=0, optimizer="sgd", learning_rate=10.0, output_activation="relu"),
    "still_learning": SMALL.replace(learning_rate=3e-4),
    "beyond": SMALL.replace(op="square", widths=(16,), activation="tanh", learning_rate=0.02, steps=6000),
    "learns": SMALL.replace(activation="linear", learning_rate=0.02, schedule="cosine", steps=1000),
    "outlying": SMALL.replace(op="reciprocal", low=1e-4, high=1, integers=False),
    "step": SMALL.replace(op="square", activation="tanh", high=10_000, input_transform="raw", learning_rate=0.05),
}
"""Setups most of whose nets have the cause, as it follows from their construction."""


def seen(setup):
    race = Race(Budget(60))
    race.train([setup], [0])
    return observe(setup, race.nets(setup, [0]), race.tiles([(setup, 0)]), 0)


@pytest.fixture(scope="module")
def evidence():
    known = {}

    def of(setup):
        return known.setdefault(setup, seen(setup))

    return of


@pytest.mark.parametrize("cause", BUILT)
def test_a_cause_is_recognised_where_it_was_built_in(cause, evidence):
    e = evidence(BUILT[cause])
    found = detected(e)
    assert cause in found, {name: holds.mean() for name, holds in found.items()}
    assert found[cause].mean() >= 0.2
    assert len(aj.CAUSES[cause].words(e, found[cause]))


def test_of_each_net_one_cause_is_the_first():
    found = {"diverges": np.array([True, False, False]), "no_gradient": np.array([True, True, True])}
    found |= {"settled": np.array([True, False, True]), "learns": np.array([False, True, False])}
    told = first_of_each(found)
    assert {name: list(holds) for name, holds in told.items()} == {
        "diverges": [True, False, False],
        "settled": [False, False, True],
        "learns": [False, True, False],
    }


def test_answers_a_million_times_too_small_are_not_called_dead(evidence):
    e = evidence(BUILT["unreached"])
    assert e.rows["dead"].all()  # constant beside the spread of the results
    assert not {"dead_at_start", "died"} & set(first_of_each(detected(e)))


def test_a_width_that_helps_makes_a_settled_net_one_of_too_few_units(evidence):
    e = evidence(BUILT["plane"])
    assert "too_few" not in detected(e)
    e.effects["width"] = Effect("4x wider", 0.4, 0.1)
    assert detected(e)["too_few"].mean() > 0.5
    e.effects.clear()


@pytest.mark.parametrize(
    ("name", "low", "high"), [("relu", 0, np.inf), ("sigmoid", 0, 1), ("tanh", -1, 1), ("linear", -np.inf, np.inf)]
)
def test_the_image_of_an_activation(name, low, high):
    assert image(name) == pytest.approx((low, high), abs=1e-3)


def test_a_cause_of_ones_own_is_told(add, evidence):
    mine = aj.Cause("mine", "mine", "are mine", lambda e: np.ones(len(e.rows), bool))
    add(aj.CAUSES, mine)
    assert detected(evidence(BUILT["plane"]))["mine"].all()
    assert mine.words(evidence(BUILT["plane"]), np.ones(16, bool)) == "are mine"


def test_a_cause_of_ones_own_that_fails_costs_no_answer(add, evidence):
    add(aj.CAUSES, aj.Cause("broken", "broken", "are broken", lambda e: e.nothing))
    with pytest.warns(UserWarning, match="cause 'broken' could not be tested"):
        assert "plane" in detected(evidence(BUILT["plane"]))
