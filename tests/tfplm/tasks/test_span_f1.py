import numpy as np
import pytest
from seqeval.metrics import f1_score

from tfplm.tasks.span_f1 import SpanF1
from tfplm.tasks.tag_layout import tag_names

NAMES = tag_names(["A", "B"])


def test_it_is_the_f1_of_seqeval_over_the_tokens_that_count():
    generator, metric = np.random.default_rng(0), SpanF1(NAMES)
    there, given = [], []
    for _ in range(5):
        tags = generator.integers(0, 5, (8, 9))
        logits = generator.normal(size=(8, 9, 5)) + 2 * np.eye(5)[tags]
        counts = generator.random((8, 9)) < 0.7
        metric.update_state(tags, logits.astype("float32"), counts.astype("float32"))
        for row in range(8):
            there.append([NAMES[tag] for tag in tags[row][counts[row]]])
            given.append([NAMES[tag] for tag in logits[row].argmax(-1)[counts[row]]])
    assert float(metric.result()) == pytest.approx(f1_score(there, given), abs=1e-6)


def test_without_spans_it_is_nought():
    metric = SpanF1(NAMES)
    metric.update_state(np.zeros((1, 3), int), np.eye(5)[[[0, 0, 0]]].astype("float32"))
    assert float(metric.result()) == 0.0
    assert SpanF1.from_config(metric.get_config()).class_names == NAMES
