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
    module, name = function.__module__, function.__name__
    call = f"{name}(*json.loads({json.dumps(arguments)!r}))"
    code = f"import json\nfrom {module} import {name}\nprint(json.dumps({call}))"
    kept = {CACHE: str(cache)} if cache else {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | kept, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ArithjaxError(f"measuring {name}{arguments} ended with status {done.returncode}: {said}")
    return json.loads(done.stdout.strip().splitlines()[-1])
