import json
import tracemalloc

import pytest

from tfplm.data import sources
from tfplm.data.configuration import (
    CleaningConfig,
    HuggingFaceSource,
    PackageSource,
    PathLabel,
    TableSource,
    TextSource,
    TfdsSource,
)
from tfplm.data.sources import path_label, read_documents, source_paths, text_digest
from tfplm.errors import UserError

CONFIG = CleaningConfig()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "b.txt").write_text("Second  file.\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("\ufeffOne.\r\nTwo.\n\n\n \nThree\u2028four.", encoding="utf-8")
    (tmp_path / "empty.txt").write_text(" \n\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(source, config=CONFIG):
    return list(read_documents(source, config))


def texts(source):
    return [(document.text, document.origin) for document in read(source)]


def test_a_file_is_a_document(folder):
    expected = [("One.\nTwo.\n\nThree\nfour.", "a.txt"), ("Second file.", "b.txt")]
    assert texts(TextSource(paths=["*.txt"])) == expected
    assert [path.name for path in source_paths(TextSource(paths=["*.txt"]))] == ["a.txt", "b.txt", "empty.txt"]


def test_a_paragraph_is_a_document(folder):
    expected = [("One.\nTwo.", "a.txt, line 1"), ("Three\nfour.", "a.txt, line 6")]
    assert texts(TextSource(paths=["a.txt"], document="paragraph")) == expected


def test_a_line_is_a_document(folder):
    expected = [("One.", "a.txt, line 1"), ("Two.", "a.txt, line 2"), ("Three\nfour.", "a.txt, line 6")]
    assert texts(TextSource(paths=["a.txt"], document="line")) == expected


def test_documents_without_text_come_on_request(folder):
    documents = list(read_documents(TextSource(paths=["*.txt"]), CONFIG, keep_empty=True))
    assert [document.text for document in documents][-1] == ""


def test_the_group_is_the_digest_of_the_clean_text(folder):
    (document,) = read(TextSource(paths=["b.txt"], label="news"))
    assert (document.label, document.group) == ("news", text_digest("Second file."))
    assert len(document.group) == 16
    assert text_digest("a") != text_digest("b")


def test_a_source_without_text_is_an_error(folder):
    with pytest.raises(UserError, match="no text in empty.txt"):
        read(TextSource(paths=["empty.txt"]))
    (folder / "a.csv").write_text("text,label\n")
    with pytest.raises(UserError, match="no text in a.csv"):
        read(TableSource(paths=["a.csv"]))


def test_package_files_have_the_same_name_on_every_machine(tmp_path, monkeypatch):
    (tmp_path / "my_corpus").mkdir()
    (tmp_path / "my_corpus" / "1799-x.txt").write_text("hello")
    monkeypatch.syspath_prepend(tmp_path)
    label = PathLabel(pattern=r"(\d{4})-", ranges={"old": [1700, 1799], "new": [1800, 1899]})
    source = PackageSource(package="my_corpus", paths=["*.txt"], label=label)
    (document,) = read(source)
    assert (document.origin, document.label) == ("my_corpus/1799-x.txt", "old")
    assert source_paths(source) == [tmp_path / "my_corpus" / "1799-x.txt"]


@pytest.mark.parametrize(("name", "label"), [("1790-a", "old"), ("1799-a", "old"), ("1800-a", "new"), ("1900-a", None)])
def test_ranges_hold_both_ends(name, label):
    ranges = {"old": [1790, 1799], "new": [1800, 1899]}
    assert path_label(name, PathLabel(pattern=r"(\d{4})-", ranges=ranges)) == label


def test_the_first_group_is_the_label():
    assert path_label("data/pos.txt", PathLabel(pattern=r"(pos|neg)\.txt")) == "pos"
    assert path_label("data/other.txt", PathLabel(pattern=r"(pos|neg)\.txt")) is None
    assert path_label("data/other.txt", "fixed") == "fixed"


def test_a_range_needs_a_number():
    with pytest.raises(UserError, match="'abc'.* is not a number"):
        path_label("abc-1.txt", PathLabel(pattern="(.*)-", ranges={"a": [1, 2]}))


def test_tables_give_labels_groups_and_clean_text(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [
        {"body": " one\ttwo ", "stars": 1, "author": 7},
        {"body": "three", "stars": True, "author": None},
        {"body": None, "stars": 2, "author": 7},
        {"body": 42, "stars": ["b", 1], "author": "x"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    source = TableSource(paths=[str(path)], text_column="body", label_column="stars", group_column="author")
    documents = [(document.text, document.label, document.group) for document in read(source)]
    assert documents == [
        ("one two", "1", "7"),
        ("three", "true", text_digest("three")),
        ("42", ["b", "1"], "x"),
    ]


def test_a_separator_parts_labels(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\none,sports| politics\ntwo,\n")
    source = TableSource(paths=[str(path)], label_column="label", label_separator="|")
    assert [document.label for document in read(source)] == [["sports", "politics"], []]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "big.txt"
    with path.open("w") as file:
        for number in range(200_000):
            file.write(f"line number {number} of a file that is larger than what memory may hold\n")
    tracemalloc.start()
    num_documents = sum(1 for _ in read_documents(TextSource(paths=[str(path)], document="line"), CONFIG))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_documents == 200_000
    assert peak < 12_000_000 < path.stat().st_size


def test_a_huge_file_goes_on_as_another_document(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_DOCUMENT_CHARACTERS", 2_000_000)
    path = tmp_path / "big.txt"
    path.write_text("some words in a line\n" * 250_000)
    documents = read(TextSource(paths=[str(path)]))
    assert 2 <= len(documents) <= 3
    assert "\n".join(document.text for document in documents) == path.read_text().strip()


@pytest.mark.parametrize("kind", [HuggingFaceSource, TfdsSource])
def test_a_dataset_that_is_not_there_is_explained(tmp_path, kind):
    with pytest.raises(UserError) as caught:
        read(kind(name=str(tmp_path / "no_such_dataset")))
    assert "pip install" in str(caught.value) or "cannot be loaded" in str(caught.value)
