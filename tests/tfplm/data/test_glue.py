import json

import pytest

from tfplm.data.configuration import CleaningConfig, LabelledDataConfig, TableSource
from tfplm.data.labelled import load_labelled
from tfplm.data.sources import read_documents
from tfplm.errors import UserError


def read(path, **settings):
    return list(read_documents(TableSource(paths=[str(path)], layout="glue", **settings), CleaningConfig()))


@pytest.mark.parametrize(
    ("header", "pair"),
    [
        ("index\tsentence1\tsentence2\tlabel", ("a", "b")),
        ("id\tpremise\thypothesis\tgold_label", ("a", "b")),
        ("id\tquestion\tsentence\tlabel", ("a", "b")),
        ("id\tquestion1\tquestion2\tis_duplicate", ("a", "b")),
        ("id\tsentence\tother\tlabel", ("a", None)),
    ],
)
def test_the_columns_of_glue_are_known(tmp_path, header, pair):
    (tmp_path / "train.tsv").write_text(f"{header}\n0\ta\tb\tyes\n")
    (document,) = read(tmp_path / "train.tsv")
    assert (document.text, document.text_pair, document.label) == (*pair, "yes")


def test_quotes_mean_nothing_in_the_tsv_of_glue(tmp_path):
    (tmp_path / "train.tsv").write_text('sentence1\tsentence2\tlabel\n"He said\tno" he said\t1\n')
    (document,) = read(tmp_path / "train.tsv")
    assert (document.text, document.text_pair) == ('"He said', 'no" he said')


def test_json_lines_and_chinese_are_read_alike(tmp_path):
    row = {"sentence1": "花呗可以分期吗", "sentence2": "如何分期还款", "label": 0}
    (tmp_path / "dev.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    (document,) = read(tmp_path / "dev.jsonl")
    assert (document.text, document.text_pair, document.label) == ("花呗可以分期吗", "如何分期还款", "0")


def test_a_table_without_a_known_column_says_which_are_known(tmp_path):
    (tmp_path / "a.csv").write_text("first,second\n1,2\n")
    with pytest.raises(UserError, match=r"'first', 'second'(.|\n)*sentence1(.|\n)*Leave layout out"):
        read(tmp_path / "a.csv")


def test_pairs_differ_where_one_of_their_texts_does_and_empty_ones_are_left_out(tmp_path):
    rows = [f"text {n % 5}\tother {n}\t{n % 2}" for n in range(40)]
    rows += [rows[0], "text 0\t\t1", "\tother\t0"]
    (tmp_path / "train.tsv").write_text("sentence1\tsentence2\tlabel\n" + "\n".join(rows) + "\n")
    source = {"type": "table", "paths": [str(tmp_path / "train.tsv")], "layout": "glue"}
    data = load_labelled(LabelledDataConfig.model_validate({"train": source}), False, 0)
    splits = (data.train, data.validation, data.test)
    assert sum(map(len, splits)) == 40
    assert data.figures["dropped"]["repeated"] == 1 and data.figures["dropped"]["empty"] == 2
    seconds = [second for split in splits for second in split.text_pairs]
    assert sorted(seconds) == sorted({f"other {n}" for n in range(40)})


def test_pairs_and_texts_do_not_mix(tmp_path):
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tlabel\n" + "a\tb\t1\nc\td\t0\n" * 3)
    (tmp_path / "texts.tsv").write_text("sentence\tlabel\ne\t1\nf\t0\n")
    sources = {
        name: {"type": "table", "paths": [str(tmp_path / f"{file}.tsv")], "layout": "glue"}
        for name, file in (("train", "pairs"), ("test", "texts"))
    }
    with pytest.raises(UserError, match=r"is a pair of texts, and .*texts.tsv"):
        load_labelled(LabelledDataConfig.model_validate(sources | {"split": {"validation": 0.0}}), False, 0)


def test_a_pair_file_with_one_column_is_refused_by_name(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\none,1\n")
    source = TableSource(paths=[str(tmp_path / "a.csv")], text_pair_column="second", label_column="label")
    with pytest.raises(UserError, match=r"no column 'second'(.|\n)*text_pair_column"):
        list(read_documents(source, CleaningConfig()))
