import pytest

from trainers.metrics.generation import TermTokenizer, generation_figures, script_tokenizer


def test_equal_texts_have_full_marks_in_english_and_chinese():
    for texts in (["The cat sat on the mat today."], ["你好，世界！今天天气很好。"]):
        figures = generation_figures(texts, texts)
        for name in ("bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "exact_match"):
            assert figures[name] == pytest.approx(100.0), name
        assert figures["length_ratio"] == 1.0


def test_rouge_is_the_f1_of_shared_words_and_of_shared_characters_where_there_are_no_spaces():
    # 2 of 3 words of the output and 2 of 4 of the reference: F1 = 2·(2/3)·(1/2) / (2/3 + 1/2) = 4/7
    assert generation_figures(["red old house"], ["A red brick house"])["rouge_1"] == pytest.approx(400 / 7)
    assert generation_figures(["红旧房"], ["一红砖房"])["rouge_1"] == pytest.approx(400 / 7)


def test_chinese_next_to_latin_letters_is_cut_into_characters():
    assert TermTokenizer().tokenize("在Writer中，打开 2 个文件_名") == [
        *("在", "writer", "中", "打", "开", "2", "个", "文", "件", "名")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Open the file.", "13a"),
        ("打开“文件”。", "zh"),
        ("ファイルを開きます。", "char"),
        ("Ouvrez le café", "13a"),
        ("", "13a"),
    ],
)
def test_bleu_counts_words_by_the_script_of_the_references(text, expected):
    assert script_tokenizer([text]) == expected
    assert f"tok:{expected}" in generation_figures([text], [text])["bleu_signature"]


def test_other_numbers_of_outputs_than_of_references_are_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        generation_figures(["a"], ["a", "b"])
