import pytest

from tfplm.errors import UserError
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.training import sample_text, train_wordpiece
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS

ENGLISH = [
    "The citizens of the republic elect their representatives, and the representatives answer to the citizens.",
    "Representation and taxation, election and reflection: the nation's foundation.",
] * 10
CHINESE = ["中国人民的生活水平不断提高，人民生活越来越好。", "这本书写得很好（好书）！"] * 3


def train(texts, size, **settings):
    return train_wordpiece(texts, WordPieceConfig(vocabulary_size=size, **settings))


def test_the_vocabulary_has_exactly_the_size_asked_for_and_begins_with_special_tokens():
    tokenizer = train(ENGLISH, 80)
    assert tokenizer.vocabulary_size == len(set(tokenizer.vocabulary)) == 80
    assert tuple(tokenizer.vocabulary[:5]) == SPECIAL_TOKENS
    assert tokenizer.special_ids == (0, 1, 2, 3, 4)


def test_frequent_words_become_one_piece():
    assert len(train(ENGLISH, 100).encode(["the citizens"])[0]) == 2


def test_training_text_has_no_unknown_tokens():
    for texts, size in ((ENGLISH, 80), (CHINESE, 32)):
        tokenizer = train(texts, size)
        assert all(tokenizer.unknown_id not in ids for ids in tokenizer.encode(texts))


def test_chinese_fills_the_vocabulary_with_characters():
    tokenizer = train(CHINESE, 32)
    assert all(len(token) == 1 for token in tokenizer.vocabulary[5:])
    assert "人" in tokenizer.vocabulary


def test_full_width_signs_are_learnt_as_the_op_folds_them():
    tokenizer = train(CHINESE, 32)
    assert {",", "(", ")", "!"} <= set(tokenizer.vocabulary)
    assert not {"，", "（", "）", "！"} & set(tokenizer.vocabulary)
    assert "，" in train(CHINESE, 32, lowercase=False).vocabulary


def test_a_vocabulary_for_berts_normalization_is_learnt_as_that_folds():
    tokenizer = train(CHINESE, 32, normalization="bert")
    assert {"，", "（", "）", "！"} <= set(tokenizer.vocabulary)
    assert all(tokenizer.unknown_id not in ids for ids in tokenizer.encode(CHINESE))


def test_case_is_kept_without_lowercase():
    assert any(token.startswith("T") for token in train(ENGLISH, 80, lowercase=False).vocabulary)
    assert not any(token.startswith("T") for token in train(ENGLISH, 80).vocabulary)


def test_rare_characters_do_not_crowd_out_pieces():
    signs = [chr(code) * 3 for code in range(0x4E00, 0x4F00)]
    tokenizer = train(ENGLISH + signs, 120)
    assert sum(len(token.removeprefix("##")) > 1 for token in tokenizer.vocabulary[5:]) >= 20


def test_the_same_text_gives_the_same_vocabulary():
    vocabularies = [train(ENGLISH + CHINESE, 110).vocabulary for _ in range(3)]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]


@pytest.mark.parametrize("texts", [ENGLISH, CHINESE, [*ENGLISH, *(chr(code) * 3 for code in range(0x400, 0x480))]])
def test_a_vocabulary_larger_than_the_text_allows_says_which_size_does(texts):
    with pytest.raises(UserError, match=r"gives only \d+ WordPiece tokens") as error:
        train(texts, 5000)
    allowed = int(error.value.found.split("only ")[1].split()[0])
    assert train(texts, allowed).vocabulary_size == allowed


@pytest.mark.parametrize("texts", [[], [""], ["  \n \n"]])
def test_no_text_is_a_user_error(texts):
    with pytest.raises(UserError, match="no text to train"):
        train(texts, 80)


def test_a_vocabulary_smaller_than_the_special_tokens_is_a_user_error():
    with pytest.raises(UserError, match="vocabulary_size"):
        train(ENGLISH, 5)


def test_text_below_the_limit_is_sampled_whole_and_in_order():
    assert sample_text(["a b\n\nc", "d"], 100) == ["a b", "c", "d"]


def test_a_sample_is_even_deterministic_and_within_the_limit():
    lines = [f"line {i:05d}" for i in range(10_000)]
    sample = sample_text(iter(lines), 10_000)
    assert sample == sample_text(["\n".join(lines)], 10_000) == sorted(sample)
    assert len(sample) == 1000
    places = [int(line[5:]) for line in sample]
    assert all(200 <= sum(start <= place < start + 2500 for place in places) <= 300 for start in range(0, 10_000, 2500))


def test_a_line_longer_than_the_limit_is_cut():
    assert sample_text(["x" * 50], 10) == ["x" * 10]
    long_line = "word " * 10_000
    assert {word for part in sample_text([long_line], 10**6) for word in part.split()} == {"word"}
