from tfplm.data.adjacent_sentences import read_adjacent_sentences
from tfplm.data.configuration import CleaningConfig, TextSource
from tfplm.data.pair_configuration import AdjacentSentencesSource


def test_pairs_stay_within_a_paragraph_and_share_no_sentence(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("One came. Two\nwent. Three sat.\n\nFour. Five left.\n\n天气很\n好。我们走吧。", encoding="utf-8")
    source = AdjacentSentencesSource(text=TextSource(paths=[str(path)]), min_characters=4)
    found = list(read_adjacent_sentences(source, CleaningConfig()))
    assert [(pair.first, pair.second) for pair in found] == [
        ("One came.", "Two went."),
        ("Four.", "Five left."),
        ("天气很好。", "我们走吧。"),
    ]
    assert {pair.group for pair in found} == {found[0].group}
    longer = source.model_copy(update={"min_characters": 6})
    assert len(list(read_adjacent_sentences(longer, CleaningConfig()))) == 1
