"""Models of the `sentencepiece` package as they are: ids, spaces, special tokens in text, saving."""

import io

import numpy as np
import pytest
import tensorflow as tf
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from sentencepiece.sentencepiece_model_pb2 import ModelProto

from tests.tfplm.tokenizers.spans import check_edges, check_order, spans_of
from tfplm.errors import UserError
from tfplm.tokenizers.configuration import ImportedSentencePieceConfig
from tfplm.tokenizers.imported_sentencepiece import ImportedSentencePieceTokenizer
from tfplm.tokenizers.loading import load_tokenizer

LINES = ["The citizens elect <s> and </s> them.", "café CAFÉ 中国人民的生活水平不断提高", "a b c [ ] < > / s"] * 9
TEXTS = ["The  citizens ", "", " 中国 café", "▁a ▁", "</s> <s> [END]", "\x00\x1b \u200b", "😀 é 한 the", "a\tb\nc"]


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def model(request):
    """Unlike a model of tfplm it normalizes, and gives a user-defined symbol for [END]."""
    buffer = io.BytesIO()
    SentencePieceTrainer.Train(
        sentence_iterator=iter(LINES),
        model_writer=buffer,
        model_type=request.param,
        vocab_size=340 if request.param == "bpe" else 330,
        byte_fallback=True,
        user_defined_symbols=["[END]"],
        hard_vocab_limit=False,
        minloglevel=4,
    )
    return buffer.getvalue()


def build(model, **options):
    size = len(ModelProto.FromString(model).pieces)
    config = {"unknown_id": 0, "start_id": 1, "end_id": 2, "special_ids": [0, 1, 2], "suffix_ids": [2]}
    return ImportedSentencePieceTokenizer(
        model, ImportedSentencePieceConfig(vocabulary_size=size, **{**config, **options})
    )


def test_ids_and_text_are_those_of_the_package(model):
    processor = SentencePieceProcessor(model_proto=model)
    tokenizer = build(model)
    ids = [row.tolist() for row in tokenizer.encode(TEXTS)]
    assert ids == [processor.EncodeAsIds(text) for text in TEXTS]
    assert [tokenizer.decode(row) for row in ids] == [processor.DecodeIds(row) for row in ids]


def test_no_text_gives_a_special_id(model):
    special = {*build(model).special_ids}
    assert not special & set(np.concatenate(build(model).encode(["<s></s><unk> <s>", "</s>"])))


def test_a_symbol_that_text_gives_cannot_be_special(model):
    with pytest.raises(ValueError, match=r"'\[END\]' is no control symbol"):
        build(model, special_ids=[0, 1, 2, 3])


def test_decoding_in_the_graph_equals_decoding_in_python(model):
    tokenizer = build(model)
    rows = tf.ragged.constant([[*row.tolist(), 2, 10_000] for row in tokenizer.encode(TEXTS)]).to_tensor(-1)
    decoded = tf.function(tokenizer.decode_strings)(rows).numpy()
    assert [text.decode() for text in decoded] == [tokenizer.decode(row) for row in rows.numpy()]


def test_steps_before_the_model_change_the_text(model):
    tokenizer = build(
        model, replacements=[["``", '"'], ["\\", "/"]], normalization=["nfkd", "strip_accents", "lowercase"]
    )
    texts = ["``CAFÉ\\", "É ＡΣ", "İ"]
    plain = ['"cafe/', "e aσ", "i"]
    assert [ids.tolist() for ids in tokenizer.encode(texts)] == [ids.tolist() for ids in build(model).encode(plain)]


def test_composing_forms_look_at_neighbours(model):
    ids = build(model, normalization=["nfd", "lowercase", "nfc"]).encode(["CAFÉ", "CAFE\u0301", "café"])
    assert ids[0].tolist() == ids[1].tolist() == ids[2].tolist()


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("never", ["a", " a", "▁", ""]), ("always", ["▁a", "▁ a", "▁▁", ""]), ("unless_space", ["▁a", " a", "▁", ""])],
)
def test_the_space_before_a_text(model, prefix, expected):
    proto = ModelProto.FromString(model)
    proto.normalizer_spec.add_dummy_prefix = proto.normalizer_spec.remove_extra_whitespaces = False
    tokenizer = build(proto.SerializeToString(), dummy_prefix=prefix, strips_prefix=prefix != "never")
    processor = SentencePieceProcessor(model_proto=proto.SerializeToString())
    ids = tokenizer.encode(["a", " a", "▁", ""])
    assert [row.tolist() for row in ids] == [processor.EncodeAsIds(text) for text in expected]


def test_rows_have_what_the_reference_puts_around_a_text(model):
    ids = build(model).encode(["a"])[0].tolist()
    row = build(model, prefix_ids=[1]).encode_rows(tf.constant(["a"]), len(ids) + 4).numpy()[0]
    assert row.tolist() == [1, *ids, 2, 2, 2]  # the end fills it where there is no padding


def test_a_saved_tokenizer_loads_equal_and_runs_in_a_saved_model(model, tmp_path):
    tokenizer = build(model, prefix_ids=[1], normalization=["lowercase"], replacements=[["x", "y"]])
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.config == tokenizer.config and loaded.prefix_ids == (1,) and loaded.suffix_ids == (2,)
    module = tf.Module()
    module.encode = tf.function(lambda texts: loaded.encode_rows(texts, 9), [tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "model"))
    served = tf.saved_model.load(str(tmp_path / "model")).encode(tf.constant(TEXTS))
    np.testing.assert_array_equal(served, tokenizer.encode_rows(tf.constant(TEXTS), 9))


def test_a_model_that_is_not_the_saved_one_is_a_user_error(model, tmp_path):
    build(model).save(tmp_path)
    (tmp_path / "sentencepiece.model").write_bytes(model[:-1])
    with pytest.raises(UserError, match="sentencepiece.model is damaged"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dummy_prefix": "unless_space", "replacements": [["the", ""], ["a", "xyz"]], "normalization": ["nmt", "nfkc"]},
        {"replacements": [["``", '"'], ["''", '"']], "normalization": ["nfkd", "strip_accents", "lowercase"]},
    ],
)
def test_spans_of_awkward_texts_hold(model, options, stress_texts):
    texts = stress_texts[::4]
    rows = spans_of(build(model, **options), texts)
    check_order(texts, rows)
    check_edges(texts, rows)


def test_tokens_stand_where_their_characters_are(model):
    texts = ["The  citizens ", " 中国 e\u0301 é", "ｔｈｅ ½…", "``É THE''"]
    options = {"replacements": [["``", '"'], ["''", '"']], "normalization": ["nfkd", "strip_accents", "lowercase"]}
    for tokenizer in (build(model), build(model, **options), build(model, dummy_prefix="always")):
        for text, row in zip(texts, spans_of(tokenizer, texts), strict=True):
            parts = dict.fromkeys(span for span in row if span[1] > span[0])  # a character may be several tokens
            assert "".join(text[start:end] for start, end in parts) == text.replace(" ", "")


def test_the_space_that_the_model_puts_before_is_nowhere(model):
    tokenizer = build(model)
    text = "😀 x"
    row = spans_of(tokenizer, [text])[0]
    assert row[0] == (0, 0) and row[1] == (0, 1)
    assert [text[start:end] for start, end in row if end > start][-1] == "x"
