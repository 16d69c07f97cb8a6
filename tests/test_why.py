"""`aj.why`: a net that cannot give its results is named so, mended, and handed back as a command and as code."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import arithjax as aj
from arithjax.cli.commands import UNASKED, arithjax
from arithjax.cli.nets import given_fields
from arithjax.diagnosis.answer import finding, sentences
from arithjax.diagnosis.changes import changes_of
from arithjax.diagnosis.pictures import along, ladders
from arithjax.diagnosis.race import GROUP, JUDGING
from arithjax.diagnosis.why import _steps
from arithjax.registry import CAUSES
from arithjax.report.words import listed
from arithjax.tables.loading import load, setup_of

KEYS = ["finding", "causes", "changes", "path", "recipe", "rate", "seconds"]


told: list[aj.Evaluation] = []
"""What the callback of `asked` was told."""


@pytest.fixture(scope="module")
def asked():
    """2a - 1, an operation of a user's own, with a relu output that cannot be negative."""
    aj.OPERATIONS["line"] = aj.Operation("line", "2a - 1", lambda a: 2 * a - 1, arity=1)
    setup = aj.Setup(
        **{"op": "line", "low": -8, "high": 8, "widths": (4,), "activation": "relu", "output_activation": "relu"},
        **{"examples": 64, "batch": 16, "steps": 1500, "learning_rate": 0.01, "tests": 64},
    )
    told.clear()
    yield aj.why(setup, seconds=3, seeds=16, patience=1000, callback=told.append)
    del aj.OPERATIONS["line"]


def test_the_cause_is_named_and_mended(asked):
    assert asked.causes[0]["id"] == "output_range" and asked.causes[0]["share"] == 1
    assert "a relu output is never below" in asked.sentences[0]
    assert asked.finding.startswith("This net does not learn 2a - 1: 100 % are unable to give these results")
    assert "linear output" in [step.change for step in asked.path]
    assert asked.before.rate == 0 and asked.after.rate >= 0.5
    assert asked.mended.output_activation == "linear"


def test_rates_of_the_path_are_those_of_fresh_seeds_alone(asked):
    fresh = asked.nets[asked.nets["seed"] >= GROUP * JUDGING]
    chosen = asked.nets[asked.nets["seed"] < GROUP * JUDGING]
    assert not set(fresh["seed"]) & set(chosen["seed"])
    mine = fresh[[setup_of(row) == asked.mended for _, row in fresh.iterrows()]]
    assert all(step.judged for step in asked.path)
    assert asked.after.nets == GROUP == len(mine) and asked.after.learned == mine["success"].sum()


def test_changes_without_nets_of_their_own_are_told_with_the_next(asked):
    """As where time ran out after the whole path was judged."""
    first, second, third = path = tuple(changes_of(asked.setup))[:3]
    never = {first.name}, {first.name, second.name}
    for untrained, said in (never[:1], [[first, second], [third]]), (never, [[first, second, third]]):
        steps = _steps(path, lambda name, made: None if {m.name for m in made} in untrained else name)  # noqa: B023
        assert steps == [listed(change.name for change in changes) for changes in said]


def test_a_callback_is_told_of_every_net_of_the_table(asked):
    ends = {(net.trial, net.seed): net.setup for one in told if one.step == one.steps for net in one.nets}
    assert ends == {(row["trial"], row["seed"]): setup_of(row) for _, row in asked.nets.iterrows()}
    assert len(set(ends.values())) == asked.nets["trial"].nunique()


def test_without_time_nothing_is_said_to_have_been_tried(asked):
    useless = replace(asked.tried[-1], change="twice", learned=0, exact=0, judged=True, other=False)
    found = replace(asked.findings, path=[], tried=[useless])
    assert finding(found).endswith("Nothing that was tried helps.")
    assert finding(replace(found, tried=[])).endswith("There was no time to try a change.")
    useful = replace(useless, learned=useless.nets)
    assert finding(replace(found, tried=[useful])).endswith("With twice 100 % learn it.")
    assert finding(replace(found, path=[useless])).endswith("Nothing that was tried makes most nets learn it.")


def test_as_data_it_has_the_promised_keys(asked, tmp_path):
    data = json.loads(asked.to_json())
    assert list(data) == KEYS
    assert all(list(one) == ["id", "share", "low", "high", "sentence"] for one in data["causes"])
    assert all(list(one) == ["change", "fields", "rate", "low", "high"] for one in data["changes"] + data["path"])
    assert aj.Setup(**data["recipe"]) == asked.mended
    assert data["rate"] == {"before": asked.before.rate, "after": asked.after.rate}


def test_the_command_and_the_code_make_the_mended_setup(asked):
    words = shlex.split(asked.command)
    given = arithjax.commands["fit"].make_context("fit", words[2:]).params
    options = {name: given[name] for name in aj.Setup.field_names() if name not in UNASKED}
    assert aj.Setup(op=given["op"], **given_fields(options)) == asked.mended
    known: dict = {}
    exec(asked.code.partition("net =")[0], known)
    assert known["setup"] == asked.mended


def test_it_shows_itself(asked, tmp_path):
    text = str(asked)
    assert text.startswith(asked.finding) and asked.command in text and "linear output" in text
    assert asked.finding in asked._repr_html_()
    page = asked.save(tmp_path / "out")
    assert asked.finding in page.read_text()
    assert sorted(path.name for path in (tmp_path / "out" / "figures").iterdir())[0] == "alone.svg"
    assert len(load(tmp_path / "out")) == len(asked.nets)


def by_heart(found, **changes):
    """What is said about knowing results by heart, where the mended net has these other fields."""
    said = sentences(replace(found, mended=found.mended.replace(**changes)))
    assert len(said) <= 3
    return [sentence for sentence in said if "by heart" in sentence]


HALVED = "by heart; with {} they are judged on a half that they are not shown."
FRESH = {"input_transform": "binary", "fresh": True}


@pytest.mark.parametrize(
    ("changes", "count", "advice", "ends"),
    [
        ({"input_transform": "onehot"}, "16", {"split": 0.5}, HALVED.format("split=0.5")),
        (
            *(FRESH, "16", {"split": 0.5, "examples": "all", "fresh": False}),
            HALVED.format("split=0.5, examples=all and fresh=False"),
        ),
        ({**FRESH, "low": 0, "high": 2**21, "steps": 2**17}, "2,097,152", {}, "by heart."),  # too many for a table
    ],
    ids=["examples", "fresh", "too many"],
)
def test_nets_that_are_shown_codes_of_all_arguments_may_know_it_by_heart(asked, changes, count, advice, ends):
    (sentence,) = by_heart(asked.findings, **changes)
    assert f"shown most of the {count} arguments" in sentence and sentence.endswith(ends)
    assert not advice or not by_heart(asked.findings, **changes | advice)


def test_nets_that_learn_as_they_are_may_know_it_by_heart(asked):
    found = replace(asked.findings, path=[], setup=asked.mended)
    learn, fail = (replace(found, before=one) for one in (asked.after, asked.before))
    assert finding(learn).endswith("Nothing has to be changed.")
    assert by_heart(learn, input_transform="onehot") == by_heart(asked.findings, input_transform="onehot")
    assert not by_heart(fail, input_transform="onehot")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input_transform": "onehot", "examples": "all", "split": 0.5, "batch": 8},
        {"input_transform": "onehot", "examples": 15, "batch": 8},
        {"input_transform": "onehot", "high": 80},
        {"input_transform": "fourier:4", "integers": False},
    ],
    ids=str,
)
def test_nets_of_fewer_examples_or_without_codes_know_nothing_by_heart(asked, changes):
    assert not by_heart(asked.findings, **changes)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"setup": 3}, "setup is a int"),
        ({"seconds": 0}, "seconds=0 is not allowed"),
        ({"seconds": float("nan")}, "seconds=nan is not allowed"),
        ({"seeds": 0}, "seeds=0 is not allowed"),
        ({"seed": -1}, "seed=-1 is not allowed"),
        ({"callback": 3}, "callback is a int"),
    ],
)
def test_what_is_not_allowed_is_said(given, words):
    with pytest.raises(aj.ArithjaxError, match=words):
        aj.why(**{"setup": aj.Setup(), **given})


def test_the_command_line_asks_of_the_net_of_the_question(monkeypatch):
    from arithjax.cli import why

    asked_of = []

    def ask(setup, *given, **more):
        asked_of.append(setup)
        raise aj.ArithjaxError("asked")

    monkeypatch.setattr(why, "ask", ask)
    CliRunner().invoke(arithjax, ["why", "add", "--net", "question", "--steps", "50"])
    CliRunner().invoke(arithjax, ["why", "add", "--widths", "3"])
    assert asked_of == [aj.protocols.question("add", steps=50), aj.Setup(op="add", widths=(3,))]


def test_what_helps_most_is_one_change_of_the_net_itself_everywhere(asked):
    best = asked.findings.best
    assert best is not None and not best.other
    assert any(f"{best.change} helps most" in sentence for sentence in sentences(asked.findings))
    assert any(picture.says.startswith(f"Alone, {best.change} helps most") for picture in ladders(asked.findings))
    other = replace(best, change="a unit instead of the net", other=True, learned=best.nets)
    assert replace(asked.findings, tried=[other, *asked.tried]).best == best


def test_nothing_is_said_of_changes_that_were_not_tried_or_do_not_mend(asked):
    assert ladders(replace(asked.findings, tried=[])) == []
    failing = replace(asked.findings, path=[replace(asked.path[-1], learned=0)])
    lines = [set(along(found).table["who"]) for found in (asked.findings, failing)]
    assert "mended" in lines[0] - lines[1]


def test_a_net_is_not_said_to_be_wrong_where_it_was_not_asked(asked):
    rows = asked.evidence.rows.assign(success=True, grade="exact")
    for solved, holds in ((None, False), (False, True), (True, False)):
        seen = replace(asked.evidence, rows=rows.assign(extrapolation_solved=solved))
        assert (CAUSES["beyond"].holds(seen) == holds).all()


def test_nets_of_data_are_judged_on_rows_that_they_were_trained_on(asked, add):
    data = add(aj.OPERATIONS, aj.Dataset("rows", np.arange(64.0).reshape(32, 2), np.arange(32.0)))
    for holdout, said in ((0.0, True), (0.5, False)):
        found = replace(asked.findings, mended=aj.Setup(op=data.name, batch=16, holdout=holdout))
        assert any("with holdout=0.2" in sentence for sentence in sentences(found)) == said


def test_a_command_line_is_told_of_options_and_its_code_is_left_as_it_is(asked, monkeypatch):
    from arithjax.cli import why

    answer = replace(asked, sentences=["With split=0.5 it is judged on others."])
    monkeypatch.setattr(why, "ask", lambda *given, **more: answer)
    said = CliRunner().invoke(arithjax, ["why", "add", "--widths", "3"]).output
    assert "\nWith --split 0.5 it is judged on others.\n" in said
    assert str(asked.keras).rstrip() in said and "activation=" in asked.keras
