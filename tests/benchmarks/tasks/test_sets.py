import json
import zipfile

import pytest

from benchmarks.tasks.assignment import read_columns, read_json_lines, read_questions
from benchmarks.tasks.sets import SETS, write_files
from tests.benchmarks.tasks.mini_sets import write_sets
from tfplm.errors import UserError


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_sets(tmp_path_factory.mktemp("sets"))


def files_of(name: str, data, folder, is_quick: bool = False):
    return write_files(name, SETS[name], data, folder, is_quick)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mr", {"train": 32, "validation": 4, "test": 4}),
        ("trec", {"train": 20, "test": 20}),
        ("rte", {"train": 6, "test": 6}),
        ("conll2000", {"train": 20, "test": 20}),
        ("wnut17", {"train": 20, "validation": 20, "test": 20}),
        ("cmrc2018", {"train": 20, "test": 40}),
    ],
)
def test_every_set_is_written_and_counted(name, counts, data, tmp_path):
    assert files_of(name, data, tmp_path).counts == counts


def test_sentences_keep_their_labels_and_no_part_shares_one(data, tmp_path):
    paths = files_of("mr", data, tmp_path).paths
    parts = {part: read_json_lines(path) for part, path in paths.items()}
    rows = [row for part in parts.values() for row in part]
    assert len({row["text"] for row in rows}) == len(rows) == 40
    assert all(("good" in row["text"]) == (row["label"] == "positive") for row in rows)
    assert {row["label"] for row in parts["test"]} == {"positive", "negative"}


def test_questions_have_their_coarse_class_and_accents(data, tmp_path):
    rows = read_json_lines(files_of("trec", data, tmp_path).paths["train"])
    assert rows[4] == {"text": "Where does her tin drum meet the café number 4 ?", "label": "LOC"}


def test_pairs_of_all_three_years_say_whether_one_follows(data, tmp_path):
    rows = read_json_lines(files_of("rte", data, tmp_path).paths["test"])
    assert rows[0] == {"text": "Tom & Ann rowed in 1.", "text_pair": "Ann rowed.", "label": "entailment"}
    assert [row["label"] for row in rows] == ["entailment", "not_entailment"] * 3


def test_chunks_leave_out_the_part_of_speech_and_entities_are_read_by_tabs(data, tmp_path):
    chunks = read_columns(files_of("conll2000", data, tmp_path).paths["train"])
    assert chunks[1] == [("Tom", "B-NP"), ("rows", "B-VP"), ("boat", "B-NP"), ("1", "I-NP"), (".", "O")]
    entities = read_columns(files_of("wnut17", data, tmp_path).paths["test"])
    assert entities[0][:2] == [("Ann", "B-person"), ("Oak", "I-person")]


def test_answers_stand_at_their_offsets_and_training_has_one_each(data, tmp_path):
    paths = files_of("cmrc2018", data, tmp_path).paths
    for question in read_questions(paths["train"]):
        (answer,) = question["answers"]
        assert question["context"][answer["answer_start"] :].startswith(answer["text"])
    with_none = read_questions(paths["test"])[1]
    assert with_none["answers"] == []


def test_a_quick_set_is_small_and_has_every_class(data, tmp_path):
    larger = write_sets(tmp_path / "larger", count=200)
    files = files_of("mr", larger, tmp_path / "out", is_quick=True)
    assert all(count <= 64 for count in files.counts.values())
    assert {row["label"] for row in read_json_lines(files.paths["train"])} == {"positive", "negative"}


@pytest.mark.parametrize("name", SETS)
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(UserError, match=r"There is no file .*(zip|conll|json)") as error:
        files_of(name, tmp_path, tmp_path / "out")
    assert "--data" in str(error.value)


def test_damaged_files_are_named(data, tmp_path):
    (tmp_path / "nltk").mkdir()
    (tmp_path / "nltk/qc.zip").write_bytes(b"PK no")
    with pytest.raises(UserError, match=r"qc\.zip is damaged"):
        files_of("trec", tmp_path, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "nltk/qc.zip", "w") as archive:
        archive.writestr("qc/train.txt", "no class at all\n")
    with pytest.raises(UserError, match=r"qc/train\.txt, line 1"):
        files_of("trec", tmp_path, tmp_path / "out")
    (tmp_path / "wnut17").mkdir()
    (tmp_path / "wnut17/wnut17train.conll").write_text("word\tO\nword\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 2: 1 columns"):
        files_of("wnut17", tmp_path, tmp_path / "out")
    (tmp_path / "cmrc2018").mkdir()
    for part in ("dev", "trial"):
        (tmp_path / f"cmrc2018/cmrc2018_{part}.json").write_text(json.dumps({"data": [{}]}), encoding="utf-8")
    with pytest.raises(UserError, match="SQuAD"):
        files_of("cmrc2018", tmp_path, tmp_path / "out")
