from collections import Counter

import numpy as np
import pytest

from tfplm.data.configuration import CleaningConfig, ScoredDataConfig, TextSource
from tfplm.data.scored import held_out_scored, load_scored, load_scored_examples
from tfplm.data.sources import read_documents, text_digest
from tfplm.errors import UserError

SPLITS = ("train", "validation", "test")


def write(path, scores):
    rows = "".join(f"text number {number},{score}\n" for number, score in enumerate(scores))
    path.write_text("text,score\n" + rows)
    return {"type": "table", "paths": [str(path)], "label_column": "score"}


def load(path, scores, **settings):
    return load_scored(ScoredDataConfig.model_validate({"train": write(path, scores), **settings}), seed=0)


def test_every_split_has_low_and_high_scores_and_equal_seeds_give_equal_splits(tmp_path):
    scores = np.linspace(0, 5, 200)
    data, again = load(tmp_path / "a.csv", scores), load(tmp_path / "a.csv", scores)
    for split in (data.validation, data.test):
        assert len(split) == 30
        assert split.scores.min() < 1 and split.scores.max() > 4
    assert data.train.texts == again.train.texts
    assert data.figures["train"]["examples"] == 140


def test_scores_out_of_range_and_what_is_no_number_stop_with_their_lines(tmp_path):
    with pytest.raises(UserError) as stopped:
        load(tmp_path / "a.csv", [1, 2, 7, 3, "high", "nan", 4], score_range=[0, 5])
    message = str(stopped.value)
    assert "3 examples cannot be used" in message
    assert "a.csv, line 4: the score 7 is not from 0 to 5" in message
    assert "a.csv, line 6: the score is 'high'" in message
    assert "on_bad_example: skip" in message


def test_or_are_left_out_and_counted(tmp_path):
    scores = [*np.linspace(0, 5, 40), 7, "high"]
    data = load(tmp_path / "a.csv", scores, score_range=[0, 5], on_bad_example="skip")
    assert sum(len(split) for split in (data.train, data.validation, data.test)) == 40
    assert data.figures["dropped"]["a score out of range"] == 1
    assert data.figures["dropped"]["a score that is no number"] == 1


def test_equal_scores_are_nothing_to_learn(tmp_path):
    with pytest.raises(UserError, match="have the score 3"):
        load(tmp_path / "a.csv", [3] * 20)


def test_skewed_scores_are_split_and_cut_into_folds(tmp_path):
    scores = [1] * 2 + [3] * 40 + [4] * 50 + [5] * 30
    data = load(tmp_path / "a.csv", scores)
    assert {name: data.figures[name]["examples"] for name in SPLITS} == {"train": 84, "validation": 19, "test": 19}
    for split in (data.validation, data.test):
        assert set(split.scores.tolist()) >= {3, 4, 5}
    scores = [1] * 2 + [2] * 12 + [3] * 10 + [4] * 20 + [5] * 4
    folds = [load(tmp_path / "a.csv", scores, split={"folds": 10, "fold": fold}) for fold in range(10)]
    assert {len(fold.test) for fold in folds} == {4, 5}
    assert len({text for fold in folds for text in fold.test.texts}) == 48
    few = load(tmp_path / "a.csv", scores, train_examples=3)
    assert len(few.train) == 3


def test_fewer_texts_than_splits_or_folds_are_refused(tmp_path):
    with pytest.raises(UserError, match="all 2 examples are of 2 groups.\n.*at least 3"):
        load(tmp_path / "a.csv", [1, 2])
    with pytest.raises(UserError, match="all 5 examples are of 5 groups.\n.*at least 6"):
        load(tmp_path / "a.csv", [1, 2, 3, 4, 5], split={"folds": 6})


def test_documents_of_held_out_paragraphs_are_held_out_however_the_corpus_is_cut(tmp_path):
    for year in range(1790, 1850):
        paragraphs = [f"Paragraph {n} of the year {year}\nis long enough: {n}, {year}." for n in range(5)]
        (tmp_path / f"{year}-speech.txt").write_text("\n\n".join(["Fellow citizens:", *paragraphs]))
    source = {"type": "text", "paths": [str(tmp_path / "*.txt")], "label": {"pattern": r"(\d{4})-"}}
    config = ScoredDataConfig.model_validate({"train": source, "unit": "paragraph", "min_characters": 20})
    data, held_out = load_scored(config, 0), held_out_scored(config, 0)
    evaluated = {*data.validation.texts, *data.test.texts}
    for document in ("file", "paragraph", "line"):
        corpus = TextSource(paths=source["paths"], document=document)
        rest = [d.text for d in read_documents(corpus, CleaningConfig()) if d.group not in held_out]
        assert evaluated and not any(text in seen for text in evaluated for seen in rest)

        assert all(text in "\n".join(rest) for text in data.train.texts)


def test_groups_of_held_out_rows_are_held_out(tmp_path):
    rows = "".join(f"text number {number},{number % 5},author {number % 20}\n" for number in range(100))
    (tmp_path / "a.csv").write_text("text,score,author\n" + rows)
    table = {"type": "table", "paths": [str(tmp_path / "a.csv")], "label_column": "score", "group_column": "author"}
    config = ScoredDataConfig.model_validate({"train": table})
    data, held_out = load_scored(config, 0), held_out_scored(config, 0)
    for document in read_documents(config.train, CleaningConfig()):
        in_training = document.text in data.train.texts
        assert (document.group in held_out) != in_training
        assert (text_digest(document.text) in held_out) != in_training


def test_a_range_must_have_an_inside(tmp_path):
    with pytest.raises(ValueError, match="is empty"):
        load(tmp_path / "a.csv", [1, 2], score_range=[5, 0])


def test_training_examples_are_chosen_over_the_whole_range_and_nested(tmp_path):
    scores = np.linspace(0, 5, 200)
    few, more = (load(tmp_path / "a.csv", scores, train_examples=number) for number in (10, 30))
    assert (len(few.train), len(more.train)) == (10, 30)
    assert set(few.train.texts) <= set(more.train.texts)
    assert few.train.scores.max() - few.train.scores.min() > 3
    assert few.test.texts == more.test.texts


def test_an_evaluation_reads_every_example_and_repeats_stay(tmp_path):
    source = write(tmp_path / "a.csv", [1, 2, 3])
    config = ScoredDataConfig.model_validate({"train": source})
    dropped = Counter()
    examples = load_scored_examples(config.train, config, dropped)
    assert examples.scores.tolist() == [1, 2, 3] and not dropped
    assert examples.select(np.array([2, 0])).texts == ["text number 2", "text number 0"]
