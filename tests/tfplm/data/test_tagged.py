import json
from collections import Counter

import pytest
from pydantic import ValidationError

from tfplm.data.configuration import SplitConfig
from tfplm.data.sources import text_digest
from tfplm.data.tagged import held_out_tagged, load_tagged, load_tagged_examples
from tfplm.data.tagged_configuration import SpansSource, TaggedColumnsSource, TaggedDataConfig, TaggedLinesSource
from tfplm.data.tagged_sources import join_words
from tfplm.errors import UserError

ALL_TRAINING = SplitConfig(validation=0.0, test=0.0)


def columns(path, text, **settings):
    path.write_text(text, encoding="utf-8")
    return TaggedColumnsSource(paths=[str(path)], **settings)


def lines(path, text, **settings):
    path.write_text(text, encoding="utf-8")
    return TaggedLinesSource(paths=[str(path)], **settings)


def spans(path, rows, **settings):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return SpansSource(paths=[str(path)], **settings)


def load(source, **settings):
    return load_tagged(TaggedDataConfig(train=source, **({"split": ALL_TRAINING} | settings)), 0)


def found(data):
    return [[(text.text[start:end], label) for start, end, label in text.spans] for text in data.train]


def error_of(source, **settings):
    with pytest.raises(UserError) as caught:
        load(source, **settings)
    return str(caught.value)


def test_columns_become_a_text_with_the_places_of_words_and_spans(tmp_path):
    source = columns(
        tmp_path / "a.conll",
        "-DOCSTART- -X- O\n\nAnn NNP B-PER\nLee NNP I-PER\nsang VBD O\n. . O\n\n\n# # O\nParis NNP B-LOC\n",
    )
    data = load(source)
    assert [text.text for text in data.train] == ["Ann Lee sang .", "# Paris"]
    assert data.train.examples[0].words == ((0, 3), (4, 7), (8, 12), (13, 14))
    assert found(data) == [[("Ann Lee", "PER")], [("Paris", "LOC")]]
    assert data.train.examples[1].origin == f"{tmp_path / 'a.conll'}, line 9"
    assert data.labels == ["LOC", "PER"]
    assert data.figures["train"] == {
        "examples": 2, "groups": 2, "words": 6, "characters": 21, "spans": 2, "per_class": {"LOC": 1, "PER": 1},
        "available_examples": 2,
    }  # fmt: skip
    assert data.figures["dropped"] == data.figures["mended"] == {}


def test_columns_are_taken_by_number_or_by_name_and_tabs_keep_spaces_in_words(tmp_path):
    text = "New York\tNNP\tB-LOC\nsleeps\tVBZ\tO\n"
    by_number = load(columns(tmp_path / "a.conll", text, tag_column=2))
    assert found(by_number) == [[("New York", "NNP"), ("sleeps", "VBZ")]]
    named = columns(tmp_path / "b.conll", "form\tpos\tner\n" + text, word_column="form", tag_column="ner")
    assert found(load(named)) == [[("New York", "LOC")]]
    assert "Did you mean 'ner'" in error_of(named.model_copy(update={"tag_column": "nerr"}))
    assert "there is no column 4: the line has 3" in error_of(columns(tmp_path / "a.conll", text, tag_column=4))


def test_conllu_is_read_with_its_comments_and_numbers(tmp_path):
    rest = "\t_" * 5
    rows = ["# sent_id = 1", "# text = x", f"1-2\tDon't\t_\t_\t_{rest}", f"1\tDo\tdo\tAUX\t_{rest}",
            f"2\tn't\tnot\tPART\t_{rest}", f"2.1\tyou\tyou\tPRON\t_{rest}", f"3\tgo\tgo\tVERB\t_{rest}"]  # fmt: skip
    source = columns(tmp_path / "a.conllu", "\n".join(rows), word_column=2, tag_column=4)
    assert found(load(source)) == [[("Do", "AUX"), ("n't", "PART"), ("go", "VERB")]]


def test_chinese_words_are_joined_by_nothing_and_stay_told_apart(tmp_path):
    data = load(lines(tmp_path / "a.txt", "江/nr 泽民/nr 在/p １９９８/t iPhone/nz made/x in/x 中国/ns\n"))
    assert data.train.examples[0].text == "江泽民在１９９８iPhone made in中国"
    assert found(data)[0][:2] == [("江", "nr"), ("泽民", "nr")]
    entities = lines(tmp_path / "a.txt", "江/nr 泽民/nr 在/p 中国/ns\n", scheme="io")
    data = load(entities, only_labels=["nr", "ns"])
    assert found(data) == [[("江泽民", "nr"), ("中国", "ns")]]
    assert data.figures["dropped"] == {"spans_of_other_labels": 1}


def test_a_character_a_line_is_joined_by_nothing_whatever_the_script(tmp_path):
    text = "\n".join(f"{character} {tag}" for character, tag in zip("我爱Mac", "O O B-P I-P I-P".split(), strict=True))
    assert found(load(columns(tmp_path / "a.conll", text))) == [[("Mac", "P")]]


def test_a_joiner_that_is_named_stands_between_all_words():
    assert join_words(["北京", "市"], " ") == ("北京 市", ((0, 2), (3, 4)))
    assert join_words(["a", "b"], "") == ("ab", ((0, 1), (1, 2)))


def test_spans_are_read_in_the_shapes_that_annotation_tools_write(tmp_path):
    text = "Ann met 王小明 😀 in Paris"
    people = [{"start": 0, "end": 3, "label": "PER", "text": "Ann"}, {"start": 8, "end": 11, "label": "PER"}]
    rows = [{"text": text, "spans": [*people, {"start": 17, "end": 22, "label": "LOC"}]}]
    expected = [[("Ann", "PER"), ("王小明", "PER"), ("Paris", "LOC")]]
    assert found(load(spans(tmp_path / "a.jsonl", rows))) == expected
    lists = [[17, 22, "LOC"], [0, 3, "PER"], [8, 11, "PER"]]
    for column in ("entities", "label"):
        assert found(load(spans(tmp_path / "b.jsonl", [{"id": 7, "text": text, column: lists}]))) == expected
    data = load(spans(tmp_path / "c.jsonl", [{"text": text, "marks": [[3, 8, "X"]]}], spans_column="marks"))
    assert found(data) == [[("met", "X")]]
    assert data.figures["mended"] == {"white_space_in_spans": 1}


BAD_SPANS = {
    "a span out of the text": [0, 99, "X"],
    "an empty span": [3, 4, "X"],
    "a span without a label": [0, 3, " "],
    "a label that means outside": [4, 7, "O"],
    "overlapping spans": [1, 5, "X"],
    "a span of another text": {"start": 4, "end": 7, "label": "X", "text": "mat"},
}


def test_spans_that_cannot_be_are_told_with_their_lines_or_left_out_and_counted(tmp_path):
    rows = [{"text": "Ann met Bob", "spans": [[0, 3, "PER"], span]} for span in BAD_SPANS.values()]
    source = spans(tmp_path / "a.jsonl", [*rows, {"text": " ", "spans": []}, {"text": "Eve", "spans": [[0, 3, "PER"]]}])
    message = error_of(source)
    for line, reason in enumerate([*BAD_SPANS, "an empty text"], start=1):
        assert reason in message and f"a.jsonl, line {line}: " in message
    data = load(source, on_bad_example="skip")
    assert [text.text for text in data.train] == ["Eve"]
    assert data.figures["dropped"] == dict.fromkeys([*BAD_SPANS, "an empty text"], 1)


def test_words_without_a_plain_tag_are_in_no_span(tmp_path):
    text = "Ann PER\nLee PER\nmet O\nAcme ORG\nin O\nRome LOC\n. O\nItalian MISC\n"
    data = load(columns(tmp_path / "a.conll", text))
    assert data.labels == ["LOC", "MISC", "ORG", "PER"]
    assert found(data) == [[("Ann", "PER"), ("Lee", "PER"), ("Acme", "ORG"), ("Rome", "LOC"), ("Italian", "MISC")]]
    joined = load(columns(tmp_path / "a.conll", text, scheme="io"))
    assert found(joined)[0][:2] == [("Ann Lee", "PER"), ("Acme", "ORG")]


def test_what_means_outside_cannot_be_a_label(tmp_path):
    source = columns(tmp_path / "a.conll", "Ann B-PER\nsang O\n")
    for setting in ("labels", "only_labels"):
        with pytest.raises(ValidationError, match="'O' is the tag of words outside of spans, and no label"):
            TaggedDataConfig(train=source, **{setting: ["PER", "O"]})
    message = error_of(columns(tmp_path / "b.conll", "Ann B-PER\nsang B-O\n"))
    assert "b.conll, line 2: 'B-O' is no tag of the scheme iob2" in message


def test_groups_and_columns_are_kept_beside_the_texts(tmp_path):
    rows = [{"text": f"Ann {n}", "spans": [[0, 3, "PER"]], "page": n % 5, "kind": "news"} for n in range(20)]
    source = spans(tmp_path / "a.jsonl", rows, group_column="page", keep_columns=["kind"])
    data = load(source, split=SplitConfig(validation=0.2, test=0.2))
    assert len(data.train) == 12 and len({text.group for text in data.train}) == 3
    assert data.train.columns == {"kind": ["news"] * 12}
    assert data.train.select([1]).texts == [data.train.texts[1]]


def test_what_is_no_list_of_spans_is_named_with_the_shapes_that_are_read(tmp_path):
    for value in ("PER", [[0, "PER"]], [[0, 1.5, "PER"]], [{"start": 0, "stop": 3, "label": "PER"}]):
        assert '{"start": 0, "end": 4' in error_of(spans(tmp_path / "a.jsonl", [{"text": "Ann", "spans": value}]))
    assert "has no column 'spans'" in error_of(spans(tmp_path / "a.jsonl", [{"text": "Ann"}]))


BAD_LINES = {
    "another number of columns": "Ann B-PER extra",
    "a tag that does not fit": "Ann X-PER",
    "an empty word": "\u3000 O",
    "a word of more than 1,000 characters": "a" * 1001 + " O",
}


def test_sentences_with_bad_lines_are_told_with_these_lines_or_left_out_and_counted(tmp_path):
    good = "Ann B-PER\nsang O\n\n" * 20
    source = columns(tmp_path / "a.conll", good + "\n".join(f"so O\n{line}\n" for line in BAD_LINES.values()))
    message = error_of(source)
    for number, reason in enumerate(BAD_LINES):
        assert f"a.conll, line {62 + 3 * number}: " in message and reason in message
    data = load(source, on_bad_example="skip")
    assert len(data.train) == 20
    assert data.figures["dropped"] == dict.fromkeys(BAD_LINES, 1)


def test_empty_cells_are_told_too(tmp_path):
    message = error_of(columns(tmp_path / "a.conll", "Ann\tB-PER\n\tO\n\nBob\t\n"))
    assert "line 2: an empty word" in message and "line 4: the word 'Bob' has no tag" in message
    assert "'b' has no '/' TAG" in error_of(lines(tmp_path / "a.txt", "a/X b\n"))
    assert "There is no text in" in error_of(lines(tmp_path / "a.txt", "\n \n"))


def test_a_tag_without_its_beginning_is_mended_and_counted(tmp_path):
    data = load(columns(tmp_path / "a.conll", "Ann I-PER\nLee B-PER\nin O\nRome B-LOC\n", scheme="iob2"))
    assert found(data) == [[("Ann", "PER"), ("Lee", "PER"), ("Rome", "LOC")]]
    assert data.figures["mended"] == {"span_edges": 1}


def test_a_label_that_training_lacks_is_told_or_stays_as_one_that_is_never_found(tmp_path):
    train = columns(tmp_path / "train.conll", "Ann B-PER\n")
    test = columns(tmp_path / "test.conll", "Ann B-PER\n\nRome B-LOC\n")
    message = error_of(train, test=test)
    assert "test.conll, line 3: the label 'LOC' is not among the training's" in message
    data = load(train, test=test, on_bad_example="skip")
    assert len(data.test) == 2 and data.labels == ["PER"]
    assert data.figures["dropped"] == {"a label that training lacks": 1}


def test_a_split_keeps_equal_sentences_and_documents_together_and_is_repeatable(tmp_path):
    documents = ["-DOCSTART- O\n\n" + "".join(f"word{d} B-X\nis{s} O\n\n" for s in range(4)) for d in range(20)]
    source = columns(tmp_path / "a.conll", "".join(documents), group="document")
    split = SplitConfig(validation=0.2, test=0.2)
    first, again = (load_tagged(TaggedDataConfig(train=source, split=split), 3) for _ in range(2))
    assert first == again
    groups = [{text.group for text in getattr(first, name)} for name in ("train", "validation", "test")]
    assert [len(names) for names in groups] == [12, 4, 4]
    assert len(set.union(*groups)) == 20
    held_out = held_out_tagged(TaggedDataConfig(train=source, split=split), 3)
    assert {text_digest(text) for text in (*first.validation.texts, *first.test.texts)} == held_out


def test_documents_whose_labels_are_all_rare_still_give_every_split_one(tmp_path):
    tags = ["PER", "PER", "ORG", "ORG", "LOC"]
    text = "".join(f"-DOCSTART- O\n\nword{n} B-{tag}\nis O\n\n" for n, tag in enumerate(tags))
    data = load(columns(tmp_path / "a.conll", text, group="document"), split=SplitConfig())
    assert [len(getattr(data, name)) for name in ("train", "validation", "test")] == [3, 1, 1]
    assert {span.label for text in data.train for span in text.spans} == {"PER", "ORG", "LOC"}


def test_repeats_and_what_evaluation_has_are_dropped_on_demand(tmp_path):
    train = columns(tmp_path / "train.conll", "Ann B-PER\n\nAnn B-PER\n\nBob B-PER\n")
    test = columns(tmp_path / "test.conll", "Bob B-PER\n")
    assert len(load(train, test=test).train) == 3
    data = load(train, test=test, drop_repeats=True)
    assert [text.text for text in data.train] == ["Ann"]
    assert data.figures["dropped"] == {"repeated": 1, "in_evaluation": 1}


def test_limits_choose_a_part_that_a_larger_one_keeps(tmp_path):
    source = columns(tmp_path / "a.conll", "".join(f"w{n} B-X\n\n" for n in range(50)))
    few, more = (load(source, max_train_examples=limit) for limit in (10, 20))
    assert {text.text for text in few.train} < {text.text for text in more.train}
    assert more.figures["train"]["available_examples"] == 50


def test_labels_that_are_listed_must_be_there_and_no_others(tmp_path):
    source = columns(tmp_path / "a.conll", "Ann B-PER\nRome B-LOC\n")
    assert load(source, labels=["PER", "LOC"]).labels == ["PER", "LOC"]
    assert "No training text has a span of the label 'ORG'" in error_of(source, labels=["PER", "LOC", "ORG"])
    assert "the label 'LOC' is not among" in error_of(source, labels=["PER"])
    assert "Check tag_column or spans_column, and only_labels" in error_of(source, only_labels=["ORG"])


def test_another_source_is_read_whole_to_evaluate_on(tmp_path):
    source = columns(tmp_path / "a.conll", "Ann B-PER\n\nAnn B-PER\n\nRome B-LOC\n")
    config, dropped = TaggedDataConfig(train=source, on_bad_example="skip"), Counter()
    assert len(load_tagged_examples(source, ["PER"], config, dropped)) == 3
    assert dropped["a label that training lacks"] == 1


def test_half_a_character_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Ann \\ud83d", "spans": []}\n', encoding="utf-8")
    assert "a text with half a character" in error_of(SpansSource(paths=[str(path)]))
