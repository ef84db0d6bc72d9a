import numpy as np
import pytest

from tests.corpora import random_shards, tiny_tokenizer, write_shards
from tfplm.data.packing import ExamplePacker, RowPacker

LENGTH = 16


def packer(shards, length=LENGTH):
    tokenizer = tiny_tokenizer()
    return RowPacker(shards, length, tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id)


def test_a_row_inside_one_document_is_full(tmp_path):
    rows = packer(write_shards(tmp_path / "s", [[list(range(5, 45))]]))
    row = rows.row(1)
    assert row.token_ids.tolist() == [2, *range(5 + 14, 5 + 28), 3]
    assert row.packing_ids.tolist() == [1] * LENGTH
    assert row.position_ids.tolist() == list(range(LENGTH))


def test_every_document_in_a_row_has_its_own_markers_positions_and_id(tmp_path):
    rows = packer(write_shards(tmp_path / "s", [[[5, 6, 7]], [[8, 9]], [[10] * 40]]))
    row = rows.row(0)
    assert row.token_ids.tolist() == [2, 5, 6, 7, 3, 2, 8, 9, 3, 2, 10, 10, 10, 10, 10, 3]
    assert row.packing_ids.tolist() == [1] * 5 + [2] * 4 + [3] * 7
    assert row.position_ids.tolist() == [*range(5), *range(4), *range(7)]


def test_an_epoch_sees_nearly_every_token_of_the_stream(tmp_path):
    shards = random_shards(tmp_path / "s", 30)
    rows = packer(shards, length=64)
    seen = sum((rows.row(i).token_ids > 4).sum() for i in range(rows.num_rows))
    # What is missing gave its place to the markers of further documents, or stands behind the last whole row.
    assert seen > 0.8 * shards.num_tokens


def test_a_part_never_holds_two_documents(tmp_path):
    rows = packer(random_shards(tmp_path / "s", 40))
    for index in range(rows.num_rows):
        for offset in (0, rows.max_offset):
            row = rows.row(index, offset)
            for part in range(1, row.packing_ids.max() + 1):
                words = row.token_ids[(row.packing_ids == part) & (row.token_ids > 4)]
                assert len(set(words)) == 1  # every document of this corpus repeats one word


def test_a_corpus_smaller_than_a_row_is_padded(tmp_path):
    rows = packer(write_shards(tmp_path / "s", [[[5, 6]]]))
    assert rows.num_rows == 1
    row = rows.row(0)
    assert row.token_ids.tolist() == [2, 5, 6, 3] + [0] * 12
    assert row.packing_ids.tolist() == [1] * 4 + [0] * 12


@pytest.mark.parametrize("length", [4, 7, 64])
def test_no_row_reaches_behind_the_corpus(tmp_path, length):
    rows = packer(random_shards(tmp_path / "s", 9), length)
    last = rows.row(rows.num_rows - 1, rows.max_offset)
    assert last.token_ids.shape == (length,)
    assert (last.token_ids > 4).any()


def lengths_of_texts(count=500, row_length=128):
    return np.clip(np.random.default_rng(0).gamma(2.0, 20.0, count).astype(int), 2, row_length)


def test_examples_fill_the_rows_and_none_is_cut_or_lost():
    lengths = lengths_of_texts()
    packer = ExamplePacker(lengths, 128)
    rows = packer.rows(np.random.default_rng(1))
    assert rows.shape == (packer.num_rows, packer.examples_per_row)
    assert sorted(rows[rows >= 0]) == list(range(500))
    tokens = np.where(rows >= 0, lengths[rows], 0).sum(axis=1)
    assert tokens.max() <= 128
    assert tokens.mean() > 0.9 * 128


def test_examples_have_other_neighbors_in_every_epoch():
    packer = ExamplePacker(lengths_of_texts(), 128)

    def neighbors(seed):
        rows = packer.rows(np.random.default_rng(seed))
        return {frozenset((a, b)) for row in rows for a in row for b in row if 0 <= a < b}

    first, second = neighbors(1), neighbors(2)
    assert len(first & second) < 0.2 * len(first)


def test_very_short_examples_do_not_widen_all_rows():
    lengths = np.array([128] * 90 + [2] * 110)
    packer = ExamplePacker(lengths, 128)
    assert packer.examples_per_row < 10
    assert sorted(packer.rows(np.random.default_rng(0))[:90, 0]) == list(range(90))


@pytest.mark.parametrize(("row_length", "lengths"), [(3, [2, 3, 2]), (700, [700, 1, 350, 350]), (64, [5])])
def test_rows_of_any_length_are_packed(row_length, lengths):
    packer = ExamplePacker(np.array(lengths), row_length)
    rows = packer.rows(np.random.default_rng(0))
    assert sorted(rows[rows >= 0]) == list(range(len(lengths)))
    assert (np.where(rows >= 0, np.array(lengths)[rows], 0).sum(axis=1) <= row_length).all()
