import unicodedata

import pytest

from tfplm.data.answer_offsets import describe_misplaced, find_answer, stands_at

PASSAGE = "长江长6300公里，是亚洲最长的河流。长江流经十一个省。"
DECOMPOSED = unicodedata.normalize("NFD", "Le café est à Orléans, un café.")


def test_an_answer_stands_where_its_characters_are():
    assert stands_at(PASSAGE, "6300公里", 3)
    assert not stands_at(PASSAGE, "6300公里", 4)
    assert not stands_at(PASSAGE, "长江", -1)


@pytest.mark.parametrize(("start", "expected"), [(0, 0), (5, 0), (18, 19), (-1, 0), (900, 19)])
def test_of_several_places_the_nearest_is_taken(start, expected):
    assert find_answer(PASSAGE, "长江", start) == (expected, expected + 2)


def test_what_the_passage_does_not_hold_is_not_found():
    assert find_answer(PASSAGE, "黄河", 3) is None
    assert find_answer("plain", "other", 0) is None
    assert find_answer("café", "cafe", 0) is None


def test_another_normalization_is_the_same_text():
    start, end = find_answer(DECOMPOSED, "café", 1)
    assert unicodedata.normalize("NFC", DECOMPOSED[start:end]) == "café"
    assert start == 3
    start, end = find_answer(DECOMPOSED, "café", 99)
    assert DECOMPOSED[end:] == "."
    start, end = find_answer("naïve café", unicodedata.normalize("NFD", "ïve"), 0)
    assert (start, end) == (2, 5)


def test_a_base_letter_is_not_torn_from_its_accent():
    assert find_answer(DECOMPOSED, "Orle", 0) == (DECOMPOSED.index("Orle"), DECOMPOSED.index("Orle") + 4)
    assert find_answer(DECOMPOSED + " é", "Orleé", 0) is None


@pytest.mark.parametrize(
    ("passage", "text", "start", "said"),
    [
        (PASSAGE, "亚洲", 10, "where '是亚' stands; it stands at 11"),
        (PASSAGE, "亚洲", -1, "outside of the 28 characters of the passage; it stands at 11"),
        (PASSAGE, "黄河", 0, "the passage does not hold it"),
        (PASSAGE, "亚洲", len("长江长6300公里，是".encode()), "it stands at 11 (the offset fits when bytes of UTF-8"),
        ("😀😀 laughs", "laughs", 5, "it stands at 3 (the offset fits when units of UTF-16"),
        (DECOMPOSED, "café", 4, "at 3 it stands in another Unicode normalization"),
    ],
)
def test_the_message_says_where_the_answer_really_is(passage, text, start, said):
    assert said in describe_misplaced(passage, text, start)
