import csv
import gzip
import json
import math

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from tfplm.data.configuration import CleaningConfig, TableSource
from tfplm.data.tables import read_rows, scalar_text
from tfplm.errors import UserError

CONFIG = CleaningConfig()
ROWS = [
    {"text": 'He said "go",\nthen left.', "label": "1", "extra": "x"},
    {"text": "第二行, with a comma", "label": "0", "extra": ""},
    {"text": "tab\tinside", "label": "1", "extra": "y"},
]


def source(path, **options):
    return TableSource(paths=[str(path)], label_column="label", **options)


def rows_of(path, config=CONFIG, **options):
    return [row for _, row in read_rows(path, source(path, **options), config)]


def error_of(path, **options):
    with pytest.raises(UserError) as caught:
        rows_of(path, **options)
    return str(caught.value)


def write_table(path, delimiter=",", encoding="utf-8", line_end="\r\n"):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, ["text", "extra", "label"], delimiter=delimiter, lineterminator=line_end)
        writer.writeheader()
        writer.writerows(ROWS)
    return path


EXPECTED = [{"text": row["text"], "label": row["label"]} for row in ROWS]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t")])
def test_quoted_newlines_separators_and_byte_order_marks_are_read(tmp_path, name, delimiter, encoding):
    assert rows_of(write_table(tmp_path / name, delimiter, encoding)) == EXPECTED


def test_rows_know_the_line_that_they_start_in(tmp_path):
    path = write_table(tmp_path / "a.csv", line_end="\n")
    origins = [origin for origin, _ in read_rows(path, source(path), CONFIG)]
    assert origins == [f"{path}, line {line}" for line in (2, 4, 5)]


def test_compressed_tables_are_told_by_the_inner_suffix(tmp_path):
    data = write_table(tmp_path / "a.csv").read_bytes()
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(data))
    (tmp_path / "c.CSV.zst").write_bytes(zstandard.compress(data))
    assert rows_of(tmp_path / "b.csv.gz") == rows_of(tmp_path / "c.CSV.zst") == EXPECTED


def test_json_lines_keep_types_and_skip_blank_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"text": "a\\u4e2d", "label": 1}\n\n{"label": true, "text": null}\n', encoding="utf-8")
    assert rows_of(path) == [{"text": "a中", "label": 1}, {"text": None, "label": True}]


def test_parquet_is_read_in_batches(tmp_path):
    path = tmp_path / "a.parquet"
    table = pyarrow.table(
        {"text": [f"text {n}" for n in range(1000)], "label": list(range(1000)), "other": [0.5] * 1000}
    )
    parquet.write_table(table, path, row_group_size=300)
    rows = list(read_rows(path, source(path), CONFIG))
    assert rows[999] == (f"{path}, row 1000", {"text": "text 999", "label": 999})


def test_a_long_field_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"' + "word\n" * 100_000 + '",1\n')
    assert len(rows_of(path)[0]["text"]) == 500_000


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_missing_column_names_those_found_and_a_close_one(tmp_path, name):
    path = tmp_path / name
    if name == "a.csv":
        path.write_text("Text,label\nhello,1\n")
    elif name == "a.jsonl":
        path.write_text(json.dumps({"Text": "hello", "label": 1}))
    else:
        parquet.write_table(pyarrow.table({"Text": ["hello"], "label": [1]}), path)
    message = error_of(path)
    assert "has no column 'text'" in message
    assert "Columns found: 'Text', 'label'" in message
    assert "Did you mean 'Text'?" in message


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", "text;label\nhello;1\n", "seem to be parted by ';'"),
        ("a.csv", "text,label,label\nhello,1,2\n", "'label' stands twice"),
        ("a.csv", "text,label\nhello, you,1\n", "line 2: 3 fields"),
        ("a.csv", "text,label\nfine,1\nhello\n", "line 3: 1 fields"),
        ("a.csv", 'text,label\nfine,1\n"never closed,1\nmore\n', "line 3: malformed table"),
        ("a.csv", 'text,label\n"stray" quote,1\n', "line 2: malformed table"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": \n', "line 2: not valid JSON"),
        ("a.jsonl", '[{"text": "a", "label": 1}]', "holds a list"),
        ("a.jsonl", '[\n{"text": "a", "label": 1}]', "line 1: not valid JSON"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "a"}\n', "line 2 has no column 'label'"),
        ("a.jsonl", "[" * 100_000, "line 1: not valid JSON"),
        ("a.parquet", "no parquet at all", "is damaged or incomplete"),
        ("a.data", "text,label\n", "does not say what kind of table"),
        ("a.gz", "text,label\n", "does not say what kind of table"),
    ],
)
def test_malformed_tables_are_placed(tmp_path, name, data, said):
    (tmp_path / name).write_text(data)
    message = error_of(tmp_path / name)
    assert said in message
    assert str(tmp_path / name) in message


def test_a_cut_parquet_file_is_damaged(tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": ["hello"] * 99, "label": [1] * 99}), path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "is damaged or incomplete" in error_of(path)


def test_a_quote_that_swallows_the_file_ends_at_the_limit(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"open' + ",1\nmore" * 300_000)
    with pytest.raises(UserError, match="line 2: malformed table"):
        rows_of(path, CleaningConfig(max_line_bytes=1_000_000))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (-2, "-2"), (1.0, "1"), (0.5, "0.5"), (True, "true"), (False, "false"), (None, ""), (math.nan, "")],
)
def test_cells_become_text_as_people_write_it(value, text):
    assert scalar_text(value, "row 1", "label") == text


def test_a_cell_that_is_no_scalar_is_refused():
    with pytest.raises(UserError, match="row 1: column 'text' holds a dict"):
        scalar_text({"a": 1}, "row 1", "text")
    with pytest.raises(UserError, match="not UTF-8"):
        scalar_text(b"\xff", "row 1", "text")
