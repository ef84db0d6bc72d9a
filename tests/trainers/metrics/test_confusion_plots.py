import numpy as np
import pytest

from trainers.metrics.confusion_plots import confusion_plot, multi_label_confusion_plot


def test_a_confusion_matrix_shows_counts_and_shares_of_the_true_class(pixels):
    picture = confusion_plot([[6, 2, 0], [0, 1, 0], [0, 0, 0]], ["新闻", "$x_", "a\nb"])
    pixels(picture)
    axes = picture.axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]])
    assert [text.get_text() for text in axes.texts] == ["6", "2", "0", "0", "1", "0", "0", "0", "0"]
    assert axes.get_yticklabels()[1].get_text() == "$x_"


def test_beyond_forty_classes_the_rare_ones_are_gathered_and_none_is_lost():
    matrix = np.diag(np.arange(60)) + 1
    picture = confusion_plot(matrix, [f"class {number}" for number in range(60)])
    labels = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert (len(labels), labels[0], labels[-1]) == (40, "class 21", "21 others")
    shares = picture.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    rest = matrix[:21, :21].sum() / matrix[:21].sum()
    assert shares[-1, -1] == pytest.approx(rest)


def test_decisions_of_several_labels_are_shown_by_class(pixels):
    picture = multi_label_confusion_plot([[[5, 1], [2, 6]], [[9, 0], [3, 2]]], ["a", "b"])
    pixels(picture)
    assert [text.get_text() for text in picture.axes[0].texts] == ["6", "2", "1", "5", "2", "3", "0", "9"]
    np.testing.assert_allclose(picture.axes[0].images[0].get_array()[0], [6 / 8, 2 / 8, 1 / 6, 5 / 6])
