"""The schema: columns with their meaning, the fields of a setup among them; rows in order."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import arithjax as aj
from arithjax.tables import loading, schema


def rows(**columns):
    return pd.DataFrame({"trial": [0], "seed": [0], **aj.Setup().row(), "grade": ["failed"], **columns})


def test_every_column_says_what_it_means():
    assert list(schema.COLUMNS) == schema.SCHEMA.names
    assert set(aj.Setup.field_names()) < set(schema.COLUMNS)
    for name, column in schema.COLUMNS.items():
        assert column.name == name and schema.SCHEMA.field(name).type == column.type
        assert column.about and "\n" not in column.about
    assert len({column.about for column in schema.COLUMNS.values()}) == len(schema.COLUMNS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("op", pa.string()),
        ("low", pa.float64()),
        ("integers", pa.bool_()),
        ("steps", pa.int64()),
        ("until", pa.int64()),
        ("threshold", pa.float64()),
        ("widths", pa.string()),
        ("activation", pa.string()),
    ],
)
def test_a_fields_type_follows_from_its_annotation(name, kind):
    assert schema.COLUMNS[name].type == kind


def test_grades_of_success_are_grades():
    assert set(schema.SUCCESS) < set(schema.GRADES)
    assert schema.GRADES[-len(schema.SUCCESS) :] == schema.SUCCESS


def test_the_table_of_no_nets_has_the_columns_of_others(add):
    tiny = aj.Setup(op="add", widths=(3,), batch=10, steps=3, examples=64, tests=64)
    add(
        aj.METRICS,
        aj.Metric("largest", "the largest error", lambda prediction, target: np.max(np.abs(prediction - target))),
    )
    some, none = aj.train([tiny]), aj.train([], seeds=2)
    assert len(none) == 0 and set(none) == set(some)
    pd.testing.assert_frame_equal(aj.summarise(none), aj.summarise(some[:0]), check_dtype=False)


def test_in_order_sorts_and_drops_duplicates():
    shuffled = pd.DataFrame({"trial": [1, 0, 1, 0, 1], "seed": [0, 1, 1, 0, 0], "mse": [3.0, 2.0, 4.0, 1.0, 9.0]})
    ordered = schema.in_order(shuffled)
    assert list(ordered.mse) == [1.0, 2.0, 3.0, 4.0]
    pd.testing.assert_frame_equal(schema.in_order(ordered), ordered)


def test_to_arrow_has_all_columns_and_no_others():
    table = schema.to_arrow(rows(mine=[1]))
    assert table.schema.equals(schema.SCHEMA)
    assert table.schema.metadata[b"arithjax_schema"] == str(schema.SCHEMA_VERSION).encode()
    assert table["r2"].null_count == 1


def test_setup_of_a_row_is_the_setup():
    setup = aj.Setup(widths=(3, 5), activation=("relu", "tanh"), extrapolation=(500, 600, 700, 800), clip=1.0)
    table = pd.DataFrame([{"trial": 0, "seed": 0, **setup.row(), "grade": "failed"}])
    assert loading.setup_of(schema.to_arrow(table).to_pandas().iloc[0]) == setup


def test_a_row_may_lack_what_has_no_default():
    row = schema.to_arrow(rows(learning_rate=[0.5])).to_pandas().iloc[0]
    assert np.isnan(row["clip"]) and loading.setup_of(row) == aj.Setup(learning_rate=0.5)
