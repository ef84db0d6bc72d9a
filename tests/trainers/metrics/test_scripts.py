import pytest

from trainers.metrics.scripts import has_unspaced_terms, is_han, is_unspaced


@pytest.mark.parametrize(
    ("texts", "by_characters", "by_terms"),
    [
        (["Open the file."], False, False),
        (["打开文件。"], True, True),
        (["1998年", "IBM公司"], False, True),
        (["ファイルを", "开"], True, True),
        (["the word 的"], False, False),
        (["", " ", "。"], False, False),
        ([], False, False),
    ],
)
def test_scripts_without_spaces_are_told_by_most_characters_or_most_terms(texts, by_characters, by_terms):
    assert (is_unspaced(texts), has_unspaced_terms(texts)) == (by_characters, by_terms)


def test_many_kana_are_not_han():
    assert is_han(["打开文件"])
    assert not is_han(["ファイルを開きます"])
