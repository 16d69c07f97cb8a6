"""Study files: real modules, whose mistakes are one line."""

import contextlib
import inspect
import json
import pickle
import subprocess
import sys
import textwrap
import warnings

import pytest

import arithjax as aj
from arithjax import cli
from arithjax.errors import ArithjaxError
from arithjax.report.answer import restored
from arithjax.studies import cluster, files, search

END = """
def question(trial):
    return aj.Setup(op="add", widths=(3,), steps=20, examples=64, tests=64)
study = aj.Study("mine", question, trials=1, seeds=1)
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a study file, or a module beside it; import's state is restored at the end."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(text, name="mine.py", end=END, **how):
        path = tmp_path / name
        path.write_text(f"import arithjax as aj\n{textwrap.dedent(text)}{end}", **how)
        return path

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def command(monkeypatch, capsys):
    """`command("run", ...)`, as `arithjax run ...`: exit status, standard output, standard error."""

    def carried_out(*words):
        monkeypatch.setattr(sys, "argv", ["arithjax", *map(str, words)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # `main` says them in its own way
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return carried_out


def test_study_file_with_an_operation_of_its_own(tmp_path, command):
    """The file of 25 lines that README promises: by path, with a new operation, searching widths."""
    file = tmp_path / "cubes.py"
    file.write_text(
        "import arithjax as aj\n"
        'aj.OPERATIONS["cubes"] = aj.Operation("cubes", "a³ + b³", lambda a, b: a**3 + b**3)\n'
        "def question(trial):\n"
        '    widths = [trial.suggest_int("width", 2, 6)]\n'
        '    return aj.Setup(op="cubes", low=0, high=9, widths=widths, steps=30, examples=64, tests=64)\n'
        'study = aj.Study("cubes", question, trials=2, seeds=1)\n'
    )
    status, said, _ = command("run", file, "--out", tmp_path)
    assert status == 0 and (tmp_path / "cubes/report.html").exists(), said
    assert set(aj.load(tmp_path / "cubes").op) == {"cubes"}


NEEDS = {"scaling": "a line needs two sizes", "why": "no nets of mul for 62 of 64 combinations"}
"""Studies whose answer is about a whole table, and what they say of two of its trials."""
COMPARED = ("units", "units_deep", "units_long", "reproduction")
"""Studies whose nets stand beside published cells, which none of so few steps does."""


MARKS = {
    "units_long": pytest.mark.slow,  # which answers as units_deep does
    "grokking_97": pytest.mark.slow,  # as grokking does
    "reproduction": pytest.mark.optimized,  # which draws 64,000 examples for each net
}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=MARKS.get(path.stem, ())) for path in sorted(files.sweeps().glob("*.py"))],
)
def test_built_in_studies_run_in_miniature(path, tmp_path):
    """Their answers are of the trials that there are, however few, or say in one line what they lack."""
    built_in = files.load_study(path)
    assert len(aj.run(built_in, tmp_path, trials=2, seeds=1, steps=20)) == 2
    nets = aj.load(tmp_path / path.stem)
    assert len(nets) == 2
    if path.stem in NEEDS:
        with pytest.raises(ArithjaxError, match=f"{NEEDS[path.stem]}.* without --trials"):
            built_in.answer(nets)
        return
    with pytest.warns(UserWarning, match="none of") if path.stem in COMPARED else contextlib.nullcontext():
        answer = built_in.answer(nets)
    assert answer.finding.strip() and restored(answer.stored()).lines() == answer.lines()
    assert all(answer.figures.values())


def test_a_flax_model_of_its_own(write, tmp_path):
    """The model of the README."""
    text = """
    import flax.linen as nn
    class Mine(nn.Module):
        widths: tuple
        @nn.compact
        def __call__(self, x):  # [batch, inputs] -> [batch, 1]
            for width in self.widths:
                x = nn.relu(nn.Dense(width)(x))
            return nn.Dense(1)(x)
    aj.MODELS["mine"] = aj.FlaxModel("mine", lambda setup: Mine(setup.widths))
    """
    made = files.load_study(write(text, end=END.replace("widths", 'model="mine", widths')))
    assert set(aj.run(made, tmp_path).model) == {"mine"}


def test_a_dataclass(write):
    text = """
    from dataclasses import dataclass, field
    from typing import ClassVar, get_type_hints
    @dataclass(frozen=True)
    class Case:
        name: str
        count: ClassVar[int] = 3
        tags: list = field(default_factory=list)
    assert [Case("a").name, list(Case.__dataclass_fields__)] == ["a", ["name", "count", "tags"]]
    assert get_type_hints(Case)["name"] is str
    """
    assert files.load_study(write(text)).name == "mine"


@pytest.mark.parametrize("first", ["", "from __future__ import annotations"])
def test_annotations_are_as_the_file_says(write, first):
    path = write("")
    path.write_text(f"{first}\nimport arithjax as aj\ndef f(x: int): ...\nkind = f.__annotations__['x']{END}")
    made = files.load_study(path)
    assert sys.modules[made.question.__module__].kind == ("int" if first else int)


def test_a_module_of_its_own(write, tmp_path):
    one = files.load_study(write("here = __file__, __name__"))
    other = files.load_study(write("", name="other.py").rename(tmp_path / "mine.py"))
    names = [made.question.__module__ for made in (one, other)]
    assert names[0] != names[1] and all(name.startswith("_arithjax_study_") for name in names)
    assert sys.modules[names[0]].here == (str(tmp_path / "mine.py"), names[0])
    assert pickle.loads(pickle.dumps(one.question)) is one.question
    assert one.path == str(tmp_path / "mine.py") and one.source.startswith("import arithjax")


def test_modules_beside_it_can_be_imported(write):
    write("WIDTHS = (3, 4)", name="beside_the_study.py", end="")
    write("RATE = 0.5", name="beside_too.py", end="")
    write("", name="wave.py", end="")
    text = "import beside_the_study\ndef rate():\n    import beside_too\n    return beside_too.RATE\n"
    end = END.replace("(3,)", "beside_the_study.WIDTHS, learning_rate=rate()")
    made = files.load_study(write(text, end=end))
    setup = search.ask(made, None)
    assert (setup.widths, setup.learning_rate) == ((3, 4), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert "WAVE_FORMAT_PCM" in dir(__import__("wave"))  # not the one beside the study


@pytest.mark.parametrize(
    ("first", "encoding"),
    [("", "utf-8"), ("", "utf-8-sig"), ("# -*- coding: latin-1 -*-", "latin-1"), ("# coding: cp1252", "cp1252")],
)
def test_encodings(tmp_path, first, encoding):
    path = tmp_path / "mine.py"
    end = END.replace("trials=1", 'about="é ü", trials=1')
    path.write_bytes(f"{first}\r\nimport arithjax as aj\r\n{end}".encode(encoding))
    made = files.load_study(path)
    assert made.about == "é ü" and "\r" not in made.source
    assert files.study_of(made.source, "mine.py").about == "é ü"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"# coding: nonsense\n", "x = 'é'".encode("latin-1")], ids=["utf-16", "cookie", "latin-1"]
)
def test_encodings_that_are_none(tmp_path, content):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(ArithjaxError, match=r"mine\.py cannot be read"):
        files.load_study(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1 / 0", "line 2: ZeroDivisionError: division by zero"),
        ("x = 1\nimport json\njson.loads('{')", "line 4: JSONDecodeError: Expecting property name"),
        ("x = (", r"line \d+: SyntaxError: '\(' was never closed"),
        ("import sys\nsys.exit('enough')", r"line 3: it calls sys\.exit\(\); take that out"),
        ("exit()", r"line 2: it calls sys\.exit\(\)"),
        ("raise ValueError('one\\ntwo')", "line 2: ValueError: one two"),
        ("import broken_beside", r"line 2: SyntaxError: .*broken_beside\.py, line 2"),
        ("aj.Setup(op='mull')", "unknown operation 'mull'; did you mean 'mul'"),
        ("\0", "null byte"),
    ],
)
def test_mistakes_are_one_line_with_the_files_own_line(write, text, words):
    write("x = (", name="broken_beside.py", end="")
    path, before = write(text), set(sys.modules)
    with pytest.raises(ArithjaxError, match=f"the study file .*mine.py.*{words}") as caught:
        files.load_study(path)
    assert "\n" not in str(caught.value)
    assert not [name for name in set(sys.modules) - before if name.startswith("_arithjax_study")]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("", "holds no variable `study`; end it with"),
        ("study = 3", "has a int as `study`"),
        ("study = aj.Study", "has a type as `study`"),
    ],
)
def test_files_without_a_study(write, end, words):
    with pytest.raises(ArithjaxError, match=words):
        files.load_study(write("", end=end))


def test_sys_exit_is_refused_with_status_2(write, command):
    status, out, said = command("run", write("import sys\nsys.exit(0)"))
    assert status == 2 and out == ""
    assert said.count("\n") == 1 and "calls sys.exit(); take that out" in said


def test_an_interruption_is_none_of_its_mistakes(write):
    with pytest.raises(KeyboardInterrupt):
        files.load_study(write("raise KeyboardInterrupt"))


def test_source_text_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = files.study_of(
        f"import arithjax as aj\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    a: int{END}", "no.py"
    )
    assert inspect.getsource(made.question).startswith("def question(trial):")
    assert search.ask(made, None).widths == (3,)


def test_a_cluster_worker_loads_the_text_and_what_is_beside_the_file(write, tmp_path):
    """In a process of its own, as a worker on the same machine."""
    write("WIDTHS = (3, 4)", name="beside_the_study.py", end="")
    text = """
    from dataclasses import dataclass
    import beside_the_study
    @dataclass
    class Case:
        widths: tuple = beside_the_study.WIDTHS
    """
    made = files.load_study(write(text, end=END.replace("(3,)", "Case().widths")))
    about = cluster.about_study(made, None, {0: search.fixed(made, {}, 0)})
    assert made.path == about["path"]
    worker = "import json, sys; from arithjax.studies import cluster; cluster.prepare(json.load(sys.stdin))"
    how = {"input": json.dumps(about), "capture_output": True, "text": True, "cwd": "/"}
    done = subprocess.run([sys.executable, "-c", worker], **how)
    assert done.returncode == 0, done.stderr


def test_built_in_studies_by_name():
    names = [path.stem for path in files.sweeps().glob("*.py")]
    assert "question" in names
    with pytest.raises(
        ArithjaxError, match=r"unknown study 'questio'; did you mean 'question'.*such as \./questio\.py"
    ):
        files.find_study("questio")
    for path in files.sweeps().glob("*.py"):
        about, text = files.about_file(path), " ".join(path.read_text().split())
        assert about[-1] in ".?" and text.startswith(f'"""{about}'), "a whole sentence"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ArithjaxError, match=r"nowhere\.py cannot be read .*check the path"):
        files.find_study(str(tmp_path / "nowhere.py"))


@pytest.mark.slow
def test_the_smallest_net_of_each_operation_has_a_search_of_its_own(tmp_path):
    study = files.load_study(files.sweeps() / "smallest.py")
    nets = aj.run(study, tmp_path, trials=34, seeds=1, steps=1)
    assert (nets.op == [list(study.sampler.studies)[trial % 8] for trial in nets.trial]).all()
    for op, own in study.sampler.studies.items():
        told = [trial for trial in own.trials if trial.values]  # of the first batch, four for each of eight
        of_op = nets[(nets.op == op) & (nets.trial < 32)]
        assert [trial.values[1] for trial in told] == of_op.sort_values("trial").parameters.tolist()
        assert len(told) == 4
