import numpy as np
import pytest

from tests.corpora import tiny_tokenizer
from tfplm.data.masking import Masker
from tfplm.objectives import MaskedLmConfig


def masker(num_predictions=20, **settings):
    tokenizer = tiny_tokenizer()
    return Masker(
        MaskedLmConfig(**settings),
        tokenizer.mask_id,
        tokenizer.special_ids,
        tokenizer.vocabulary_size,
        tokenizer.is_word_start,
        num_predictions,
    )


def rows(batch=200, length=128, high=45):
    ids = np.random.default_rng(5).integers(5, high, (batch, length)).astype(np.int32)
    ids[:, 0], ids[:, -1] = 2, 3
    return ids


def uniforms(ids: np.ndarray, seed) -> np.ndarray:
    return np.random.default_rng(seed).random((len(ids), 3, ids.shape[1]))


def test_fifteen_percent_are_predicted_and_eighty_ten_ten_become_of_them():
    ids = rows()
    masked = masker().mask(ids, uniforms(ids, 0))
    used = masked.weights > 0
    assert used.sum(axis=1).tolist() == [19] * len(ids)  # 15 % of 126
    new = np.take_along_axis(masked.token_ids, masked.positions, axis=1)[used]
    original = masked.original_ids[used]
    assert np.mean(new == 4) == pytest.approx(0.8, abs=0.03)
    assert np.mean(new == original) == pytest.approx(0.1 + 0.1 / 50, abs=0.03)


def test_random_tokens_are_ordinary_ones_wherever_the_special_ids_stand():
    last = 49  # where RoBERTa has <mask>
    roberta = Masker(MaskedLmConfig(), last, (0, 1, 2, last), 50, np.ones(50, bool), 20)
    ids = rows(high=last)
    masked = roberta.mask(ids, uniforms(ids, 3)).token_ids
    drawn = masked[(masked != ids) & (masked != last)]
    assert set(drawn) == set(range(3, last))


def test_what_is_not_predicted_stays_and_the_originals_restore_the_row():
    ids = rows()
    masked = masker().mask(ids, uniforms(ids, 1))
    restored = masked.token_ids.copy()
    for row in range(len(ids)):
        used = masked.weights[row] > 0
        columns = masked.positions[row][used]
        assert len(set(columns)) == used.sum()
        assert (np.diff(columns) > 0).all()
        restored[row, columns] = masked.original_ids[row][used]
    np.testing.assert_array_equal(restored, ids)


def test_special_tokens_and_padding_are_never_masked():
    ids = rows()
    ids[:, 60:] = 0
    masked = masker().mask(ids, uniforms(ids, 2))
    np.testing.assert_array_equal(masked.token_ids[:, 60:], 0)
    np.testing.assert_array_equal(masked.token_ids[:, 0], 2)
    assert masked.weights.sum(axis=1).tolist() == [9.0] * len(ids)  # 15 % of 59


def test_a_row_without_words_predicts_nothing():
    masked = masker().mask(np.zeros((2, 16), np.int32), uniforms(np.zeros((2, 16)), 0))
    assert masked.weights.sum() == 0
    assert masked.token_ids.sum() == 0


def test_whole_words_are_masked_together():
    ids = rows(high=55)  # ids from 45 on are pieces that go on a word
    masked = masker(whole_word=True, mask_token_rate=1.0, random_token_rate=0.0).mask(ids, uniforms(ids, 3))
    is_start = tiny_tokenizer().is_word_start
    cut_words = 0
    for row, original in zip(masked.token_ids, ids, strict=True):
        word = np.cumsum(is_start[original])
        hidden = row == 4
        for w in np.unique(word[hidden]):
            cut_words += not hidden[(word == w) & ~np.isin(original, [2, 3])].all()
    assert cut_words == 0
    assert masked.weights.mean() > 0.7


def test_masks_differ_between_steps_and_repeat_with_the_same_generator():
    first = masker().mask(rows(), uniforms(rows(), [0, 1]))
    again = masker().mask(rows(), uniforms(rows(), [0, 1]))
    other = masker().mask(rows(), uniforms(rows(), [0, 2]))
    np.testing.assert_array_equal(first.token_ids, again.token_ids)
    assert (first.positions != other.positions).any()
