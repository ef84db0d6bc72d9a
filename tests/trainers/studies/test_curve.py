"""What a curve says in words."""

import pytest

from trainers.candidates import mean_and_spread
from trainers.studies.curve import Curve, in_words
from trainers.studies.figures import Measure

ACCURACY = Measure("accuracy", True, 100.0)
LOSS = Measure("loss", False, 1.0)


def curve(values: dict[int, list[float]]) -> Curve:
    return Curve({size: mean_and_spread(of_size) for size, of_size in values.items()})


STEEP = curve({10: [0.5, 0.52], 30: [0.6, 0.62], 100: [0.7, 0.72], 300: [0.8, 0.82], 1000: [0.9, 0.92]})
FLAT = curve({10: [0.5, 0.56], 30: [0.68, 0.72], 100: [0.74, 0.8], 300: [0.75, 0.81], 1000: [0.76, 0.8]})


def test_what_ten_times_more_labels_bring_is_said():
    (sentence,) = in_words({"a": STEEP}, ACCURACY, "labels")
    assert "bring 20.0 points of accuracy from 10 to 100, 20.0 from 30 to 300, 20.0 from 100 to 1,000." in sentence
    assert sentence.endswith("It still gets better at 1,000.")


def test_a_curve_is_flat_from_where_more_labels_bring_no_more_than_the_spread():
    assert FLAT.flat_from(ACCURACY) == 100
    assert STEEP.flat_from(ACCURACY) is None
    (sentence,) = in_words({"a": FLAT}, ACCURACY, "labels a class")
    assert "From 100 labels a class on it is flat" in sentence


def test_labels_that_the_better_candidate_saves_are_counted():
    *_, saved = in_words({"flat": FLAT, "steep": STEEP}, ACCURACY, "labels")
    assert saved == (
        "With 300 labels **steep** is where **flat** is with 1,000; with 1,000 it is ahead by 13.0 points of accuracy."
    )


def test_curves_are_compared_where_all_have_the_figure():
    later = curve({30: [0.5, 0.52], 100: [0.7, 0.72]})
    *_, saved = in_words({"a": curve({10: [0.4], 30: [0.6], 100: [0.65], 300: [0.9]}), "b": later}, ACCURACY, "labels")
    assert saved == "At 100 labels **b** is ahead of **a** by 6.0 points of accuracy."
    assert len(in_words({"a": curve({10: [0.4]}), "b": later}, ACCURACY, "labels")) == 2  # nothing to compare
    assert in_words({}, ACCURACY, "labels") == []


def test_less_loss_is_better():
    falling = curve({10: [1.0, 1.01], 100: [0.5, 0.51]})
    (sentence,) = in_words({"a": falling}, LOSS, "labels")
    assert "bring 0.5 less loss from 10 to 100. It still gets better" in sentence


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({10: [0.5, 0.6]}, "one number of labels is no curve"),
        ({10: [0.5], 20: [0.6]}, "33.2 points of accuracy on average from 10 to 20"),
        ({10: [0.5], 20: [0.6]}, "cannot be told without a spread"),
        ({10: [0.5, 0.5], 100: [0.49999, 0.49999]}, "bring 0.0 points"),
    ],
)
def test_little_is_said_of_little(values, said):
    assert said in in_words({"a": curve(values)}, ACCURACY, "labels")[0]
