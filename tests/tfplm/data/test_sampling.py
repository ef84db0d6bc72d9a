import numpy as np

from tfplm.data.sampling import balanced_order

LABELS = np.array([0] * 30 + [1] * 5 + [3] * 2)  # 37 examples of three classes; no example has the label 2


def test_an_epoch_draws_every_class_equally_often_and_is_as_long_as_before():
    for epoch in range(4):
        counts = np.bincount(LABELS[balanced_order(LABELS, 7, epoch)], minlength=4)
        assert counts.sum() == 37 and counts[2] == 0
        assert set(counts[[0, 1, 3]]) == {12, 13}


def test_over_the_epochs_every_example_of_a_class_comes_equally_often():
    drawn = np.concatenate([balanced_order(LABELS, 7, epoch) for epoch in range(6)])
    counts = np.bincount(drawn, minlength=37)
    for label in (0, 1, 3):
        of_class = counts[label == LABELS]
        assert of_class.max() - of_class.min() <= 1 and of_class.sum() == 74


def test_the_order_is_a_function_of_seed_and_epoch_alone():
    np.testing.assert_array_equal(balanced_order(LABELS, 7, 2), balanced_order(LABELS, 7, 2))
    assert not np.array_equal(balanced_order(LABELS, 7, 2), balanced_order(LABELS, 7, 3))
    assert not np.array_equal(balanced_order(LABELS, 7, 2), balanced_order(LABELS, 8, 2))


def test_fewer_examples_than_classes_take_turns():
    assert sorted(balanced_order(np.array([4, 9]), 0, 0)) == [0, 1]
