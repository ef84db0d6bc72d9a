import numpy as np
import pytest

from tests.corpora import tiny_tokenizer
from tfplm import feature_names as names
from tfplm.data.classification import (
    ClassificationBatches,
    PackedClassificationBatches,
    class_weight_of_examples,
    encode_texts,
)
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


def packed(count=50, batch_size=4, seed=0, weight=1.0):
    lengths = np.random.default_rng(0).integers(2, 10, count)
    ids = np.where(np.arange(16) < lengths[:, None], np.arange(count)[:, None] + 100, 0).astype(np.int32)
    labels, weights = np.arange(count, dtype=np.int32), np.full(count, weight, np.float32)
    return PackedClassificationBatches(ids, labels, weights, batch_size, seed)


def epoch_of(source, number=0):
    first = number * source.steps_per_epoch
    return [source.batch(step) for step in range(first, first + source.steps_per_epoch)]


def test_an_epoch_of_packed_rows_holds_every_text_whole_and_once_with_its_label():
    source = packed()
    assert source.steps_per_epoch < len(source.token_ids) / 4 / 2
    seen = []
    for features, labels, weights in epoch_of(source):
        for row, column in zip(*np.nonzero(weights), strict=True):
            label, here = labels[row, column], features[names.PACKING_IDS][row] == column + 1
            text = source.token_ids[label][source.token_ids[label] > 0]
            np.testing.assert_array_equal(features[names.TOKEN_IDS][row, here], text)
            np.testing.assert_array_equal(features[names.POSITION_IDS][row, here], np.arange(len(text)))
            assert features[names.EXAMPLE_STARTS][row, column] == np.flatnonzero(here)[0]
            seen.append(label)
        assert (features[names.TOKEN_IDS][features[names.PACKING_IDS] == 0] == 0).all()
    assert sorted(seen) == list(range(50))


def test_packed_batches_have_one_shape_and_other_rows_in_every_epoch():
    source = packed()
    batches = epoch_of(source) + epoch_of(source, 1)
    assert len({(*features[names.EXAMPLE_STARTS].shape, *labels.shape) for features, labels, _ in batches}) == 1
    rows = [{tuple(row[row > 0]) for b in epoch_of(source, n) for row in b[0][names.TOKEN_IDS]} for n in (0, 1)]
    assert len(rows[0] & rows[1]) < len(rows[0]) / 2
    assert sorted(n for step in range(source.steps_per_epoch) for n in source.row_numbers(step)) == list(range(50))


def test_a_packed_batch_is_a_function_of_seed_and_step_and_its_rows_can_be_had_apart():
    whole, again, other = packed().batch(9), packed().batch(9), packed(seed=1).batch(9)
    part = packed().batch(9, slice(1, 3))
    for name, values in whole[0].items():
        np.testing.assert_array_equal(values, again[0][name])
        np.testing.assert_array_equal(values[1:3], part[0][name])
    np.testing.assert_array_equal(whole[1][1:3], part[1])
    np.testing.assert_array_equal(whole[2][1:3], part[2])
    assert (whole[0][names.TOKEN_IDS] != other[0][names.TOKEN_IDS]).any()


def test_the_mean_over_the_places_of_packed_batches_is_the_mean_over_the_examples():
    source = packed(weight=1.5)
    mean = np.mean([labels * weights for _, labels, weights in epoch_of(source)])
    assert mean == pytest.approx(1.5 * np.arange(50).mean())


def test_packed_labels_may_be_rows_of_classes():
    source = packed()
    many = PackedClassificationBatches(source.token_ids, np.eye(50, dtype=np.float32), source.example_weights, 4, 0)
    labels, classes = source.batch(0)[1], many.batch(0)[1]
    assert classes.shape == (*labels.shape, 50)
    np.testing.assert_array_equal(classes.argmax(axis=-1)[labels > 0], labels[labels > 0])


def test_balanced_batches_draw_rare_classes_as_often_as_frequent_ones():
    labels = np.array([0] * 9 + [1] * 3, np.int32)
    source = ClassificationBatches(np.zeros((12, 1), np.int32), labels, np.ones(12, np.float32), 4, 0, balanced=True)
    assert source.steps_per_epoch == 3
    for epoch in range(2):
        drawn = np.concatenate([source.batch(3 * epoch + step)[1] for step in range(3)])
        assert np.bincount(drawn).tolist() == [6, 6]


def test_packed_batches_are_not_balanced():
    ids, ones = np.ones((4, 8), np.int32), np.ones(4, np.float32)
    with pytest.raises(UserError, match="sampling: balanced"):
        PackedClassificationBatches(ids, np.array([0, 0, 0, 1]), ones, 2, 0, balanced=True)
