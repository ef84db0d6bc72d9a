import time

import numpy as np
import pytest

from tests.corpora import numbered_shards, random_shards, write_shards
from tfplm.data.document_stream import DocumentStream

START, END = 3, 1


def test_the_stream_is_the_documents_with_their_markers_again_and_again(tmp_path):
    stream = DocumentStream(write_shards(tmp_path / "s", [[[5, 6], [7]], [[8]]]), END, START)
    windows = stream.windows(np.array([0, 6, 17]), 10)
    assert stream.num_tokens == 8
    assert windows.token_ids.dtype == np.int32
    assert windows.token_ids.tolist() == [
        [3, 5, 6, 7, 1, 3, 8, 1, 3, 5],
        [8, 1, 3, 5, 6, 7, 1, 3, 8, 1],
        [5, 6, 7, 1, 3, 8, 1, 3, 5, 6],
    ]
    assert windows.documents[0].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert windows.documents[2].tolist() == [4, 4, 4, 4, 5, 5, 5, 6, 6, 6]


def test_without_a_start_the_documents_have_ends_only(tmp_path):
    stream = DocumentStream(write_shards(tmp_path / "s", [[[5, 6], [7]], [[8]]]), END)
    windows = stream.windows(np.array([0]), 8)
    assert stream.num_tokens == 6
    assert windows.token_ids.tolist() == [[5, 6, 7, 1, 8, 1, 5, 6]]
    assert windows.documents.tolist() == [[0, 0, 0, 0, 1, 1, 2, 2]]


@pytest.mark.parametrize("start_id", [START, None])
def test_a_window_may_begin_anywhere_in_any_shard(tmp_path, start_id):
    lengths = np.random.default_rng(0).integers(1, 60, 30)
    shards = numbered_shards(tmp_path / "s", *lengths)
    assert len(list((tmp_path / "s").glob("*.tokens.npy"))) > 10
    edges = np.cumsum([0, *lengths])
    start = [] if start_id is None else [start_id]
    lap = [[*start, *shards.tokens(a, b), END] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    expected = np.concatenate(lap)
    stream = DocumentStream(shards, END, start_id)
    assert stream.num_tokens == len(expected)
    begins = np.arange(0, 2 * len(expected), 7)
    expected_windows = expected[(begins[:, None] + np.arange(50)) % len(expected)]
    np.testing.assert_array_equal(stream.windows(begins, 50).token_ids, expected_windows)


def test_a_window_longer_than_the_corpus_goes_round(tmp_path):
    stream = DocumentStream(write_shards(tmp_path / "s", [[[5]]]), END)
    assert stream.windows(np.array([1]), 6).token_ids.tolist() == [[1, 5, 1, 5, 1, 5]]


def test_reading_loops_over_no_tokens(tmp_path):
    """Half a million tokens and more a second are read; a loop over tokens gives 100,000 at best."""
    stream = DocumentStream(random_shards(tmp_path / "s", 2000), END, START)
    begins = np.random.default_rng(0).integers(0, stream.num_tokens, 64)
    stream.windows(begins, 513)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        stream.windows(begins, 513)
        seconds.append(time.perf_counter() - start)
    assert 64 * 513 / min(seconds) > 5e5
