import numpy as np

from tests.corpora import random_shards, tiny_tokenizer, write_shards
from tfplm.data.sentence_pairs import PairBuilder

LENGTH = 24


def builder(shards, short_sequence_rate=0.0):
    tokenizer = tiny_tokenizer()
    ids = (tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id)
    return PairBuilder(shards, LENGTH, *ids, short_sequence_rate)


def parts(row):
    used = row.token_ids[row.packing_ids == 1]
    first_end = int(np.flatnonzero(used == 3)[0])
    return used[1:first_end], used[first_end + 1 : -1]


def test_a_pair_is_marked_as_bert_marks_it(tmp_path):
    shards = write_shards(tmp_path / "s", [[[5, 6], [7, 8]]])
    row = builder(shards).row(0, np.random.default_rng(0))
    # One document: B can only be what follows.
    assert row.token_ids[:7].tolist() == [2, 5, 6, 3, 7, 8, 3]
    assert row.segment_ids[:7].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert row.packing_ids.tolist() == [1] * 7 + [0] * (LENGTH - 7)
    assert row.is_next == 1


def test_b_follows_a_in_about_half_of_the_pairs_and_is_of_another_document_else(tmp_path):
    documents = [[[5 + d] * 3 for _ in range(12)] for d in range(30)]
    pairs = builder(write_shards(tmp_path / "s", documents))
    rng = np.random.default_rng(1)
    rows = [pairs.row(i % pairs.num_rows, rng) for i in range(600)]
    for row in rows:
        first, second = parts(row)
        assert len(first) and len(second)
        assert (first[0] == second[0]) == bool(row.is_next)
    followed = np.mean([row.is_next for row in rows])
    assert 0.35 < followed < 0.55  # a chunk of one sentence has no next one


def test_pairs_are_never_too_long_and_short_ones_come_as_often_as_asked(tmp_path):
    shards = random_shards(tmp_path / "s", 50)
    rng = np.random.default_rng(2)
    always_short = builder(shards, short_sequence_rate=1.0)
    lengths = [int(always_short.row(i % always_short.num_rows, rng).packing_ids.sum()) for i in range(200)]
    assert max(lengths) <= LENGTH
    full = [int(builder(shards).row(i % always_short.num_rows, rng).packing_ids.sum()) for i in range(200)]
    assert np.mean(lengths) < np.mean(full)


def test_a_sentence_longer_than_the_row_is_cut(tmp_path):
    shards = write_shards(tmp_path / "s", [[[5] * 100, [6] * 100], [[7] * 100]])
    rng = np.random.default_rng(3)
    for _ in range(50):
        row = builder(shards).row(0, rng)
        first, second = parts(row)
        assert len(first) + len(second) + 3 <= LENGTH
        assert len(first) and len(second)
