"""What all tests share: programs are kept in a folder of their own (one for both processes of a run), ranks are never
promoted silently, types and shapes of arrays are checked at every call, and registries are left as they were found."""

import gc
import os
import tempfile
from importlib import metadata
from pathlib import Path

if "PYTEST_XDIST_WORKER" not in os.environ and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="arithjax-programs-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name  # before jax is imported; also for processes that tests start

EMITTERS = {"xla_cpu_use_fusion_emitters": "True"}
"""What users have, as an option of XLA's; from jax 0.11 on there is none, and nobody is without."""
if tuple(map(int, metadata.version("jax").split(".")[:2])) >= (0, 11):
    EMITTERS = {}
FASTER = "".join(f" --{name}=false" for name in EMITTERS) + " --xla_backend_optimization_level=0"
USERS = os.environ.get("XLA_FLAGS", "").removesuffix(FASTER)  # which a process of pytest-xdist has been given
QUICK = USERS + FASTER
"""XLA's flags for most tests: programs compile in a third of the time, are slower, and round differently."""
os.environ["XLA_FLAGS"] = QUICK

import jax
import pytest
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

import arithjax as aj
from arithjax.registry import REGISTRIES

jax.config.update("jax_numpy_rank_promotion", "raise")
gc.freeze()  # what was imported stays
gc.set_threshold(100_000, 20, 50)  # tracing makes many objects, of which few go; looking at all takes its time

RESULTS = Path(__file__).parents[1] / "results"
OF_RESULTS = ["test_charts.py", "test_keras.py", "test_readme.py"]
collect_ignore = [] if RESULTS.is_dir() else OF_RESULTS  # a source distribution has no results

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int may stand for a float


def typechecker(function):
    """The function with its types checked; public functions are left alone, since they refuse bad input themselves."""
    public = f"{function.__module__}:{function.__qualname__.removesuffix('.__init__')}" in aj.PUBLIC.values()
    return function if public else check(function)


TRAINING = [f"arithjax.training.{path.stem}" for path in (Path(aj.__file__).parent / "training").glob("[a-z]*.py")]
install_import_hook(("arithjax.task", "arithjax.models", *TRAINING), f"{__name__}.typechecker")

from arithjax.training import compiled  # after the import hook

_compile = compiled._compile


def _as_users_compile(function, options, arrays):
    users = {"xla_backend_optimization_level": "3"} | EMITTERS
    return _compile(function, users | options, arrays)


def pytest_addoption(parser):
    parser.addoption("--optimized", action="store_true", help="compile the programs of all tests as users do")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Compile as users do, here and in processes that a test starts, for long tests and where programs round alike."""
    as_users = item.config.option.optimized or any(map(item.get_closest_marker, ("optimized", "slow")))
    os.environ["XLA_FLAGS"] = USERS if as_users else QUICK
    if compiled._compile is not (chosen := _as_users_compile if as_users else _compile):
        compiled._compile = chosen
        compiled._programs.clear()


LONG = [
    *("training", "units", "survival", "fused", "files", "outputs", "engines", "export", "finishing", "encodings"),
    *("bench", "report", "onchip", "cluster", "causes", "models", "cli", "operations", "selection", "protocols"),
    *("truth", "optuna_export", "environment", "compiled"),
]
"""Files that take longest come first, so that both processes end at the same time."""


def pytest_collection_modifyitems(items):
    order = {f"test_{name}": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONG)))


@pytest.fixture(autouse=True)
def registries():
    """Members that a test enters, or a saved net that it loads, go when it ends; those of its module stay."""
    before = [(registry, dict(registry._members)) for registry in REGISTRIES.values()]
    yield
    for registry, members in before:
        registry._members.clear()
        registry._members.update(members or registry._ours)  # of one that was not loaded before: those of arithjax


@pytest.fixture
def add():
    """`add(registry, member)` enters a member until the test ends."""

    def enter(registry, member):
        assert member.name not in registry
        registry[member.name] = member
        return member

    return enter


@pytest.fixture
def in_parts():
    """`in_parts(study, folder, stops)` runs a study that is interrupted after each rows for which `stops(rows)` holds,
    and run again each time; how often that was."""
    from arithjax.studies.study import Progress

    class Stop(Progress):
        def __init__(self, stops):
            self.stops = stops

        def nets(self, rows):
            if self.stops(rows):
                raise KeyboardInterrupt

    def run(study, folder, stops):
        times = 0
        while True:
            try:
                aj.run(study, folder, progress=Stop(stops))
                return times
            except KeyboardInterrupt:
                times += 1

    return run


@pytest.fixture(scope="module")
def compiled_engine():
    """The compiled engine for dense nets, too."""
    from arithjax.training.engines import choice  # after the import hook

    with choice.using("compiled"):
        yield
