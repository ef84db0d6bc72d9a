import tensorflow as tf
from tokenizers import normalizers

from tfplm.tokenizers.character_map import CharacterMap


def mapped(character_map, texts):
    return [text.decode() for text in character_map.map_strings(tf.constant(texts)).numpy()]


def test_characters_become_several_or_none_or_stay():
    character_map = CharacterMap(lambda text: text.replace("a", " a ").replace("b", "").replace("é", "中国"))
    assert mapped(character_map, ["abé!", "", "bbb", "𠮷a"]) == [" a 中国!", "", "", "𠮷 a "]


def test_a_map_equals_the_normalizer_whose_characters_it_holds():
    lowercase = normalizers.Lowercase()
    texts = ["ΣΑΣ İSTANBUL ǅ ẞ", "plain", "\ufdd0\ufffe\U0010ffff"]
    assert mapped(CharacterMap(lowercase.normalize_str), texts) == [lowercase.normalize_str(text) for text in texts]


def test_bytes_that_are_not_utf8_count_as_replacement_characters():
    assert mapped(CharacterMap(str.swapcase), [b"a\xffb"]) == ["A\ufffdB"]
