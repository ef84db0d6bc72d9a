import pytest

from tests.tfplm.tokenizers.conftest import TEXTS
from tfplm.errors import UserError
from tfplm.tokenizers.configuration import SentencePieceConfig
from tfplm.tokenizers.sentencepiece_training import train_sentencepiece

ENGLISH, CHINESE = TEXTS[:2] * 5, TEXTS[2:4] * 5
NUM_FIXED = 263  # special ids, line end, escapes and bytes

both_models = pytest.mark.parametrize("model", ["unigram", "bpe"])


def train(texts, size, model, **settings):
    return train_sentencepiece(texts, SentencePieceConfig(model=model, vocabulary_size=size, **settings))


@both_models
def test_the_vocabulary_has_exactly_the_size_asked_for(model):
    for size in (NUM_FIXED + 1, NUM_FIXED + 10, 310):
        assert train(ENGLISH, size, model).vocabulary_size == size
    assert train(ENGLISH, 310, model, num_sentinels=30).vocabulary_size == 310


@both_models
def test_the_same_text_gives_the_same_model(model, tmp_path):
    for name in ("a", "b"):
        train(TEXTS, 330, model).save(tmp_path / name)
    for file in ("sentencepiece.model", "tokenizer.json", "vocab.txt"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@both_models
def test_chinese_gets_characters_and_words(model):
    pieces = train(CHINESE, 290, model).vocabulary[NUM_FIXED:]
    assert {"生活", "人", "好"} <= set(pieces)
    assert sum(len(piece) == 1 for piece in pieces) >= 10


def test_characters_beyond_the_coverage_are_bytes():
    rare = [*ENGLISH * 20, "龘"]
    assert "龘" in train(rare, 335, "bpe", character_coverage=1.0).vocabulary
    tokenizer = train(rare, 335, "bpe")
    assert "龘" not in tokenizer.vocabulary
    assert tokenizer.decode(tokenizer.encode(["龘"])[0]) == "龘"


def test_rare_characters_do_not_crowd_out_pieces():
    signs = ["".join(chr(code) for code in range(0x4E00, 0x4F00))]
    pieces = train(ENGLISH * 3 + signs, 323, "bpe", character_coverage=1.0).vocabulary[NUM_FIXED:]
    assert sum(len(piece) > 1 for piece in pieces) >= 20


@both_models
def test_pieces_hold_neither_tabs_nor_parts_of_escapes(model):
    texts = ["the\tcitizens\x10\x11\x12 ▁the▁citizens ▅the▅citizens\x00the"] * 20
    pieces = train(texts, 270, model).vocabulary[NUM_FIXED:]
    assert not set("".join(pieces)) & set("\t\x10\x11\x12▅\x00")


@both_models
@pytest.mark.parametrize("texts", [ENGLISH, CHINESE, [*ENGLISH, *(chr(code) * 3 for code in range(0x400, 0x480))]])
def test_a_vocabulary_larger_than_the_text_allows_says_which_size_does(texts, model):
    with pytest.raises(UserError, match=r"gives only \d+ SentencePiece tokens") as error:
        train(texts, 5000, model, num_sentinels=7)
    allowed = int(error.value.found.split("only ")[1].split()[0])
    assert train(texts, allowed, model, num_sentinels=7).vocabulary_size == allowed


@pytest.mark.parametrize("texts", [[], [""], ["  \n \n"], ["▅▁"]])
def test_no_text_is_a_user_error(texts):
    with pytest.raises(UserError, match="no text to train"):
        train(texts, 300, "unigram")


def test_a_vocabulary_without_room_for_pieces_is_a_user_error():
    with pytest.raises(UserError, match="vocabulary_size is 268"):
        train(ENGLISH, NUM_FIXED + 5, "bpe", num_sentinels=5)


def test_training_is_silent(capfd):
    train(ENGLISH, 300, "unigram")
    with pytest.raises(UserError):
        train(ENGLISH, 5000, "bpe")
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
