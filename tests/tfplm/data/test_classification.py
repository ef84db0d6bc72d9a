import numpy as np
import pytest

from tests.corpora import tiny_tokenizer
from tfplm import feature_names as names
from tfplm.data.classification import ClassificationBatches, class_weight_of_examples, encode_texts
from tfplm.errors import UserError


def batches(count=10, batch_size=4, seed=0):
    ids = np.arange(count, dtype=np.int32)[:, None] + 100
    return ClassificationBatches(ids, np.arange(count, dtype=np.int32), np.ones(count, np.float32), batch_size, seed)


def test_an_epoch_counts_every_example_once_and_fills_the_last_batch_with_weight_zero():
    source = batches()
    assert source.steps_per_epoch == 3
    seen = []
    for step in range(3):
        _, labels, weights = source.batch(step)
        assert labels.shape == (4,)
        seen += labels[weights > 0].tolist()
    assert sorted(seen) == list(range(10))


def test_epochs_differ_in_order_and_evaluation_keeps_it():
    source = batches()
    first = [source.batch(step)[1].tolist() for step in range(3)]
    second = [source.batch(step)[1].tolist() for step in range(3, 6)]
    assert first != second
    assert batches(seed=None).batch(0)[1].tolist() == [0, 1, 2, 3]


def test_balanced_weights_give_every_class_the_same_total():
    labels = np.array([0] * 30 + [1] * 10 + [2] * 5, np.int32)
    weights = class_weight_of_examples(labels, ["a", "b", "c"], "balanced")
    totals = [weights[labels == c].sum() for c in range(3)]
    np.testing.assert_allclose(totals, 15.0, rtol=1e-6)
    assert weights.mean() == pytest.approx(1.0)


def test_named_weights_fall_on_their_class():
    weights = class_weight_of_examples(np.array([0, 1, 1]), ["a", "b"], {"b": 3.0})
    assert weights.tolist() == [1.0, 3.0, 3.0]


def test_a_weight_of_an_unknown_class_is_refused():
    with pytest.raises(UserError, match="'c'"):
        class_weight_of_examples(np.array([0, 1, 1]), ["a", "b"], {"b": 3.0, "c": 2.0})


def test_the_mean_over_the_rows_of_an_epoch_is_the_mean_over_its_examples():
    source = ClassificationBatches(np.zeros((10, 1), np.int32), np.arange(10), np.full(10, 1.5, np.float32), 4, 0)
    values = np.arange(10.0)
    rows = [(labels, weights) for _, labels, weights in map(source.batch, range(3))]
    mean = np.mean([values[labels] * weights for labels, weights in rows])
    assert mean == pytest.approx(1.5 * values.mean())


def test_a_multi_label_example_takes_the_mean_weight_of_its_classes():
    labels = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    weights = class_weight_of_examples(labels, ["a", "b"], {"a": 1.0, "b": 3.0})
    assert weights.tolist() == [1.0, 2.0, 1.0]


def test_texts_are_cut_to_the_row_and_closed():
    ids = encode_texts(tiny_tokenizer(), ["w1 w2", "w1 " * 50, ""], 8)
    assert ids.shape == (3, 8)
    assert ids[0].tolist() == [2, 6, 7, 3, 0, 0, 0, 0]
    assert ids[1].tolist() == [2, *[6] * 6, 3]
    assert ids[2].tolist() == [2, 3, 0, 0, 0, 0, 0, 0]
    assert names.TOKEN_IDS in batches().batch(0)[0]
