import functools

import numpy as np
import pytest

from tfplm import feature_names as names
from tfplm.data.example_batches import ExampleBatches, ExampleRows, PackedExampleBatches, row_lengths
from tfplm.data.sampling import balanced_order


def rows_of(ids, targets, weights, **more):
    return ExampleRows({names.TOKEN_IDS: ids}, targets, weights, row_lengths(ids, 0), **more)


def batches(count=10, batch_size=4, seed=0):
    ids = np.arange(count, dtype=np.int32)[:, None] + 100
    rows = rows_of(ids, np.arange(count, dtype=np.int32), np.ones(count, np.float32))
    return ExampleBatches(rows, batch_size, seed)


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


def test_the_mean_over_the_rows_of_an_epoch_is_the_mean_over_its_examples():
    rows = rows_of(np.zeros((10, 1), np.int32), np.arange(10), np.full(10, 1.5, np.float32))
    source = ExampleBatches(rows, 4, 0)
    values = np.arange(10.0)
    parts = [(labels, weights) for _, labels, weights in map(source.batch, range(3))]
    mean = np.mean([values[labels] * weights for labels, weights in parts])
    assert mean == pytest.approx(1.5 * values.mean())


def packed(count=50, batch_size=4, seed=0, weight=1.0):
    lengths = np.random.default_rng(0).integers(2, 10, count)
    ids = np.where(np.arange(16) < lengths[:, None], np.arange(count)[:, None] + 100, 0).astype(np.int32)
    labels, weights = np.arange(count, dtype=np.int32), np.full(count, weight, np.float32)
    return PackedExampleBatches(rows_of(ids, labels, weights), batch_size, seed)


def text_of(source, number):
    ids = source.rows.features[names.TOKEN_IDS][number]
    return ids[ids > 0]


def epoch_of(source, number=0):
    first = number * source.steps_per_epoch
    return [source.batch(step) for step in range(first, first + source.steps_per_epoch)]


def test_an_epoch_of_packed_rows_holds_every_text_whole_and_once_with_its_label():
    source = packed()
    assert source.steps_per_epoch < len(source.rows) / 4 / 2
    seen = []
    for features, labels, weights in epoch_of(source):
        for row, column in zip(*np.nonzero(weights), strict=True):
            label, here = labels[row, column], features[names.PACKING_IDS][row] == column + 1
            text = text_of(source, label)
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
    rows = rows_of(source.rows.features[names.TOKEN_IDS], np.eye(50, dtype=np.float32), source.rows.weights)
    many = PackedExampleBatches(rows, 4, 0)
    labels, classes = source.batch(0)[1], many.batch(0)[1]
    assert classes.shape == (*labels.shape, 50)
    np.testing.assert_array_equal(classes.argmax(axis=-1)[labels > 0], labels[labels > 0])


def test_targets_of_tokens_are_packed_with_their_tokens():
    source = packed()
    ids = source.rows.features[names.TOKEN_IDS]
    weights = (ids > 0).astype(np.float32)
    source = PackedExampleBatches(rows_of(ids, 3 * ids, weights, targets_are_per_token=True), 4, 0)
    total = 0
    for features, targets, weights in epoch_of(source):
        assert names.EXAMPLE_STARTS not in features
        np.testing.assert_array_equal(targets, 3 * features[names.TOKEN_IDS])
        np.testing.assert_array_equal(weights, features[names.PACKING_IDS] > 0)
        total += weights.sum()
    assert total == (ids > 0).sum()


def test_segments_are_packed_and_padding_is_what_the_tokenizer_says():
    ids = np.array([[4, 5, 1, 1], [4, 1, 5, 1]], np.int32)
    assert row_lengths(ids, 1).tolist() == [2, 3]
    segments = np.array([[0, 1, 0, 0], [0, 0, 1, 0]], np.int32)
    features = {names.TOKEN_IDS: ids, names.SEGMENT_IDS: segments}
    rows = ExampleRows(features, np.arange(2), np.ones(2, np.float32), row_lengths(ids, 1))
    features, *_ = PackedExampleBatches(rows, 2, 0).batch(0)
    for here, segment in ((features[names.TOKEN_IDS] == 5, 1), (features[names.TOKEN_IDS] == 4, 0)):
        assert set(features[names.SEGMENT_IDS][here]) == {segment}


def test_targets_may_be_several_by_name():
    ids = np.ones((3, 2), np.int32)
    targets, weights = {"a": np.arange(3), "b": np.arange(3)}, {"a": np.ones(3), "b": np.ones(3)}
    _, found, weighed = ExampleBatches(rows_of(ids, targets, weights), 2, None).batch(1)
    assert found["b"].tolist() == [2, 0]
    assert [round(float(w), 3) for w in weighed["a"]] == [1.333, 0.0]


def test_balanced_batches_draw_rare_classes_as_often_as_frequent_ones():
    labels = np.array([0] * 9 + [1] * 3, np.int32)
    rows = rows_of(np.ones((12, 1), np.int32), labels, np.ones(12, np.float32))
    source = ExampleBatches(rows, 4, 0, functools.partial(balanced_order, labels, 0))
    assert source.steps_per_epoch == 3
    for epoch in range(2):
        drawn = np.concatenate([source.batch(3 * epoch + step)[1] for step in range(3)])
        assert np.bincount(drawn).tolist() == [6, 6]
