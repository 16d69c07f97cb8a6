"""The question's script, mended, in Keras itself."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "results" / "why" / "keras_multiplies.py"


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_mended_script_learns_to_multiply(seed):
    if find_spec("keras") is None:
        pytest.skip("needs Keras: pip install -e '.[bench]'")
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    run = [sys.executable, str(SCRIPT), seed]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout
    assert len(re.findall("answered", said)) == 10
    assert float(re.search(r"over all pairs: (\S+)", said)[1]) < 0.01
