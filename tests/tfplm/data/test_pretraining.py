import numpy as np
import pytest
import tensorflow as tf

from tests.corpora import random_shards, sentinel_tokenizer, tiny_tokenizer, write_shards
from tfplm import feature_names as names
from tfplm.data.batches import Share, shuffled_rows
from tfplm.data.pretraining import pretraining_batches
from tfplm.data.shards import ShardWriter, TokenShards
from tfplm.errors import UserError
from tfplm.objectives import CausalLmConfig, MaskedLmConfig, PrefixLmConfig, SpanCorruptionConfig

OBJECTIVES = {
    "mlm": MaskedLmConfig(),
    "pairs": MaskedLmConfig(next_sentence=True),
    "whole_word": MaskedLmConfig(whole_word=True),
    "causal": CausalLmConfig(),
    "spans": SpanCorruptionConfig(),
    "prefix": PrefixLmConfig(),
}
every_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


def tokenizer_for(objective):
    return sentinel_tokenizer() if objective.type in ("span_corruption", "prefix_lm") else tiny_tokenizer()


def batches(folder, objective, seed=0):
    return pretraining_batches(random_shards(folder, 60), tokenizer_for(objective), objective, 32, 8, seed)


def assert_same(left, right):
    tf.nest.map_structure(np.testing.assert_array_equal, left, right)


@every_objective
def test_a_batch_is_a_function_of_seed_and_step(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    assert_same(source.batch(17), batches(tmp_path / "b", objective).batch(17))
    other = batches(tmp_path / "c", objective, seed=1).batch(17)
    assert (other[0][names.TOKEN_IDS] != source.batch(17)[0][names.TOKEN_IDS]).any()


@every_objective
def test_a_dataset_that_starts_late_gives_what_an_unbroken_one_gives(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    unbroken = list(source.dataset(0, 12).as_numpy_iterator())
    late = list(source.dataset(9, 12).as_numpy_iterator())
    assert len(late) == 3
    for left, right in zip(unbroken[9:], late, strict=True):
        assert_same(left, right)


@every_objective
def test_the_shares_of_the_workers_are_disjoint_and_make_up_the_batch(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    unbroken = list(source.dataset(3, 6).as_numpy_iterator())
    shares = [Share(worker, num_workers=2, replicas=2) for worker in range(2)]
    parts = [list(source.dataset(3, 6, share).as_numpy_iterator()) for share in shares]
    for step, whole in enumerate(unbroken):
        replicas = [part[2 * step + replica] for part in parts for replica in range(2)]
        assert_same(whole, tf.nest.map_structure(lambda *pieces: np.concatenate(pieces), *replicas))


@every_objective
def test_a_row_seed_never_comes_again(tmp_path, objective):
    source = batches(tmp_path / "a", objective)
    seeds = np.concatenate([source.batch(step)[0][names.ROW_SEEDS] for step in range(200)])
    assert len(np.unique(seeds)) == len(seeds)
    assert 0.4 < (seeds < 0).mean() < 0.6


LEAST = {"mlm": 3, "pairs": 5, "causal": 1, "spans": 3, "prefix": 2}


@pytest.mark.parametrize("name", LEAST)
def test_the_shortest_rows_work_and_shorter_ones_are_refused(tmp_path, name):
    objective, least, shards = OBJECTIVES[name], LEAST[name], random_shards(tmp_path / "a", 60)
    source = pretraining_batches(shards, tokenizer_for(objective), objective, least, 8, 0)
    assert all(source.batch(step)[0][names.TOKEN_IDS].shape == (8, least) for step in range(20))
    with pytest.raises(UserError, match=f"Expected {least} or more"):
        pretraining_batches(shards, tokenizer_for(objective), objective, least - 1, 8, 0)


@pytest.mark.parametrize("name", ["causal", "spans", "prefix"])
def test_a_corpus_of_one_token_gives_batches(tmp_path, name):
    objective = OBJECTIVES[name]
    source = pretraining_batches(write_shards(tmp_path / "a", [[[5]]]), tokenizer_for(objective), objective, 32, 8, 0)
    assert source.num_rows == 1
    assert all(source.batch(step)[0][names.TOKEN_IDS].shape == (8, 32) for step in range(3))


def test_masks_need_a_tokenizer_that_has_one(tmp_path):
    with pytest.raises(UserError, match="type bytes, has no mask"):
        pretraining_batches(random_shards(tmp_path / "a", 6), sentinel_tokenizer(), MaskedLmConfig(), 32, 8, 0)


def test_shards_without_tokens_are_refused(tmp_path):
    ShardWriter(tmp_path / "empty", np.dtype(np.uint16)).close()
    with pytest.raises(UserError, match="no tokens in .*empty"):
        pretraining_batches(TokenShards.open(tmp_path / "empty"), tiny_tokenizer(), MaskedLmConfig(), 32, 8, 0)


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
