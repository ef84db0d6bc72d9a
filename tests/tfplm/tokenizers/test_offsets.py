import tempfile

import numpy as np
import pytest
import tensorflow as tf

from tests.tfplm.tokenizers.spans import check_edges, check_order, spans_of
from tfplm.tokenizers.offsets import byte_offsets, character_offsets

TEXTS = ["héllo", "", "中文 and 😀!", "e\u0301"]


def test_byte_offsets_become_those_of_python_and_come_back():
    in_characters = [list(range(len(text) + 1)) for text in TEXTS]
    in_bytes = [[len(text[:place].encode()) for place in row] for text, row in zip(TEXTS, in_characters, strict=True)]
    assert character_offsets(TEXTS, tf.ragged.constant(in_bytes)).to_list() == in_characters
    assert byte_offsets(TEXTS, tf.ragged.constant(in_characters)).to_list() == in_bytes


def test_dense_offsets_stay_dense_and_none_stays_none():
    found = character_offsets(TEXTS, tf.constant([[0, 3, -1], [-1, 0, 0], [3, 6, 10], [3, -1, 1]]))
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == [[0, 2, -1], [-1, 0, 0], [1, 2, 6], [2, -1, 1]]
    assert byte_offsets(TEXTS, found).numpy()[0].tolist() == [0, 3, -1]
    assert character_offsets([], tf.zeros([0, 3], tf.int32)).shape == (0, 3)
    assert character_offsets(["a"], tf.zeros([1, 0], tf.int32)).shape == (1, 0)


def test_offsets_inside_of_a_character_count_as_its_beginning_and_those_behind_the_text_as_its_end():
    assert character_offsets(["é中"], [[1, 3, 4, 5, 99]]).numpy().tolist() == [[0, 1, 1, 2, 2]]
    assert byte_offsets(["é中"], [[1, 2, 99]]).numpy().tolist() == [[2, 5, 5]]


def test_bytes_that_are_not_utf8_are_characters_as_in_python():
    for text in (b"a\xffb", b"\xe4\xb8c", b"\x80\x80", b"\xf0\x9f\x98"):
        starts = byte_offsets([text], [list(range(len(text.decode("utf-8", "replace")) + 1))]).numpy()[0]
        parts = [text[start:end].decode("utf-8", "replace") for start, end in zip(starts, starts[1:], strict=False)]
        assert parts == list(text.decode("utf-8", "replace"))


def test_tokens_stand_where_their_text_is(lossless, stress_texts):
    rows = spans_of(lossless, stress_texts)
    check_order(stress_texts, rows)
    check_edges(stress_texts, rows)
    for text, ids, row in zip(stress_texts, lossless.encode(stress_texts), rows, strict=True):
        for token, (start, end) in zip(ids, row, strict=True):
            expected = lossless.decode([token])
            if "\ufffd" not in expected:
                assert text[start:end] == expected.strip(), repr(text)


def test_tokens_that_are_parts_of_one_character_all_have_the_whole(lossless):
    assert spans_of(lossless, ["𠮷 é"])[0][:4] == [(0, 1)] * 4


def test_white_space_has_an_empty_span(lossless):
    for text, row in zip(["\u3000", "  \n"], spans_of(lossless, ["\u3000", "  \n"]), strict=True):
        assert {end - start for start, end in row} == {0}, repr(text)


def test_bytes_that_are_not_utf8_have_offsets_too(lossless):
    texts = tf.constant([b"a\xff\x80b", b"\xe4\xb8 c", b"\x80", b""])
    offsets = lossless.encode_with_offsets(texts)
    assert offsets.ids.to_list() == lossless.encode_ragged(texts).to_list()
    for text, *rows in zip(texts.numpy(), offsets.starts.to_list(), offsets.ends.to_list(), strict=True):
        assert all(0 <= start <= end <= len(text) for start, end in zip(*rows, strict=True))


def test_rows_have_no_place_for_special_ids_and_padding(lossless):
    texts = ["the 中国", "", "the citizens " * 9]
    rows = lossless.encode_rows_with_offsets(texts, 12)
    np.testing.assert_array_equal(rows.token_ids, lossless.encode_rows(texts, 12))
    offsets = lossless.encode_with_offsets(texts)
    for ids, starts, ends, *expected in zip(*(part.numpy() for part in rows), *offsets[1:], strict=True):
        is_text = ~np.isin(ids, lossless.special_ids)
        assert (starts[~is_text] == -1).all() and (ends[~is_text] == -1).all()
        assert starts[is_text].tolist() == expected[0].numpy()[:10].tolist()
        assert ends[is_text].tolist() == expected[1].numpy()[:10].tolist()
    for part, row in zip(lossless.encode_flat_with_offsets("the 中国", 12), rows, strict=True):
        np.testing.assert_array_equal(part, row[:1])


@pytest.mark.parametrize("name", ["unigram", "bytes"])
def test_a_saved_model_and_tf_data_give_the_same_offsets(trained, name):
    tokenizer = trained[name]
    texts = ["the citizens 中国人民 😀", "", "e\u0301 the"]
    expected = tokenizer.encode_rows_with_offsets(texts, 24)

    class Encoder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def encode(self, texts):
            rows = tokenizer.encode_rows_with_offsets(texts, 24)
            return {**rows._asdict(), "places": character_offsets(texts, rows.starts)}

    with tempfile.TemporaryDirectory() as folder:
        encoder = Encoder()
        tf.saved_model.save(encoder, folder, signatures=encoder.encode)
        found = tf.saved_model.load(folder).signatures["serving_default"](tf.constant(texts))
        found = {key: value.numpy() for key, value in found.items()}
    for key, value in expected._asdict().items():
        np.testing.assert_array_equal(found[key], value)
    np.testing.assert_array_equal(found["places"], character_offsets(texts, expected.starts))
    dataset = tf.data.Dataset.from_tensors(texts).map(lambda texts: tokenizer.encode_rows_with_offsets(texts, 24))
    np.testing.assert_array_equal(next(iter(dataset)).ends, expected.ends)
