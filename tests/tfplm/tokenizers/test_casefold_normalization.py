import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from ai_edge_litert.interpreter import InterpreterWithCustomOps

from tests.tfplm.tokenizers.spans import check_order, spans_of
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

LETTERS = [
    chr(code) for code in (*range(0x21, 0x530), *range(0x1100, 0x1200), *range(0x2000, 0x2200), *range(0xAC00, 0xAD00))
]
LETTERS += [*"中国人民株式会社カキて😀❤。、"]
VOCABULARY = [*dict.fromkeys([*SPECIAL_TOKENS, *LETTERS, *(f"##{letter}" for letter in LETTERS), "the", "ne1", "##⁄2"])]
FOLDED = {
    "The Wörld": ["The", "W", "ö", "r", "l", "d"],
    "e\u0301a x\u0323\u0307": ["e\u0301", "a", "x\u0323\u0307"],
    "ＡＢ，中国": ["Ａ", "Ｂ", "，", "中", "国"],
    "½ ßa Ⅻ": ["½", "½", "ß", "ß", "a", "Ⅻ", "Ⅻ", "Ⅻ"],
    "ne½": ["ne½", "½"],
    "㍿ 각": ["㍿"] * 4 + ["각"] * 3,
    "ｶﾞｷ": ["ｶﾞ", "ｷ"],
    "❤\ufe0f 😀": ["❤\ufe0f", "😀"],
    "\x00a\x01b\u200bc": ["a", "b\u200b", "c"],
    "\u0301": [],
    " \u3000\t": [],
}


def build(lowercase=True):
    return WordPieceTokenizer(VOCABULARY, WordPieceConfig(vocabulary_size=len(VOCABULARY), lowercase=lowercase))


@pytest.fixture(scope="module")
def tokenizer():
    return build()


def test_ids_are_those_of_the_op_that_does_it_at_once(stress_texts):
    for lowercase in (True, False):
        op = tf_text.FastBertTokenizer(
            VOCABULARY, token_out_type=tf.int32, unknown_token="[UNK]", lower_case_nfd_strip_accents=lowercase
        )
        found = build(lowercase).encode_ragged(stress_texts)
        assert found.to_list() == op.tokenize(stress_texts).to_list()


def test_tokens_have_the_characters_that_were_folded(tokenizer):
    for text, row in zip(FOLDED, spans_of(tokenizer, list(FOLDED)), strict=True):
        assert [text[start:end] for start, end in row] == FOLDED[text], repr(text)


def test_nothing_is_folded_without_lowercase():
    text = "E\u0301 ½ 각"
    assert [text[start:end] for start, end in spans_of(build(lowercase=False), [text])[0]] == [*"E\u0301½각"]


def test_spans_of_awkward_texts_hold(tokenizer, stress_texts):
    check_order(stress_texts, spans_of(tokenizer, stress_texts))


def test_the_text_of_a_token_gives_the_token_again(tokenizer):
    text = "The Ångström (naïve)中国，ＦＵＬＬ “quoted” don't…"
    for token, (start, end) in zip(tokenizer.encode([text])[0], spans_of(tokenizer, [text])[0], strict=True):
        again = tokenizer.token_strings(tokenizer.encode([text[start:end]])[0])
        assert tokenizer.vocabulary[token].removeprefix("##") in again


def test_an_unknown_word_has_its_whole_span(tokenizer):
    text = f"the {'x' * 101} \u4e00字the"
    assert [text[start:end] for start, end in spans_of(tokenizer, [text])[0]] == ["the", "x" * 101, "一", "字", "the"]


def test_bytes_that_are_not_utf8_have_offsets_too(tokenizer):
    offsets = tokenizer.encode_with_offsets([b"a \xff\xfeb", b"\xe4\xb8"])
    assert offsets.starts.to_list() == [[0, 2], [0]]
    assert offsets.ends.to_list() == [[1, 5], [2]]


def test_flat_offsets_run_in_tflite(tokenizer, stress_texts):
    class Encoder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.string)])
        def encode(self, text):
            return tf.stack(tokenizer.encode_flat_with_offsets(text, 24))

    encoder = Encoder()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([encoder.encode.get_concrete_function()], encoder)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.allow_custom_ops = True
    interpreter = InterpreterWithCustomOps(
        model_content=converter.convert(), custom_op_registerers=tf_text.tflite_registrar.SELECT_TFTEXT_OPS
    )
    interpreter.allocate_tensors()
    for text in [*FOLDED, *stress_texts[:80], ""]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([text.encode()]))
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        expected = tokenizer.encode_rows_with_offsets([text], 24)
        np.testing.assert_array_equal(found, tf.stack(expected), err_msg=repr(text))
