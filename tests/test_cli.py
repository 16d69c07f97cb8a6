"""The command line: answers, exit statuses, and one clear line for every mistake."""

import inspect
import json
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import RESULTS

import arithjax as aj
from arithjax import cli
from arithjax.cli import listing, tables
from arithjax.cli.commands import UNASKED
from arithjax.cli.text import rate_table
from arithjax.setup import FIELDS
from arithjax.tables import groups, schema, statistics

TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}
TINY_OPTIONS = [
    "--widths",
    "3",
    "--activation",
    "relu",
    "--batch",
    "10",
    "--steps",
    "30",
    "--examples",
    "64",
    "--tests",
    "64",
    "--seeds",
    "2",
]


def command(*words, monkeypatch=None, capsys=None):
    """`arithjax WORDS` as `main` runs it: exit status, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["arithjax", *map(str, words)])
    monkeypatch.setattr("warnings.showwarning", None)
    try:
        cli.main()
        status = 0
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def arithjax(monkeypatch, capsys):
    return lambda *words: command(*words, monkeypatch=monkeypatch, capsys=capsys)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    def question(trial):
        return aj.Setup(op=trial.suggest_categorical("op", ["add", "mul"]), **TINY)

    out = tmp_path_factory.mktemp("runs")
    aj.run(aj.Study("tiny", question, sampler="grid", seeds=3, by=("op",)), out)
    return out / "tiny"


@pytest.mark.parametrize("words", [["--help"], ["table", "--help"], ["fit", "--help"], ["run", "--help"]])
def test_help_starts_no_jax(words):
    program = "import sys; from arithjax.cli import arithjax; arithjax(sys.argv[1:], standalone_mode=False); "
    done = subprocess.run(
        [sys.executable, "-c", program + "assert 'jax' not in sys.modules", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_help_of_every_command_imports_no_more_than_the_declarations():
    program = "import sys; from arithjax.cli import arithjax; "
    program += "[arithjax([name, '--help'], standalone_mode=False) for name in arithjax.commands]; "
    program += "print({'jax', 'pandas', 'numpy', 'optuna', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.endswith("set()\n"), done.stderr


@pytest.mark.parametrize("name", cli.arithjax.commands)
def test_a_command_is_carried_out_by_a_function_of_its_parameters(name):
    declared = cli.arithjax.commands[name]
    asked = inspect.signature(declared.function()).parameters.values()
    named = {parameter.name for parameter in asked if parameter.kind is not parameter.VAR_KEYWORD}
    given = {parameter.name for parameter in declared.params}
    assert named <= given
    assert given == named or given - named == set(aj.Setup.field_names()) - {*UNASKED}, "options are the setup's fields"


def test_fit_has_an_option_for_every_field_with_its_help_and_default():
    out = " ".join(CliRunner().invoke(cli.arithjax, ["fit", "--help"]).output.split())
    for name, field in FIELDS.items():
        if name not in UNASKED:
            assert f"--{name.replace('_', '-')}" in out
            assert field.help[:25] in out
    assert "[default: 0.001]" in out and "[default: glorot_uniform]" in out


def test_table_starts_no_jax(results):
    program = "import sys; from arithjax.cli import arithjax; arithjax(sys.argv[1:], standalone_mode=False); "
    command = [sys.executable, "-c", program + "assert 'jax' not in sys.modules", "table", str(results)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "mul" in done.stdout


def test_fit_save_predict(arithjax, tmp_path):
    status, out, _ = arithjax("fit", "add", *TINY_OPTIONS, "--save", tmp_path / "a.net")
    assert status == 0
    assert out.count("\n") > 12 and out.startswith("Ten fresh arguments of a + b, answered by the best of 2 nets:")
    status, out, err = arithjax("predict", tmp_path / "a.net", 1, 2)
    assert (status, err) == (0, "")
    float(out)
    status, _, err = arithjax("predict", tmp_path / "a.net", -1, 600)
    assert status == 0
    assert "Outside the training range" in err


@pytest.mark.parametrize(
    ("number", "digits", "text"),
    [
        (16785408.0, 7, "16785408"),
        (110001000.0, 7, "110001000"),
        (56087.996, 7, "56088"),
        (24.0001, 7, "24.0001"),
        (4.0000001, 15, "4.0000001"),
        (9007199254740992.0, 15, "9007199254740992"),
        (0.1, 7, "0.1"),
        (float("nan"), 7, "nan"),
        (-3e38, 7, "-3e+38"),
    ],
)
def test_a_number_decides_how_it_is_shown(number, digits, text):
    from arithjax.cli.predict import _plain

    assert _plain(number, digits) == text


def test_few_arguments_are_counted_and_large_ones_are_said(arithjax, tmp_path):
    words = ["fit", "add", *TINY_OPTIONS, "--low", -1, "--high", 1, "--no-curve", "--save", tmp_path / "a.net"]
    status, out, _ = arithjax(*words)
    assert status == 0
    assert "There are only 4 different arguments: a and b whole numbers from -1 to 0. With --no-integers" in out
    _, _, err = arithjax("predict", tmp_path / "a.net", 2**24 + 1, 2)
    assert "float32 holds these numbers as 16777216 2." in err


@pytest.mark.parametrize("op", ["add:3:0-2:2-3", "mul:30:0-20:10-30"])
def test_a_net_of_many_inputs_is_saved_and_shown(arithjax, op, tmp_path):
    """With an output that is a polynomial, so that there is a formula where it is short."""
    words = ["fit", op, *TINY_OPTIONS, "--activation", "linear", "--no-curve", "--save", tmp_path / "a.net"]
    status, out, err = arithjax(*words)
    assert (status, err) == (0, "")
    assert "value" in out and "Saved to" in out
    assert ("As a formula: y = " if op.startswith("add:3") else "\nNo formula: it is a polynomial of 31 terms") in out
    assert max(map(len, out.splitlines()[:13])) < 160
    assert aj.load_net(tmp_path / "a.net").setup.op == op


def test_a_net_that_could_not_be_saved_is_not_trained(arithjax, tmp_path):
    status, out, err = arithjax("fit", "add", *TINY_OPTIONS, "--save", tmp_path / "no/a.net")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "--save" in err and "choose another file" in err


def test_a_study_whose_question_fails_later_has_its_table_and_report(arithjax, tmp_path):
    """What follows the training is shown part by part: importances ask the question once more, and the answer, too."""
    text = (
        "import arithjax as aj\n"
        "asked = []\n"
        "def question(trial):\n"
        "    asked.append(trial.number)\n"
        "    if len(asked) > 50: raise RuntimeError('later')\n"
        "    rate = trial.suggest_float('learning rate', 0.01, 0.02)\n"
        "    width = trial.suggest_categorical('rate', [2, 3])\n"
        "    return aj.Setup(op='add', widths=(width,), learning_rate=rate, steps=20, examples=64, tests=64)\n"
        "study = aj.Study('later', question, trials=50, seeds=1, by=('learning rate', 'rate'), answer=lambda nets: 3)\n"
    )
    status, out, err = arithjax("run", study_file(tmp_path, text), "--out", tmp_path, "--portraits", 0)
    assert status == 1
    assert "the importance of each choice could not be made" in err and "later" in err
    assert "the study's answer could not be given (TypeError: a int and neither text nor an aj.Answer)" in err
    assert "Success rate" in out and "learned it" in out
    assert (tmp_path / "later/report.html").exists() and len(aj.load(tmp_path / "later")) == 50


@pytest.fixture(scope="module")
def saved_net(tmp_path_factory):
    path = tmp_path_factory.mktemp("nets") / "m.net"
    net = aj.fit(aj.Setup(op="add", **TINY), seeds=1)
    net.save(path)
    return path, net


@pytest.mark.optimized
def test_predict_answers_without_jax_what_the_net_answers(saved_net):
    path, net = saved_net
    program = "import sys; from arithjax.cli import arithjax; arithjax(sys.argv[1:], standalone_mode=False); "
    program += "assert not {'jax', 'pandas', 'optuna'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, "predict", path, "3", "4"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{float(net([3, 4])):.7g}\n"


def test_predict_as_json(arithjax, saved_net):
    path, net = saved_net
    status, out, _ = arithjax("predict", path, 3, 400.5, "--json")
    told = {"numbers": [3.0, 400.5], "answer": float(net([3, 400.5])), "inside": True, "exact": False}
    assert (status, json.loads(out)) == (0, told)


def test_export_writes_a_script_that_answers(arithjax, saved_net, tmp_path, monkeypatch):
    path, net = saved_net
    monkeypatch.chdir(tmp_path)
    assert arithjax("export", path, "--to", "numpy")[1] == "Wrote m_numpy.py.\n"
    run = [sys.executable, "m_numpy.py", "3", "4"]
    assert float(subprocess.check_output(run)) == pytest.approx(float(net([3, 4])), rel=1e-5)
    assert arithjax("export", path, "--to", "numpy", "--out", "-")[1].startswith('"""a + b: a net of 13 parameters')
    assert arithjax("export", path, "--to", "torch", "--untrained", "--out", "t.py")[0] == 0
    assert "optimizer.step()" in (tmp_path / "t.py").read_text()
    status, _, err = arithjax("export", path, "--to", "kers")
    assert status == 2 and "did you mean 'keras'" in err


OWN = """
import arithjax as aj

aj.OPERATIONS["thrice"] = aj.Operation("thrice", "3a", lambda a: 3 * a, arity=1)
study = aj.Study("own", lambda trial: aj.Setup(op="thrice"), trials=1)
"""


def test_a_study_file_brings_its_operations_to_fit_and_predict(arithjax, tmp_path):
    source, net = study_file(tmp_path, OWN), tmp_path / "own.net"
    try:
        words = ["fit", "thrice", *TINY_OPTIONS, "--study", source, "--save", net, "--quiet"]
        status, out, err = arithjax(*words)
        assert (status, err, out.count("\n")) == (0, "", 1) and out.startswith("Best net: ")
        assert arithjax("predict", net, 5, "--study", source)[0] == 0
    finally:
        del aj.OPERATIONS["thrice"]
    assert arithjax("fit", "thrice")[0] == 2
    assert arithjax("predict", net, 5)[0] == 0, "answers need no operation"


def test_tables_as_json(arithjax, results):
    groups = json.loads(arithjax("table", results, "--by", "op", "--json")[1])
    assert [(group["op"], group["nets"]) for group in groups] == [("add", 3), ("mul", 3)]
    told = json.loads(arithjax("compare", results, results, "--by", "op", "--json")[1])
    assert sum(row["nets_a"] for row in told["overall"]) == 6 and [group["op"] for group in told["groups"]] == [
        "add",
        "mul",
    ]
    told = json.loads(arithjax("status", results, "--json")[1])
    assert (told["nets"], told["done"], told["left"], told["running"], told["seconds"]) == (6, 6, 0, False, 0)


def test_a_quiet_run_and_retrain_say_the_outcome_alone(arithjax, results, tmp_path):
    study = study_file(tmp_path, OWN.replace('op="thrice"', 'op="thrice", steps=9, examples=64, tests=64'))
    try:
        status, out, err = arithjax("run", study, "--seeds", 1, "--out", tmp_path / "runs", "--portraits", 0, "--quiet")
    finally:
        del aj.OPERATIONS["thrice"]
    assert (status, err) == (0, "") and "Report: " in out and "rate_low" not in out
    assert arithjax("retrain", results, 0, "--quiet")[1] == "Identical to the last bit.\n"


def test_numbers_ascend_within_a_table_of_text(arithjax):
    groups = json.loads(arithjax("table", RESULTS / "exact", "--by", "widths", "--json")[1])
    assert [group["widths"] for group in groups] == ["", "2", "3", "4", "6,6", "8", "16"]


def test_table_report_retrain(arithjax, results):
    assert "add" in arithjax("table", results, "--by", "op")[1]
    assert arithjax("table", results, "--by", "op", "--csv")[1].startswith("op,nets,rate,rate_low,rate_high")
    assert "mul" not in arithjax("table", results, "--where", "op == 'add'")[1]
    assert arithjax("report", results)[0] == 0
    assert (results / "figures/rates.svg").read_text().startswith("<svg")
    status, out, _ = arithjax("retrain", results, 4)
    assert status == 0
    assert "Identical to the last bit" in out


def test_status(arithjax, results):
    from arithjax.tables.store import Store

    status, out, _ = arithjax("status", results)
    assert status == 0
    assert "2 setups x 3 seeds = 6 nets" in out
    assert "done     6 (100%)" in out
    with Store(results).lock():
        assert "running  yes" in arithjax("status", results)[1]
    assert "running  no" in arithjax("status", results)[1]


def test_compare(arithjax, results):
    status, out, _ = arithjax("compare", results, results, "--by", "op")
    assert status == 0
    assert "add" in out and "Newcombe). p of test 'Fisher': " in out
    assert arithjax("compare", results, results, "--csv")[1].startswith(
        "op,nets_a,rate_a,nets_b,rate_b,difference,low,high,p,test"  # operations are not pooled
    )


def test_compare_says_what_each_p_is():
    """Sampled setups without a success beside themselves: all ties, half of which count."""

    def nets(sampled):
        rows = pd.DataFrame({"trial": [0, 0, 1, 1], "learning_rate": [0.1, 0.1, 0.2, 0.2], "success": False})
        return groups.marked(rows.assign(seed=[0, 1, 0, 1], mse=[1.0, 2.0, 3.0, 4.0]), sampled)

    fisher, effective, permutation = (
        statistics.compare(nets(one), nets(other)) for one, other in [(False, False), (False, True), (True, True)]
    )
    assert (fisher.p.item(), permutation.p.item()) == (1, 0.5)
    said = [
        "p of test 'Fisher': Fisher's exact test, two-sided, as nets are independent.",
        "p of test 'Fisher, effective': Fisher's exact test, two-sided, on the effective number of nets where setups "
        "were sampled, whose nets succeed and fail together.",
        "p of test 'permutation': mid-p of a permutation test of the setups, as these were sampled; ties count by "
        "half.",
    ]
    assert [tables.tests(table) for table in (fisher, effective, permutation)] == said
    assert tables.tests(permutation, fisher) == f"{said[0]} {said[2]}"


def test_rates_by_a_number_ascend_with_it():
    nets = pd.DataFrame({"success": [True, False, True], "width": [17, 7, 18], "op": "mul", "grade": "rough"})
    nets = nets.assign(relative_rmse=0.5, extrapolation_relative_rmse=2.0, solved_at=1.0)
    assert [line.split()[0] for line in rate_table(nets, ["width"]).splitlines()[2:]] == ["7", "17", "18"]
    of_two = pd.concat([nets, nets.assign(op="add")], ignore_index=True)
    rows = [line.split()[:2] for line in rate_table(of_two, ["width"]).splitlines()[2:]]
    assert rows == [["7", "add"], ["mul", "1"], ["17", "add"], ["mul", "1"], ["18", "add"], ["mul", "1"]]


def test_retrain_names_another_machine(arithjax, results, tmp_path):
    import shutil

    there = shutil.copytree(results, tmp_path / "there")
    described = json.loads((there / "study.json").read_text())
    described |= {"device": "Abacus 9000, 1 cores, wood", "versions": {**described["versions"], "jax": "0.1"}}
    (there / "study.json").write_text(json.dumps(described))
    out = arithjax("retrain", there, 0)[1]
    assert "The study ran elsewhere: jax 0.1 there" in out
    assert "Abacus 9000, wood there" in out


def test_list_names_everything():
    out = CliRunner().invoke(cli.arithjax, ["list"]).output
    for registry in (aj.OPERATIONS, aj.TRANSFORMS, aj.ACTIVATIONS, aj.MODELS, aj.OPTIMIZERS, aj.INITIALIZERS):
        for name in registry:
            assert f"  {name}" in out
    for study in ("question", "multiplication"):
        assert study in out


def test_help_names_every_kind_of_list():
    said = CliRunner().invoke(cli.arithjax, ["list", "--help"]).output
    assert not [kind for kind in listing.LISTS if kind not in said]


def test_list_columns_says_what_every_column_means(results):
    out = CliRunner().invoke(cli.arithjax, ["list", "columns"]).output
    for name in aj.load(results).columns:
        assert f"  {name} " in out
    assert len(out.splitlines()) == len(schema.COLUMNS)


def study_file(folder, text):
    path = folder / "mine.py"
    path.write_text(text)
    return path


MISTAKES = [
    (["fit", "mull"], "did you mean 'mul'"),
    (["fit", "times:x"], "times:x"),
    (["fit", "div"], "div"),
    (["fit", "mul", "--low", "5", "--high", "5"], "--low 5 has to be smaller than --high 5"),
    (["fit", "mul", "--widths", "0"], "widths"),
    (["fit", "mul", "--widths", ""], "widths"),
    (["fit", "mul", "--widths", "4,x"], "widths"),
    (["fit", "mul", "--activation", "rellu"], "did you mean 'relu'"),
    (["fit", "mul", "--learning-rate", "-1"], "--learning-rate -1 is not"),
    (["fit", "mul", "--learning-rate", "nan"], "--learning-rate nan"),
    (["fit", "mul", "--learning-rate", "abc"], "learning-rate"),
    (["fit", "mul", "--batch", "100", "--examples", "10"], "--batch 100"),
    (["fit", "mul", "--target-transform", "log"], "--target-transform log"),
    (["fit", "mul", "--target-transform", "lg"], "unknown transform 'lg'"),
    (["fit", "mul", "--seeds", "0"], "--seeds 0 is"),
    (["fit", "mul", "--optimizer", "adan"], "did you mean 'adam'"),
    (["fit", "mul", "--model", "mlpp"], "did you mean 'mlp'"),
    (["fit", "mul", "--nonsense", "1"], "nonsense"),
    (["run", "multiplicaton"], "did you mean 'multiplication'"),
    (["run", "question", "--trials", "0"], "trials=0"),
    (["run", "question", "--seeds", "-3"], "seeds=-3"),
    (["run", "nowhere/file.py"], "nowhere/file.py"),
    (["table", "nowhere"], "nowhere"),
    (["report", "nowhere"], "nowhere"),
    (["retrain", "nowhere", "0"], "nowhere"),
    (["predict", "nowhere.net", "1", "2"], "nowhere.net"),
    (["list", "operation"], "did you mean 'operations'"),
    (["dance"], "dance"),
    (["run"], "STUDY"),
]


@pytest.mark.parametrize(("words", "phrase"), MISTAKES, ids=lambda value: " ".join(value)[:40] if value else "")
def test_mistakes_get_one_clear_line(arithjax, words, phrase, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = arithjax(*words)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1, err
    assert phrase in err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("x = 1\n", "no variable `study`"),
        ("study = 3\n", "a int as `study`"),
        ("def broken(:\n", "line 1"),
        ("x = 1\nraise RuntimeError('no')\n", "line 2"),
        ("import arithjax as aj\nstudy = aj.Study('s', lambda trial: 3, trials=1)\n", "return a Setup"),
        ("import arithjax as aj\nstudy = aj.Study('s', lambda trial: trial.nothing, trials=1)\n", "AttributeError"),
        ("import arithjax as aj\nstudy = aj.Study('s', lambda trial: aj.Setup(op='mull'), trials=1)\n", "'mul'"),
        ("import arithjax as aj\nstudy = aj.Study('s', lambda trial: aj.Setup(), trials=1, sampler='x')\n", "sampler"),
        ("import arithjax as aj\naj.Setup(wdths=3)\n", "wdths"),
    ],
)
def test_broken_study_files(arithjax, tmp_path, text, phrase):
    status, _, err = arithjax("run", study_file(tmp_path, text), "--out", tmp_path / "runs")
    assert status == 2
    assert err.count("\n") == 1, err
    assert phrase in err
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(("words", "phrase"), [(["--by", "opp"], "'op'"), (["--where", "op ="], "--where")])
def test_table_mistakes(arithjax, results, words, phrase):
    status, _, err = arithjax("table", results, *words)
    assert status == 2
    assert err.count("\n") == 1, err
    assert phrase in err


def test_retrain_of_a_net_that_is_not_there(arithjax, results):
    status, _, err = arithjax("retrain", results, 99)
    assert (status, err.count("\n")) == (2, 1)
    assert "net=99" in err


def test_a_plan_is_shown_and_nothing_trained(arithjax, tmp_path):
    status, out, _ = arithjax(
        "run", "--plan", "multiplication", "--trials", 6, "--seeds", 2, "--out", tmp_path / "runs"
    )
    assert status == 0 and not (tmp_path / "runs").exists()
    assert "12 nets" in out and "places without a net" in out and "Expected" in out


def test_a_plan_of_a_search_is_that_of_its_beginning(arithjax, tmp_path):
    text = (
        "import arithjax as aj\n\n\ndef question(trial):\n"
        "    return aj.Setup(learning_rate=trial.suggest_float('rate', 1e-3, 1e-2))\n\n\n"
        "study = aj.Study('own', question, trials=100, seeds=2, sampler='tpe')\n"
    )
    (tmp_path / "own.py").write_text(text)
    _, out, _ = arithjax("run", "--plan", tmp_path / "own.py")
    assert "64 nets" in out and "the first 32 of 100 trials" in out
