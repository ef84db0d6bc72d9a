import pytest

from tfplm.errors import UserError
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig


def test_a_byte_is_its_value_behind_the_special_ids():
    tokenizer = ByteTokenizer()
    assert tokenizer.vocabulary_size == BytesConfig().vocabulary_size == 260
    assert tokenizer.encode(["\x00A中"])[0].tolist() == [4, 4 + 65, 4 + 0xE4, 4 + 0xB8, 4 + 0xAD]
    assert tokenizer.token_strings([4 + 65]) == ["<0x41>"]


def test_nothing_is_unknown():
    tokenizer = ByteTokenizer()
    assert tokenizer.unknown_id is None
    every_byte = bytes(range(256))
    assert tokenizer.encode_ragged([every_byte]).to_list() == [list(range(4, 260))]


def test_sentinels_follow_the_bytes():
    tokenizer = ByteTokenizer(BytesConfig(num_sentinels=100))
    assert tokenizer.vocabulary_size == 360
    assert tokenizer.sentinel_ids[[0, 99]].tolist() == [359, 260]


def test_a_saved_tokenizer_loads_equal(tmp_path):
    ByteTokenizer(BytesConfig(num_sentinels=2)).save(tmp_path / "tokenizer")
    loaded = ByteTokenizer.load(tmp_path / "tokenizer")
    assert loaded.vocabulary_size == 262
    assert loaded.config == BytesConfig(num_sentinels=2)
    assert len((tmp_path / "tokenizer/vocab.txt").read_text().splitlines()) == 262


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no .*tokenizer.json"),
        ('{"format_version": 2, "config": {}}', "is of format 2"),
        ('{"format_version": 1, "config": {"type": "bytes", "num_sentinels": -1}}', "num_sentinels"),
    ],
)
def test_a_damaged_folder_is_a_user_error(tmp_path, content, message):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=message):
        ByteTokenizer.load(tmp_path)
