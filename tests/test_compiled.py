"""Programs that outlive their process: found again, the same to the last bit, and never a reason to fail."""

import os
import subprocess
import sys

import numpy as np
import pytest

from arithjax.training import compiled

BEFORE = """
import jax
import jax.numpy as jnp
import numpy as np
jax.jit(lambda x: x + 1)(jnp.ones(3))  # something is compiled before
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name) if name.endswith("/cache_hits") else None)
"""
TRAIN = (
    BEFORE
    + """
import arithjax as aj
from arithjax.training.engines import choice
choice.use("compiled")
table = aj.train([aj.Setup(high=10, widths=(2,), examples=64, tests=16, batch=16, steps=5)], seeds=2)
print(len(hits), table.mse.sum().hex())
"""
)
POWERS = (
    BEFORE
    + """
from arithjax.training.compiled import compiled
@compiled()
def power(n, x):
    return jnp.exp(jnp.sin(x)) ** n
bits = [np.asarray(power(n, np.arange(9, dtype=np.float32))).tobytes().hex() for n in (2, 3, 5)]
print(len(hits), "".join(bits))
"""
)


def run(home, program=POWERS, **environment):
    """Cache hits and bits of a training, or of three small programs, in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    given = clean | {"XDG_CACHE_HOME": str(home)} | environment
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, check=True)
    hits, bits = done.stdout.split()
    return int(hits), bits, done.stderr


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return home, run(home)


def programs(home):
    return list((home / "arithjax").glob("programs-*/jit_power-*"))


def test_a_damaged_program_is_a_line_and_is_kept_anew(first):
    home, (hits, bits, _) = first
    program, *others = programs(home)
    whole = program.read_bytes()
    program.write_bytes(whole[: len(whole) // 2])
    again, same, said = run(home)
    assert (hits, again, same) == (0, len(others), bits) and len(others) == 2
    assert "a compiled program that was kept is damaged" in said and said.count("damaged") == said.count("kept is")
    assert len(program.read_bytes()) > 0.9 * len(whole)
    assert run(home) == (3, bits, "")


def test_a_second_process_compiles_nothing_and_trains_the_same(tmp_path):
    hits, bits, _ = run(tmp_path, TRAIN)
    again, same, said = run(tmp_path, TRAIN)
    assert hits == 0 and again >= 4 and same == bits
    assert said == "" and len(list((tmp_path / "arithjax").glob("programs-*/jit_advance-*"))) == 1


def test_a_folder_that_cannot_be_made_is_a_warning(first, tmp_path):
    (tmp_path / "file").write_text("")
    hits, bits, said = run(tmp_path / "file")
    assert (hits, bits) == (0, first[1][1])
    assert "compiled programs are not kept" in said and "JAX_COMPILATION_CACHE_DIR" in said


def test_the_users_own_folder_is_kept(tmp_path):
    run(tmp_path / "home", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert not (tmp_path / "home").exists()
    assert len(list((tmp_path / "own").glob("jit_power-*"))) == 3


def test_a_process_holds_so_many_programs(monkeypatch):
    """Those used longest ago go, and are compiled again when they are asked for."""

    @compiled.compiled()
    def times(spec, x):
        return spec * x

    monkeypatch.setattr(compiled, "KEPT", 2)
    monkeypatch.setattr(compiled, "_programs", {})
    compiles = []
    for spec in (2, 3, 2, 4, 2, 3):  # 4 takes the place of 3
        before = compiled.statistics.programs
        assert times(spec, np.float32(7)) == 7 * spec
        compiles.append(compiled.statistics.programs - before)
    assert compiles == [1, 1, 0, 1, 0, 1] and len(compiled._programs) == 2
