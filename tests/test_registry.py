"""Registries: members by name, loaded when first needed; a mistake in a name, key or type gets one clear line."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from arithjax import ArithjaxError
from arithjax.registry import REGISTRIES, Registry, first_sentence

FILLED = {plural: registry for plural, registry in REGISTRIES.items() if plural != "metrics"}  # they are users' alone
ALL = pytest.mark.parametrize("registry", FILLED.values(), ids=FILLED)


@dataclass(frozen=True)
class Fruit:
    name: str
    about: str = "sweet"


def basket():
    fruits = Registry("fruit", "nowhere")
    fruits.fill(Fruit, [Fruit("apple"), Fruit("pear")])
    return fruits


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_nothing_is_loaded_before_a_member_is_needed():
    program = """
import sys
import arithjax as aj
from arithjax.setup import FIELDS
aj.Setup, aj.OPERATIONS, aj.MODELS, FIELDS["model"].registry
assert not {"jax", "pandas", "numpy"} & set(sys.modules)
assert "mul" in aj.OPERATIONS
assert "arithjax.task.operations" in sys.modules and "arithjax.models" not in sys.modules
"""
    done = run(program)
    assert done.returncode == 0, done.stderr


def test_a_home_is_imported_once_and_fills_its_registry(tmp_path, monkeypatch):
    (tmp_path / "orchard.py").write_text(
        "from test_registry import Fruit, fruits\nfruits.fill(Fruit, [Fruit('fig')])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "fruits", Registry("fruit", "orchard"), raising=False)
    assert "orchard" not in sys.modules
    assert list(sys.modules[__name__].fruits) == ["fig"]
    assert "orchard" in sys.modules


@ALL
def test_every_member_has_its_key_as_name_and_a_line_about_itself(registry):
    assert len(registry) > 0
    assert all(member.name == name for name, member in registry.items())
    lines = registry.lines()
    assert set(registry) <= set(lines)
    assert all(about and "\n" not in about for about in lines.values())


@ALL
def test_a_misspelt_name_suggests_the_nearest(registry):
    name = next(iter(registry))
    with pytest.raises(ArithjaxError, match=f"unknown {registry.kind} '{name}x'; did you mean '{name}'.* shows them"):
        registry[f"{name}x"]


@ALL
def test_wrong_types_and_keys_are_refused(registry):
    member = next(iter(registry.values()))
    with pytest.raises(ArithjaxError, match="key and name must be the same"):
        registry["another"] = member
    with pytest.raises(ArithjaxError, match="it has to be an arithjax"):
        registry["another"] = 5
    assert "another" not in registry


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("max(z, 0).", "max(z, 0)."),
        ("One\n    that goes on. Another.\n", "One that goes on."),
        ("Does it learn? Units of Heim et al. (2020).", "Does it learn?"),
        ("Units of Heim et al. (2020), 0.5 wide. More.", "Units of Heim et al. (2020), 0.5 wide."),
        ("Without an end\n\nAnother paragraph.", "Without an end"),
        ("", ""),
    ],
)
def test_a_line_about_a_member_is_a_whole_sentence(docstring, sentence):
    assert first_sentence(docstring) == sentence


def test_duplicates_are_refused():
    with pytest.raises(ArithjaxError, match="fruit 'fig' is listed twice"):
        Registry("fruit", "nowhere").fill(Fruit, [Fruit("fig"), Fruit("fig")])


def test_a_registry_is_a_mapping():
    fruits = basket()
    fruits["fig"] = Fruit("fig")
    assert dict(fruits) == {name: Fruit(name) for name in ("apple", "pear", "fig")}
    del fruits["apple"]
    assert list(fruits) == ["pear", "fig"] and len(fruits) == 2 and "apple" not in fruits
    assert fruits.get("apple") is None and repr(fruits) == "<registry of fruits: pear, fig>"


def test_names_may_be_derived_and_their_patterns_are_listed():
    fruits = Registry("fruit", "nowhere")
    half = {"half:x": "half of x"}
    fruits.fill(Fruit, [Fruit("fig")], lambda name: Fruit(name) if name.startswith("half:") else None, half)
    assert fruits["half:fig"] == Fruit("half:fig")
    assert "half:fig" not in fruits, "a derived member is no entry"
    assert fruits.lines() == {"fig": "sweet"} | half
    with pytest.raises(ArithjaxError, match=r"unknown fruit 'fog'; did you mean 'fig'\? 'arithjax list fruits'"):
        fruits["fog"]


def test_a_users_member_is_not_ours_even_under_a_name_of_ours():
    fruits = Registry("fruit", "nowhere")
    fruits.fill(Fruit, [Fruit("fig"), Fruit("pear")])
    fruits["fig"] = Fruit("fig")
    fruits["kiwi"] = Fruit("kiwi")
    assert [name for name in ("fig", "pear", "kiwi", "plum") if fruits.ours(name)] == ["pear"]


@ALL
def test_names_of_other_libraries_stand_for_members(registry):
    for other, name in registry.others.items():
        assert name in registry and other not in registry and other == other.lower()
        with pytest.raises(ArithjaxError, match=f"did you mean '{name}'"):
            registry[other]


@pytest.mark.parametrize(
    ("registry", "name", "meant"),
    [
        *[("activations", "ReLU", "relu"), ("activations", "swish", "silu"), ("activations", "gellu", "gelu")],
        *[("losses", "mean_squared_error", "mse"), ("losses", "MSELoss", "mse"), ("optimizers", "Adam", "adam")],
        *[
            ("operations", "*", "mul"),
            ("operations", "multiply", "mul"),
            ("transforms", "StandardScaler", "standardize"),
        ],
        *[("operations", "cube", None), ("operations", "zeta", None), ("activations", "qqq", None)],
    ],
)
def test_what_is_suggested_for_an_unknown_name(registry, name, meant):
    with pytest.raises(ArithjaxError) as caught:
        REGISTRIES[registry][name]
    assert (f"; did you mean '{meant}'?" in str(caught.value)) if meant else ("did you mean" not in str(caught.value))
