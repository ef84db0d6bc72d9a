"""Every character of Unicode gives the ids that the `tokenizers` package gives."""

import random

import numpy as np
import pytest
import tensorflow as tf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tests.tfplm.tokenizers.spans import check_edges, check_order, spans_of
from tfplm.errors import UserError
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

LETTERS = [*"abcdefghijklmnopqrstuvwxyzABCXYZßéıςσ0123456789", *"中国人民가각가", *"!,.[]()<>$`^，。、！"]
VOCABULARY = [*LETTERS, *SPECIAL_TOKENS, *(f"##{letter}" for letter in LETTERS), "the", "##the"]
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
OPTIONS = [(True, None), (False, None), (True, False), (False, True)]


def build(lowercase, strip_accents=None, vocabulary=VOCABULARY):
    config = WordPieceConfig(
        normalization="bert", vocabulary_size=len(vocabulary), lowercase=lowercase, strip_accents=strip_accents
    )
    return WordPieceTokenizer(vocabulary, config)


def reference(lowercase, strip_accents=None):
    ids = {token: index for index, token in enumerate(VOCABULARY)}
    package = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    package.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    package.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return package


def differing(tokenizer, package, texts):
    ids = tokenizer.encode_ragged([text.encode() for text in texts])
    values, splits = ids.flat_values.numpy(), ids.row_splits.numpy()
    expected = [encoding.ids for encoding in package.encode_batch_fast(texts, add_special_tokens=False)]
    rows = zip(texts, np.split(values, splits[1:-1]), expected, strict=True)
    return [text for text, row, wanted in rows if row.tolist() != wanted]


@pytest.mark.parametrize(("lowercase", "strip_accents"), OPTIONS)
def test_every_character_between_letters_gives_the_ids_of_the_package(lowercase, strip_accents):
    # A part of those beyond the first two planes: all are ideographs, tags, private or not assigned.
    characters = [*CHARACTERS[:0x1F800], *CHARACTERS[0x1F800:0x30000:31], *CHARACTERS[0x30000::997]]
    texts = [f"a{character}b" for character in characters[:: 1 if strip_accents is None else 13]]
    assert differing(build(lowercase, strip_accents), reference(lowercase, strip_accents), texts) == []


@pytest.mark.parametrize("lowercase", [True, False])
def test_random_text_gives_the_ids_of_the_package(lowercase):
    generator = random.Random(0)
    favoured = [*"aAéÉΣς가，中 \t\n\r\x00\u200b\ufeff\ufffd\ue000\u0301\u0338\u302e\u2028\u00a0[]"]
    texts = [
        "".join(generator.choice((*favoured, generator.choice(CHARACTERS))) for _ in range(30)) for _ in range(2000)
    ]
    lengths = [letter * length for letter in ("a", "é", "E\u0301", "\U00010400") for length in (99, 100, 101)]
    texts += ["", " ", "[MASK] [CLS] [UNK]", "中" * 300, *lengths]
    assert differing(build(lowercase), reference(lowercase), texts) == []


def test_words_of_over_a_hundred_characters_are_unknown_and_others_are_not():
    tokenizer = build(lowercase=False)
    assert tokenizer.encode(["é" * 100])[0].size == 100
    assert tokenizer.encode(["é" * 101])[0].tolist() == [tokenizer.unknown_id]


def test_special_tokens_stand_where_the_vocabulary_has_them():
    tokenizer = build(lowercase=True)
    assert tokenizer.special_ids == tuple(range(len(LETTERS), len(LETTERS) + 5))
    ids = tokenizer.encode([" ".join(SPECIAL_TOKENS)])[0]
    assert not set(ids) & {tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id, tokenizer.mask_id}


def test_of_equal_tokens_the_last_counts_and_an_empty_one_never_occurs():
    tokenizer = build(True, vocabulary=["the", "", *SPECIAL_TOKENS, "", "the", "a b"])
    assert tokenizer.encode(["the  a b"])[0].tolist() == [8, 3, 3]


def test_bytes_that_are_not_utf8_are_removed():
    assert build(True).encode_ragged([b"a\xffb"]).to_list() == build(True).encode_ragged([b"ab"]).to_list()


def test_a_saved_tokenizer_and_a_saved_model_give_the_same_ids(tmp_path):
    tokenizer = build(lowercase=True)
    texts = tf.constant(["É的 the!", "", "x" * 200])
    tokenizer.save(tmp_path / "tokenizer")
    loaded = WordPieceTokenizer.load(tmp_path / "tokenizer")
    assert loaded.config == tokenizer.config and not loaded.runs_in_tflite
    module = tf.Module()
    module.encode = tf.function(lambda texts: tokenizer.encode_rows(texts, 8), [tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "model"))
    served = tf.saved_model.load(str(tmp_path / "model")).encode(texts)
    np.testing.assert_array_equal(served, loaded.encode_rows(texts, 8))


def test_strip_accents_belongs_to_the_normalization_of_bert(tmp_path):
    build(lowercase=True).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    content = path.read_text().replace('"bert"', '"casefold"').replace('"strip_accents": null', '"strip_accents": true')
    path.write_text(content)
    with pytest.raises(UserError, match="strip_accents is of normalization bert"):
        WordPieceTokenizer.load(tmp_path)


def test_tokens_stand_where_their_characters_are():
    texts = {
        "The e\u0301a": ["The", "e\u0301", "a"],
        "a\x00b \u200bc\ufeff": ["a", "b", "c"],
        "中a国가": ["中", "a", "国", "가", "가"],
        f"A {'x' * 101}!": ["A", "x" * 101, "!"],
        "\u0301 \u3000": [],
    }
    for text, row in zip(texts, spans_of(build(True), list(texts)), strict=True):
        assert [text[start:end] for start, end in row] == texts[text], repr(text)


def test_without_stripping_an_accent_is_a_token_of_its_own():
    texts = ["e\u0301中"]
    tokenizer = build(False, vocabulary=[*VOCABULARY, "##\u0301"])
    assert spans_of(tokenizer, texts) == [[(0, 1), (1, 2), (2, 3)]]


@pytest.mark.parametrize(("lowercase", "strip_accents"), OPTIONS)
def test_spans_of_awkward_texts_hold(lowercase, strip_accents, stress_texts):
    rows = spans_of(build(lowercase, strip_accents), stress_texts)
    check_order(stress_texts, rows)
    check_edges(stress_texts, rows)
