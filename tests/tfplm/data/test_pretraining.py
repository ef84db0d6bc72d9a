import numpy as np
import pytest
import tensorflow as tf

from tests.corpora import random_shards, tiny_tokenizer
from tfplm import feature_names as names
from tfplm.data.batches import Share, shuffled_rows
from tfplm.data.pretraining import pretraining_batches
from tfplm.data.shards import ShardWriter, TokenShards
from tfplm.errors import UserError
from tfplm.objectives import CausalLmConfig, MaskedLmConfig

OBJECTIVES = [MaskedLmConfig(), MaskedLmConfig(next_sentence=True), MaskedLmConfig(whole_word=True), CausalLmConfig()]


def batches(folder, objective, seed=0):
    return pretraining_batches(random_shards(folder, 60), tiny_tokenizer(), objective, 32, 8, seed)


def assert_same(left, right):
    tf.nest.map_structure(np.testing.assert_array_equal, left, right)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["mlm", "pairs", "whole_word", "causal"])
def test_a_batch_is_a_function_of_seed_and_step(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    assert_same(source.batch(17), batches(tmp_path / "b", objective).batch(17))
    other = batches(tmp_path / "c", objective, seed=1).batch(17)
    assert (other[0][names.TOKEN_IDS] != source.batch(17)[0][names.TOKEN_IDS]).any()


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["mlm", "pairs", "whole_word", "causal"])
def test_a_dataset_that_starts_late_gives_what_an_unbroken_one_gives(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    unbroken = list(source.dataset(0, 12).as_numpy_iterator())
    late = list(source.dataset(9, 12).as_numpy_iterator())
    assert len(late) == 3
    for left, right in zip(unbroken[9:], late, strict=True):
        assert_same(left, right)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["mlm", "pairs", "whole_word", "causal"])
def test_the_shares_of_the_workers_are_disjoint_and_make_up_the_batch(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    unbroken = list(source.dataset(3, 6).as_numpy_iterator())
    shares = [Share(worker, num_workers=2, replicas=2) for worker in range(2)]
    parts = [list(source.dataset(3, 6, share).as_numpy_iterator()) for share in shares]
    for step, whole in enumerate(unbroken):
        replicas = [part[2 * step + replica] for part in parts for replica in range(2)]
        assert_same(whole, tf.nest.map_structure(lambda *pieces: np.concatenate(pieces), *replicas))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=["mlm", "pairs", "whole_word", "causal"])
def test_a_row_seed_never_comes_again(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    seeds = np.concatenate([source.batch(step)[0][names.ROW_SEEDS] for step in range(200)])
    assert len(np.unique(seeds)) == len(seeds)
    assert 0.4 < (seeds < 0).mean() < 0.6


@pytest.mark.parametrize(
    ("objective", "least"), [(OBJECTIVES[0], 3), (OBJECTIVES[1], 5), (OBJECTIVES[3], 3)], ids=["mlm", "pairs", "causal"]
)
def test_the_shortest_rows_work_and_shorter_ones_are_refused(tmp_path, objective, least):
    shards, tokenizer = random_shards(tmp_path / "a", 60), tiny_tokenizer()
    source = pretraining_batches(shards, tokenizer, objective, least, 8, 0)
    assert all(source.batch(step)[0][names.TOKEN_IDS].shape == (8, least) for step in range(20))
    with pytest.raises(UserError, match=f"Expected {least} or more"):
        pretraining_batches(shards, tokenizer, objective, least - 1, 8, 0)


def test_shards_without_tokens_are_refused(tmp_path):
    ShardWriter(tmp_path / "empty", np.dtype(np.uint16)).close()
    with pytest.raises(UserError, match="no tokens in .*empty"):
        pretraining_batches(TokenShards.open(tmp_path / "empty"), tiny_tokenizer(), OBJECTIVES[0], 32, 8, 0)


@pytest.mark.parametrize("num_rows", [1, 2, 37, 1000])
def test_every_epoch_is_another_permutation_of_all_rows(num_rows):
    batch_size = 16
    steps = -(-2 * num_rows // batch_size)
    drawn = [shuffled_rows(step, batch_size, num_rows, seed=3) for step in range(steps)]
    rows = np.concatenate([rows for rows, _ in drawn])
    first, second = rows[:num_rows], rows[num_rows : 2 * num_rows]
    assert sorted(first) == sorted(second) == list(range(num_rows))
    if num_rows > 30:
        assert (first != second).any()


def test_the_target_of_the_causal_objective_is_the_next_token_of_the_same_document(tmp_path):
    features, targets, weights = batches(tmp_path / "a", CausalLmConfig()).batch(0)
    tokens, target, weight = features[names.TOKEN_IDS], targets[names.NEXT_TOKEN], weights[names.NEXT_TOKEN]
    np.testing.assert_array_equal(tokens[:, 1:], target[:, :-1])
    ends = tokens == 3  # behind [SEP] begins another document, or padding
    assert weight[ends].sum() == 0
    assert weight[~ends & (tokens > 0)].min() == 1
