import numpy as np
import pytest

from tests.corpora import numbered_shards, random_shards, sentinel_tokenizer, write_shards
from tfplm import feature_names as names
from tfplm.data.pretraining import pretraining_batches
from tfplm.objectives import CausalLmConfig

START, END = 3, 1


def batches(shards, sequence_length=16, batch_size=4, seed=0):
    return pretraining_batches(shards, sentinel_tokenizer(0), CausalLmConfig(), sequence_length, batch_size, seed)


def predictions(batch):
    """Pairs of each predicted token and the one before it."""
    features, targets, weights = batch
    counted = weights[names.NEXT_TOKEN] > 0
    return list(zip(features[names.TOKEN_IDS][counted], targets[names.NEXT_TOKEN][counted], strict=True))


def expected_predictions(shards):
    pairs = []
    starts = shards.document_starts_tokens
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        document = [START, *shards.tokens(first, last), END]
        pairs += zip(document[:-1], document[1:], strict=True)
    return pairs


def test_documents_stand_between_start_and_end_and_nothing_is_put_at_the_edges(tmp_path):
    source = batches(write_shards(tmp_path / "s", [[[5, 6, 7]], [[8, 9]]]), sequence_length=6, batch_size=2)
    features, targets, weights = next(source.epoch_batches(2))
    assert features[names.TOKEN_IDS].tolist() == [[3, 5, 6, 7, 1, 3], [8, 9, 1, 3, 0, 0]]
    assert targets[names.NEXT_TOKEN].tolist() == [[5, 6, 7, 1, 3, 8], [9, 1, 3, 0, 0, 0]]
    assert weights[names.NEXT_TOKEN].tolist() == [[1, 1, 1, 1, 0, 1], [1, 1, 0, 0, 0, 0]]
    assert features[names.PACKING_IDS].tolist() == [[1, 1, 1, 1, 1, 2], [1, 1, 1, 2, 0, 0]]
    assert features[names.POSITION_IDS].tolist() == [[0, 1, 2, 3, 4, 0], [0, 1, 2, 0, 0, 0]]


@pytest.mark.parametrize("sequence_length", [1, 5, 16, 33, 200, 5000])
def test_every_epoch_predicts_every_token_once(tmp_path, sequence_length):
    shards = numbered_shards(tmp_path / "s", *np.random.default_rng(1).integers(1, 90, 10))
    source = batches(shards, sequence_length, batch_size=1)
    expected = sorted(expected_predictions(shards))
    for epoch in range(3):
        steps = range(epoch * source.num_rows, (epoch + 1) * source.num_rows)
        assert sorted(pair for step in steps for pair in predictions(source.batch(step))) == expected


def test_windows_begin_elsewhere_in_every_epoch(tmp_path):
    source = batches(numbered_shards(tmp_path / "s", 200, 50), batch_size=1)
    first, second = (
        {tuple(source.batch(epoch * source.num_rows + row)[0][names.TOKEN_IDS][0]) for row in range(source.num_rows)}
        for epoch in range(2)
    )
    assert len(first & second) <= 1


def test_only_the_last_window_is_padded_and_at_its_right(tmp_path):
    source = batches(random_shards(tmp_path / "s", 40), batch_size=1)
    padding = [source.batch(step)[0][names.TOKEN_IDS][0] == 0 for step in range(source.num_rows)]
    assert sum(row.any() for row in padding) <= 1
    assert all((np.diff(row.astype(int)) >= 0).all() for row in padding)


def test_the_target_is_the_next_token_of_the_same_document(tmp_path):
    source = batches(random_shards(tmp_path / "s", 60), 32, 8)
    for step in range(10):
        features, targets, weights = source.batch(step)
        tokens, packing = features[names.TOKEN_IDS], features[names.PACKING_IDS]
        weight = weights[names.NEXT_TOKEN]
        np.testing.assert_array_equal(tokens[:, 1:], np.where(tokens[:, 1:], targets[names.NEXT_TOKEN][:, :-1], 0))
        np.testing.assert_array_equal(weight[:, :-1], (packing[:, 1:] == packing[:, :-1]) & (packing[:, 1:] > 0))
        assert weight[tokens == END].sum() == 0  # behind it begins another document
        assert (targets[names.NEXT_TOKEN][weight > 0] != START).all()


def test_positions_restart_with_each_part(tmp_path):
    features, _, _ = batches(random_shards(tmp_path / "s", 60), 32, 8).batch(3)
    packing, positions = features[names.PACKING_IDS], features[names.POSITION_IDS]
    for row in range(8):
        for part in range(1, packing[row].max() + 1):
            inside = positions[row][packing[row] == part]
            assert inside.tolist() == list(range(len(inside)))
    assert (positions[packing == 0] == 0).all()


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_the_whole_text_is_gone_through_once_and_in_order(tmp_path, batch_size):
    shards = numbered_shards(tmp_path / "s", 33, 1, 70, 12)
    source = batches(shards)
    walked = list(source.epoch_batches(batch_size))
    assert {batch[0][names.TOKEN_IDS].shape for batch in walked} == {(batch_size, 16)}
    assert [pair for batch in walked for pair in predictions(batch)] == expected_predictions(shards)
    assert sum(batch[2][names.NEXT_TOKEN].sum() for batch in walked) == shards.num_tokens + shards.num_documents
    assert walked[0][0].keys() == source.batch(0)[0].keys()


def test_rows_behind_the_last_one_are_all_padding(tmp_path):
    shards = numbered_shards(tmp_path / "s", 14, 14)  # with their markers two rows of 16 exactly
    features, targets, weights = next(batches(shards).epoch_batches(5))
    for tensor in (features[names.TOKEN_IDS], features[names.PACKING_IDS], features[names.POSITION_IDS]):
        assert (tensor[2:] == 0).all() and tensor.dtype == np.int32
    assert weights[names.NEXT_TOKEN][2:].sum() == 0
    assert (targets[names.NEXT_TOKEN][2:] == 0).all()
