from collections import Counter

import numpy as np
import pytest

from tests.corpora import numbered_shards, sentinel_tokenizer
from tfplm import feature_names as names
from tfplm.data.pretraining import pretraining_batches
from tfplm.data.span_corruption import corrupt, noise_span_numbers
from tfplm.errors import UserError
from tfplm.objectives import SpanCorruptionConfig, SpanLengths, span_lengths

END = 1


def batches(folder, sequence_length=64, batch_size=8, num_sentinels=100, **objective):
    shards = numbered_shards(folder, *np.random.default_rng(0).integers(1, 200, 40))
    config = SpanCorruptionConfig(**objective)
    return pretraining_batches(shards, sentinel_tokenizer(num_sentinels), config, sequence_length, batch_size, 0)


def restored(inputs, targets, sentinel_ids):
    """The text again, with each sentinel of the inputs replaced by what follows it in the targets."""
    assert inputs[-1] == targets[-1] == END
    inputs, targets, text = inputs[:-1].tolist(), targets[:-1].tolist(), []
    spans = np.split(targets, np.flatnonzero(np.isin(targets, sentinel_ids)))[1:]
    order = iter(sentinel_ids.tolist())
    for token in inputs:
        if token in sentinel_ids:
            assert token == next(order) == spans[0][0]  # <extra_id_0>, <extra_id_1>, … in both
            text += spans.pop(0)[1:].tolist()
        else:
            text.append(token)
    assert not spans
    return text


@pytest.mark.parametrize(
    "objective", [{}, {"corruption_rate": 0.5}, {"corruption_rate": 0.3, "mean_span_length": 1.0}], ids=str
)
def test_inputs_and_targets_together_are_the_text(tmp_path, objective):
    source = batches(tmp_path / "s", **objective)
    sentinels = source.tokenizer.sentinel_ids
    texts = source.texts(5, np.arange(8))
    features, targets, weights = source.batch(5)
    for row in range(8):
        inputs, written = features[names.TOKEN_IDS][row], targets[names.NEXT_TOKEN][row]
        assert restored(inputs, written, sentinels) == texts[row].tolist()
        assert features[names.DECODER_TOKEN_IDS][row].tolist() == [0, *written[:-1]]
    assert (weights[names.NEXT_TOKEN] == 1).all()
    lengths = span_lengths(source.objective, 64)
    assert features[names.TOKEN_IDS].shape == (8, 64)
    assert written.shape == (lengths.targets,)
    assert texts.shape == (8, lengths.text)


def test_rows_of_the_paper_have_its_lengths(tmp_path):
    source = batches(tmp_path / "s", sequence_length=512, batch_size=2)
    features, targets, _ = source.batch(0)
    assert features[names.TOKEN_IDS].shape == (2, 512)
    assert targets[names.NEXT_TOKEN].shape == (2, 114)
    assert (features[names.TOKEN_IDS] > 0).all() and (targets[names.NEXT_TOKEN] > 0).all()


def test_an_example_by_hand():
    text = np.array([[10, 11, 12, 13, 14, 15, 16]], np.int32)
    numbers = np.array([[0, 0, 1, 2, 2, 3, 3]])
    inputs, targets = corrupt(text, numbers, np.array([99, 98], np.int32), END)
    assert inputs.tolist() == [[10, 11, 99, 13, 14, 98, 1]]
    assert targets.tolist() == [[99, 12, 98, 15, 16, 1]]


def test_noise_rate_and_span_length_are_what_was_asked_for():
    lengths = span_lengths(SpanCorruptionConfig(), 512)
    numbers = noise_span_numbers(lengths, np.random.default_rng(0).random((2000, lengths.text - 2)))
    is_noise = numbers % 2 == 1
    assert (is_noise.sum(axis=1) == 85).all()  # 15 % of 568
    assert (numbers.max(axis=1) == 2 * 28 - 1).all()  # 85 / 28 = 3.04 tokens a span
    assert not is_noise[:, 0].any() and is_noise[:, -1].all()
    # No place is preferred, but for the edges, which are text and noise always.
    np.testing.assert_allclose(is_noise[:, 50:-50].mean(), 85 / 568, atol=0.005)
    # Every way to part 85 tokens into 28 spans is as probable: spans of one token are 27 / 84 of them.
    sizes = np.concatenate([np.bincount(row)[1::2] for row in numbers])
    np.testing.assert_allclose((sizes == 1).mean(), 27 / 84, atol=0.01)


def test_every_segmentation_is_as_probable():
    lengths = SpanLengths(text=8, noise=4, spans=2)  # 1 + 3, 2 + 2 or 3 + 1 tokens of text, and of noise
    numbers = noise_span_numbers(lengths, np.random.default_rng(0).random((9000, 6)))
    counts = Counter(map(tuple, numbers))
    assert len(counts) == 9
    chi_squared = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi_squared < 26.1  # 8 degrees of freedom, p = 0.001


def test_an_epoch_reads_the_whole_text(tmp_path):
    source = batches(tmp_path / "s", batch_size=1)
    lap = np.concatenate([source.texts(step, np.arange(1))[0] for step in range(source.num_rows)])
    expected = source.shards.tokens(0, source.shards.num_tokens)
    counts = Counter(lap.tolist())
    assert not Counter(expected.tolist()) - counts
    assert len(lap) - len(expected) - source.shards.num_documents < span_lengths(source.objective, 64).text


def test_too_few_sentinels_are_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"(?s)has 2 sentinels.*Expected 3 .*tokenizer.num_sentinels=100"):
        batches(tmp_path / "a", num_sentinels=2)
    assert batches(tmp_path / "b", num_sentinels=3).batch(0)


def test_the_shortest_rows_have_a_token_of_each_kind(tmp_path):
    for sequence_length in (3, 4, 5):
        features, targets, _ = batches(tmp_path / f"s{sequence_length}", sequence_length).batch(1)
        assert features[names.TOKEN_IDS].shape == (8, sequence_length)
        assert targets[names.NEXT_TOKEN].shape[1] >= 3
