import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from ai_edge_litert.interpreter import InterpreterWithCustomOps

from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

TEXTS = ["", "a", "a b", "中国 a", "b a b a", "a 中 b 国 a b", "b " * 9]
PAIRS = list(itertools.product(TEXTS, TEXTS))


@pytest.fixture(scope="module")
def tokenizer():
    vocabulary = [*SPECIAL_TOKENS, *"ab中国"]
    return WordPieceTokenizer(vocabulary, WordPieceConfig(vocabulary_size=len(vocabulary)))


def expected_pair(tokenizer, first, second, length, truncation):
    """A pair as the steps of the `tokenizers` package lay it out, a token at a time."""
    ids = [tokenizer.encode([text])[0].tolist() for text in (first, second)]
    separator, suffix = list(tokenizer.pair_separator_ids), list(tokenizer.suffix_ids)
    room = length - len(tokenizer.prefix_ids) - len(separator) - len(suffix)
    longer = 0 if len(ids[0]) > len(ids[1]) else 1
    while len(ids[0]) + len(ids[1]) > room:
        if truncation == "second":
            cut = 1 if ids[1] else 0
        else:
            cut = longer if len(ids[longer]) > len(ids[1 - longer]) else 1 - longer
        ids[cut].pop()
    first, second = [*tokenizer.prefix_ids, *ids[0], *separator], [*ids[1], *suffix]
    padding = length - len(first) - len(second)
    segments = [0] * len(first) + [1] * len(second) + [0] * padding
    return [*first, *second, *[tokenizer.pad_id] * padding], segments


@pytest.mark.parametrize("truncation", ["longest_first", "second"])
def test_pairs_are_framed_cut_and_padded(tokenizer, truncation):
    first, second = (tf.constant(side) for side in zip(*PAIRS, strict=True))
    for length in (3, 4, 5, 8, 9, 24):
        rows = tokenizer.encode_pair_rows(first, second, length, truncation)
        assert rows.token_ids.dtype == rows.segment_ids.dtype == tf.int32
        for pair, *found in zip(PAIRS, *(part.numpy().tolist() for part in rows), strict=True):
            assert tuple(found) == expected_pair(tokenizer, *pair, length, truncation), (pair, length)


@pytest.mark.parametrize("truncation", ["longest_first", "second"])
def test_flat_pairs_run_in_tflite(tokenizer, truncation):
    class Encoder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.string, name=name) for name in ("first", "second")])
        def encode(self, first, second):
            return tf.stack(tokenizer.encode_flat_pair(first, second, 9, truncation))

    encoder = Encoder()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([encoder.encode.get_concrete_function()], encoder)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.allow_custom_ops = True
    interpreter = InterpreterWithCustomOps(
        model_content=converter.convert(), custom_op_registerers=tf_text.tflite_registrar.SELECT_TFTEXT_OPS
    )
    interpreter.allocate_tensors()
    inputs = {
        "first" if "first" in item["name"] else "second": item["index"] for item in interpreter.get_input_details()
    }
    for pair in PAIRS:
        for name, text in zip(("first", "second"), pair, strict=True):
            interpreter.set_tensor(inputs[name], np.array([text.encode()]))
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        expected = tokenizer.encode_pair_rows(*([text] for text in pair), 9, truncation)
        np.testing.assert_array_equal(found, tf.stack(expected), err_msg=str(pair))


def test_pairs_need_room_for_the_special_tokens_and_a_known_truncation(tokenizer):
    with pytest.raises(ValueError, match=r"at least 3 \(prefix_ids, pair_separator_ids, suffix_ids\), got 2"):
        tokenizer.encode_pair_rows(["a"], ["b"], 2)
    with pytest.raises(ValueError, match="expected one of longest_first, second, got 'first'"):
        tokenizer.encode_pair_rows(["a"], ["b"], 8, "first")


def test_no_pairs_give_no_rows(tokenizer):
    rows = tokenizer.encode_pair_rows(tf.constant([], tf.string), tf.constant([], tf.string), 8)
    assert rows.token_ids.shape == rows.segment_ids.shape == (0, 8)


def test_the_suffix_stands_between_two_texts_of_a_tokenizer_of_tfplm(tokenizer):
    assert tokenizer.pair_separator_ids == tokenizer.suffix_ids == (tokenizer.end_id,)
    row = ByteTokenizer().encode_flat_pair("a", tf.constant(["b"]), 7)
    assert row.token_ids.numpy().tolist() == [[3, 101, 1, 102, 1, 0, 0]]
    assert row.segment_ids.numpy().tolist() == [[0, 0, 0, 1, 1, 0, 0]]
