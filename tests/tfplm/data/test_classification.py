import numpy as np
import pytest

from tests.corpora import tiny_tokenizer
from tfplm.data.classification import class_weight_of_examples, encode_texts
from tfplm.errors import UserError


def test_balanced_weights_give_every_class_the_same_total():
    labels = np.array([0] * 30 + [1] * 10 + [2] * 5, np.int32)
    weights = class_weight_of_examples(labels, ["a", "b", "c"], "balanced")
    totals = [weights[labels == c].sum() for c in range(3)]
    np.testing.assert_allclose(totals, 15.0, rtol=1e-6)
    assert weights.mean() == pytest.approx(1.0)


def test_named_weights_fall_on_their_class():
    weights = class_weight_of_examples(np.array([0, 1, 1]), ["a", "b"], {"b": 3.0})
    assert weights.tolist() == [1.0, 3.0, 3.0]


def test_a_weight_of_an_unknown_class_is_refused():
    with pytest.raises(UserError, match="'c'"):
        class_weight_of_examples(np.array([0, 1, 1]), ["a", "b"], {"b": 3.0, "c": 2.0})


def test_a_multi_label_example_takes_the_mean_weight_of_its_classes():
    labels = np.array([[1, 0], [1, 1], [0, 0]], np.float32)
    weights = class_weight_of_examples(labels, ["a", "b"], {"a": 1.0, "b": 3.0})
    assert weights.tolist() == [1.0, 2.0, 1.0]


def test_texts_are_cut_to_the_row_and_closed():
    ids = encode_texts(tiny_tokenizer(), ["w1 w2", "w1 " * 50, ""], 8)
    assert ids.shape == (3, 8)
    assert ids[0].tolist() == [2, 6, 7, 3, 0, 0, 0, 0]
    assert ids[1].tolist() == [2, *[6] * 6, 3]
    assert ids[2].tolist() == [2, 3, 0, 0, 0, 0, 0, 0]
