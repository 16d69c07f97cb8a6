"""What commands print."""

import os
import subprocess
import sys

import pytest

from arithjax.cli.output import Parts, as_options, visible
from arithjax.errors import ArithjaxError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a² ± 1 %\n\tµ", "a² ± 1 %\n\tµ"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb", "a\\rb"),
        ("\u202eabc\u200b", "\\u202eabc\\u200b"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("with split=0.5, examples=all and fresh=False they", "with --split 0.5, --examples all and --no-fresh they"),
        ("set integers=True. widths=64,64: low=1e-3; op=mul", "set --integers. --widths 64,64: --low 1e-3; op=mul"),
        ("input_transform='digits:10' (loss=mse) steps=5", "--input-transform 'digits:10' (--loss mse) --steps 5"),
        ("target_transform=digits:10, not raw; end_low=3", "--target-transform digits:10, not raw; end_low=3"),
        (
            "there is no runs/seed=3/a.net, nor seed=35/a; seed=3",
            "there is no runs/seed=3/a.net, nor seed=35/a; --seed 3",
        ),
    ],
)
def test_fields_are_options_where_a_command_says_them(text, shown):
    assert as_options(text) == shown


def test_a_part_that_fails_is_a_line_and_costs_no_other(capsys):
    parts = Parts()
    parts.say("the first part", lambda: "one")
    parts.say("the second part", lambda: str(1 / 0))
    parts.say("the third part", lambda: "three")
    said = capsys.readouterr()
    assert said.out == "one\nthree\n"
    assert (
        said.err
        == "arithjax: the second part could not be made (ZeroDivisionError: division by zero); the rest is there.\n"
    )
    with pytest.raises(SystemExit) as end:
        parts.end()
    assert end.value.code == 1


def test_a_mistake_in_what_was_asked_is_told_in_its_own_words_alone(capsys):
    def unknown():
        raise ArithjaxError("by: there is no column 'activaton'.")

    Parts().say("the table", unknown)
    assert capsys.readouterr().err == (
        "arithjax: the table could not be made (by: there is no column 'activaton'.); the rest is there.\n"
    )


def test_a_part_that_nobody_reads_ends_the_command():
    def closed():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Parts().say("the first part", closed)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_another_encoding_is_no_error(encoding):
    given = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    words = [sys.executable, "-c", "from arithjax.cli import main; main()", "list", "operations"]
    done = subprocess.run(words, env=given, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "√a".encode(encoding, errors="backslashreplace") in done.stdout or "√a".encode() in done.stdout
