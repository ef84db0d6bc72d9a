import numpy as np
import pytest
import tensorflow as tf

from tfplm.data.question_windows import QuestionWindows, WindowSettings, question_windows
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

WORDS = "who what came then anna 长 江 河 流 ##a . ?".split()
WORDPIECE = WordPieceTokenizer([*SPECIAL_TOKENS, *WORDS], WordPieceConfig(vocabulary_size=17))
TOKENIZERS = {"wordpiece": WORDPIECE, "bytes": ByteTokenizer(BytesConfig())}
QUESTIONS = ["who came ?", "", "长江流 ?", "what then what then what then came ?"]
PASSAGES = ["then anna came .  长江 came. " * 4, "anna came", "", "那么长江 anna 来了。" * 3]
SETTINGS = WindowSettings(sequence_length=16, stride=3, max_question_length=6)


def windows_of(tokenizer, questions=QUESTIONS, passages=PASSAGES, settings=SETTINGS):
    tensors = question_windows(tokenizer, tf.constant(questions), tf.constant(passages), settings)
    return QuestionWindows(*(tensor.numpy() for tensor in tensors))


def parts_by_hand(num_tokens, room, stride):
    """First token and length of every window, one after the other."""
    first, parts = 0, []
    while True:
        length = min(num_tokens - first, room)
        parts.append((first, length))
        if first + length == num_tokens:
            return parts
        first += min(length, stride)


def best_window_by_hand(parts, token):
    """The window in which the token has most context on its poorer side; a longer window counts a little more."""
    scores = [
        min(token - first, first + length - 1 - token) + 0.01 * length if first <= token < first + length else -1.0
        for first, length in parts
    ]
    return scores.index(max(scores))


def rows_by_hand(tokenizer, question, passage, settings):
    asked = list(tokenizer.encode([question])[0])[: settings.max_question_length]
    ids, starts, ends = (list(part[0].numpy()) for part in tokenizer.encode_with_offsets([passage]))
    before = [*tokenizer.prefix_ids, *asked, *tokenizer.pair_separator_ids]
    room = settings.sequence_length - len(before) - len(tokenizer.suffix_ids)
    parts = parts_by_hand(len(ids), room, settings.stride)
    for number, (first, length) in enumerate(parts):
        here = range(first, first + length)
        behind = settings.sequence_length - len(before) - length
        suffix = [*tokenizer.suffix_ids]
        yield {
            "token_ids": before + ids[first : first + length] + suffix + [tokenizer.pad_id] * (behind - len(suffix)),
            "segment_ids": [0] * len(before) + [1] * (length + len(suffix)) + [0] * (behind - len(suffix)),
            "context_mask": [0] * len(before) + [int(bool(asked) and ends[n] > starts[n]) for n in here] + [0] * behind,
            "starts": [0] * len(before) + [starts[n] for n in here] + [0] * behind,
            "ends": [0] * len(before) + [ends[n] for n in here] + [0] * behind,
            "max_context": [0] * len(before)
            + [int(best_window_by_hand(parts, n) == number) for n in here]
            + [0] * behind,
        }


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
@pytest.mark.parametrize("stride", [1, 3, 5, 100])
def test_windows_are_those_of_cutting_one_passage_after_the_other(tokenizer, stride):
    settings = SETTINGS._replace(stride=stride)
    found = windows_of(tokenizer, settings=settings)
    expected = [
        (number, row)
        for number, texts in enumerate(zip(QUESTIONS, PASSAGES, strict=True))
        for row in rows_by_hand(tokenizer, *texts, settings)
    ]
    np.testing.assert_array_equal(found.examples, [number for number, _ in expected])
    for name in ("token_ids", "segment_ids", "context_mask", "starts", "ends", "max_context"):
        np.testing.assert_array_equal(getattr(found, name), [row[name] for _, row in expected], err_msg=name)


def test_every_token_of_a_passage_has_one_window_of_most_context():
    found = windows_of(WORDPIECE)
    for number, passage in enumerate(PASSAGES):
        here = found.examples == number
        assert found.max_context[here].sum() == len(WORDPIECE.encode([passage])[0])


def test_tokens_are_parts_of_the_passage():
    found = windows_of(WORDPIECE)
    text = PASSAGES[0].encode()
    row, column = np.argwhere((found.examples[:, None] == 0) & (found.token_ids == WORDPIECE.vocabulary.index("江")))[0]
    assert text[found.starts[row, column] : found.ends[row, column]].decode() == "江"


def test_an_empty_passage_or_question_has_one_window_or_more_and_nothing_to_answer_with():
    found = windows_of(WORDPIECE)
    assert np.count_nonzero(found.examples == 2) == 1
    for number in (1, 2):
        assert not found.context_mask[found.examples == number].any()


@pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
def test_a_graph_gives_the_same(tokenizer):
    function = tf.function(
        lambda questions, passages: question_windows(tokenizer, questions, passages, SETTINGS),
        input_signature=[tf.TensorSpec([None], tf.string)] * 2,
        autograph=False,
    )
    for part, expected in zip(function(QUESTIONS, PASSAGES), windows_of(tokenizer), strict=True):
        np.testing.assert_array_equal(part, expected)
        assert part.dtype == tf.int32
    assert function(tf.constant([], tf.string), tf.constant([], tf.string)).token_ids.shape == (0, 16)


def test_a_row_without_room_for_the_passage_is_an_error():
    with pytest.raises(ValueError, match="expected at least 10 .3 special ids, 6 of the question.*got 9"):
        windows_of(WORDPIECE, settings=SETTINGS._replace(sequence_length=9))
