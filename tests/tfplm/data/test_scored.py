from collections import Counter

import numpy as np
import pytest

from tfplm.data.configuration import ScoredDataConfig
from tfplm.data.scored import load_scored, load_scored_examples
from tfplm.errors import UserError


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
