"""Whatever is malformed gets one clear line or a correct result: never a traceback, never a damaged store."""

import io
import json
import os
import string

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cli import TINY, command

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.report import default_words, words
from arithjax.studies.files import study_of
from arithjax.tables import loading, schema

MANY = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FEW = settings(MANY, max_examples=25)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=4)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def clear_or_correct(function, *arguments, **named):
    """What a function returns, or None after an `ArithjaxError` of one line."""
    try:
        return function(*arguments, **named)
    except ArithjaxError as error:
        assert str(error) and "\n" not in str(error), error
        return None


@MANY
@given(st.dictionaries(st.sampled_from(aj.Setup.field_names()), VALUES, min_size=1, max_size=3))
def test_setups(changes):
    setup = clear_or_correct(aj.Setup, **changes)
    if setup is not None:
        assert aj.Setup(**setup.to_dict()) == setup
        row = schema.to_arrow(pd.DataFrame([{"trial": 0, "seed": 0, **setup.row(), "grade": "failed"}]))
        assert loading.setup_of(row.to_pandas().iloc[0]) == setup


@MANY
@given(
    st.text(string.printable, max_size=60) | st.sampled_from(["study = ", "import arithjax as aj; study = aj.Study("])
)
def test_study_files(text):
    assert clear_or_correct(study_of, text, "some.py") is None


@FEW
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": VALUES,
            "question": VALUES,
            "trials": VALUES,
            "seeds": VALUES,
            "sampler": VALUES,
            "seed": VALUES,
            "objectives": VALUES,
        },
    )
)
def test_studies(changes):
    clear_or_correct(aj.Study, **{"name": "s", "question": lambda trial: aj.Setup(), "trials": 1, **changes})


@FEW
@given(VALUES)
def test_what_a_question_returns(tmp_path_factory, value):
    asked = aj.Study("s", lambda trial: value, trials=2, seeds=1)
    out = tmp_path_factory.mktemp("runs")
    assert clear_or_correct(aj.run, asked, out) is None
    assert not list(out.rglob("*.parquet")) and not list(out.rglob("*.json"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    def question(trial):
        return aj.Setup(op=trial.suggest_categorical("op", ["add", "mul"]), **TINY)

    out = tmp_path_factory.mktemp("runs")
    study = aj.Study("tiny", question, sampler="grid", seeds=3, by=("op",))
    aj.run(study, out)
    return out / "tiny", study


@pytest.fixture
def copy(folder, tmp_path):
    """The study's folder as somebody else might have left it: `copy(table=..., described=...)`."""

    def made(table=None, described=None, checksum=False):
        there = tmp_path / "tiny"
        there.mkdir(exist_ok=True)
        original = folder[0]
        (there / "nets.parquet").write_bytes((original / "nets.parquet").read_bytes() if table is None else table)
        (there / "study.json").write_bytes((original / "study.json").read_bytes() if described is None else described)
        (there / "nets.parquet.sha256").unlink(missing_ok=True)
        if checksum:
            (there / "nets.parquet.sha256").write_bytes((original / "nets.parquet.sha256").read_bytes())
        return there

    return made


def mutations(content, draw):
    """The content with some bytes changed, cut or added."""
    place = draw(st.integers(0, len(content) - 1))
    kind = draw(st.sampled_from(["cut", "flip", "insert", "drop"]))
    if kind == "cut":
        return content[:place]
    if kind == "flip":
        return content[:place] + bytes([content[place] ^ draw(st.integers(1, 255))]) + content[place + 1 :]
    if kind == "insert":
        return content[:place] + draw(st.binary(min_size=1, max_size=8)) + content[place:]
    return content[:place] + content[place + draw(st.integers(1, 64)) :]


@MANY
@given(data=st.data())
def test_mutated_tables(folder, copy, data):
    content = (folder[0] / "nets.parquet").read_bytes()
    altered = mutations(content, data.draw)
    if altered != content:
        assert clear_or_correct(aj.load, copy(altered, checksum=True)) is None


@FEW
@given(data=st.data())
def test_mutated_chunks(folder, tmp_path_factory, data):
    """They are named in a warning; a run then ends with the right table."""
    from arithjax.tables.store import Store

    original, _ = folder
    out = tmp_path_factory.mktemp("runs")
    store = Store(out / "tiny")
    store.folder.mkdir()
    (store.folder / "study.json").write_bytes((original / "study.json").read_bytes())
    nets = aj.load(original)
    store.add(nets)
    (chunk,) = store.chunks.iterdir()
    chunk.write_bytes(mutations(chunk.read_bytes(), data.draw))
    with pytest.warns(UserWarning, match=chunk.name):
        assert store.rows().empty


def parquet(frame, metadata=True):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({"arithjax_schema": "1"} if metadata is True else metadata)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


FRAMES = {
    "no metadata": ({"trial": [0], "seed": [0], "grade": ["dead"]}, None),
    "version 0": ({"trial": [0], "seed": [0], "grade": ["dead"]}, {"arithjax_schema": "0"}),
    "version 99": ({"trial": [0], "seed": [0], "grade": ["dead"]}, {"arithjax_schema": "99"}),
    "version x": ({"trial": [0], "seed": [0], "grade": ["dead"]}, {"arithjax_schema": "x"}),
    "no seed": ({"trial": [0], "grade": ["dead"]}, True),
    "no grade": ({"trial": [0], "seed": [0]}, True),
    "words for numbers": ({"trial": ["first"], "seed": [0], "grade": ["dead"]}, True),
    "gaps": ({"trial": [0, None], "seed": [0, 1], "grade": ["dead", "dead"]}, True),
    "fractions": ({"trial": [0.5], "seed": [0], "grade": ["dead"]}, True),
    "lists": ({"trial": [[0]], "seed": [0], "grade": ["dead"]}, True),
    "an empty table": ({"trial": [], "seed": [], "grade": []}, True),
}


@pytest.mark.parametrize("name", FRAMES)
def test_tables_of_other_shapes(copy, name):
    frame, metadata = FRAMES[name]
    assert clear_or_correct(aj.load, copy(parquet(pd.DataFrame(frame), metadata))) is None


@MANY
@given(content=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40))
def test_descriptions(folder, copy, content):
    there = copy(described=content)
    assert clear_or_correct(loading.description, there) is None
    assert clear_or_correct(aj.run, folder[1], there.parent) is None
    assert (there / "nets.parquet").read_bytes() == (folder[0] / "nets.parquet").read_bytes()
    assert (there / "study.json").read_bytes() == content


DESCRIBED = "name seed trials seeds sampler objectives steps setup space told by source versions device continued hash"


@FEW
@given(name=st.sampled_from(DESCRIBED.split()), value=JSON)
def test_descriptions_with_one_wrong_entry(folder, copy, name, value):
    from arithjax.studies.optuna_export import export

    described = json.loads((folder[0] / "study.json").read_bytes())
    there = copy(described=json.dumps({**described, name: value}).encode())
    clear_or_correct(aj.run, folder[1], there.parent)
    clear_or_correct(export, there, f"journal:{there.parent}/journal", name=f"{name}{value}"[:20])
    assert (there / "nets.parquet").read_bytes() == (folder[0] / "nets.parquet").read_bytes()


JUNK = [None, True, -1, 0, 1.5, 10**30, 1e999, "", "x", [], ["x"], [[]], {}, {"x": {}}]


def places(value, path=()):
    """The paths of all values within plain data, the innermost and those that hold others."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def changed(value, path, junk):
    """Plain data with another value at a path."""
    if not path:
        return junk
    copied = list(value) if isinstance(value, list) else dict(value)
    copied[path[0]] = changed(value[path[0]], path[1:], junk)
    return copied


def test_descriptions_with_anything_anywhere(folder, copy, capsys):
    """A sample of all values of `study.json`, the innermost, too, each replaced by anything that JSON can hold."""
    from arithjax.cli import tables

    described = json.loads((folder[0] / "study.json").read_bytes())
    described |= {"show": {"all": "trial >= 0"}, "importance": {"op": 0.5}, "continued": [], "halving": [0.5]}
    described["continued"] = [{"versions": {"jax": "0.1"}, "device": "Abacus"}]
    cases = [(path, junk) for path in places(described) if path for junk in JUNK]
    nets, refused = loading.load(folder[0]), 0
    for i in np.random.default_rng(0).choice(len(cases), 60, replace=False):
        path, junk = cases[i]
        there = copy(described=json.dumps(changed(described, path, junk)).encode())
        known = clear_or_correct(loading.description, there)
        refused += known is None
        clear_or_correct(tables.status, str(there))
        clear_or_correct(aj.retrain, there, 99)
        clear_or_correct(aj.run, folder[1], there.parent)
        if known is not None:
            assert words.missing(nets[:1], known) and default_words(nets, [n for n in known["by"] if n in nets])
        assert (there / "nets.parquet").read_bytes() == (folder[0] / "nets.parquet").read_bytes()
    assert refused > 15


def filled(rows, text="dead"):
    """A table of equal rows, in a few kilobytes."""
    columns = {field.name: pa.nulls(rows, field.type) for field in schema.SCHEMA}
    zeros = pa.array(np.zeros(rows, np.int64))
    columns |= {"trial": zeros, "seed": zeros, "steps": zeros}
    columns["grade"] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))
    sink = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata({"arithjax_schema": "2"}), sink, compression="zstd")
    return sink.getvalue()


@pytest.mark.parametrize(("rows", "text"), [(1_000_000, "dead"), (90_000, "dead" * 10_000)], ids=["rows", "text"])
def test_a_small_file_of_gigabytes_is_refused_before_it_is_read(copy, rows, text):
    content = filled(rows, text)
    assert len(content) < 250_000
    before = pa.total_allocated_bytes()
    assert clear_or_correct(aj.load, copy(content)) is None
    assert pa.total_allocated_bytes() - before < 1e8


@pytest.mark.parametrize("kind", ["list", "names"])
def test_a_table_of_other_columns_is_refused(copy, kind):
    frame = {"trial": [0], "seed": [0], "grade": ["dead"], "choices": [["{}"]]}
    if kind == "names":
        frame["choices"] = [json.dumps({f"x{i}": i for i in range(1000)})]
    assert clear_or_correct(aj.load, copy(parquet(pd.DataFrame(frame)))) is None


@pytest.mark.parametrize("name", ["nets.parquet", "study.json", "nets.parquet.sha256", "curves.parquet", ".lock"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_not_waited_for(folder, copy, name, kind):
    there = copy()
    (there / name).unlink(missing_ok=True)
    os.mkfifo(there / name) if kind == "pipe" else (there / name).symlink_to("/dev/zero")
    assert clear_or_correct(aj.run, folder[1], there.parent) is None or name == "curves.parquet"
    read = loading.load_curves if name == "curves.parquet" else loading.description if name == "study.json" else aj.load
    assert clear_or_correct(read, there) is None or name == ".lock"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("program", name) for name in ("product*999999999", "abacus", "lanes 2-99999999-1", "fused\n")),
        *(("examples", 2**31 - 1), ("widths", "60000,60000"), ("steps", 2**40), ("batch", 10**9), ("tests", 10**9)),
    ],
)
def test_a_row_of_any_content_is_trained_again_or_refused(copy, folder, column, value):
    nets = loading.Store(folder[0]).rows().assign(**{column: value})
    sink = io.BytesIO()
    pq.write_table(schema.to_arrow(nets), sink)
    assert clear_or_correct(aj.retrain, copy(sink.getvalue()), 0) is None


@pytest.mark.parametrize(
    "condition",
    [
        *("9**9**9 > trial", "op * 1000000000 == 'x'", "1 << 99999999999 > trial", "('a',) * 99999999999 == trial"),
        *("-(op * 9) == trial", f"trial > {'(' * 900}1{')' * 900}", f"trial > {'9' * 3000}", "`op` * 10 == 'x'"),
    ],
)
def test_a_condition_ends_at_once(folder, condition):
    assert clear_or_correct(loading.where, aj.load(folder[0]), condition, "show") is None


def test_conditions_say_what_they_always_could(folder):
    nets = aj.load(folder[0])
    for condition in (
        "op == 'add' and not dead",
        "(op == 'add') & ~dead",
        "op in ['add'] or `seed` > 1",
        "2 * trial + 1 > 2",
    ):
        assert 0 < len(loading.where(nets, condition, "show")) < len(nets), condition


def test_what_a_file_says_does_nothing_to_a_terminal(folder, copy, monkeypatch, capsys):
    described = json.loads((folder[0] / "study.json").read_bytes())
    there = copy(described=json.dumps({**described, "name": "\x1b[2J; rm -rf /", "trials": 9}).encode())
    status, out, _ = command("status", there, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 0 and "\\x1b[2J; rm -rf /: 9 setups" in out and "\x1b" not in out
    assert words.command(loading.description(there)).startswith("arithjax run '\x1b[2J; rm -rf /' --trials 9")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("nets") / "a.net"
    aj.fit(aj.Setup(op="add", **TINY), seeds=1).save(path)
    return path.read_bytes()


@MANY
@given(data=st.data())
def test_mutated_nets(saved, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("nets") / "b.net"
    path.write_bytes(mutations(saved, data.draw))
    net = clear_or_correct(aj.load_net, path)
    assert net is None or net.predict([[1, 2]]).shape == (1,)


@MANY
@given(header=JSON, names=st.sampled_from(["format", "setup", "row", "names", ""]))
def test_nets_with_another_header(saved, tmp_path_factory, header, names):
    path = tmp_path_factory.mktemp("nets") / "b.net"
    with np.load(io.BytesIO(saved)) as file:
        arrays = dict(file)
    whole = json.loads(arrays.pop("header").tobytes())
    text = json.dumps({**whole, names: header} if names else header).encode()
    with open(path, "wb") as file:
        np.savez(file, header=np.frombuffer(text, np.uint8), **arrays)
    clear_or_correct(aj.load_net, path)


def test_a_net_of_compressed_parts_is_not_unpacked(saved, tmp_path):
    with np.load(io.BytesIO(saved)) as file:
        np.savez_compressed(tmp_path / "a.npz", **dict(file))
    assert clear_or_correct(aj.load_net, tmp_path / "a.npz") is None


def test_a_pickle_in_a_net_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "boom"), "w"))

    np.savez(tmp_path / "a.npz", header=np.array([Bomb()], object))
    assert clear_or_correct(aj.load_net, tmp_path / "a.npz") is None
    assert not (tmp_path / "boom").exists()


OTHER_LINES = [
    "status",
    "status nowhere",
    "status {}/nets.parquet",
    "compare {}",
    "compare {} nowhere",
    "compare {} {} --by nothing",
    "compare {} {} --by op,,",
    "export-optuna {}",
    "export-optuna nowhere --storage sqlite:///x.db",
    "export-optuna {} --storage nonsense",
    "export-optuna {} --storage sqlite:////nowhere/x.db",
    "export-optuna {} --storage sqlite:///x.db --study nothing",
    "run question --cluster local:0",
    "run question --cluster local:two",
    "run question --cluster",
    "run question --trials 1.5",
    "run question --trials 99999999999999999999",
    "run question --seeds 1e3",
    "run question --steps 0",
    "run question --out {}/nets.parquet",
    "run .",
    "run ./",
    "run {}",
    "run {}/nets.parquet",
    "table {}/nets.parquet",
    "table {} --by",
    "table {} --by ,",
    "table {} --where __import__('os')",
    "table {} --where @pd",
    "table {} --where @pd.io.common.os.getpid()>0",
    "table {} --where op.str.len()>0",
    "table {} --where `a`'`",
    "table {} --where 1",
    "retrain {} -1",
    "retrain {} x",
    "retrain {} 0 --study nothing",
    "predict {}/nets.parquet 1 2",
    "predict {} 1 2",
    "fit mul --save {}",
    "list studies more",
    "--nonsense",
]


@pytest.mark.parametrize("line", OTHER_LINES)
def test_command_lines(folder, line, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in folder[0].iterdir()}
    words = line.replace("{}", str(folder[0])).split()
    status, _, said = command(*words, monkeypatch=monkeypatch, capsys=capsys)
    assert status == 2, said
    assert said.count("\n") == 1 and said.startswith("arithjax: "), said
    assert {path.name: path.read_bytes() for path in folder[0].iterdir()} == before


WORDS = st.sampled_from(
    ["run", "table", "report", "fit", "predict", "retrain", "list", "status", "compare", "mul", "add"]
)
OPTIONS = st.sampled_from(
    ["--by", "--where", "--out", "--trials", "--seeds", "--csv", "--widths", "--steps", "--storage"]
)
NOISE = st.text(string.ascii_letters + string.digits + "/.,:=-'\"(){} äß", max_size=8)


@MANY
@given(st.lists(WORDS | OPTIONS | NOISE, min_size=1, max_size=4))
def test_random_command_lines(tmp_path_factory, words):
    """Without `--help`, and of commands that train only where they have to fail."""
    if words[0] in ("fit", "run"):
        words = [*words, "--seeds", "0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        status, said = caught(words, patch)
    assert status in (0, 2), said
    assert "Traceback" not in said
    if status == 2:
        assert said.count("\n") == 1, said


def caught(words, patch):
    from contextlib import redirect_stderr, redirect_stdout

    from arithjax import cli

    patch.setattr("sys.argv", ["arithjax", *words])
    patch.setattr("warnings.showwarning", None)
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            cli.main()
            return 0, said.getvalue()
        except SystemExit as stop:
            return stop.code, said.getvalue()
