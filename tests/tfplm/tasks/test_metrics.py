import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from tfplm.tasks.metrics import LabelAccuracy, MacroF1, MultiLabelAccuracy, Perplexity

RANDOM = np.random.default_rng(0)


def test_perplexity_of_uniform_logits_is_the_number_of_choices():
    metric = Perplexity()
    metric.update_state(np.zeros((2, 3), "int32"), np.zeros((2, 3, 5), "float32"))
    assert float(metric.result()) == pytest.approx(5.0)


def test_perplexity_weighs_tokens_over_all_batches():
    logits = RANDOM.normal(size=(4, 3, 5)).astype("float32")
    targets = RANDOM.integers(0, 5, (4, 3))
    weights = RANDOM.integers(0, 2, (4, 3)).astype("float32")
    metric = Perplexity()
    for rows in (slice(0, 1), slice(1, 4)):
        metric.update_state(targets[rows], logits[rows], weights[rows])
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, targets[..., None], -1)[..., 0]
    assert float(metric.result()) == pytest.approx(np.exp((losses * weights).sum() / weights.sum()), rel=1e-5)
    metric.reset_state()
    metric.update_state(np.zeros(1, "int32"), np.zeros((1, 2), "float32"))
    assert float(metric.result()) == pytest.approx(2.0)


def test_macro_f1_of_one_label_equals_scikit_learn():
    logits = RANDOM.normal(size=(40, 4)).astype("float32")
    labels = RANDOM.integers(0, 4, (40,))
    metric = MacroF1(num_classes=4)
    metric.update_state(labels[:25], logits[:25])
    metric.update_state(labels[25:, None], logits[25:])
    assert float(metric.result()) == pytest.approx(f1_score(labels, logits.argmax(-1), average="macro"), abs=1e-6)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_macro_f1_and_accuracy_of_many_labels_use_the_threshold(threshold):
    logits = RANDOM.normal(size=(40, 4)).astype("float32")
    labels = RANDOM.integers(0, 2, (40, 4)).astype("float32")
    given = 1 / (1 + np.exp(-logits)) >= threshold
    f1, accuracy = MacroF1(4, threshold), MultiLabelAccuracy(threshold)
    f1.update_state(labels, logits)
    accuracy.update_state(labels, logits)
    assert float(f1.result()) == pytest.approx(f1_score(labels, given, average="macro"), abs=1e-6)
    assert float(accuracy.result()) == pytest.approx((given == labels).all(axis=1).mean(), abs=1e-6)


METRICS = [LabelAccuracy(), MacroF1(4), MultiLabelAccuracy(0.4), MacroF1(4, 0.4)]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: type(m).__name__)
def test_examples_of_weight_zero_do_not_count_and_all_others_count_once(metric):
    logits = RANDOM.normal(size=(40, 4)).astype("float32")
    several = isinstance(metric, MultiLabelAccuracy) or metric.get_config().get("threshold") is not None
    labels = (logits + RANDOM.normal(size=(40, 4)) > 0).astype("float32") if several else RANDOM.integers(0, 4, 40)
    weights = RANDOM.choice([0.0, 0.5, 3.0], 40).astype("float32")
    results = []
    for rows, row_weights in ((slice(None), weights), (weights > 0, None)):
        metric.reset_state()
        metric.update_state(labels[rows], logits[rows], row_weights)
        results.append(float(metric.result()))
    assert 0 < results[0] < 1
    assert results[0] == pytest.approx(results[1], abs=1e-6)


@pytest.mark.parametrize(
    "metric", [Perplexity(), LabelAccuracy(), MacroF1(3, 0.4), MultiLabelAccuracy(0.4)], ids=lambda m: type(m).__name__
)
def test_config_rebuilds_the_metric(metric):
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert rebuilt.get_config() == metric.get_config()
