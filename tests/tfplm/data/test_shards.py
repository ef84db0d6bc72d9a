import json

import numpy as np
import pytest

from tfplm.data.shards import ShardWriter, TokenShards, token_dtype
from tfplm.errors import UserError


def write(folder, documents, tokens_per_shard=2**24, documents_a_call=None):
    """Documents are lists of sentences, which are lists of ids."""
    step = documents_a_call or max(1, len(documents))
    with ShardWriter(folder, np.uint16, tokens_per_shard) as writer:
        for start in range(0, len(documents), step):
            part = documents[start : start + step]
            sentences = [sentence for document in part for sentence in document]
            writer.add_documents(
                np.array([token for sentence in sentences for token in sentence], np.int32),
                [len(sentence) for sentence in sentences],
                np.cumsum([len(document) for document in part]),
            )
    return writer


def read(shards):
    """The documents again, from the offsets."""
    sentences, first = shards.sentence_starts_tokens, shards.document_first_sentence
    return [
        [shards.tokens(sentences[i], sentences[i + 1]).tolist() for i in range(first[d], first[d + 1])]
        for d in range(shards.num_documents)
    ]


def random_documents(num_documents, seed=0):
    rng = np.random.default_rng(seed)
    return [
        [rng.integers(0, 2**16, rng.integers(1, 9)).tolist() for _ in range(rng.integers(1, 6))]
        for _ in range(num_documents)
    ]


@pytest.mark.parametrize("tokens_per_shard", [1, 20, 64, 10_000])
@pytest.mark.parametrize("documents_a_call", [1, 7, 50])
def test_documents_are_read_as_they_were_written(tmp_path, tokens_per_shard, documents_a_call):
    documents = random_documents(50)
    writer = write(tmp_path, documents, tokens_per_shard, documents_a_call)
    shards = TokenShards.open(tmp_path)
    assert read(shards) == documents
    flat = [token for document in documents for sentence in document for token in sentence]
    assert (writer.num_tokens, writer.num_documents) == (shards.num_tokens, shards.num_documents) == (len(flat), 50)
    assert writer.num_sentences == shards.num_sentences == sum(len(document) for document in documents)
    lengths = [sum(len(sentence) for sentence in document) for document in documents]
    assert shards.document_starts_tokens.tolist() == [0, *np.cumsum(lengths)]


def test_tokens_are_read_at_any_places_of_all_shards(tmp_path):
    write(tmp_path, random_documents(50), tokens_per_shard=40)
    shards = TokenShards.open(tmp_path)
    places = np.random.default_rng(1).integers(0, shards.num_tokens, (7, 90))
    found = shards.tokens_at(places)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, shards.tokens(0, shards.num_tokens)[places])


def test_shards_end_where_documents_end(tmp_path):
    documents = random_documents(50)
    write(tmp_path, documents, tokens_per_shard=40)
    counts = json.loads((tmp_path / "index.json").read_text())["shards"]
    assert len(counts) > 5
    starts = TokenShards.open(tmp_path).document_starts_tokens
    ends = np.cumsum([shard["tokens"] for shard in counts])
    assert set(ends) <= set(starts)
    assert all(shard["tokens"] >= 40 for shard in counts[:-1])


def test_token_slices_cross_shards(tmp_path):
    documents = [[[i]] for i in range(10)]
    write(tmp_path, documents, tokens_per_shard=3)
    shards = TokenShards.open(tmp_path)
    assert shards.tokens(2, 9).tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert shards.tokens(4, 4).tolist() == shards.tokens(10, 10).tolist() == []
    assert shards.tokens(0, 10).dtype == np.int32
    assert shards.sentence_starts_tokens.dtype == shards.document_starts_tokens.dtype == np.int64


def test_a_slice_outside_is_an_error(tmp_path):
    write(tmp_path, [[[1, 2]]])
    with pytest.raises(ValueError, match="start <= stop <= 2, got 0, 3"):
        TokenShards.open(tmp_path).tokens(0, 3)


def test_a_document_may_go_on_in_the_next_call(tmp_path):
    with ShardWriter(tmp_path, np.uint16, tokens_per_shard=3) as writer:
        writer.add_documents(np.array([1, 2, 3, 4]), [2, 2], [1])
        writer.add_documents(np.array([5]), [1], [])
        writer.add_documents(np.array([6, 7]), [1, 1], [1, 2])
    assert read(TokenShards.open(tmp_path)) == [[[1, 2]], [[3, 4], [5], [6]], [[7]]]


def test_an_end_may_come_alone_and_the_last_document_needs_none(tmp_path):
    with ShardWriter(tmp_path, np.uint16) as writer:
        writer.add_documents(np.array([1, 2]), [1, 1], [])
        writer.add_documents(np.array([3]), [1], [0])
    assert read(TokenShards.open(tmp_path)) == [[[1], [2]], [[3]]]


def test_empty_sentences_and_documents_are_left_out(tmp_path):
    with ShardWriter(tmp_path, np.uint16, tokens_per_shard=2) as writer:
        writer.add_documents(np.array([], np.int32), [0, 0], [1, 2])
        writer.add_documents(np.array([1, 2, 3]), [0, 1, 0, 1, 1], [0, 1, 4, 4, 5])
        writer.add_documents(np.array([], np.int32), [], [])
    assert read(TokenShards.open(tmp_path)) == [[[1], [2]], [[3]]]
    assert writer.num_documents == 2


def test_nothing_written_opens_as_nothing(tmp_path):
    write(tmp_path, [])
    shards = TokenShards.open(tmp_path)
    assert shards.num_tokens == shards.num_sentences == shards.num_documents == 0
    assert shards.tokens(0, 0).shape == (0,)
    assert shards.sentence_starts_tokens.tolist() == shards.document_starts_tokens.tolist() == [0]


def test_lengths_that_do_not_fit_the_tokens_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected the sum 3, got 2"):
        ShardWriter(tmp_path, np.uint16).add_documents(np.arange(3), [1, 1], [2])


def test_ids_are_kept_in_the_smallest_type(tmp_path):
    assert token_dtype(65536) == np.uint16
    assert token_dtype(65537) == np.uint32
    with ShardWriter(tmp_path, token_dtype(100_000)) as writer:
        writer.add_documents(np.array([99_999]), [1], [1])
    assert TokenShards.open(tmp_path).tokens(0, 1).tolist() == [99_999]


def test_arrays_are_plain_npy_files(tmp_path):
    writer = write(tmp_path, random_documents(5))
    arrays = [np.load(path, allow_pickle=False) for path in sorted(tmp_path.glob("*.npy"))]
    assert [array.dtype.name for array in arrays] == ["int64", "int64", "uint16"]
    assert sum(array.nbytes for array in arrays) == writer.num_bytes


def test_an_error_leaves_nothing_that_opens(tmp_path):
    with pytest.raises(RuntimeError), ShardWriter(tmp_path, np.uint16) as writer:
        writer.add_documents(np.array([1]), [1], [1])
        raise RuntimeError("interrupted")
    with pytest.raises(UserError, match="does not hold whole token shards"):
        TokenShards.open(tmp_path)


def _remove(folder):
    (folder / "00000.tokens.npy").unlink()


def _truncate(folder):
    path = folder / "00000.tokens.npy"
    path.write_bytes(path.read_bytes()[:-2])


def _shorten(folder):
    np.save(folder / "00000.document_ends.npy", np.array([1]))


def _pickle(folder):
    np.save(folder / "00000.tokens.npy", np.array([{}], dtype=object), allow_pickle=True)


def _other_version(folder):
    (folder / "index.json").write_text('{"format_version": 99, "shards": []}')


def _garble(folder):
    (folder / "index.json").write_text('{"format_version": 1, "shards": 3}')


@pytest.mark.parametrize("damage", [_remove, _truncate, _shorten, _pickle, _other_version, _garble])
def test_damaged_shards_are_a_user_error(tmp_path, damage):
    write(tmp_path, random_documents(5))
    damage(tmp_path)
    with pytest.raises(UserError, match="Prepare the corpus again"):
        TokenShards.open(tmp_path)
