from benchmarks.tasks.own.tfplm import tags_of


def span(start: int, end: int, label: str) -> dict:
    return {"start": start, "end": end, "label": label}


def test_spans_become_tags_of_the_words_that_begin_in_them():
    words = "Ann Oak met Bo Li Elm in Rome".split()
    spans = [span(0, 7, "person"), span(12, 17, "person"), span(18, 21, "person"), span(25, 29, "place")]
    assert tags_of(words, spans) == "B-person I-person O B-person I-person B-person O B-place".split()
    assert tags_of(words, []) == ["O"] * 8
