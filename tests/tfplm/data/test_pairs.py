import csv
import itertools

import pytest

from tfplm.data.configuration import CleaningConfig, SplitConfig, TextSource
from tfplm.data.pair_configuration import GenerationTaskConfig, PairDataConfig, PairTableSource, RestorationSource
from tfplm.data.pairs import Pairs, first_sentence, held_out_texts, load_pairs, load_tasks, prompts
from tfplm.data.sources import read_documents, text_digest
from tfplm.errors import UserError

SPLITS = ("train", "validation", "test")


def write_table(path, rows, header=("source", "target")):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return PairTableSource(paths=[str(path)], group_column="page" if "page" in header else None)


@pytest.fixture
def words(tmp_path):
    return write_table(tmp_path / "words.csv", [(f"word {n}", f"词 {n}") for n in range(200)])


def splits_of(data):
    return [getattr(data, name) for name in SPLITS]


def error_of(config):
    with pytest.raises(UserError) as caught:
        load_pairs(config, 0)
    return str(caught.value)


def test_a_table_becomes_three_splits_whose_pairs_stay_together(words):
    data = load_pairs(PairDataConfig(train=words), 0, "translate")
    assert [len(split) for split in splits_of(data)] == [140, 30, 30]
    for split in splits_of(data):
        assert [source.split()[1] for source in split.sources] == [target.split()[1] for target in split.targets]
        assert set(split.tasks) == {"translate"}
        assert all(origin.startswith(words.paths[0]) for origin in split.origins)
    characters = sum(map(len, data.test.sources)), sum(map(len, data.test.targets))
    assert data.figures["test"] == {
        "examples": 30, "groups": 30, "source_characters": characters[0], "target_characters": characters[1],
        "available_examples": 30,
    }  # fmt: skip
    assert not any(data.figures["dropped"].values())
    assert data.figures["warnings"] == []


def test_equal_seeds_give_equal_data_and_others_do_not(words):
    first, again, other = (load_pairs(PairDataConfig(train=words), seed) for seed in (0, 0, 1))
    assert [split.sources for split in splits_of(first)] == [split.sources for split in splits_of(again)]
    assert first.test.sources != other.test.sources


def test_only_so_many_pairs_are_chosen_and_a_larger_limit_keeps_them(words):
    few, more = (
        load_pairs(PairDataConfig(train=words, max_train_examples=n, max_evaluation_examples=5), 0) for n in (20, 50)
    )
    assert [len(split) for split in splits_of(few)] == [20, 5, 5]
    assert set(few.train.sources) < set(more.train.sources)
    assert few.test.sources == more.test.sources
    assert few.figures["train"]["available_examples"] == 140


def test_no_source_text_and_no_group_is_in_two_splits(tmp_path):
    rows = [(f"page{n % 30}", f"text {n % 170}", f"target {n}") for n in range(400)]
    data = load_pairs(PairDataConfig(train=write_table(tmp_path / "a.csv", rows, ("page", "source", "target"))), 0)
    page_of = {target: page for page, _, target in rows}
    for one, other in itertools.combinations(splits_of(data), 2):
        assert one.sources
        assert not set(one.sources) & set(other.sources)
        assert not {page_of[target] for target in one.targets} & {page_of[target] for target in other.targets}
    assert data.figures["dropped"]["in_evaluation"] == 400 - sum(map(len, splits_of(data))) > 0


def test_repeated_pairs_are_dropped_and_several_targets_of_a_source_stay(tmp_path):
    rows = [(f"s {n % 50}", f"t {n % 100}") for n in range(300)]
    source = write_table(tmp_path / "a.csv", rows)
    data = load_pairs(PairDataConfig(train=source), 0)
    assert sum(map(len, splits_of(data))) == 100
    assert data.figures["dropped"]["repeated"] == 200
    kept = load_pairs(PairDataConfig(train=source, drop_repeats=False), 0)
    assert sum(map(len, splits_of(kept))) == 300


def test_given_evaluation_data_stays_and_training_loses_what_is_in_it(tmp_path, words):
    test = write_table(tmp_path / "test.csv", [("word 3", "别的"), ("new", "新")])
    data = load_pairs(PairDataConfig(train=words, test=test, split=SplitConfig(validation=0.1)), 0)
    assert data.test.sources == ["word 3", "new"]
    assert "word 3" not in data.train.sources + data.validation.sources
    assert data.figures["dropped"]["in_evaluation"] == 1
    assert len(data.validation) == 20
    assert "No pair is left to train on" in error_of(PairDataConfig(train=words, test=words))


def test_too_few_groups_to_split_are_an_error_that_says_how_to_mend_it(tmp_path):
    (tmp_path / "a.txt").write_text("This is a sentence of a text. " * 3 + "And this is another one.", encoding="utf-8")
    text = TextSource(paths=[str(tmp_path / "a.txt")])
    message = error_of(PairDataConfig(train=RestorationSource(text=text)))
    assert "all 2 pairs are of 1 document." in message
    assert "document: paragraph" in message
    whole = PairDataConfig(train=RestorationSource(text=text), split=SplitConfig(validation=0.0, test=0.0))
    assert len(load_pairs(whole, 0).train) == 2


def test_several_tasks_stand_one_behind_the_other_with_their_own_figures(tmp_path, words):
    backward = words.model_copy(update={"source_column": "target", "target_column": "source"})
    long = write_table(tmp_path / "long.csv", [(f"s{n}", "t" * 90 + str(n)) for n in range(60)])
    tasks = {
        "to_chinese": GenerationTaskConfig(prefix="translate to Chinese: ", data=PairDataConfig(train=words)),
        "to_english": GenerationTaskConfig(prefix="翻译成英文：", data=PairDataConfig(train=backward)),
        "grow": GenerationTaskConfig(prefix="grow: ", data=PairDataConfig(train=long)),
    }
    data = load_tasks(tasks, 0)
    assert data.train.tasks == ["to_chinese"] * 140 + ["to_english"] * 140 + ["grow"] * 42
    assert len(data.test.sources) == len(data.test.targets) == len(data.test.origins) == 69
    assert data.figures["tasks"]["grow"]["train"]["examples"] == 42
    (warning,) = data.figures["warnings"]
    assert warning.startswith("grow: ")
    texts = prompts(data.train, {name: task.prefix for name, task in tasks.items()}, " =>")
    assert texts[0] == f"translate to Chinese: {data.train.sources[0]} =>"
    assert texts[140] == f"翻译成英文：{data.train.sources[140]} =>"


def test_pretraining_is_told_what_to_leave_out(tmp_path, words):
    for n in range(20):
        text = (
            f"This is document number {n}, of two lines.\nThe second line has the number {n} too.\n\n"
            f"A paragraph, number {n}, follows."
        )
        (tmp_path / f"{n:02}.txt").write_text(text, encoding="utf-8")
    source = TextSource(paths=[str(tmp_path / "*.txt")])
    configs = [PairDataConfig(train=RestorationSource(text=source)), PairDataConfig(train=words)]
    held_out = held_out_texts(configs, 0)
    sentences, table = load_pairs(configs[0], 0), load_pairs(configs[1], 0)
    for document in ("file", "paragraph", "line"):
        cut = source.model_copy(update={"document": document})
        for text in (document.text for document in read_documents(cut, CleaningConfig())):
            in_test = any(sentence in text for sentence in sentences.test.targets + sentences.validation.targets)
            in_train = any(sentence in text for sentence in sentences.train.targets)
            assert in_test != in_train
            assert (text_digest(text) in held_out) == in_test
    assert {text_digest(text) for text in table.test.sources + table.validation.targets} <= held_out
    assert text_digest(table.train.sources[0]) not in held_out


def test_the_first_sentence_is_of_one_line_in_any_language():
    assert first_sentence("Mr. Adams\ncame. He left.\n\nMore.") == "Mr. Adams came."
    assert first_sentence("第一句。第二句。") == "第一句。"
    assert first_sentence(" \n") == ""


def test_pairs_without_any_text_have_the_length_0():
    assert len(Pairs()) == 0
