import csv
import itertools
import json
from collections import Counter

import numpy as np
import pytest

from tfplm.data.configuration import CleaningConfig, LabelledDataConfig, PathLabel, SplitConfig, TableSource, TextSource
from tfplm.data.labelled import held_out_groups, load_examples, load_labelled
from tfplm.data.sources import read_documents
from tfplm.errors import UserError

SPLITS = ("train", "validation", "test")


def write_table(path, rows, header=("text", "label")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return TableSource(paths=[str(path)], label_column="label", group_column="author" if "author" in header else None)


@pytest.fixture
def reviews(tmp_path):
    rows = [(f"review number {n}", "pos" if n % 2 else "neg") for n in range(200)]
    return write_table(tmp_path / "reviews.csv", rows)


def error_of(config, multi_label=False):
    with pytest.raises(UserError) as caught:
        load_labelled(config, multi_label, 0)
    return str(caught.value)


def splits_of(data):
    return [getattr(data, name) for name in SPLITS]


def test_a_table_becomes_three_splits_with_class_numbers(reviews):
    data = load_labelled(LabelledDataConfig(train=reviews), False, 0)
    assert data.class_names == ["neg", "pos"]
    assert [len(split) for split in splits_of(data)] == [140, 30, 30]
    for split in splits_of(data):
        assert split.labels.dtype == np.int32
        assert [int(text.split()[-1]) % 2 for text in split.texts] == split.labels.tolist()
        assert len(split.texts) == len(split.origins) == len(split.groups)
    assert data.test.origins[0].startswith(reviews.paths[0] + ", line ")
    assert data.figures["test"] == {
        "examples": 30, "available_examples": 30, "groups": 30, "per_class": {"neg": 15, "pos": 15}
    }  # fmt: skip


def test_equal_seeds_give_equal_data_and_others_do_not(reviews):
    config = LabelledDataConfig(train=reviews, train_examples_per_class=20)
    first, again, other = (load_labelled(config, False, seed) for seed in (0, 0, 1))
    assert [s.texts for s in splits_of(first)] == [s.texts for s in splits_of(again)]
    assert first.test.texts != other.test.texts


def test_only_so_many_examples_of_a_class_are_chosen(reviews):
    config = LabelledDataConfig(train=reviews, train_examples_per_class=20, evaluation_examples_per_class=5)
    data = load_labelled(config, False, 0)
    assert [np.bincount(split.labels).tolist() for split in splits_of(data)] == [[20, 20], [5, 5], [5, 5]]
    assert data.figures["train"]["available_examples"] == 140


def test_another_choice_of_training_examples_leaves_validation_and_test_as_they_are(reviews):
    few = {"train_examples": 20, "evaluation_examples_per_class": 5}
    config = LabelledDataConfig(train=reviews, **few)
    first, same, other = (
        load_labelled(config.model_copy(update={"choice_seed": choice_seed}), False, 0) for choice_seed in (None, 0, 1)
    )
    assert np.bincount(first.train.labels).tolist() == [10, 10]
    assert first.train.texts == same.train.texts != other.train.texts
    assert [s.texts for s in splits_of(first)[1:]] == [s.texts for s in splits_of(other)[1:]]
    more = load_labelled(config.model_copy(update={"choice_seed": 1, "train_examples": 50}), False, 0)
    assert set(other.train.texts) < set(more.train.texts)


def test_every_example_is_in_the_test_of_one_fold(reviews):
    folds = [
        load_labelled(LabelledDataConfig(train=reviews, split=SplitConfig(folds=4, fold=fold)), False, 0)
        for fold in range(4)
    ]
    assert [[len(split) for split in splits_of(data)] for data in folds] == [[120, 30, 50]] * 4
    assert len({text for data in folds for text in data.test.texts}) == 200


def test_no_group_is_in_two_splits(tmp_path):
    rows = [(f"text {n}", n % 3 % 2, f"author {n % 20}") for n in range(300)]
    source = write_table(tmp_path / "a.csv", rows, ("text", "label", "author"))
    data = load_labelled(LabelledDataConfig(train=source), False, 0)
    groups = [set(split.groups) for split in splits_of(data)]
    assert sum(map(len, groups)) == 20 == len(set.union(*groups))
    assert all(groups)


@pytest.fixture
def speeches(tmp_path):
    for year in range(1790, 1850):
        paragraphs = [f"Paragraph {n} of the year {year} is long enough." for n in range(5)]
        text = "\n\n".join(["Fellow citizens:", *paragraphs, "A farewell that every speech repeats."])
        (tmp_path / f"{year}-speech.txt").write_text(text)
    ranges = {"early": [1790, 1819], "late": [1820, 1849]}
    return TextSource(paths=[str(tmp_path / "*.txt")], label=PathLabel(pattern=r"(\d{4})-", ranges=ranges))


def test_paragraphs_stay_with_their_document_and_no_text_is_in_two_splits(speeches):
    config = LabelledDataConfig(train=speeches, unit="paragraph", min_characters=20)
    data = load_labelled(config, False, 0)
    assert [len(split) for split in splits_of(data)] == [40 * 5, 10 * 5, 10 * 5]
    for one, other in itertools.combinations(splits_of(data), 2):
        assert not set(one.texts) & set(other.texts)
        assert not set(one.groups) & set(other.groups)
    assert data.figures["dropped"]["short"] == 60
    assert data.figures["dropped"]["contradictory"] == 60  # the farewell has the label of both eras


def test_held_out_documents_are_found_however_the_corpus_is_cut(speeches):
    config = LabelledDataConfig(train=speeches, unit="paragraph", min_characters=20)
    data, held_out = load_labelled(config, False, 0), held_out_groups(config, False, 0)
    evaluated = set(data.validation.texts) | set(data.test.texts)
    for document in ("file", "paragraph", "line"):
        source = speeches.model_copy(update={"document": document, "label": None})
        rest = [d.text for d in read_documents(source, CleaningConfig()) if d.group not in held_out]
        assert not any(text in seen for text in evaluated for seen in rest)
        assert sum(text in "\n".join(rest) for text in data.train.texts) == len(data.train.texts)


def test_repeats_and_contradictions_are_dropped_before_the_split(tmp_path):
    rows = [(f"text {n}", n % 2) for n in range(40)]
    source = write_table(tmp_path / "a.csv", [*rows, *rows, ("  text  3 ", 1), ("text 0", 1), ("", 1)])
    data = load_labelled(LabelledDataConfig(train=source), False, 0)
    texts = [text for split in splits_of(data) for text in split.texts]
    assert sorted(texts) == sorted({text for text, _ in rows} - {"text 0"})
    dropped = {"empty": 1, "unlabelled": 0, "short": 0, "repeated": 40, "contradictory": 3, "in_evaluation": 0}
    assert data.figures["dropped"] == dropped


def test_repeats_may_stay(tmp_path):
    source = write_table(tmp_path / "a.csv", [(f"text {n % 20}", n % 2) for n in range(40)])
    data = load_labelled(LabelledDataConfig(train=source, drop_repeats=False), False, 0)
    assert sum(len(split) for split in splits_of(data)) == 40
    groups = [set(split.groups) for split in splits_of(data)]
    assert sum(map(len, groups)) == 20


def test_given_test_data_is_kept_whole_and_left_out_of_training(tmp_path, reviews):
    rows = [("review number 1", "pos"), ("review number 2", "neg"), ("new", "neg"), ("new", "neg")]
    test = write_table(tmp_path / "test.csv", rows)
    data = load_labelled(LabelledDataConfig(train=reviews, test=test), False, 0)
    assert data.test.texts == ["review number 1", "review number 2", "new", "new"]
    assert not {"review number 1", "review number 2"} & {*data.train.texts, *data.validation.texts}
    assert data.figures["dropped"]["in_evaluation"] == 2
    assert len(data.validation) == 30
    assert {text.group for text in read_documents(test, CleaningConfig())} <= held_out_groups(
        LabelledDataConfig(train=reviews, test=test), False, 0
    )


def test_classes_are_sorted_as_numbers_or_as_configured(tmp_path):
    source = write_table(tmp_path / "a.csv", [(f"text {n}", (2, 10, 1)[n % 3]) for n in range(30)])
    assert load_labelled(LabelledDataConfig(train=source), False, 0).class_names == ["1", "2", "10"]
    config = LabelledDataConfig(train=source, labels=["10", "2", "1"])
    assert load_labelled(config, False, 0).class_names == ["10", "2", "1"]


def test_several_labels_become_rows_of_zeros_and_ones(tmp_path):
    path = tmp_path / "a.jsonl"
    choices = [["art"], ["art", "law"], [], ["law"]]
    path.write_text("\n".join(json.dumps({"text": f"text {n}", "label": choices[n % 4]}) for n in range(80)))
    data = load_labelled(LabelledDataConfig(train=TableSource(paths=[str(path)], label_column="label")), True, 0)
    assert data.class_names == ["art", "law"]
    for split in splits_of(data):
        expected = [
            [float(name in choices[int(text.split()[1]) % 4]) for name in ("art", "law")] for text in split.texts
        ]
        assert split.labels.dtype == np.float32
        assert split.labels.tolist() == expected


def test_fewer_documents_than_splits_are_refused_where_labels_may_be_rare(tmp_path):
    source = write_table(tmp_path / "a.csv", [("one", "x"), ("two", "y")])
    with pytest.raises(UserError, match="all 2 examples are of 2 groups.\n.*at least 3"):
        load_labelled(LabelledDataConfig(train=source), True, 0)
    split = SplitConfig(validation=0.0, test=0.0)
    assert len(load_labelled(LabelledDataConfig(train=source, split=split), True, 0).train) == 2


def test_examples_to_evaluate_on_keep_repeats(tmp_path, reviews):
    source = write_table(tmp_path / "a.csv", [("good", "pos"), ("good", "pos"), ("bad", "neg")])
    examples = load_examples(source, ["neg", "pos"], LabelledDataConfig(train=reviews), False)
    assert (examples.texts, examples.labels.tolist()) == (["good", "good", "bad"], [1, 1, 0])


def test_examples_that_are_left_out_of_an_evaluation_are_counted(tmp_path, reviews):
    source = write_table(tmp_path / "a.csv", [("good enough", "pos"), ("good", "pos"), ("", "neg")])
    dropped = Counter()
    config = LabelledDataConfig(train=reviews, min_characters=6)
    assert len(load_examples(source, ["neg", "pos"], config, False, dropped)) == 1
    assert dropped == {"short": 1, "empty": 1}


def test_unseen_labels_are_listed(tmp_path, reviews):
    source = write_table(tmp_path / "a.csv", [("good", "pos"), ("so so", "neutral"), ("hm", "neutral")])
    for given in ("validation", "test"):
        message = error_of(LabelledDataConfig(train=reviews, **{given: source}))
        assert f"The {given} data has labels that are no class: 'neutral' (2 examples)" in message
        assert f"first at {source.paths[0]}, line 3" in message
        assert "Classes: 'neg', 'pos'" in message
    with pytest.raises(UserError, match="'neutral' \\(2 examples\\)"):
        load_examples(source, ["neg", "pos"], LabelledDataConfig(train=reviews), False)


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([("a", "x"), ("b", "x"), ("c", "x")], {}, "All 3 training examples have the label 'x'"),
        ([("a", "x"), ("b", "")], {}, "line 3: the label is empty"),
        ([("a", "x"), ("b", " ")], {}, "line 3: the label is empty"),
        ([("a", "x"), ("b", "y")], {"min_characters": 9}, "all 2 labelled texts are too short"),
        ([("a", "x"), ("a", "y")], {}, "No training example is left"),
        ([("a", "x"), ("b", "y"), ("c", "y"), ("d", "y")], {}, "The label 'x' has 1 document (or"),
        ([("a", "x"), ("b", "y")], {"labels": ["x"]}, "labels that are no class: 'y'"),
        ([("a", "x"), ("b", "y")], {"labels": ["x", "y", "z"]}, "No training example has the label 'z'"),
        ([("a", "x"), ("b", "y")], {"labels": ["x", "y", "x"]}, "lists a label twice"),
        (
            [(f"{n}", "xy"[n % 2]) for n in range(8)],
            {"train_examples": 1},
            "and there are 2 labels",
        ),
        ([(f"{n}", "xy"[n % 2]) for n in range(8)], {"train_examples": 9}, "9 training examples are asked for"),
        ([], {}, "There is no text in"),
    ],
)
def test_labels_that_cannot_serve_are_explained(tmp_path, rows, options, said):
    assert said in error_of(LabelledDataConfig(train=write_table(tmp_path / "a.csv", rows), **options))


def test_files_whose_path_gives_no_label_are_counted_or_refused(speeches, tmp_path):
    (tmp_path / "readme.txt").write_text("No year in the name.")
    config = LabelledDataConfig(train=speeches)
    assert load_labelled(config, False, 0).figures["dropped"]["unlabelled"] == 1
    nothing = speeches.model_copy(update={"label": PathLabel(pattern="(nowhere)")})
    assert "has a label (61 have none)" in error_of(LabelledDataConfig(train=nothing))


def test_several_labels_need_a_multi_label_task(tmp_path):
    source = write_table(tmp_path / "a.csv", [("a", "x|y"), ("b", "x")])
    source = source.model_copy(update={"label_separator": "|"})
    assert "Set finetune.task.multi_label: true" in error_of(LabelledDataConfig(train=source))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train_examples": 5, "train_examples_per_class": 5}, "not both"),
        ({"split": SplitConfig(folds=3), "test": TextSource(paths=["x"])}, "leave test out"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(reviews, settings, said):
    with pytest.raises(ValueError, match=said):
        LabelledDataConfig(train=reviews, **settings)


def test_fractions_of_nothing_leave_the_split_empty(reviews):
    data = load_labelled(LabelledDataConfig(train=reviews, split=SplitConfig(validation=0.0)), False, 0)
    assert len(data.validation) == 0
    assert data.validation.labels.shape == (0,)
