"""Changes: all that the registries allow, each alone, and several together in the order of their kinds."""

import pytest

import arithjax as aj
from arithjax.diagnosis.changes import applied, changes_of, difference, together
from arithjax.diagnosis.search import in_kinds

QUESTION = aj.protocols.question("mul")
CHANGES = {change.name: change for change in changes_of(QUESTION)}


def test_every_change_makes_another_setup_and_has_a_name_of_its_own():
    assert len(CHANGES) == len(changes_of(QUESTION))
    assert all(applied(QUESTION, (change,)) not in (None, QUESTION) for change in CHANGES.values())


@pytest.mark.parametrize("registry", ["ACTIVATIONS", "OPTIMIZERS", "INITIALIZERS", "LOSSES", "TRANSFORMS", "SCHEDULES"])
def test_every_member_of_a_registry_is_tried(registry):
    there = {"adam", "glorot_uniform", "mse", "raw", "constant"}
    there |= {"log", "onehot", "thermometer"}  # which need numbers above 0, and about a thousand inputs
    there |= {"cross_entropy", "bit_cross_entropy"}  # for classes
    names = set(getattr(aj, registry)) - there
    tried = [difference(QUESTION, applied(QUESTION, (change,))) for change in CHANGES.values()]
    assert names <= {value for fields in tried for value in fields.values() if isinstance(value, str)}


def test_an_activation_of_ones_own_is_tried_in_each_layer(add):
    add(aj.ACTIVATIONS, aj.Activation("cube", "z³", lambda z: z**3))
    new = {change.name for change in changes_of(QUESTION)} - set(CHANGES)
    assert new == {"cube output", "all layers cube", *(f"layer {i} cube" for i in (1, 2, 3, 4))}


def test_encodings_are_tried_where_they_make_few_inputs():
    encoded = {"binary inputs", "digits:10 inputs", "fourier:8 inputs"}
    wide = {"onehot inputs", "thermometer inputs"}
    assert encoded <= set(CHANGES) and not wide & set(CHANGES)
    assert encoded | wide <= {change.name for change in changes_of(QUESTION.replace(high=20))}


LOSSES = {"binary": "bit_cross_entropy", "thermometer": "bit_cross_entropy"}
LOSSES |= {"onehot": "cross_entropy", "digits:10": "cross_entropy", "fourier:8": "mse"}


@pytest.mark.parametrize("name", LOSSES)
def test_encodings_of_whole_results_come_with_their_loss_alone_and_with_those_of_inputs(name):
    setup = aj.Setup(op="mod", low=1, high=20, output_activation="relu")
    changes = {change.name: change for change in changes_of(setup)}
    words = "" if name == "fourier:8" else f" with {LOSSES[name].replace('_', ' ')}"
    alone, both = (applied(setup, (changes[f"{name} {what}{words}"],)) for what in ("targets", "inputs and targets"))
    new = {"target_transform": name} | ({"output_activation": "linear", "loss": LOSSES[name]} if words else {})
    assert alone == setup.replace(**new) and both == alone.replace(input_transform=name)
    assert changes[f"{name} targets{words}"].kind == "targets", "so that it goes with another encoding of inputs"


@pytest.mark.parametrize(
    "changes",
    [
        {"op": "mod", "low": 1, "high": 20, "target_transform": "onehot", "loss": "cross_entropy"},
        {"op": "mod", "low": 1, "high": 20, "output_activation": "relu"},
        {"op": "greater", "target_transform": "raw", "loss": "bit_cross_entropy"},
        {"op": "greater", "output_activation": "tanh"},
    ],
    ids=str,
)
def test_a_name_says_what_is_changed_of_results(changes):
    """All but the linear output of a cross entropy, which has no other."""
    setup = aj.Setup(**changes)
    for change in (change for change in changes_of(setup) if not change.other):
        new, name = difference(setup, applied(setup, (change,))), change.name.replace("_", " ")
        loss = new.get("loss", "").replace("_", " ")
        assert loss in name
        assert "target_transform" not in new or "targets" in name
        assert "output_activation" not in new or "output" in name or "cross entropy" in loss


def targets_encoded(setup):
    """The encodings that are tried of a setup's results."""
    return {change.name.split()[0] for change in changes_of(setup) if "targets" in change.name} & {*LOSSES}


def test_results_are_encoded_where_they_are_whole_and_their_codes_short_and_several():
    assert targets_encoded(QUESTION) == {"binary", "digits:10", "fourier:8"}
    assert targets_encoded(aj.Setup(op="equal")) == {"onehot", "digits:10", "fourier:8"}
    assert not targets_encoded(aj.Setup(op="div", low=1))


def test_bit_by_bit_nets_need_bits_of_arguments_and_of_results():
    shape = {"widths": (16,), "activation": "relu", "batch": 16, "steps": 1000, "learning_rate": 0.01, "tests": 256}
    setup = aj.Setup(op="xor", high=32, examples=2048, **shape)
    changes = {change.name: change for change in changes_of(setup)}
    words = "with bit cross entropy"
    names = ["binary inputs", f"binary targets {words}", f"binary inputs and targets {words}"]
    nets = aj.train([setup, *(applied(setup, (changes[name],)) for name in names)], seeds=16)
    *others, both = nets["success"].groupby(nets["trial"]).mean()
    assert max(others) < 0.3 < 0.7 < both


def test_a_net_of_classes_may_become_one_of_numbers():
    classes = aj.Setup(op="mod", low=1, high=20, target_transform="onehot", loss="cross_entropy")
    changes = {change.name: change for change in changes_of(classes)}
    assert applied(classes, (changes["standardized targets with mse"],)) == aj.Setup(op="mod", low=1, high=20)


def test_one_layer_is_changed_after_all_layers():
    both = in_kinds([CHANGES["layer 2 square"], CHANGES["all layers linear"]])
    assert applied(QUESTION, both).activation == ("linear", "square", "linear", "linear")
    assert both == together((CHANGES["all layers linear"],), (CHANGES["layer 2 square"],))


def test_two_changes_of_a_kind_do_not_go_together():
    assert together((CHANGES["layer 2 square"],), (CHANGES["layer 2 tanh"],)) is None
    assert together((CHANGES["rate 0.01"],), (CHANGES["rate falling from 0.01"],)) is None


def test_another_optimizer_comes_with_its_own_numbers():
    sgd = QUESTION.replace(optimizer="sgd", momentum=0.0)
    adam = next(change for change in changes_of(sgd) if change.name == "adam")
    assert applied(sgd, (adam,)).momentum is None


def test_a_change_that_a_setup_refuses_is_left_out():
    assert "log inputs" not in CHANGES  # numbers from 0 on
    assert "log inputs" in {change.name for change in changes_of(QUESTION.replace(low=1))}
    assert applied(QUESTION.replace(widths=(3,), activation="relu"), (CHANGES["layer 2 square"],)) is None


def test_a_unit_may_become_a_dense_net():
    names = {change.name for change in changes_of(aj.Setup(op="mul", model="nac_add"))}
    assert {"nmu instead of the net", "4 squares instead of the net", "10x the steps"} <= names
    assert not any(name.startswith("all layers") for name in names)
