import gzip
import itertools
import json
from collections import Counter

import pytest

from tests.tfplm.data.question_sets import (
    CITIES,
    answer,
    city_documents,
    city_passage,
    paragraph,
    question,
    write_lines,
    write_squad,
)
from tfplm.data.configuration import SplitConfig
from tfplm.data.question_configuration import QuestionDataConfig, QuestionSource
from tfplm.data.questions import held_out_passages, load_questions, read_questions
from tfplm.data.sources import text_digest
from tfplm.errors import UserError

SPLITS = ("train", "validation", "test")
PASSAGE = "长江长6300公里，是亚洲最长的河流。"


def splits_of(data):
    return [getattr(data, name) for name in SPLITS]


def read(source, **settings):
    dropped = Counter()
    return read_questions(source, QuestionDataConfig(train=source, **settings), dropped), dropped


def error_of(source, **settings):
    with pytest.raises(UserError) as caught:
        read(source, **settings)
    return str(caught.value)


def one_question(tmp_path, entry, passage=PASSAGE):
    return write_squad(tmp_path / "a.json", [{"title": "河", "paragraphs": [paragraph(passage, entry)]}])


def test_squad_becomes_three_splits_in_which_no_document_parts(tmp_path):
    data = load_questions(QuestionDataConfig(train=write_squad(tmp_path / "a.json", city_documents(3))), 0)
    assert [len(split) for split in splits_of(data)] == [36, 12, 12]
    for one, other in itertools.combinations(splits_of(data), 2):
        assert not {question.group for question in one} & {question.group for question in other}
    for question_ in data.train:
        (found,) = question_.answers
        assert question_.passage[found.start : found.end] == found.text
    assert data.figures["test"] == {
        "examples": 12, "available_examples": 12, "without_answer": 0, "groups": 2, "passages": 6,
        "question_characters": sum(len(question.question) for question in data.test),
        "passage_characters": sum(map(len, {question.passage for question in data.test})),
    }  # fmt: skip
    assert not data.train.any_impossible


def test_passages_may_be_the_groups(tmp_path):
    source = write_squad(
        tmp_path / "a.json", [{"title": "all", "paragraphs": city_documents(1)[n]["paragraphs"]} for n in range(10)]
    )
    with pytest.raises(
        UserError, match="all 20 questions are of 1 document.\n.*at least 3.*\nSet finetune.data.group: passage"
    ):
        load_questions(QuestionDataConfig(train=source), 0)
    data = load_questions(QuestionDataConfig(train=source, group="passage"), 0)
    for one, other in itertools.combinations(splits_of(data), 2):
        assert one
        assert not {question.passage for question in one} & {question.passage for question in other}


def test_a_passage_of_two_documents_does_not_part(tmp_path):
    documents = [
        {
            "title": f"d{n}",
            "paragraphs": [paragraph("the same text", question(str(n), f"q{n}?", [answer("the same text", "same")]))],
        }
        for n in range(2)
    ]
    data = load_questions(QuestionDataConfig(train=write_squad(tmp_path / "a.json", documents + city_documents())), 3)
    assert any(sum(q.passage == "the same text" for q in split) == 2 for split in splits_of(data))


def test_equal_seeds_give_equal_data_and_a_limit_keeps_the_choice_of_a_smaller_one(tmp_path):
    source = write_squad(tmp_path / "a.json", city_documents(3))
    few, more = (
        load_questions(QuestionDataConfig(train=source, max_train_examples=n, max_evaluation_examples=4), 1)
        for n in (5, 20)
    )
    assert [len(split) for split in splits_of(few)] == [5, 4, 4]
    assert {q.id for q in few.train} < {q.id for q in more.train}
    assert list(few.test) == list(more.test)
    other = load_questions(QuestionDataConfig(train=source, max_evaluation_examples=4), 2)
    assert list(other.test) != list(few.test)


def test_training_leaves_out_the_passages_of_given_files(tmp_path):
    train = write_squad(tmp_path / "a.json", city_documents())
    test = write_squad(tmp_path / "b.json", city_documents()[:3])
    data = load_questions(QuestionDataConfig(train=train, test=test, split=SplitConfig(test=0.0)), 0)
    assert len(data.test) == 6
    assert not {q.passage for split in (data.train, data.validation) for q in split} & {q.passage for q in data.test}
    assert data.figures["dropped"] == {"repeated": 0, "in_evaluation": 6}
    with pytest.raises(UserError, match="No question is left to train on"):
        load_questions(QuestionDataConfig(train=test, test=train), 0)


def test_repeated_questions_are_dropped(tmp_path):
    documents = city_documents()
    again = {**documents[0]["paragraphs"][0]["qas"][0], "id": "again"}
    documents[0]["paragraphs"][0]["qas"].append(again)
    config = QuestionDataConfig(train=write_squad(tmp_path / "a.json", documents))
    assert load_questions(config, 0).figures["dropped"]["repeated"] == 1
    assert load_questions(config.model_copy(update={"drop_repeats": False}), 0).figures["dropped"]["repeated"] == 0


def test_squad_2_knows_questions_without_answers_and_ignores_plausible_ones(tmp_path):
    documents = city_documents(impossible=True)
    documents[0]["paragraphs"][0]["qas"][2]["plausible_answers"] = [{"text": "the river", "answer_start": 3}]
    data = load_questions(QuestionDataConfig(train=write_squad(tmp_path / "a.json", documents)), 0)
    assert data.train.any_impossible
    assert data.figures["train"]["without_answer"] == sum(q.is_impossible for q in data.train) == len(data.train) // 3
    assert all((q.place is None) == q.is_impossible for q in data.train)


def test_json_lines_take_every_form_of_answers(tmp_path):
    start = PASSAGE.index("亚洲")
    rows = [
        {"question": "q?", "passage": PASSAGE, "answer": "亚洲"},
        {"question": "q?", "context": PASSAGE, "answers": [{"text": "亚洲", "answer_start": start}], "id": 7},
        {"question": "q?", "context": PASSAGE, "answers": {"text": ["亚洲", "洲"], "answer_start": [start, start + 1]}},
        {"question": "q?", "context": PASSAGE, "answers": ["亚洲", "最长"], "title": "河"},
        {"question": "q?", "context": PASSAGE, "answers": {"text": [], "answer_start": []}},
        {"question": "q?", "context": PASSAGE, "answers": [], "is_impossible": True},
    ]
    questions, _ = read(write_lines(tmp_path / "a.jsonl", rows))
    assert [q.id for q in questions if q.id != q.origin] == ["7"]
    assert [q.is_impossible for q in questions] == [False] * 4 + [True] * 2
    assert {q.answers[0] for q in questions[:4]} == {("亚洲", start, start + 2)}
    assert len({q.group for q in questions}) == 2


def test_questions_without_ids_may_stand_in_several_files(tmp_path):
    documents = city_documents()
    for entry in (entry for document in documents for part in document["paragraphs"] for entry in part["qas"]):
        del entry["id"]
    write_squad(tmp_path / "a.json", documents[:5])
    write_squad(tmp_path / "b.json", documents[5:])
    questions, _ = read(QuestionSource(paths=[str(tmp_path / "*.json")]))
    assert len({q.id for q in questions}) == len(questions) == 2 * len(CITIES)
    row = {"question": "q?", "passage": PASSAGE, "answer": "亚洲"}
    for name in "ab":
        write_lines(tmp_path / f"{name}.jsonl", [row, row | {"id": f"{name}-2"}])
    lines = QuestionSource(paths=[str(tmp_path / "*.jsonl")])
    assert len(read(lines)[0]) == 4
    write_lines(tmp_path / "b.jsonl", [row, row | {"id": "a-2"}])
    assert f"the id 'a-2' of {tmp_path / 'a.jsonl'}, line 2 (id a-2) again" in error_of(lines)


def test_compressed_files_and_a_byte_order_mark_are_read(tmp_path):
    source = write_squad(tmp_path / "a.json", city_documents())
    content = (tmp_path / "a.json").read_bytes()
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + content))
    assert len(read(QuestionSource(paths=[str(tmp_path / "b.json.gz")]))[0]) == len(read(source)[0]) == 2 * len(CITIES)


BAD = [
    (question("a", "q?", [answer(PASSAGE, "亚洲", 10)]), "not at its offset", "it stands at 11"),
    (question("a", "q?", [answer(PASSAGE, "亚洲", 900)]), "out of range", "outside of the 19 characters"),
    (question("a", "q?", [answer(PASSAGE, "亚洲", -1)]), "out of range", "it stands at 11"),
    (question("a", "q?", [answer(PASSAGE, "黄河", 0)]), "not at its offset", "the passage does not hold it"),
    (question("a", "q?", []), "no answer, and is_impossible is not true", ""),
    (question("a", "q?", [], is_impossible=False), "no answer, and is_impossible is not true", ""),
    (question("a", "q?", [], is_impossible="yes"), "neither true nor false", "'yes'"),
    (question("a", "q?", [answer(PASSAGE, "亚洲")], is_impossible=True), "where is_impossible is true", "亚洲"),
    (question("a", " \n", [answer(PASSAGE, "亚洲")]), "an empty question", ""),
    (question("a", None, [answer(PASSAGE, "亚洲")]), "no question", ""),
    (question("a", 3, [answer(PASSAGE, "亚洲")]), "a question that is no text", "int"),
    (question("a", "q?", [{"text": "", "answer_start": 0}]), "an empty answer", ""),
    (question("a", "q?", [{"text": "亚洲", "answer_start": "11"}]), "no whole number", "'11'"),
    (question("a", "q?", [{"text": "亚洲", "answer_start": True}]), "no whole number", "True"),
    (question("a", "q?", [3]), "an answer that is no text", "int"),
    (question(["a"], "q?", [answer(PASSAGE, "亚洲")]), "an id that is none", "['a']"),
    ("text", "no object", "a str where"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "reason", "details"), BAD)
def test_a_bad_question_is_named_with_its_place(tmp_path, entry, reason, details):
    message = error_of(one_question(tmp_path, entry))
    assert reason in message
    assert details in message
    assert f"{tmp_path / 'a.json'}, data[0].paragraphs[0].qas[0]" in message
    assert "(id a)" in message or not isinstance(entry, dict) or entry["id"] != "a"
    assert "finetune.data.on_bad_example: skip" in message


@pytest.mark.parametrize(
    ("passage", "reason"),
    [
        ("", "an empty passage"),
        (None, "no passage"),
        (7, "a passage that is no text"),
    ],
)
def test_a_passage_without_text_is_bad(tmp_path, passage, reason):
    assert reason in error_of(one_question(tmp_path, question("a", "q?", [answer(PASSAGE, "亚洲")]), passage))


def test_half_a_character_is_bad(tmp_path):
    document = {"title": "河", "paragraphs": [paragraph("亚洲 \ud83d", question("a", "q?", [answer("亚洲", "亚洲")]))]}
    (tmp_path / "a.json").write_text(json.dumps({"data": [document]}), encoding="utf-8")
    assert "a passage with half a character" in error_of(QuestionSource(paths=[str(tmp_path / "a.json")]))


def test_bad_questions_are_skipped_and_counted_where_that_is_set(tmp_path):
    passage = city_passage("Essen")
    documents = city_documents()
    documents[1]["paragraphs"][0]["qas"][1]["id"] = f"{CITIES[0]}-0-who"
    documents.append(
        {"paragraphs": [paragraph(passage, question("x", "q?", [answer(passage, "Essen", 1)]), "no question")]}
    )
    source = write_squad(tmp_path / "a.json", documents)
    message = error_of(source)
    assert "3 examples cannot be used" in message
    assert "an id that stands there twice (1)" in message
    assert f"data[1].paragraphs[0].qas[1] (id {CITIES[0]}-0-who)" in message
    questions, dropped = read(source, on_bad_example="skip")
    assert len(questions) == 2 * len(CITIES) - 1
    assert sum(dropped.values()) == 3
    with pytest.raises(UserError, match="There is no question in"):
        read(one_question(tmp_path, "bad"), on_bad_example="skip")


def test_answers_elsewhere_are_searched_where_that_is_set(tmp_path):
    answers = [answer(PASSAGE, "黄河", -1), answer(PASSAGE, "亚洲", 10)]
    source = one_question(tmp_path, question("a", "q?", answers))
    data = QuestionDataConfig(train=source, answers_elsewhere="search")
    notes = Counter()
    (found,) = read_questions(source, data, Counter(), notes)
    assert found.answers == (("黄河", None, None), ("亚洲", 11, 13))
    assert found.place.text == "亚洲"
    assert notes == {"answers_found_elsewhere": 1, "answers_not_in_passage": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"data": 3}', "data is no list"),
        ("[1, 2]", "data is no list"),
        ('{"data": [{"title": "x"}]}', "data[0].paragraphs is no list"),
        ('{"data": [{"paragraphs": [[]]}]}', "data[0].paragraphs[0].qas is no list"),
        ('{"data": [}', "not valid JSON"),
        ('{"question": "q?"}\n{"question": "r?"}', "It looks like JSON lines: set format: jsonl."),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_named(tmp_path, text, expected):
    (tmp_path / "a.json").write_text(text)
    message = error_of(QuestionSource(paths=[str(tmp_path / "a.json")]))
    assert message.startswith(str(tmp_path / "a.json"))
    assert expected in message


def test_a_line_that_is_no_json_and_a_suffix_that_says_nothing_are_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"question": "q?"\n')
    assert f"{tmp_path / 'a.jsonl'}, line 1: not valid JSON" in error_of(
        QuestionSource(paths=[str(tmp_path / "a.jsonl")])
    )
    (tmp_path / "a.txt").write_text("")
    assert "Set format: squad or jsonl." in error_of(QuestionSource(paths=[str(tmp_path / "a.txt")]))


def test_pretraining_is_told_the_passages_of_evaluation(tmp_path):
    config = QuestionDataConfig(train=write_squad(tmp_path / "a.json", city_documents()))
    data = load_questions(config, 0)
    digests = held_out_passages(config, 0)
    assert all(text_digest(q.passage) in digests for split in (data.validation, data.test) for q in split)
    assert not any(text_digest(q.passage) in digests for q in data.train)
