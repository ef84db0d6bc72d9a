import csv
import json
from collections import Counter

import pytest

from tfplm.config import validate
from tfplm.data.embedding_configuration import EmbeddingDataConfig
from tfplm.data.embedding_sources import read_embedding_examples
from tfplm.errors import UserError

PAIR = {"type": "table", "text_pair_column": "text_pair"}
SCORED = PAIR | {"score_column": "score"}


def write(path, header, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path, dropped=None, source=PAIR, **settings):
    config = validate(EmbeddingDataConfig, {"train": source | {"paths": [str(path)]}, **settings}, "test")
    return read_embedding_examples(config.train, config, Counter() if dropped is None else dropped)


def test_a_table_gives_texts_with_partners_negatives_and_scores(tmp_path):
    table = write(
        tmp_path / "a.csv",
        ["text", "text_pair", "hard", "score", "kind"],
        ["雨  一直下", "下雨了", "", "4.5", "zh"],
        ["a", "b", "c", "1", "en"],
    )
    source = SCORED | {"negative_column": "hard", "keep_columns": ["kind"]}
    first, second = read(table, source=source, score_range=[0, 5], partner_score=4)
    assert (first.text, first.partner, first.negative, first.score) == ("雨 一直下", "下雨了", None, 4.5)
    assert (first.is_partner, second.is_partner, second.negative) == (True, False, "c")
    assert (second.origin, second.columns) == (f"{table}, line 3", (("kind", "en"),))


def test_texts_alone_come_from_lines_and_blank_ones_are_no_mistake(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\n\n两个\n", encoding="utf-8")
    examples = read(path, source={"type": "text", "document": "line"})
    assert [(example.text, example.partner) for example in examples] == [("one", None), ("两个", None)]


def test_package_descriptions_are_pairs_of_groups(tmp_path):
    path = tmp_path / "Translation-en"
    path.write_text("Package: a\nDescription-md5: 0\nDescription-en: short\n A long text of it.\n\n", encoding="utf-8")
    (example,) = read(path, source={"type": "debian_descriptions"})
    assert (example.text, example.partner) == ("A long text of it.", "short")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["", "b", "1"], "line 3: an empty text"),
        (["a", " ", "1"], "line 3: a text without its partner"),
        (["a", "b", "high"], "line 3: the score is 'high'"),
        (["a", "b", ""], "line 3: the score is ''"),
        (["a", "b", "nan"], "line 3: the score is 'nan'"),
        (["a", "b", "5.5"], "line 3: the score is 5.5, and score_range is 0 to 5"),
    ],
)
def test_what_is_no_pair_is_told_with_its_line_or_left_out_and_counted(tmp_path, row, told):
    table = write(tmp_path / "a.csv", ["text", "text_pair", "score"], ["a", "b", "5"], row)
    with pytest.raises(UserError) as caught:
        read(table, source=SCORED, score_range=[0, 5], partner_score=4)
    assert told in str(caught.value) and "on_bad_example" in str(caught.value)
    dropped = Counter()
    kept = read(table, dropped, source=SCORED, score_range=[0, 5], partner_score=4, on_bad_example="skip")
    assert (len(kept), dropped.total()) == (1, 1)


def test_a_table_of_one_column_is_told_which_it_has(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a"}) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"line 1 has no column 'text_pair'(.|\n)*'text'(.|\n)*negative_column"):
        read(path)


@pytest.mark.parametrize(
    ("source", "settings", "told"),
    [
        ({"type": "table", "negative_column": "n"}, {}, "set text_pair_column"),
        (PAIR | {"text_column": "text_pair"}, {}, "the same column"),
        (SCORED, {}, "set score_range"),
        (SCORED, {"score_range": [5, 0]}, "is empty"),
        (PAIR, {"validation": {"type": "text", "paths": ["b.txt"]}}, "validation has texts alone"),
    ],
)
def test_settings_that_do_not_go_together_are_told(tmp_path, source, settings, told):
    with pytest.raises(UserError, match=told):
        read(tmp_path / "a.csv", source=source, **settings)
