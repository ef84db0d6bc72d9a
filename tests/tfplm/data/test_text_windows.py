import numpy as np
import pytest
import tensorflow as tf

from tests.tfplm.data.tagging_tokenizer import TOKENIZER
from tfplm.data.text_windows import TextWindows, join_windows, text_windows

TEXTS = ["the cat saw 北京市 and Büro-cats!", "", "cat " * 30, "서울에서"]


def windows_of(texts, sequence_length, stride=None):
    return TextWindows(*(part.numpy() for part in text_windows(TOKENIZER, tf.constant(texts), sequence_length, stride)))


@pytest.mark.parametrize(("length", "stride"), [(64, None), (12, None), (12, 3), (12, 99), (3, None)])
def test_every_token_is_answered_for_in_one_window_and_none_is_lost(length, stride):
    windows = windows_of(TEXTS, length, stride)
    whole = TOKENIZER.encode_with_offsets(tf.constant(TEXTS))
    for found, expected in zip((windows.token_ids, windows.starts, windows.ends), whole, strict=True):
        assert join_windows(TextWindows(*map(tf.constant, windows)), found).to_list() == expected.to_list()
    assert (np.diff(windows.texts) >= 0).all() and set(windows.texts) == {0, 1, 2, 3}


def test_a_text_that_fits_is_encoded_as_everywhere_else():
    windows = windows_of(TEXTS, 64)
    np.testing.assert_array_equal(windows.token_ids, TOKENIZER.encode_rows(tf.constant(TEXTS), 64).numpy())
    assert windows.texts.tolist() == [0, 1, 2, 3]


def test_a_window_answers_for_tokens_that_it_shows_with_others_around_them():
    windows = windows_of(["cat " * 30], 12, 6)  # room for ten, of which the next shows the last four
    answered = [np.flatnonzero(row).tolist() for row in windows.answers]
    assert answered == [[*range(1, 9)], *[[*range(3, 9)]] * 3, [*range(3, 7)]]
    assert windows.answers.sum() == 30


def test_words_begin_at_letters_behind_others_and_everywhere_in_scripts_without_spaces():
    windows = windows_of(TEXTS, 64)

    def first_tokens(row):
        text = TEXTS[row].encode()
        places = np.flatnonzero(windows.decides[row])
        return [text[windows.starts[row, p] : windows.ends[row, p]].decode() for p in places]

    assert first_tokens(0) == ["the", "cat", "saw", "北", "京", "市", "and", "B", "-", "cat", "!"]
    assert first_tokens(1) == []
    assert first_tokens(3) == list(TEXTS[3])  # a particle is written to its noun


def test_rows_without_room_for_a_token_are_refused():
    with pytest.raises(ValueError, match="expected at least 3, got 2"):
        windows_of(["cat"], 2)


def test_no_text_gives_no_window():
    empty = text_windows(TOKENIZER, tf.constant([], tf.string), 8, None)
    assert empty.token_ids.shape == (0, 8)
