"""Charts of success against ε and against steps."""

from pathlib import Path

import pandas as pd
import pytest

import arithjax as aj
from arithjax.report import epsilon

RESULTS = Path(__file__).parents[1] / "results"


@pytest.mark.skipif(not RESULTS.is_dir(), reason="a source distribution has no results")
def test_every_unit_and_operation_has_its_shares():
    nets = aj.load(RESULTS / "units").query("model in ('nmu', 'nac_mul_sigmoid') and op in ('mul', 'add')")
    specs = {name: chart.to_dict() for name, chart in epsilon.figures(nets)}
    assert set(specs) == {"epsilon-mul", "steps-mul", "epsilon-add", "steps-add"}
    assert all(spec["width"] == "container" and spec["height"] > 0 for spec in specs.values())

    def rows(name):
        return pd.DataFrame(*specs[name]["datasets"].values())

    looser = rows("epsilon-mul").query("unit == 'nac_mul_sigmoid'").set_index("epsilon").rate
    assert looser[1e-5] < 0.3 and looser[1e-4] > 0.8, "it is the threshold that most of these nets miss"
    by_steps = rows("steps-mul").query("unit == 'nmu'")
    solved = nets[(nets.model == "nmu") & (nets.op == "mul")].solved_at
    assert by_steps.rate.is_monotonic_increasing and by_steps.step.max() == 50_000
    for step, share in zip(by_steps.step, by_steps.rate, strict=True):
        assert share == pytest.approx((solved <= step).mean(), abs=1e-6)


def test_nothing_is_drawn_without_thresholds():
    assert list(epsilon.figures(pd.DataFrame({"threshold": [None, 1.0]}))) == []
