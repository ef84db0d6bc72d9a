import json

import numpy as np
import pytest
import tensorflow as tf
from sentencepiece import SentencePieceProcessor

from tests.tfplm.tokenizers.conftest import TEXTS
from tfplm.errors import UserError
from tfplm.tokenizers.sentencepiece import ESCAPE, ESCAPED_ESCAPE, SentencePieceTokenizer


@pytest.fixture
def folder(trained, tmp_path):
    trained["unigram"].save(tmp_path)
    return tmp_path


def test_ids_equal_those_of_the_package_with_the_same_model(sentencepiece, tmp_path, stress_texts):
    sentencepiece.save(tmp_path)
    package = SentencePieceProcessor(model_file=str(tmp_path / "sentencepiece.model"))
    texts = [*stress_texts, *TEXTS]
    expected = package.encode([text.replace(ESCAPE, ESCAPED_ESCAPE) for text in texts])
    found = [ids.tolist() for ids in sentencepiece.encode(texts)]
    # Where two cuts have the same score, the two may choose differently.
    differing = [text for text, a, b in zip(texts, found, expected, strict=True) if a != b and len(a) != len(b)]
    assert not differing
    assert sum(a != b for a, b in zip(found, expected, strict=True)) <= 2


def test_a_line_end_and_each_escape_are_one_token(sentencepiece):
    assert [len(ids) for ids in sentencepiece.encode(["\n", "\n\n\n", "▁", "\x10"])] == [1, 3, 1, 1]


def test_what_no_piece_covers_is_bytes(sentencepiece):
    assert sentencepiece.token_strings(sentencepiece.encode(["龘"])[0]) == ["<0xE9>", "<0xBE>", "<0x98>"]


def test_a_saved_tokenizer_loads_equal(sentencepiece, tmp_path, stress_texts):
    sentencepiece.save(tmp_path)
    loaded = SentencePieceTokenizer.load(tmp_path)
    assert loaded.config == sentencepiece.config
    assert loaded.vocabulary == sentencepiece.vocabulary
    assert [ids.tolist() for ids in loaded.encode(stress_texts)] == [
        ids.tolist() for ids in sentencepiece.encode(stress_texts)
    ]


def test_the_vocabulary_is_written_for_people_a_token_a_line(sentencepiece, tmp_path):
    sentencepiece.save(tmp_path)
    lines = (tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:5] == ["<pad>", "</s>", "<unk>", "<s>", r"\n"]
    assert len(lines) == sentencepiece.vocabulary_size
    assert {"▁the", "生", "<extra_id_0>"} <= set(lines)


def test_a_tokenizer_goes_on_behind_a_seed_that_empties_the_cache_of_kernels(sentencepiece):
    before = sentencepiece.encode(["The citizens"])[0]
    tf.random.set_seed(1)
    np.testing.assert_array_equal(sentencepiece.encode(["The citizens"])[0], before)


def test_no_message_of_sentencepiece_reaches_the_terminal(folder, capfd):
    tokenizer = SentencePieceTokenizer.load(folder)
    tf.function(tokenizer.encode_ragged)(tf.constant(["the citizens"]))
    assert "LOG(" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("name", ["sentencepiece.model", "tokenizer.json"])
def test_a_missing_file_is_a_user_error(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"There is no .*{name}"):
        SentencePieceTokenizer.load(folder)


@pytest.mark.parametrize("damage", [lambda model: model[:-1], lambda model: b"", lambda model: model[:99] + b"x"])
def test_a_damaged_model_is_a_user_error(folder, damage):
    path = folder / "sentencepiece.model"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="is damaged"):
        SentencePieceTokenizer.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "is of format 99"),
        ({"sha256": None}, "is damaged"),
        ({"config": {"type": "sentencepiece", "vocabulary_size": 340, "num_sentinels": 5}}, "has 341 tokens"),
        ({"config": {"type": "sentencepiece", "size": 340}}, "size: unknown key"),
    ],
)
def test_settings_that_do_not_fit_are_a_user_error(folder, change, message):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message):
        SentencePieceTokenizer.load(folder)


def test_bytes_that_are_no_model_are_refused(trained):
    with pytest.raises(ValueError, match="no SentencePiece model"):
        SentencePieceTokenizer(b"no model", trained["unigram"].config)
