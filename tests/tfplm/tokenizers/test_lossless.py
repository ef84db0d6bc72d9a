import numpy as np
import pytest
import tensorflow as tf

from tfplm.tokenizers.lossless import LosslessTokenizer


def test_every_text_comes_back_exactly(lossless, stress_texts):
    for text, ids in zip(stress_texts, lossless.encode(stress_texts), strict=True):
        assert lossless.decode(ids) == text


def test_every_text_comes_back_exactly_from_padded_rows(lossless, stress_texts):
    rows = lossless.encode_rows(tf.constant(stress_texts), 4000)
    assert [text.decode() for text in lossless.decode_strings(rows).numpy()] == stress_texts


def test_no_text_gives_a_special_id(lossless, stress_texts):
    assert not np.isin(np.concatenate(lossless.encode(stress_texts)), lossless.special_ids).any()


def test_token_bytes_add_up_to_the_text(lossless, stress_texts):
    assert lossless.is_lossless
    assert lossless.token_bytes.dtype == np.int32
    for text, ids in zip(stress_texts, lossless.encode(stress_texts), strict=True):
        assert lossless.token_bytes[ids].sum() == len(text.encode())


def test_texts_that_are_joined_come_back_joined(lossless):
    parts = ["the citizens", "of", " the republic", "\n", "人民", "▁"]
    assert lossless.decode(np.concatenate(lossless.encode(parts))) == "".join(parts)


def test_ids_begin_with_special_ones_and_end_with_sentinels(lossless):
    size = lossless.vocabulary_size
    assert (lossless.pad_id, lossless.end_id, lossless.start_id) == (0, 1, 3)
    assert lossless.mask_id is None
    assert lossless.sentinel_ids.tolist() == [size - 1, size - 2, size - 3, size - 4]
    assert lossless.sentinel_ids.dtype == np.int32
    assert lossless.special_ids == (0, 1, 2, 3, size - 4, size - 3, size - 2, size - 1)
    assert lossless.token_strings([0, 1, 2, 3, size - 1]) == ["<pad>", "</s>", "<unk>", "<s>", "<extra_id_0>"]
    assert len(lossless.vocabulary) == len(lossless.token_bytes) == len(lossless.is_word_start) == size


def test_the_vocabulary_has_the_configured_size(lossless):
    assert lossless.vocabulary_size == lossless.config.vocabulary_size


def test_special_ids_and_ids_over_the_end_decode_to_nothing(lossless):
    (ids,) = lossless.encode(["the"])
    framed = [3, *lossless.sentinel_ids, *ids, 1, 2, 0, 0, lossless.vocabulary_size, 10**6, -1]
    assert lossless.decode(framed) == "the"
    assert lossless.decode_strings(tf.constant([framed])).numpy().tolist() == [b"the"]


def test_ids_that_are_no_text_decode_alike_in_and_outside_the_graph(lossless):
    rows = np.random.default_rng(0).integers(0, lossless.vocabulary_size, (500, 20))
    assert [text.decode() for text in lossless.decode_strings(rows).numpy()] == [lossless.decode(row) for row in rows]


def test_bytes_that_are_no_utf8_do_not_raise(lossless):
    ids = lossless.encode_ragged([b"\xff\xfe the\xe4\xb8"])[0].numpy()
    assert lossless.decode(ids).startswith("\ufffd\ufffd the\ufffd")
    assert lossless.decode(lossless.encode(["the \ud800"])[0]) == "the ?"


def test_no_texts_give_no_ids(lossless):
    assert lossless.encode([]) == []
    assert lossless.encode_rows(tf.constant([], tf.string), 8).shape == (0, 8)
    assert lossless.decode([]) == ""


def test_rows_are_framed_cut_and_padded(lossless):
    the, citizens = lossless.encode(["the", "the citizens of the republic elect"])
    rows = lossless.encode_rows(tf.constant(["the", "the citizens of the republic elect", ""]), 6)
    assert rows.dtype == tf.int32
    framed = [[3, *the, 1], [3, *citizens[:4], 1], [3, 1]]
    assert rows.numpy().tolist() == [row + [0] * (6 - len(row)) for row in framed]
    with pytest.raises(ValueError, match="sequence_length: expected at least 2 "):
        lossless.encode_rows(tf.constant(["the"]), 1)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_flat_encoding_equals_rows(lossless, stress_texts, shape):
    for text in stress_texts[:40]:
        flat = lossless.encode_flat(tf.reshape(tf.constant(text), shape), 16)
        np.testing.assert_array_equal(flat, lossless.encode_rows(tf.constant([text]), 16), err_msg=repr(text))


def test_rows_are_made_inside_a_data_pipeline(lossless, stress_texts):
    data = tf.data.Dataset.from_tensor_slices(stress_texts).batch(20, drop_remainder=True)
    data = data.map(lambda texts: lossless.encode_rows(texts, 16))
    np.testing.assert_array_equal(next(iter(data)), lossless.encode_rows(tf.constant(stress_texts[:20]), 16))


class _Codec(tf.Module):
    """Encodes and decodes with several tokenizers, which it does not hold as attributes that TensorFlow tracks."""

    def __init__(self, tokenizers: dict[str, LosslessTokenizer]):
        super().__init__()
        for name, tokenizer in tokenizers.items():
            setattr(self, f"encode_{name}", self._encoder(tokenizer))
            setattr(self, f"decode_{name}", self._decoder(tokenizer))

    @staticmethod
    def _encoder(tokenizer):
        return tf.function(
            lambda texts: tokenizer.encode_rows(texts, 64), input_signature=[tf.TensorSpec([None], tf.string)]
        )

    @staticmethod
    def _decoder(tokenizer):
        return tf.function(tokenizer.decode_strings, input_signature=[tf.TensorSpec([None, None], tf.int32)])


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    tf.saved_model.save(_Codec(trained), folder)
    return folder


def test_a_saved_model_holds_the_tokenizer_without_assets(saved, trained, stress_texts):
    assert not list((saved / "assets").iterdir())
    loaded, texts = tf.saved_model.load(saved), tf.constant(stress_texts)
    for name, tokenizer in trained.items():
        rows = getattr(loaded, f"encode_{name}")(texts)
        np.testing.assert_array_equal(rows, tokenizer.encode_rows(texts, 64))
        np.testing.assert_array_equal(getattr(loaded, f"decode_{name}")(rows), tokenizer.decode_strings(rows))


def test_words_begin_at_spaces_signs_and_chinese_characters(lossless):
    words = ["the", " the", "人", "，", "\n", "a"]
    first = [ids[0] for ids in lossless.encode(words)]
    assert lossless.is_word_start[first].tolist() == [False, True, True, True, True, False]
    assert lossless.is_word_start[list(lossless.special_ids)].all()
