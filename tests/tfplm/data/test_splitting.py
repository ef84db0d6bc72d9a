import pytest

from tfplm.data.splitting import cut_off_end, split_lines, split_paragraphs, split_sentences


def test_paragraphs_are_parted_by_blank_lines():
    assert split_paragraphs("one\ntwo\n\nthree\n \n\nfour\n") == ["one\ntwo", "three", "four"]
    assert split_paragraphs("") == []


@pytest.mark.parametrize(
    "sentences",
    [
        ["One ends here.", "Another begins!", "Does it?", "Yes…", "Good."],
        ['"Is it so?" he asked.', '"It is."', "Then silence."],
        ["He came (late.)", "Nobody saw him.", "“We know,” said they.", "‘Good.’", "So be it."],
        ["Mr. Adams met Dr. J. Q. Public of the U.S. Senate.", "They spoke."],
        ["See No. 7 and p. 12, cf. Art. 3.", "No.", "That is all."],
        ["It cost $3.50 in 1850.", "In 1851 it cost more."],
        ["1. The first matter.", "2. The second matter."],
        ["Ask e.g. the clerk, i.e. him.", "Wait... what?!", "Enough."],
        ["Wrapped text goes\non without an end.", "A new one\nbegins."],
        ["Это предложение.", "А это другое!"],
        ["यह वाक्य है।", "यह दूसरा है।"],
        ["No mark at the end"],
    ],
)
def test_sentences_written_with_spaces(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["你好。", "再见！", "真的吗？", "好"],
        ["他说：“走吧！”", "然后走了。"],
        ["（一九九七年。）", "下一句。"],
        ["我不知道……", "他走了。"],
        ["好吗?", "很好!!", "“谢谢!”", "再来"],
        ["价格是3.5元,不贵。", "不错！！！", "推荐"],
        ["“好。”，他说。", "完"],
        ["彼は来た。", "「本当？」", "そうだ。"],
    ],
)
def test_sentences_written_without_spaces(sentences):
    assert split_sentences("".join(sentences)) == sentences


def test_a_mark_before_a_lower_case_letter_ends_nothing():
    assert split_sentences("He wrote approx. ten etc. and so on. Then he left.") == [
        "He wrote approx. ten etc. and so on.",
        "Then he left.",
    ]


def test_blank_text_has_no_sentences():
    assert split_sentences("") == split_sentences(" \n ") == []


def test_marks_alone_are_kept_as_text():
    assert split_sentences("...") == ["..."]
    assert split_sentences("。") == ["。"]


def test_nothing_but_white_space_is_lost():
    text = 'A. "B" c! D?? 好。”x (y.) z… 1. 2.5 Mr. No. 5 end'
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize("text", ["one\n\n two\nthree", "\n", "没有行尾", "a\n", ""])
def test_lines_keep_their_ends(text):
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all(line.endswith("\n") for line in lines[:-1])


@pytest.mark.parametrize("line", ["a line of verse", "床前明月光，疑是地上霜。", "mixed 混合 line"])
def test_the_end_is_cut_off_at_a_line_end_by_its_bytes(line):
    text = "\n".join(f"{line} {number}" for number in range(1000))
    beginning, end = cut_off_end(text, 0.1)
    assert beginning + end == text
    assert beginning.endswith("\n")
    assert len(end.encode()) / len(text.encode()) == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("line", ["no end ", "没有行尾。", "👍🏽"])
@pytest.mark.parametrize("before", ["", "title\n"])
def test_a_very_long_line_is_cut_between_characters(line, before):
    text = before + line * 5000
    beginning, end = cut_off_end(text, 0.1)
    assert beginning + end == text
    assert len(end.encode()) / len(text.encode()) == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize("text", ["ab", "好的", "a\n", "first\nsecond", "好\n的"])
@pytest.mark.parametrize("share", [0.001, 0.5, 1.0])
def test_both_sides_of_a_cut_have_text(text, share):
    beginning, end = cut_off_end(text, share)
    assert beginning and end and beginning + end == text
