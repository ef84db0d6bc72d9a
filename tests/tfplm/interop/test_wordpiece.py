"""WordPiece folders of other projects: read, refused by name, and written so that `tokenizers` gives equal ids."""

import json

import pytest
from tokenizers import BertWordPieceTokenizer, Tokenizer

from tfplm.errors import UserError
from tfplm.interop.tokenizers.wordpiece import read_wordpiece, write_wordpiece
from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

PIECES = "the people un ##ion é e ##e a ##a b ##b ß ss mask 1 2 ⁄ ##⁄ ##2 , ( ) [ ] ， 中 国 °".split()
VOCABULARY = [*PIECES[:3], *SPECIAL_TOKENS, *PIECES[3:]]
TEXTS = [
    "The UNION, É ß (中国人)，½ ℃ a\u0301b",
    "",
    "[MASK] 中a国",
    "x" * 90,
    "e\u200bb \ufffd A\tB",
    "E\u0308e\0b 中\u0301 ]\U0001f3ffb",
]


@pytest.fixture
def folder(tmp_path):
    """A folder with vocab.txt alone."""
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    return tmp_path


def write_settings(folder, **changes):
    settings = json.loads(BertWordPieceTokenizer(str(folder / "vocab.txt")).to_str()) | changes
    (folder / "tokenizer.json").write_text(json.dumps(settings), "utf-8")


def ids_of(folder):
    package = Tokenizer.from_file(str(folder / "tokenizer.json"))
    package.encode_special_tokens = True
    return [encoding.ids for encoding in package.encode_batch(TEXTS)]


def own_ids(tokenizer):
    return [[*tokenizer.prefix_ids, *ids.tolist(), *tokenizer.suffix_ids] for ids in tokenizer.encode(TEXTS)]


def test_a_folder_without_wordpiece_is_none(tmp_path):
    assert read_wordpiece(tmp_path) is None
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
    (tmp_path / "vocab.txt").write_text("a\n")
    assert read_wordpiece(tmp_path) is None


@pytest.mark.parametrize("has_settings", [False, True])
def test_vocabulary_and_settings_give_the_ids_of_the_package(folder, has_settings):
    write_settings(folder)
    expected = ids_of(folder)
    if not has_settings:
        (folder / "tokenizer.json").unlink()
    tokenizer = read_wordpiece(folder)
    assert own_ids(tokenizer) == expected
    assert tokenizer.special_ids == (3, 4, 5, 6, 7)


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("normalization", ["bert", "casefold"])
def test_what_is_written_gives_equal_ids_and_comes_back(tmp_path, normalization, lowercase):
    config = WordPieceConfig(normalization=normalization, vocabulary_size=len(VOCABULARY), lowercase=lowercase)
    tokenizer = WordPieceTokenizer(VOCABULARY, config)
    write_wordpiece(tokenizer, tmp_path, max_length=64)
    assert ids_of(tmp_path) == own_ids(tokenizer)
    back = read_wordpiece(tmp_path)
    assert back.config == config and back.vocabulary == VOCABULARY
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 64


def test_case_and_accents_follow_the_configuration(folder):
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "strip_accents": true}')
    tokenizer = read_wordpiece(folder)
    assert tokenizer.token_strings(tokenizer.encode(["é The"])[0]) == ["e", "[UNK]"]


def test_old_vocabularies_may_hold_a_token_twice(folder):
    (folder / "vocab.txt").write_text("\n".join([*VOCABULARY, "", "the"]), "utf-8")
    tokenizer = read_wordpiece(folder)
    assert tokenizer.encode(["the"])[0].tolist() == [len(VOCABULARY) + 1]
    write_wordpiece(tokenizer, folder, max_length=64)
    assert read_wordpiece(folder).encode(["the"])[0].tolist() == [len(VOCABULARY) + 1]


def test_special_tokens_behind_the_vocabulary_are_part_of_it(folder):
    added = [{"id": len(VOCABULARY), "content": "<entity>", "special": True}]
    write_settings(folder, added_tokens=added)
    assert read_wordpiece(folder).vocabulary_size == len(VOCABULARY) + 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tokenize_chinese_chars": False}, "tokenize_chinese_chars False"),
        ({"mask_token": "<mask>"}, "mask_token '<mask>'"),
        ({"do_lower_case": False}, "lowercase True, and .* do_lower_case False"),
        ({"do_lower_case": "yes"}, "do_lower_case 'yes'"),
    ],
)
def test_options_that_are_not_supported_are_named(folder, config, message):
    write_settings(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=message):
        read_wordpiece(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "normalizer 'Lowercase'"),
        ({"normalizer": None}, "normalizer None"),
        ({"normalizer": {"type": "BertNormalizer", "clean_text": False}}, "clean_text False"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer 'Whitespace'"),
        ({"model": {"type": "WordPiece", "vocab": {"a": 5}}}, "vocabulary is damaged"),
        ({"model": {"type": "WordPiece", "vocab": ["a"]}}, "vocabulary is damaged"),
        ({"model": {"type": "WordPiece", "vocab": {"a": 0}}}, "disagree"),
        ({"model": {"type": "WordPiece", "unk_token": "<unk>", "vocab": {}}}, "unk_token '<unk>'"),
        ({"model": 7}, "'model' is a int"),
        ({"added_tokens": [{"id": 99, "content": "x", "special": True}]}, "adds the token 'x'"),
        ({"added_tokens": [{"content": "x"}]}, "added tokens of .* are damaged"),
        ({"added_tokens": [{"id": 34, "content": "x", "special": True}]}, "adds the"),
    ],
)
def test_settings_that_are_not_supported_are_named(folder, changes, message):
    write_settings(folder, **changes)
    with pytest.raises(UserError, match=message):
        read_wordpiece(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff", "UTF-8"), (b"[PAD]\n[UNK]\n", r"lacks \[CLS\], \[SEP\], \[MASK\]"), (b"", "lacks")],
)
def test_a_damaged_vocabulary_is_a_user_error(tmp_path, content, message):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_wordpiece(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_damaged_settings_are_a_user_error(folder, content):
    (folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(UserError, match="tokenizer.json"):
        read_wordpiece(folder)
