"""The public face: every name exists, is the same for type checkers, and is imported no sooner than it is used."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import arithjax as aj
from arithjax.registry import REGISTRIES


def for_type_checkers():
    """The names that `arithjax/__init__.py` imports for type checkers, with where they come from."""
    tree = ast.parse(Path(aj.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    names = {}
    for node in block.body:
        for alias in node.names:
            assert alias.asname, f"{alias.name} is not exported explicitly, as itself"
            inside = f"{node.module}:{alias.name}" if node.module != "arithjax" else f"arithjax.{alias.name}"
            names[alias.asname] = inside
    return names


def test_type_checkers_see_the_same_names():
    assert for_type_checkers() == aj.PUBLIC


@pytest.mark.parametrize("name", aj.PUBLIC)
def test_every_name_exists(name):
    assert getattr(aj, name) is not None
    assert name in dir(aj) and name in aj.__all__


def test_names_are_imported_in_any_order_and_from():
    from arithjax import Setup, front, protocols

    assert protocols.question("add") == Setup(**protocols.question("add").to_dict())
    assert front is aj.front


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES)
def test_every_registry_and_the_classes_of_its_members_are_public(registry):
    assert registry in [getattr(aj, name) for name in aj.PUBLIC if name.isupper()]
    public = tuple(getattr(aj, name) for name in aj.PUBLIC if name[0].isupper() and not name.isupper())
    assert all(isinstance(member, public) for member in registry.values() if member.name != "mlp")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'arithjax' has no attribute 'nonsense'"):
        aj.nonsense  # noqa: B018


def test_importing_and_loading_a_table_start_no_jax():
    program = "import sys, arithjax as aj; aj.load, aj.summarise, aj.compare, aj.front, aj.Study, aj.share; "
    program += "assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("README.md", r"version = {(.*?)}"), ("CITATION.cff", r"^version: (.*)$"), ("CHANGELOG.md", r"^## ([\d.]+)")],
)
def test_the_documents_name_this_version(name, pattern):
    text = (Path(__file__).parents[1] / name).read_text()
    assert re.findall(pattern, text, re.M)[0] == aj.__version__
