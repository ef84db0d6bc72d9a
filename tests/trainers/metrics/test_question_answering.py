import random

import numpy as np
import pytest

from trainers.metrics.question_answering import (
    best_threshold,
    question_answering_figures,
    question_answering_intervals,
    with_threshold,
)


def test_figures_are_means_over_the_questions_in_percent():
    figures = question_answering_figures(["red house", "sky"], [["a red house", "house"], ["blue sky"]])
    assert figures == {"examples": 2, "exact_match": 50.0, "f1": pytest.approx(100 * (1 + 2 / 3) / 2), "rule": "squad"}


def test_chinese_answers_are_judged_by_characters_unless_another_rule_is_named():
    answers, references = ["红楼梦中人", "北京。"], [["红楼梦"], ["北京"]]
    assert question_answering_figures(answers, references)["f1"] == pytest.approx(87.5)
    assert question_answering_figures(answers, references, "squad")["f1"] == 0.0


def test_questions_without_an_answer_are_also_counted_apart():
    figures = question_answering_figures(["red", "", "blue", ""], [["red"], ["blue"], [], []])
    assert figures["exact_match"] == 50.0
    assert figures["has_answer"] == {"examples": 2, "exact_match": 50.0, "f1": 50.0}
    assert figures["no_answer"] == {"examples": 2, "exact_match": 50.0, "f1": 50.0}
    assert question_answering_figures([""], [[]])["has_answer"] == {"examples": 0, "exact_match": None, "f1": None}


def test_the_best_threshold_gives_what_it_promises_and_no_other_gives_more():
    rng = random.Random(0)
    spans = [rng.choice(["red", "blue sky", "old house"]) for _ in range(80)]
    references = [rng.choice([[], ["red"], ["sky"]]) for _ in spans]
    scores = np.array([rng.randint(-3, 3) + (not texts) for texts in references], np.float32)  # with ties
    best = best_threshold(spans, references, scores)
    for name, found in best.items():
        values = [
            question_answering_figures(with_threshold(spans, scores, threshold), references)[name]
            for threshold in [found["threshold"], *np.arange(-5, 6)]
        ]
        assert values[0] == pytest.approx(found["value"])
        assert found["value"] == pytest.approx(max(values))


def test_thresholds_that_answer_everything_or_nothing_are_found():
    everything = best_threshold(["red", "blue"], [["red"], ["blue"]], np.array([0.5, 2.0]))["f1"]
    assert everything["threshold"] > 2.0
    nothing = best_threshold(["red", "blue"], [[], []], np.array([0.5, 2.0]))["f1"]
    assert nothing["threshold"] < 0.5
    assert everything["value"] == nothing["value"] == 100.0


def test_intervals_are_also_given_by_kind_of_question():
    intervals = question_answering_intervals(["red", "", "blue"] * 20, [["red"], ["sky"], []] * 20)
    assert set(intervals) == {
        name + kind for name in ("exact_match", "f1") for kind in ("", " of has_answer", " of no_answer")
    }
    low, high = intervals["f1 of has_answer"]
    assert 0 < low < 50 < high < 100
    assert intervals["f1 of no_answer"] == [0.0, 0.0]


def test_other_numbers_of_answers_and_unknown_rules_are_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        question_answering_figures(["a"], [["a"], ["b"]])
    with pytest.raises(ValueError, match="one of squad, cmrc, got drcd"):
        question_answering_figures(["a"], [["a"]], "drcd")
    with pytest.raises(ValueError, match="got none"):
        best_threshold([], [], np.zeros(0))
