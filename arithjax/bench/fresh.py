"""Measurements from a cold start, in a process and with a folder of compiled programs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arithjax.errors import ArithjaxError
from arithjax.training.compiled import CACHE


def measure(function: Callable, cache: Path | None, *arguments: Any) -> Any:
    """The result of `function(*arguments)` in a process of its own.

    function: a module's function, whose arguments and result are plain data (JSON).
    cache: the folder for its compiled programs; None to store none.
    Raises ArithjaxError with the last line of the process's errors if it fails.
    """
    return measure_from_start(function, cache, *arguments)[1]


def measure_from_start(function: Callable, cache: Path | None, *arguments: Any) -> tuple[float, Any]:
    """The seconds that imports took, and the result: see `measure`."""
    module, name = function.__module__, function.__name__
    call = f"{name}(*json.loads({json.dumps(arguments)!r}))"
    imports = f"start = time.perf_counter()\nfrom {module} import {name}\nimported = time.perf_counter() - start"
    code = f"import json, time\n{imports}\nprint(json.dumps([imported, {call}]))"
    kept = {CACHE: str(cache)} if cache else {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | kept, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ArithjaxError(f"measuring {name}{arguments} ended with status {done.returncode}: {said}")
    imported, result = json.loads(done.stdout.strip().splitlines()[-1])
    return imported, result
