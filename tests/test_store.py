"""The store: chunks and table on disk, whose union is what there is. `test_survival.py` kills it."""

import hashlib
import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

import arithjax as aj
from arithjax.errors import ArithjaxError
from arithjax.tables import schema
from arithjax.tables.parquet import read_table, table_bytes
from arithjax.tables.store import Store


def rows(trials, seeds=(0, 1), **columns):
    cells = [
        {"trial": t, "seed": s, **aj.Setup().row(), "mse": t + s / 10, "grade": "failed"} for t in trials for s in seeds
    ]
    return schema.to_arrow(pd.DataFrame(cells).assign(**columns)).to_pandas()


@pytest.fixture
def store(tmp_path):
    (tmp_path / "study").mkdir()
    return Store(tmp_path / "study")


def test_an_empty_store_has_the_columns(tmp_path):
    empty = Store(tmp_path / "nowhere").rows()
    assert empty.empty and list(empty.columns) == schema.SCHEMA.names
    assert not (tmp_path / "nowhere").exists()


def test_rows_are_the_union_of_chunks_and_table(store):
    store.add(rows([2]))
    store.add(rows([0]))
    pd.testing.assert_frame_equal(store.finish(), rows([0, 2]))
    assert not store.chunks.exists()
    store.add(rows([1]))
    pd.testing.assert_frame_equal(store.rows(), rows([0, 1, 2]))


def test_a_chunk_is_named_after_its_content(store):
    for _ in range(2):
        store.add(rows([0]))
    (chunk,) = store.chunks.iterdir()
    assert chunk.stem == hashlib.sha256(chunk.read_bytes()).hexdigest()[:32]


def test_finish_writes_the_checksum_that_sha256sum_writes(store):
    store.add(rows([0]))
    store.finish()
    assert store.checksum.read_text() == f"{hashlib.sha256(store.table.read_bytes()).hexdigest()}  nets.parquet\n"
    before = store.table.read_bytes()
    store.finish()
    assert store.table.read_bytes() == before


def test_the_order_of_chunks_changes_no_byte(tmp_path):
    tables = []
    for order in ([0, 1, 2], [2, 0, 1]):
        store = Store(tmp_path / str(order))
        store.folder.mkdir()
        for trial in order:
            store.add(rows([trial]))
        store.finish()
        tables.append(store.table.read_bytes())
    assert tables[0] == tables[1] == table_bytes(rows([0, 1, 2]))


def test_some_columns(store):
    store.add(rows([0, 1]))
    assert list(store.rows(["trial", "seed"]).columns) == ["trial", "seed"]


def test_times_count_nets_of_this_process(store):
    assert store.times() == []
    store.tick(3)
    store.tick(4)
    (session,) = store.times()
    assert session["nets"] == 7 and session["until"] >= session["began"]
    Store(store.folder).tick(1)
    assert [s["nets"] for s in store.times()] == [7, 1]
    (store.folder / "times.json").write_text(json.dumps({"not": "a list"}))
    assert store.times() == []


def test_a_lock_excludes_others_and_ends(store):
    with store.lock():
        assert Store(store.folder).running()
        with pytest.raises(ArithjaxError, match="another run is writing"), Store(store.folder).lock():
            pass
    assert not Store(store.folder).running()


def test_write_replaces_whole_files(store):
    store.write("a.txt", b"one")
    store.write("a.txt", b"two")
    assert [path.name for path in store.folder.iterdir()] == ["a.txt"]
    assert (store.folder / "a.txt").read_bytes() == b"two"


def test_what_version_1_lacks_follows_from_other_columns(tmp_path):
    table = schema.to_arrow(rows([0], grade=["learned", "dead"], trained_steps=[10, 20]))
    older = table.drop_columns(["success", "selected_at", "loss"]).replace_schema_metadata({"arithjax_schema": "1"})
    pq.write_table(older, tmp_path / "nets.parquet")
    nets = read_table(tmp_path / "nets.parquet")
    assert list(nets.success) == [True, False]
    assert list(nets.selected_at) == [10, 20]
    assert set(nets.loss) == {"mse"}


def test_a_table_of_a_later_version_is_refused(tmp_path):
    later = schema.to_arrow(rows([0])).replace_schema_metadata({"arithjax_schema": "99"})
    pq.write_table(later, tmp_path / "nets.parquet")
    with pytest.raises(ArithjaxError, match=f"schema 99, newer than {schema.SCHEMA_VERSION}; install a newer arithjax"):
        read_table(tmp_path / "nets.parquet")
