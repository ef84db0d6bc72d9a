import numpy as np
import pytest

from tfplm import feature_names as names
from tfplm.data.encoded_pairs import COMPLETION_SEPARATOR, EncodedPairs, encode_pairs
from tfplm.data.pair_batches import CompletionBatches, Seq2SeqBatches
from tfplm.data.pairs import Pairs
from tfplm.tokenizers.bytes import ByteTokenizer

START, END = 3, 1
KINDS = (Seq2SeqBatches, CompletionBatches)


def encoded(count=50, longest=9):
    """Sources of ids from 1,000 and targets of ids from 5,000, a hundred for each pair."""
    rng = np.random.default_rng(0)
    sources, targets = (
        [np.arange(rng.integers(1, longest), dtype=np.int32) + first + 100 * n for n in range(count)]
        for first in (10_000, 50_000)
    )
    return EncodedPairs(sources, targets, (START,), END, 0)


def make(kind, seed=0, batch_size=4, source_length=12, target_length=10, pairs=None):
    return kind(pairs or encoded(), source_length, target_length, batch_size, seed)


def epoch_of(source, number=0):
    first = number * source.steps_per_epoch
    return [source.batch(step) for step in range(first, first + source.steps_per_epoch)]


def test_a_source_and_its_target_are_a_row_of_an_encoder_decoder_and_every_pair_comes_once():
    source = make(Seq2SeqBatches)
    assert source.steps_per_epoch == 13
    seen = []
    for step in range(source.steps_per_epoch):
        features, targets, weights = source.batch(step)
        for row, number in enumerate(source.row_numbers(step)):
            read, expected = source.pairs.sources[number], [*source.pairs.targets[number], END]
            written = targets[names.NEXT_TOKEN][row]
            assert features[names.TOKEN_IDS][row].tolist() == [*read, END] + [0] * (11 - len(read))
            assert written.tolist() == expected + [0] * (10 - len(expected))
            assert features[names.DECODER_TOKEN_IDS][row].tolist() == [0, *written[:-1]]
            if weights[names.NEXT_TOKEN][row].any():
                np.testing.assert_array_equal(weights[names.NEXT_TOKEN][row] > 0, written > 0)
                seen.append(number)
    assert sorted(seen) == list(range(50))


def test_an_epoch_of_completions_holds_every_pair_whole_and_once_with_weight_on_the_target_alone():
    source = make(CompletionBatches)
    seen = []
    for step in range(source.steps_per_epoch):
        features, targets, weights = source.batch(step)
        read, written = features[names.TOKEN_IDS], targets[names.NEXT_TOKEN]
        assert read.shape == written.shape == (4, 22)
        for row, part in {(row, part) for row, part in zip(*np.nonzero(read), strict=True)}:
            packed = features[names.PACKING_IDS][row]
            here = packed == packed[part]
            if not part or packed[part - 1] != packed[part]:
                number = (read[row, part + 1] - 10_000) // 100
                text = [START, *source.pairs.sources[number], *source.pairs.targets[number], END]
                assert read[row, here].tolist() == text[:-1]
                assert written[row, here].tolist() == text[1:]
                assert features[names.POSITION_IDS][row, here].tolist() == list(range(len(text) - 1))
                expected = [*source.pairs.targets[number], END]
                assert written[row, here & (weights[names.NEXT_TOKEN][row] > 0)].tolist() == expected
                seen.append(number)
        assert not weights[names.NEXT_TOKEN][features[names.PACKING_IDS] == 0].any()
    assert sorted(seen) == list(range(50))
    assert sorted(n for step in range(source.steps_per_epoch) for n in source.row_numbers(step)) == list(range(50))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_a_function_of_seed_and_step_and_its_rows_can_be_had_apart(kind):
    whole, again, other = make(kind).batch(9), make(kind).batch(9), make(kind, seed=1).batch(9)
    part = make(kind).batch(9, slice(1, 3))
    for values, same, rows in zip(whole, again, part, strict=True):
        assert values.keys() == same.keys() == rows.keys()
        for name in values:
            np.testing.assert_array_equal(values[name], same[name])
            np.testing.assert_array_equal(values[name][1:3], rows[name])
    assert (whole[0][names.TOKEN_IDS] != other[0][names.TOKEN_IDS]).any()
    assert whole[0][names.ROW_SEEDS].shape == (4,)


@pytest.mark.parametrize("kind", KINDS)
def test_epochs_differ_in_order_but_not_in_evaluation(kind):
    def rows(source, epoch):
        return np.concatenate([batch[0][names.TOKEN_IDS] for batch in epoch_of(source, epoch)])

    assert (rows(make(kind), 0) != rows(make(kind), 1)).any()
    evaluation = make(kind, seed=None)
    np.testing.assert_array_equal(rows(evaluation, 0), rows(evaluation, 1))
    assert names.ROW_SEEDS not in evaluation.batch(0)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_all_batches_have_one_shape_and_one_dtype_a_tensor(kind):
    batches = epoch_of(make(kind)) + epoch_of(make(kind), 1)
    shapes = {
        tuple((name, values.shape, values.dtype) for part in batch for name, values in part.items())
        for batch in batches
    }
    assert len(shapes) == 1
    assert {dtype.name for _, _, dtype in shapes.pop()} == {"int32", "float32"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_over_the_batches_of_an_epoch_is_the_mean_over_its_target_tokens(kind):
    source = make(kind)
    losses = [
        (targets[names.NEXT_TOKEN] * weights[names.NEXT_TOKEN].astype(np.float64)).mean()
        for _, targets, weights in epoch_of(source)
    ]
    tokens = np.concatenate([[*target, END] for target in source.pairs.targets])
    assert np.mean(losses) == pytest.approx(tokens.mean(), rel=1e-6)


def test_what_is_too_long_is_cut_and_counted_and_ends_without_the_end():
    long = EncodedPairs([np.arange(100, 110, dtype=np.int32)], [np.arange(200, 210, dtype=np.int32)], (START,), END, 0)
    pairs = make(Seq2SeqBatches, batch_size=1, source_length=6, target_length=4, pairs=long)
    features, targets, _ = pairs.batch(0)
    assert features[names.TOKEN_IDS].tolist() == [[100, 101, 102, 103, 104, END]]
    assert targets[names.NEXT_TOKEN].tolist() == [[200, 201, 202, 203]]
    completions = make(CompletionBatches, batch_size=1, source_length=6, target_length=4, pairs=long)
    features, targets, weights = completions.batch(0)
    assert features[names.TOKEN_IDS][0, :9].tolist() == [START, 105, 106, 107, 108, 109, 200, 201, 202]
    assert targets[names.NEXT_TOKEN][weights[names.NEXT_TOKEN] > 0].tolist() == [200, 201, 202, 203]
    assert pairs.num_cut == completions.num_cut == {"sources": 1, "targets": 1}


def test_what_just_fits_is_not_cut():
    pair = EncodedPairs([np.arange(100, 105, dtype=np.int32)], [np.arange(200, 203, dtype=np.int32)], (START,), END, 0)
    for kind in KINDS:
        source = make(kind, batch_size=1, source_length=6, target_length=4, pairs=pair)
        _, targets, weights = source.batch(0)
        assert targets[names.NEXT_TOKEN][weights[names.NEXT_TOKEN] > 0].tolist() == [200, 201, 202, END]
        assert source.num_cut == {"sources": 0, "targets": 0}


def test_pairs_are_encoded_with_the_prefix_of_their_task_and_the_separator():
    pairs = Pairs(["hi", "你"], ["喂", ""], ["a", "b"], ["", ""])
    tokenizer = ByteTokenizer()
    ids = encode_pairs(tokenizer, pairs, {"a": "to Chinese: ", "b": "翻译："}, COMPLETION_SEPARATOR)
    assert [tokenizer.decode(source) for source in ids.sources] == ["to Chinese: hi\n", "翻译：你\n"]
    assert [tokenizer.decode(target) for target in ids.targets] == ["喂", ""]
    assert ids.targets[0].tolist() == [4 + byte for byte in "喂".encode()]
    assert (ids.prefix_ids, ids.end_id, ids.pad_id) == (tokenizer.prefix_ids, tokenizer.end_id, tokenizer.pad_id)
    with pytest.raises(ValueError, match="'b'"):
        encode_pairs(tokenizer, pairs, {"a": ""})
    with pytest.raises(ValueError, match="no pairs"):
        encode_pairs(tokenizer, Pairs(), {})


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_come_out_of_tf_data_as_they_are(kind):
    source = make(kind)
    for step, batch in enumerate(source.dataset(3, 5).as_numpy_iterator(), start=3):
        for values, expected in zip(batch, source.batch(step), strict=True):
            for name in expected:
                np.testing.assert_array_equal(values[name], expected[name])
