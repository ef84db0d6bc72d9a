import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from ai_edge_litert.interpreter import InterpreterWithCustomOps
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tfplm.errors import UserError
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

PIECES = "the people of un ##ion are free , . : ! [ ] ( ) mask cls 中 国 人 民 ss 1 2 ⁄ ##⁄ ##2 e ##e".split()
VOCABULARY = [*SPECIAL_TOKENS, *PIECES]
AWKWARD_TEXTS = [
    "The people of the UNION are free.",
    "",
    " \t\n ",
    "中国人民,the people",
    "😀 the people",
    "[CLS] the [MASK] people [SEP] [PAD]",
    "x" * 5000,
    "the people " * 2000,
    "a\x00b \x7f\u200b\ufeff",
    "é E\u0301 ß ½ ，",
]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(VOCABULARY, WordPieceConfig(vocabulary_size=len(VOCABULARY)))


def tokens(tokenizer, text):
    return tokenizer.token_strings(tokenizer.encode([text])[0])


def test_words_are_cut_into_the_longest_pieces(tokenizer):
    assert tokens(tokenizer, "The union!") == ["the", "un", "##ion", "!"]


def test_ids_are_int32(tokenizer):
    assert tokenizer.encode_ragged(["the"]).dtype == tf.int32
    assert tokenizer.encode(["the"])[0].dtype == np.int32


def test_every_cjk_character_is_a_word(tokenizer):
    assert tokens(tokenizer, "中国人民union人") == ["中", "国", "人", "民", "un", "##ion", "人"]


def test_full_width_punctuation_and_fractions_are_folded(tokenizer):
    assert tokens(tokenizer, "（人民）：½ ß") == ["(", "人", "民", ")", ":", "1", "##⁄", "##2", "ss"]


def test_case_and_accents_stay_without_lowercase():
    tokenizer = WordPieceTokenizer(VOCABULARY, WordPieceConfig(vocabulary_size=len(VOCABULARY), lowercase=False))
    assert tokens(tokenizer, "The the é （") == ["[UNK]", "the", "[UNK]", "[UNK]"]


def test_special_tokens_in_the_text_are_ordinary_text(tokenizer):
    ids = tokenizer.encode([" ".join(SPECIAL_TOKENS)])[0]
    assert not set(ids) & {tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id, tokenizer.mask_id}
    assert tokens(tokenizer, "[MASK]") == ["[", "mask", "]"]


def test_a_very_long_word_is_one_unknown_token(tokenizer):
    assert tokens(tokenizer, "e" * 1_000_000) == ["[UNK]"]


def test_a_megabyte_of_text_is_encoded_whole(tokenizer):
    assert len(tokenizer.encode(["the people " * 100_000])[0]) == 200_000


def test_text_that_is_no_unicode_does_not_raise(tokenizer):
    assert tokenizer.encode_ragged([b"\xff\xfe the"]).to_list() == [[tokenizer.unknown_id, VOCABULARY.index("the")]]
    assert len(tokenizer.encode(["the \ud800"])) == 1


def test_no_texts_give_no_ids(tokenizer):
    assert tokenizer.encode([]) == []
    assert tokenizer.encode_rows(tf.constant([], tf.string), 8).shape == (0, 8)


def test_rows_are_framed_cut_and_padded(tokenizer):
    rows = tokenizer.encode_rows(tf.constant(["the people of the people", "free", ""]), 5).numpy()
    the, people, of, free = (VOCABULARY.index(word) for word in ("the", "people", "of", "free"))
    assert rows.tolist() == [[2, the, people, of, 3], [2, free, 3, 0, 0], [2, 3, 0, 0, 0]]


def test_rows_need_room_for_the_special_tokens(tokenizer):
    with pytest.raises(ValueError, match="sequence_length: expected at least 2 "):
        tokenizer.encode_rows(tf.constant(["the"]), 1)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_flat_encoding_equals_rows(tokenizer, shape):
    for text in AWKWARD_TEXTS:
        flat = tokenizer.encode_flat(tf.reshape(tf.constant(text), shape), 16)
        np.testing.assert_array_equal(flat, tokenizer.encode_rows(tf.constant([text]), 16), err_msg=text[:40])


def test_flat_encoding_runs_in_tflite(tokenizer):
    class Encoder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.string)])
        def encode(self, text):
            return tokenizer.encode_flat(text, 16)

    encoder = Encoder()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([encoder.encode.get_concrete_function()], encoder)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.allow_custom_ops = True
    interpreter = InterpreterWithCustomOps(
        model_content=converter.convert(),
        custom_op_registerers=tf_text.tflite_registrar.SELECT_TFTEXT_OPS,
    )
    interpreter.allocate_tensors()
    for text in AWKWARD_TEXTS:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.array([text.encode()]))
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_array_equal(found, tokenizer.encode_flat(tf.constant([text]), 16), err_msg=text[:40])


def test_rows_are_the_same_in_a_saved_model(tokenizer, tmp_path):
    class Encoder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def encode(self, texts):
            return tokenizer.encode_rows(texts, 16)

    tf.saved_model.save(Encoder(), tmp_path)
    texts = tf.constant(AWKWARD_TEXTS)
    loaded = tf.saved_model.load(tmp_path).encode(texts)
    np.testing.assert_array_equal(loaded, tokenizer.encode_rows(texts, 16))


def test_rows_are_made_inside_a_data_pipeline(tokenizer):
    data = tf.data.Dataset.from_tensor_slices(AWKWARD_TEXTS).batch(4, drop_remainder=True)
    data = data.map(lambda texts: tokenizer.encode_rows(texts, 16))
    assert data.element_spec.shape[1] == 16
    np.testing.assert_array_equal(next(iter(data)), tokenizer.encode_rows(tf.constant(AWKWARD_TEXTS[:4]), 16))


def test_word_starts_are_what_does_not_continue(tokenizer):
    assert tokenizer.is_word_start[tokenizer.encode(["the union"])[0]].tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("The union, free!", "the union, free!"),
        ("中国人民，the people（中国）", "中国人民, the people (中国)"),
        ("the [mask] people", "the [mask] people"),
        ("", ""),
    ],
)
def test_decoding_gives_readable_text(tokenizer, text, decoded):
    assert tokenizer.decode(tokenizer.encode([text])[0]) == decoded


def test_decoding_leaves_out_edges_and_padding(tokenizer):
    row = tokenizer.encode_rows(tf.constant(["the union"]), 8)[0]
    assert tokenizer.decode(row) == "the union"


def test_decoding_in_the_graph_equals_decoding_outside():
    signs = "' - ( ) [ ] ! ? 人 。 “ ” … ' - ' - ##x ##- a".split()
    vocabulary = list(dict.fromkeys([*VOCABULARY, *signs]))
    tokenizer = WordPieceTokenizer(vocabulary, WordPieceConfig(vocabulary_size=len(vocabulary)))
    rows = np.random.default_rng(0).integers(0, len(vocabulary), (3000, 12))
    decoded = [text.decode() for text in tokenizer.decode_strings(rows).numpy()]
    assert decoded == [tokenizer.decode(row) for row in rows]


def test_ids_equal_those_of_the_tokenizers_package_where_folding_does_not_differ(tokenizer):
    package = Tokenizer(models.WordPiece({t: i for i, t in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    package.normalizer = normalizers.BertNormalizer(lowercase=True)
    package.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    for text in ["The UNION of the people.", "中国人民 free!union", "é E\u0301 [MASK]", "people\tthe"]:
        assert tokenizer.encode([text])[0].tolist() == package.encode(text).ids


def test_a_saved_tokenizer_loads_equal(tokenizer, tmp_path):
    odd = WordPieceTokenizer([*VOCABULARY, "\x85", "\u2028"], WordPieceConfig(vocabulary_size=99, lowercase=False))
    odd.save(tmp_path / "tokenizer")
    loaded = WordPieceTokenizer.load(tmp_path / "tokenizer")
    assert loaded.vocabulary == odd.vocabulary
    assert loaded.config == odd.config
    assert loaded.special_ids == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.txt", None, "There is no .*vocab.txt"),
        ("tokenizer.json", None, "There is no .*tokenizer.json"),
        ("vocab.txt", b"\xff\xfe", "cannot be read as UTF-8"),
        ("vocab.txt", b"[PAD]\n[UNK]\n", r"lacks \[CLS\], \[SEP\], \[MASK\]"),
        ("vocab.txt", "\n".join([*VOCABULARY, "the"]).encode(), "'the' stands at 5 and at"),
        ("vocab.txt", b"[PAD]\n\n[UNK]\n", "token 1 is empty"),
        ("tokenizer.json", b"{", "is damaged"),
        ("tokenizer.json", b"[]", "is damaged"),
        ("tokenizer.json", b'{"format_version": 99, "config": {}}', "is of format 99"),
        ("tokenizer.json", b'{"format_version": 1, "config": {"lower": true}}', "lower: unknown key"),
    ],
)
def test_a_damaged_folder_is_a_user_error(tokenizer, tmp_path, name, content, message):
    tokenizer.save(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        WordPieceTokenizer.load(tmp_path)
