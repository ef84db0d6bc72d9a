import random
import warnings

import pytest
from seqeval.metrics import classification_report
from sklearn import metrics

from trainers.metrics.tagging import has_chunks, tagging_figures


def random_sentences(tags, seed):
    rng = random.Random(seed)
    gold = [[rng.choice(tags) for _ in range(rng.randint(1, 12))] for _ in range(60)]
    return gold, [[tag if rng.random() < 0.8 else rng.choice(tags) for tag in sentence] for sentence in gold]


def test_figures_of_a_hand_counted_case():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"]]
    predicted = [["B-PER", "I-PER", "O", "B-PER"], ["O", "B-LOC"]]
    figures = tagging_figures(gold, predicted)
    assert (figures["examples"], figures["tokens"]) == (2, 6)
    assert figures["accuracy"] == pytest.approx(5 / 6)
    assert figures["micro_f1"] == pytest.approx(2 / 3)
    assert figures["per_class"] == {
        "LOC": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "examples": 2},
        "PER": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "examples": 1},
    }


def test_an_entity_counts_only_with_both_its_ends():
    figures = tagging_figures([["B-PER", "I-PER", "I-PER"]], [["B-PER", "I-PER", "O"]])
    assert (figures["micro_f1"], figures["accuracy"]) == (0.0, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    "tags",
    [
        ["O", "O", "B-人名", "I-人名", "B-地名", "I-地名"],
        ["O", "O", "B-PER", "I-PER", "E-PER", "S-PER", "S-LOC", "B-LOC", "E-LOC"],
    ],
)
def test_figures_of_entities_equal_those_of_seqeval_also_for_tags_out_of_order(tags):
    gold, predicted = random_sentences(tags, seed=0)
    figures = tagging_figures(gold, predicted)
    expected = classification_report(gold, predicted, output_dict=True, zero_division=0)
    for average in ("micro", "macro"):
        for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert figures[f"{average}_{name}"] == pytest.approx(expected[f"{average} avg"][key])
    for kind, row in figures["per_class"].items():
        assert row["f1"] == pytest.approx(expected[kind]["f1-score"])
        assert row["examples"] == expected[kind]["support"]


def test_tags_that_stand_for_themselves_are_counted_one_by_one():
    gold, predicted = random_sentences(["NN", "VB", "DT", "JJ"], seed=1)
    figures = tagging_figures(gold, predicted)
    flat = [[tag for sentence in sentences for tag in sentence] for sentences in (gold, predicted)]
    assert figures["accuracy"] == figures["micro_f1"] == pytest.approx(metrics.accuracy_score(*flat))
    assert figures["macro_f1"] == pytest.approx(metrics.f1_score(*flat, average="macro"))
    assert figures["per_class"]["NN"]["examples"] == flat[0].count("NN")


def test_the_scheme_is_told_from_the_tags():
    assert has_chunks([["O", "B-PER"], ["E-PER", "S-LOC"]])
    assert has_chunks([["B", "I", "O"]])
    assert not has_chunks([["B-PER", "NN"]])


def test_sentences_without_entities_count_zero_in_silence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = tagging_figures([["O", "O"], ["O"]], [["O", "O"], ["O"]])
    assert (figures["micro_f1"], figures["macro_f1"], figures["accuracy"], figures["per_class"]) == (0.0, 0.0, 1.0, {})


def test_other_numbers_of_tags_are_refused():
    with pytest.raises(ValueError, match="as many tags of each"):
        tagging_figures([["O", "O"]], [["O"]])
