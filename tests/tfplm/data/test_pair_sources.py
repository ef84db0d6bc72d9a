import csv
import gzip
import json
import sys
from collections import Counter

import pyarrow
import pytest
from pyarrow import parquet

from tfplm.data.configuration import CleaningConfig, TextSource
from tfplm.data.pair_configuration import (
    AlignedHtmlSource,
    DebianDescriptionsSource,
    PairTableSource,
    RestorationSource,
)
from tfplm.data.pair_sources import read_pairs
from tfplm.errors import UserError

CONFIG = CleaningConfig()
ROWS = [("good morning", "早上好"), ("thank  you", "谢谢"), ("ＯＫ", "好")]


def write_table(path, rows=ROWS, header=("source", "target")):
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def table(path, **options):
    return PairTableSource(paths=[str(path)], **options)


def read(source, dropped=None):
    return read_pairs(source, CONFIG, Counter() if dropped is None else dropped)


def error_of(source):
    with pytest.raises(UserError) as caught:
        read(source)
    return str(caught.value)


def test_every_kind_of_table_gives_the_same_clean_pairs(tmp_path):
    paths = [write_table(tmp_path / "a.csv"), write_table(tmp_path / "b.tsv"), tmp_path / "c.jsonl.gz"]
    lines = (json.dumps({"source": source, "target": target}) for source, target in ROWS)
    paths[2].write_bytes(gzip.compress("\n".join(lines).encode()))
    paths.append(tmp_path / "d.parquet")
    columns = dict(zip(("source", "target"), map(list, zip(*ROWS, strict=True)), strict=True))
    parquet.write_table(pyarrow.table(columns), paths[3])
    expected = [("good morning", "早上好"), ("thank you", "谢谢"), ("ＯＫ", "好")]
    for path in paths:
        assert [pair[:2] for pair in read(table(path))] == expected
    assert read(table(paths[0]))[1].origin == f"{paths[0]}, line 3"


def test_columns_have_the_names_that_are_set_and_a_group_ties_rows(tmp_path):
    path = write_table(tmp_path / "a.csv", [("1", "x", "y"), ("1", "z", "w")], ("page", "en", "zh"))
    pairs = read(table(path, source_column="en", target_column="zh", group_column="page"))
    assert [pair[:2] for pair in pairs] == [("x", "y"), ("z", "w")]
    assert pairs[0].group == pairs[1].group == "1"


def test_without_a_group_equal_sources_are_one(tmp_path):
    first, other, again = read(table(write_table(tmp_path / "a.csv", [("x", "y"), ("z", "w"), ("x", "v")])))
    assert first.group == again.group != other.group


def test_a_missing_column_is_named_with_a_close_one_and_the_settings_of_pairs(tmp_path):
    message = error_of(table(write_table(tmp_path / "a.csv", header=("sources", "target"))))
    assert "no column 'source'" in message
    assert "Did you mean 'sources'? Set source_column, target_column or group_column." in message


def test_empty_cells_and_texts_beyond_the_limits_are_left_out_and_counted(tmp_path):
    rows = [("", "y"), ("x", " "), ("abc", "y"), ("abc", "z" * 9), ("abc", "defg")]
    dropped = Counter()
    pairs = read(table(write_table(tmp_path / "a.csv", rows), min_characters=2, max_characters=8), dropped)
    assert [pair.target for pair in pairs] == ["defg"]
    assert dropped == {"empty_source": 1, "empty_target": 1, "short": 1, "long": 1}


def test_a_column_that_is_empty_throughout_is_an_error_with_file_and_line(tmp_path):
    path = write_table(tmp_path / "a.csv", [("x", ""), ("y", "")])
    message = error_of(table(path))
    assert "2 without a target" in message
    assert f"the first at {path}, line 2" in message


@pytest.mark.parametrize(
    ("limits", "remedy"), [({"min_characters": 50}, "Lower min"), ({"max_characters": 1}, "Raise max")]
)
def test_limits_that_leave_nothing_are_named(tmp_path, limits, remedy):
    assert remedy in error_of(table(write_table(tmp_path / "a.csv"), **limits))


def test_a_table_without_rows_has_no_pairs(tmp_path):
    assert "There are no pairs" in error_of(table(write_table(tmp_path / "a.csv", [])))


def test_a_table_inside_an_installed_package_is_read(tmp_path, monkeypatch):
    (tmp_path / "pairs_of_words").mkdir()
    write_table(tmp_path / "pairs_of_words" / "a.csv")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert len(read(PairTableSource(package="pairs_of_words", paths=["*.csv"]))) == 3
    assert "'no_such_package' is not installed" in error_of(PairTableSource(package="no_such_package", paths=["a.csv"]))


def test_html_that_is_not_translated_is_left_out(tmp_path):
    for language, text in (("en", "Yes"), ("zh", "是")):
        (tmp_path / language).mkdir()
        page = f"<p id=a>{text}</p><p id=b>= SUM (A1)</p>"
        (tmp_path / language / "a.html").write_text(page, encoding="utf-8")
    folders = {"source_folder": str(tmp_path / "en"), "target_folder": str(tmp_path / "zh")}
    dropped = Counter()
    assert [pair[:2] for pair in read(AlignedHtmlSource(**folders), dropped)] == [("Yes", "是")]
    assert dropped["untranslated"] == 1
    same = AlignedHtmlSource(source_folder=folders["source_folder"], target_folder=folders["source_folder"])
    assert "Name the folders of two different languages" in error_of(same)


def test_package_lists_and_plain_text_give_pairs_too(tmp_path):
    (tmp_path / "list").write_text("Package: a\nDescription-en: a thing\n It does\n much.\n", encoding="utf-8")
    pairs = read(DebianDescriptionsSource(paths=[str(tmp_path / "list")]))
    assert [pair[:2] for pair in pairs] == [("It does much.", "a thing")]
    (tmp_path / "a.txt").write_text("Short. This sentence is long enough, is it not?", encoding="utf-8")
    dropped = Counter()
    pairs = read(RestorationSource(text=TextSource(paths=[str(tmp_path / "a.txt")])), dropped)
    assert [pair.source for pair in pairs] == ["this sentence is long enough is it not"]
    assert dropped == {"short": 1}
